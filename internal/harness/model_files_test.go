package harness

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/llenergymeasure/llem/internal/engine"
	"github.com/llenergymeasure/llem/internal/hub"
	"github.com/llenergymeasure/llem/internal/load"
)

// touch makes files below dir, and their folders.
func touch(t *testing.T, dir string, names ...string) {
	t.Helper()
	for _, n := range names {
		path := filepath.Join(dir, n)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestHowAModelIsMounted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const cached = "cache/models--org--m"
	touch(t, dir, "plain/config.json", "a model/config.json", "one.gguf", "parts/big-00001-of-00002.gguf", "parts/big-00002-of-00002.gguf",
		cached+"/blobs/x", cached+"/snapshots/abc/config.json", cached+"/snapshots/abc/m.gguf", "own/snapshots/abc/config.json")
	if err := os.Symlink("plain", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	for at, want := range map[string]engine.Model{
		"plain":                         {Source: "plain", Target: "/models/plain", Path: "/models/plain"},
		"a model":                       {Source: "a model", Target: "/models/a_model", Path: "/models/a_model"},
		"link":                          {Source: "plain", Target: "/models/link", Path: "/models/link"},
		"one.gguf":                      {Source: "one.gguf", Target: "/models/one.gguf", Path: "/models/one.gguf", GGUF: true},
		"parts/big-00001-of-00002.gguf": {Source: "parts", Target: "/models/parts", Path: "/models/parts/big-00001-of-00002.gguf", GGUF: true},
		cached + "/snapshots/abc":       {Source: cached, Target: "/models/models--org--m", Path: "/models/models--org--m/snapshots/abc"},
		cached + "/snapshots/abc/m.gguf": {
			Source: cached, Target: "/models/models--org--m", Path: "/models/models--org--m/snapshots/abc/m.gguf", GGUF: true,
		},
		"own/snapshots/abc": {Source: "own/snapshots/abc", Target: "/models/abc", Path: "/models/abc"}, // nothing lies beside it
	} {
		want.Source = filepath.Join(dir, want.Source)
		got, err := mounted(filepath.Join(dir, at))
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v, -want +got:\n%s", at, err, diff)
		}
	}
	if _, err := mounted(filepath.Join(dir, "nowhere")); err == nil || !strings.Contains(err.Error(), "nowhere") {
		t.Errorf("error %v, want one that names the path", err)
	}
}

func TestPromptsAreDrawnFromTheModelsWords(t *testing.T) {
	t.Parallel()
	words := []hub.Word{{ID: 7, Text: " seven"}, {ID: 9, Text: " nine"}}
	for name, c := range map[string]struct {
		of   hub.Vocabulary
		want load.Vocabulary
	}{
		"with a beginning":    {hub.Vocabulary{Words: words, BOS: 0, LeadingSpace: true}, load.Vocabulary{Head: []int{0}}},
		"with a space of its": {hub.Vocabulary{Words: words, BOS: -1}, load.Vocabulary{Trim: true}},
	} {
		c.want.IDs, c.want.Texts = []int{7, 9}, []string{" seven", " nine"}
		if diff := cmp.Diff(&c.want, vocabulary(c.of)); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
}
