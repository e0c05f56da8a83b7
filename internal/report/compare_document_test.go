package report

import (
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/llenergymeasure/llem/internal/result"
)

// The interval of a ratio is printed by its ends where it is wide.
func TestWideIntervalsArePrintedByTheirEnds(t *testing.T) {
	c := compared(t, "", repeats("a", nil, 1, 1.3, 0.8), repeats("b", nil, 2.1, 2.9, 2.4))
	if got, want := c.Differences[0].Sentence, "B uses 144 % more energy per output token than A (+24 to +380 %)"; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

// Points are named in the order of their first result, ranked or not.
func TestLettersFollowTheArguments(t *testing.T) {
	failed := repeats("failed", func(r *result.Record) { r.Status = result.Failed }, 1)
	c := compared(t, "", failed, repeats("a", nil, 1))
	if c.Points[0].Name != "failed" || c.Points[0].Label != "A" || c.Versus != "B" {
		t.Errorf("%+v", c.Points)
	}
	labels := []string{"A1", "B", "Z1", "A2", "A"}
	slices.SortFunc(labels, byLabel)
	if !slices.Equal(labels, []string{"A", "B", "A1", "Z1", "A2"}) {
		t.Errorf("%q", labels)
	}
}

// The examples of docs/compare.md are what is printed.
func TestTheExamplesAreWhatIsPrinted(t *testing.T) {
	page, err := os.ReadFile("../../docs/compare.md")
	if err != nil {
		t.Fatal(err)
	}
	var printed []byte
	for _, name := range []string{"compare", "compare_blocks"} {
		one, err := os.ReadFile("testdata/" + name + ".golden")
		if err != nil {
			t.Fatal(err)
		}
		printed = append(printed, one...)
	}
	lines := 0
	for line := range strings.Lines(string(page)) {
		example, is := strings.CutPrefix(line, "    ")
		if command := strings.HasPrefix(example, "llem ") || strings.HasPrefix(example, "duckdb "); !is || command {
			continue
		}
		lines++
		if !strings.Contains(string(printed), example) {
			t.Errorf("not printed: %s", example)
		}
	}
	if lines < 9 {
		t.Errorf("%d lines of examples", lines)
	}
}

// UUIDs are cut short only where that leaves them different.
func TestShortUUIDsStayDifferent(t *testing.T) {
	d := Differs{Values: map[string]string{"A": "GPU-00000001-a", "B": "GPU-00000001-b", "C": "GPU-00000002-c"}}
	if got := []string{d.short("A"), d.short("B"), d.short("C")}; !slices.Equal(got, []string{"GPU-00000001-a", "GPU-00000001-b", "GPU-00000002"}) {
		t.Errorf("%q", got)
	}
}

// docs/compare.md has a row for every field of the JSON.
func TestTheJSONIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/compare.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []reflect.Type{reflect.TypeFor[Comparison](), reflect.TypeFor[Differs](), reflect.TypeFor[Point](), reflect.TypeFor[Left](), reflect.TypeFor[Mean](), reflect.TypeFor[Difference]()} {
		for _, f := range reflect.VisibleFields(kind) {
			if key := f.Tag.Get("json"); key != "" && !strings.Contains(string(page), "`"+key+"`") {
				t.Errorf("docs/compare.md does not have %s of %s", key, kind.Name())
			}
		}
	}
}
