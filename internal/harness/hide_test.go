package harness

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/llenergymeasure/llem/internal/launch"
)

const plantedKey = "planted-7f3a9c"

const withSecrets = "engine: {name: reference, image: i, env: {SOME_TOKEN: " + plantedKey + "-env}, args: {api-key: " + plantedKey + "-arg}}\n" +
	"workload: {prompts: 4, max_input_tokens: 8, max_output_tokens: 4, extra_body: {auth: {token: " + plantedKey + "-body}}}\n"

// A server tells its secrets wherever it speaks: in its command line, its log
// and its refusals. No file of a result has one, nor the error.
func TestSecretsThatAServerTellsAreKeptNowhere(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		fake   *fake
		failed bool
	}{
		{"some requests refused", &fake{fails: 1 + 4}, false},
		{"all requests refused", &fake{fails: 1 + 1}, true},
		{"it dies", &fake{dies: "/v1/completions", after: 2}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.fake.tells = []string{plantedKey + "-env", plantedKey + "-arg", plantedKey + "-body"}
			out, _, err := c.fake.executed(t, withSecrets, nil)
			if (err != nil) != c.failed {
				t.Fatal(err)
			}
			if err != nil && strings.Contains(err.Error(), plantedKey) {
				t.Errorf("the error tells: %v", err)
			}
			var died *launch.Exited
			if errors.As(err, &died) && (died.LogTail == "" || strings.Contains(died.LogTail, plantedKey)) {
				t.Errorf("the end of the log tells: %q", died.LogTail)
			}
			if len(out.Record.Engine.Command) < 2 {
				t.Errorf("command %q", out.Record.Engine.Command)
			}
			err = filepath.WalkDir(out.Dir, func(path string, d fs.DirEntry, err error) error {
				if err != nil || d.IsDir() {
					return err
				}
				data, err := os.ReadFile(path)
				if strings.Contains(string(data), plantedKey) {
					t.Errorf("%s tells", filepath.Base(path))
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestHidingKeepsEverythingElse(t *testing.T) {
	t.Parallel()
	for name, writes := range map[string][]string{
		"lines":                 {"one\nkey=secret\n", "two\n"},
		"a line in pieces":      {"one\nkey=sec", "ret\ntwo", "\n"},
		"a line without an end": {"one\nkey=secret\ntw", "o\n"},
	} {
		var b strings.Builder
		h := &hiding{to: &b, hide: func(s string) string { return strings.ReplaceAll(s, "secret", "X") }}
		for _, w := range writes {
			if n, err := h.Write([]byte(w)); n != len(w) || err != nil {
				t.Fatal(n, err)
			}
		}
		if err := h.flush(); err != nil || b.String() != "one\nkey=X\ntwo\n" {
			t.Errorf("%s: %q, %v", name, b.String(), err)
		}
	}
}
