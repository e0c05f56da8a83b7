package job

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/llenergymeasure/llem/internal/pattern"
	"github.com/llenergymeasure/llem/internal/study"
)

// A file has to have as many prompts as an open loop's seconds need; a closed loop
// takes all that there are.
func TestPromptsOfAFileForSeconds(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "p.jsonl")
	if err := os.WriteFile(path, []byte("{\"prompt\": \"a\"}\n{\"prompt\": \"b\"}\n{\"prompt\": \"c\"}\n{\"prompt\": \"d\"}\n{\"prompt\": \"e\"}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	e := study.Experiment{Workload: study.Workload{Source: path, Prompts: 2, MinSeconds: 9, Load: pattern.Load{Pattern: "closed", Concurrency: 1}}}
	var p Prompts
	if err := (&Finder{}).openPrompts(t.Context(), e, &p); err != nil || len(p.Measured) != 5 || p.Schedule.N != 2 || p.More(e) != nil {
		t.Errorf("%d prompts, %d at least, %v", len(p.Measured), p.Schedule.N, err)
	}
	e.Workload.Load = pattern.Load{Pattern: "constant", RatePerSecond: 1}
	if err := (&Finder{}).openPrompts(t.Context(), e, &p); err == nil || !strings.Contains(err.Error(), "p.jsonl holds 5 prompts, and 9 requests are due within workload.min_seconds 9: lower it") {
		t.Errorf("got %v", err)
	}
}
