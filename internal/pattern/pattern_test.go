package pattern

import (
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite generated files")

func TestTheTableOfTheDocsIsUpToDate(t *testing.T) {
	const path = "../../docs/load.md"
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, found := strings.Cut(string(page), "| `pattern` |")
	_, tail, ends := strings.Cut(rest, "\n\n")
	if !found || !ends {
		t.Fatalf("%s has no table of patterns", path)
	}
	want := head + Table() + "\n" + tail
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, string(page)); diff != "" {
		t.Errorf("%s (go test ./internal/pattern -update rewrites it): -want +got:\n%s", path, diff)
	}
}

// A ninth pattern is one file, one row and test data: built with these, and with nothing
// else changed, its loads are decoded, documented and planned.
func TestANinthPatternIsOneFileAndOneRow(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	table, err := os.ReadFile("pattern.go")
	if err != nil {
		t.Fatal(err)
	}
	with := strings.Replace(string(table), "\ttrace,\n}", "\ttrace,\n\tpairs,\n}", 1)
	if with == string(table) {
		t.Fatal("the table of patterns does not end with trace")
	}
	row := filepath.Join(dir, "pattern.go")
	if err := os.WriteFile(row, []byte(with), 0o644); err != nil {
		t.Fatal(err)
	}
	absolute := func(path string) string {
		abs, err := filepath.Abs(path)
		if err != nil {
			t.Fatal(err)
		}
		return abs
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {
		absolute("pattern.go"):            row,
		absolute("pairs.go"):              absolute("testdata/ninth/pairs.go"),
		absolute("../load/pairs_test.go"): absolute("testdata/ninth/pairs_test.go"),
	}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(file, overlay, 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("go", "test", "-vet=off", "-count=1", "-v", "-overlay", file, "-run", "^TestPairs$", "../load").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: TestPairs") {
		t.Errorf("%v\n%s", err, out)
	}
}
