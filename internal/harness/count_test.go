package harness

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/llenergymeasure/llem/internal/launch"
)

// The server counts a file's prompts beforehand, where it can; else its usage does.
func TestAFilesPromptsAreCounted(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "p.jsonl")
	write := func(last string) string {
		if err := os.WriteFile(path, []byte("{\"prompt\":\"one\"}\n{\"prompt\":\"two\"}\n{\"prompt\":\"three\"}\n{\"prompt\":\""+last+"\"}\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("workload: {source: %q, prompts: 4, max_output_tokens: 5, load: {concurrency: 2}}\n", path)
	}
	for name, c := range map[string]struct {
		fake *fake
		by   string
		warn bool
	}{
		"by the server":                       {&fake{counts: true}, "tokenize", false},
		"by a server whose usage says more":   {&fake{counts: true, template: 1}, "tokenize", true},
		"by usage alone, which may be longer": {&fake{template: 1}, "server", false},
	} {
		out, _, err := c.fake.executed(t, write("four"), nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		warned := told(out.Record, "token_count_mismatch") != ""
		if got := out.Record.Requests.LengthsBy; got != c.by || warned != c.warn || out.Record.Tokens.Input == nil {
			t.Errorf("%s: by %q, %v tokens, warned: %t", name, got, out.Record.Tokens.Input, warned)
		}
	}
	_, _, err := (&fake{counts: true}).executed(t, write(strings.Repeat("long ", 1000)), nil)
	if err == nil || launch.KindOf(err) != launch.ConfigFault || !strings.Contains(err.Error(), "1 of 4 prompts and their answers of workload.max_output_tokens 5 do not fit the engine's context of 4096: the first begins \"long long") || !strings.Contains(err.Error(), "and is 5000 tokens to the server") {
		t.Errorf("a prompt that does not fit: %v", err)
	}
}
