package engine

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
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
}

// The folders that docs/engines.md says are kept are those that are, and no others.
func TestTheDocumentedCaches(t *testing.T) {
	b, err := os.ReadFile("../../docs/engines.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(b), "| engine | folders |\n|---|---|\n")
	table, _, _ = strings.Cut(table, "\n\n")
	documented := map[string][]string{}
	for line := range strings.Lines(table) {
		cells := strings.Split(line, " | ")
		for _, name := range quoted.FindAllString(cells[0], -1) {
			documented[strings.Trim(name, "`")] = quoted.FindAllString(cells[1], -1)
		}
	}
	for _, e := range engines {
		if e.Traits().Running {
			continue
		}
		model := "org/m"
		if e.Name() == "reference" {
			model = "reference/tiny"
		}
		s, err := e.Spec(decoded(t, "model: "+model+"\nengine: {image: i}\n"), Host{})
		if err != nil {
			t.Fatal(err)
		}
		var kept []string
		for _, c := range s.Caches {
			kept = append(kept, "`"+c.Target+"`")
		}
		if diff := cmp.Diff(kept, documented[e.Name()]); diff != "" {
			t.Errorf("%s: -kept +documented:\n%s", e.Name(), diff)
		}
		delete(documented, e.Name())
	}
	if len(documented) > 0 {
		t.Errorf("no such engines: %v", documented)
	}
}

var quoted = regexp.MustCompile("`[^`]+`")
