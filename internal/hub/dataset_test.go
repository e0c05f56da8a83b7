package hub

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/llenergymeasure/llem/internal/hub/standin"
)

// datasetHub serves one dataset.
func datasetHub(t *testing.T, files map[string]string) *standin.Hub {
	t.Helper()
	h := &standin.Hub{Repo: "datasets/owner/talk", Files: map[string][]byte{"README.md": []byte("x"), "dataset_infos.json": []byte("{}")}}
	for name, text := range files {
		h.Files[name] = []byte(text)
	}
	h.Start()
	t.Cleanup(h.Close)
	t.Setenv("HF_ENDPOINT", h.URL)
	t.Setenv("HF_HUB_CACHE", t.TempDir())
	return h
}

// A dataset's file is downloaded once, checked, and found again without the hub.
func TestADatasetsFile(t *testing.T) {
	h := datasetHub(t, map[string]string{"data/train.jsonl": strings.Repeat("a", 3*standin.Large), "data/test.csv": "b"})
	for name, says := range map[string]string{
		"hf:owner/talk":                                     "it has several files, of which one is to be named as hf:owner/name/FILE: data/",
		"hf:owner/talk/none.csv":                            "it has no file none.csv, but data/",
		"hf:owner/talk@gone/data/train.json":                "owner/talk has no revision gone",
		"hf:owner/other":                                    "owner/other does not exist, or is private or gated",
		"hf:owner/talk/../x":                                "is not named as hf:owner/name",
		"hf:owner/talk/weights.bin":                         "hf:owner/talk/weights.bin is no file of prompts",
		"hf:owner/talk@refs/convert/parquet/data/a.parquet": "owner/talk has no revision refs/convert/parquet",
	} {
		if _, err := EnsureDataset(t.Context(), Options{Model: name}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", name, err, says)
		}
	}
	never := Options{Model: "hf:owner/talk/data/train.jsonl", Pull: "never"}
	if _, err := EnsureDataset(t.Context(), never); !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "`llem pull CONFIG` downloads it") {
		t.Errorf("never: %v", err)
	}
	var seen int64
	f, err := EnsureDataset(t.Context(), Options{Model: never.Model, Progress: func(done, _ int64) { seen = done }})
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(f.Path)
	if err != nil || len(data) != 3*standin.Large || f.Commit != standin.Commit || seen != int64(len(data)) || h.Served() != int64(len(data)) {
		t.Errorf("%d bytes of %s, %d told: %v", len(data), f.Commit, seen, err)
	}
	if want := filepath.Join("datasets--owner--talk", "snapshots", standin.Commit, "data", "train.jsonl"); !strings.HasSuffix(f.Path, want) {
		t.Errorf("it lies at %s", f.Path)
	}
	// Without a file's name it is the hub that says which, whatever the cache has.
	if _, err := EnsureDataset(t.Context(), Options{Model: "hf:owner/talk"}); err == nil || !strings.Contains(err.Error(), "it has several files") {
		t.Errorf("one of several is here: %v", err)
	}
	h.Close()
	for _, o := range []Options{never, {Model: "hf:owner/talk@" + standin.Commit + "/data/train.jsonl"}, {Model: never.Model, Revision: standin.Commit}} {
		if again, err := EnsureDataset(t.Context(), o); err != nil || again != f {
			t.Errorf("%+v, again: %+v, %v", o, again, err)
		}
	}
	t.Setenv("HF_HUB_OFFLINE", "1")
	if again, err := EnsureDataset(t.Context(), Options{Model: never.Model, Pull: "always"}); err != nil || again != f {
		t.Errorf("offline: %+v, %v", again, err)
	}
	if _, err := EnsureDataset(t.Context(), Options{Model: "hf:owner/talk/data/test.csv"}); !errors.Is(err, ErrOffline) || !strings.Contains(err.Error(), "is not in") {
		t.Errorf("offline, and not here: %v", err)
	}
}

func TestADatasetOfOneFile(t *testing.T) {
	h := datasetHub(t, map[string]string{"train.parquet": "p"})
	h.Corrupt = "train.parquet"
	if _, err := EnsureDataset(t.Context(), Options{Model: "hf:owner/talk", pause: 1}); !errors.Is(err, errChecksum) {
		t.Errorf("a damaged one: %v", err)
	}
	h.Corrupt = ""
	one := Options{Model: "hf:owner/talk"}
	f, err := EnsureDataset(t.Context(), one)
	if err != nil || filepath.Base(f.Path) != "train.parquet" {
		t.Errorf("%+v, %v", f, err)
	}
	h.Close()
	if again, err := EnsureDataset(t.Context(), one); err != nil || again != f {
		t.Errorf("without the hub: %+v, %v", again, err)
	}
	one.Pull, one.CacheDir = "never", t.TempDir()
	if _, err := EnsureDataset(t.Context(), one); !errors.Is(err, ErrNotFound) {
		t.Errorf("in another cache: %v", err)
	}
}
