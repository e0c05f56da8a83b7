package job

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/llenergymeasure/llem/internal/engine"
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

func TestALinkOutOfTheModelIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	touch(t, dir, "elsewhere/weights", "model/config.json", "cache/snapshots/hub/models--org--m/blobs/x")
	if err := os.Symlink("../elsewhere/weights", filepath.Join(dir, "model/model.safetensors")); err != nil {
		t.Fatal(err)
	}
	if _, err := mounted(filepath.Join(dir, "model")); err == nil || !strings.Contains(err.Error(), "model.safetensors is a link to") {
		t.Errorf("error %v, want one that names the link", err)
	}
	// The folder of a snapshot's repository is the last of that name.
	snapshot := filepath.Join(dir, "cache/snapshots/hub/models--org--m/snapshots/abc")
	if err := os.MkdirAll(snapshot, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../../blobs/x", filepath.Join(snapshot, "config.json")); err != nil {
		t.Fatal(err)
	}
	m, err := mounted(snapshot)
	if err != nil || m.Path != "/models/models--org--m/snapshots/abc" {
		t.Errorf("%+v, %v", m, err)
	}
}
