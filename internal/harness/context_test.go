package harness

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/llenergymeasure/llem/internal/engine"
	"github.com/llenergymeasure/llem/internal/job"
	"github.com/llenergymeasure/llem/internal/study"
)

// longRun is the server of a run of 100 tokens in and 29 out with a local model of a context of
// 128 tokens.
func longRun(t *testing.T, name string) *server {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(`{"max_position_embeddings":128}`), 0o644); err != nil {
		t.Fatal(err)
	}
	eng, err := engine.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	return &server{
		log: slog.New(slog.DiscardHandler), progress: (&watching{}).Progress,
		job: &job.Job{Engine: eng, Experiment: study.Experiment{Model: dir, Workload: study.Workload{Source: "synthetic", MaxInputTokens: 100, MaxOutputTokens: 29}}},
	}
}

func TestAServersContextThatIsTooShortSaysWhatToChange(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		engine, endpoint, says string
	}{
		"started here":  {"llamacpp", "", "lower one of them, or raise engine.args.ctx-size"},
		"running":       {"vllm", "http://localhost:8000", "lower one of them, or start the server with a longer context"},
		"without flags": {"reference", "", "lower one of them"},
	} {
		s := longRun(t, c.engine)
		s.job.Experiment.Engine.Endpoint = c.endpoint
		s.info.ContextLength = 64
		err := s.draw(t.Context())
		if err == nil || !strings.Contains(err.Error(), "the engine's context of 64") || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", name, err, c.says)
		}
	}
}
