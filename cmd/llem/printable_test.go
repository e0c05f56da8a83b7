package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Whatever command prints foreign text, a terminal obeys none of it.
func TestCommandsEscapeForeignText(t *testing.T) {
	t.Parallel()
	bad := "a\x1b[31mb\u202ec\x9bd"
	dir := t.TempDir()
	file := filepath.Join(dir, "c.yaml")
	if err := os.WriteFile(file, []byte("model: x\nnonsense\u202e: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"show", filepath.Join(dir, bad)},
		{"verify", filepath.Join(dir, bad)},
		{"compare", filepath.Join(dir, bad), dir},
		{"run", "--dry-run", file},
		{"config", "validate", file},
		{"run", "--gpus", bad, "--dry-run", "--image", bad, "--model", "m"},
		{bad},
		{"show", "--" + bad},
	} {
		var out, said bytes.Buffer
		if code := execute(args, &out, &said); code == 0 {
			t.Errorf("llem %q: exit 0", args)
		}
		if text := out.String() + said.String(); strings.ContainsAny(text, "\x1b\u202e") || strings.Contains(text, "\x9b") || !strings.Contains(text, `\u`) && !strings.Contains(text, `\x`) {
			t.Errorf("llem %q said %q", args, text)
		}
	}
}
