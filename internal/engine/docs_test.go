package engine

import (
	"os"
	"strings"
	"testing"
)

// The table of docs/engines.md says what the code does.
func TestTheDocumentedEngines(t *testing.T) {
	b, err := os.ReadFile("../../docs/engines.md")
	if err != nil {
		t.Fatal(err)
	}
	yes := map[bool]string{true: "yes", false: "no"}
	for _, e := range engines {
		_, row, ok := strings.Cut(string(b), "\n| `"+e.Name()+"` |")
		row, _, _ = strings.Cut(row, "\n")
		cells := strings.Split(row, " | ")
		if !ok || len(cells) != 6 {
			t.Errorf("%s: no row of 7 cells: %q", e.Name(), row)
			continue
		}
		tr := e.Traits()
		if e.Name() != "reference" && !strings.Contains(cells[0], tr.Versions) {
			t.Errorf("%s: checked %q, written for %q", e.Name(), cells[0], tr.Versions)
		}
		if tr.Upstream != "" && !strings.Contains(cells[1], "`"+tr.Upstream+"`") || !strings.Contains(cells[1], tr.Tag) {
			t.Errorf("%s: image %q, want %s", e.Name(), cells[1], tr.Upstream)
		}
		if tr.UpstreamCPU != "" && !strings.Contains(cells[1], "`"+tr.UpstreamCPU+"`") {
			t.Errorf("%s: image %q, want %s too", e.Name(), cells[1], tr.UpstreamCPU)
		}
		if cells[2] != yes[tr.TokenIDs] || cells[3] != yes[tr.IgnoreEOS] {
			t.Errorf("%s: token ids %s, ignore EOS %s, want %t and %t", e.Name(), cells[2], cells[3], tr.TokenIDs, tr.IgnoreEOS)
		}
	}
	for name, c := range map[string]*openai{"vllm": vllm, "sglang": sglang, "tensorrt-llm": tensorrt, "tgi": tgi, "lmdeploy": lmdeploy} {
		s, err := c.Spec(decoded(t, "model: org/m\nengine: {image: i}\n"), Host{Model: hf})
		if err != nil {
			t.Fatal(err)
		}
		_, folders, _ := strings.Cut(string(b), "| engine | folders |")
		_, row, _ := strings.Cut(folders, "`"+name+"`")
		row, _, _ = strings.Cut(row, "\n")
		for _, cache := range s.Caches {
			if !strings.Contains(row, "`"+cache.Target+"`") {
				t.Errorf("%s: the folder %s is not documented", name, cache.Target)
			}
		}
	}
}
