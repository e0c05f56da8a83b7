package load_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/llenergymeasure/llem/internal/dataset"
	"github.com/llenergymeasure/llem/internal/load"
	"github.com/llenergymeasure/llem/internal/study"
)

func TestNewVariant(t *testing.T) {
	path := filepath.Join(t.TempDir(), "p.tsv")
	if err := os.WriteFile(path, []byte("context\tquestion\nA.\tWhy?\nB.\tWho?\nA.\tWhy?\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	reqs, file, err := load.ReadPrompts(load.PromptsOptions{File: dataset.Options{Path: path}, N: 2})
	if err != nil || len(reqs) != 2 || reqs[1].Prompt != "B.\n\nWho?" || file.LeftOut["repeated"] != 1 {
		t.Errorf("%+v, %+v, %v", reqs, file, err)
	}
	for _, source := range []string{"p.tsv", "hf:owner/name/p.tsv"} {
		if _, err := study.Decode("x.yaml", []byte("model: a/b\nworkload: {source: "+source+"}\n"), study.Options{}); err != nil {
			t.Error(err)
		}
	}
	if _, err := study.Decode("x.yaml", []byte("model: a/b\nworkload: {source: p.txt}\n"), study.Options{}); err == nil || !strings.Contains(err.Error(), "nor a .jsonl, .json, .csv, .parquet or .tsv file") {
		t.Errorf("got %v", err)
	}
	if !strings.Contains(dataset.Table(), "| `FILE.tsv` | a table with tabs |") {
		t.Error("the table of the docs does not have the format")
	}
}
