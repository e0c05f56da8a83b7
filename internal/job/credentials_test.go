package job

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/llenergymeasure/llem/internal/study"
)

// A key in engine.env opens the server that the container starts, so that requests carry
// it and no text shows it; the container has it already.
func TestTheExperimentsOwnKeyIsSentAndHidden(t *testing.T) {
	t.Parallel()
	const key = "sk-0123456789"
	path := filepath.Join(t.TempDir(), "p.jsonl")
	if err := os.WriteFile(path, []byte("{\"prompt\": \"a\"}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	j := longJob(t, "vllm")
	j.Experiment.Workload = study.Workload{Source: path, Prompts: 1}
	j.Experiment.Engine = study.Engine{Image: "a/b:1", Name: "vllm", Env: map[string]string{"VLLM_API_KEY": key}}
	f := &Finder{Launcher: &store{has: []string{"a/b:1"}}}
	if err := f.Server(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	c := j.Credentials
	if c.From != "engine.env.VLLM_API_KEY" || c.Header.Get("Authorization") != "Bearer "+key || j.Experiment.Hide(key) == key {
		t.Errorf("from %q, headers %v", c.From, len(c.Header))
	}
	if s := j.Spec; s.Env["VLLM_API_KEY"] != key || s.Key != "" {
		t.Errorf("env %q, key %q", s.Env["VLLM_API_KEY"], s.Key)
	}
}
