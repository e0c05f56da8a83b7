package harness

import (
	"testing"

	"github.com/llenergymeasure/llem/internal/engine"
	"github.com/llenergymeasure/llem/internal/job"
)

// A version that the server does not say leaves no gap in what is printed.
func TestAnUnknownVersionLeavesNoGap(t *testing.T) {
	e, err := engine.Lookup("vllm")
	if err != nil {
		t.Fatal(err)
	}
	for version, want := range map[string]string{"": "vllm", "0.32": "vllm 0.32", " ": "vllm"} {
		s := server{job: &job.Job{Engine: e}}
		s.info.Version = version
		if got := s.called(); got != want {
			t.Errorf("version %q: %q, want %q", version, got, want)
		}
	}
}
