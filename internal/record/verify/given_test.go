package verify

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/llenergymeasure/llem/internal/measure"
	"github.com/llenergymeasure/llem/internal/result"
)

var update = flag.Bool("update", false, "rewrite generated parts of docs")

// fieldPaths are the fields of a struct that is written as JSON, and of those in it.
func fieldPaths(t reflect.Type, path string, out map[string]bool) map[string]bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		return fieldPaths(t.Elem(), path, out)
	case reflect.Struct:
		if t == reflect.TypeFor[time.Time]() {
			break
		}
		for i := range t.NumField() {
			key, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
			if key == "-" {
				continue
			}
			fieldPaths(t.Field(i).Type, strings.TrimPrefix(path+"."+key, "."), out)
		}
		return out
	}
	out[path] = true
	return out
}

// What is on the list of given fields is a field, and what is taken over from a record
// is on the list: a field that is added is computed, or is put there with a reason.
func TestEveryFieldIsComputedOrGiven(t *testing.T) {
	fields := fieldPaths(reflect.TypeFor[result.Record](), "", map[string]bool{})
	for _, path := range slices.Concat(slices.Collect(maps.Keys(given)), slices.Collect(maps.Keys(computedUnder))) {
		there := false
		for field := range fields {
			there = there || field == path || strings.HasPrefix(field, path+".")
		}
		if !there {
			t.Errorf("%s is no field of a record", path)
		}
	}
	for path := range computedUnder {
		if parent := path[:strings.LastIndexByte(path, '.')]; !isGiven(parent) {
			t.Errorf("%s is computed anyway", path)
		}
	}
	// Parts that again takes over as they are.
	taken := []string{"engine.", "model.", "environment.", "study.", "config", "files", "energy.host.", "energy.instruments.", "energy.codecarbon."}
	for field := range fields {
		for _, part := range taken {
			if strings.HasPrefix(field, part) && !isGiven(field) && !computedUnder[field] {
				t.Errorf("%s is taken over from the record, and not on the list of given fields", field)
			}
		}
	}
}

// docs/verify.md lists what is not computed, as the code has it.
func TestWhatVerifyCannotComputeIsDocumented(t *testing.T) {
	const path = "../../../docs/verify.md"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(text), "<!-- given -->\n")
	_, tail, closed := strings.Cut(rest, "<!-- end -->\n")
	if !ok || !closed {
		t.Fatalf("%s has no place for the list", path)
	}
	want := head + "<!-- given -->\n" + givenTable() + "<!-- end -->\n" + tail
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		text = []byte(want)
	}
	if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Errorf("%s (go test ./internal/record/verify -update rewrites it): -want +got:\n%s", path, diff)
	}
}

func givenTable() string {
	var b strings.Builder
	b.WriteString("| field | what it is, and what it is held to |\n|---|---|\n")
	for _, path := range slices.Sorted(maps.Keys(given)) {
		fmt.Fprintf(&b, "| `%s` | %s |\n", path, given[path])
	}
	fmt.Fprintf(&b, "\nComputed all the same: `%s`.\n", strings.Join(slices.Sorted(maps.Keys(computedUnder)), "`, `"))
	var observed []string
	for _, k := range measure.Kinds() {
		if k.Observed {
			observed = append(observed, k.Code)
		}
	}
	slices.Sort(observed)
	fmt.Fprintf(&b, "\nWarnings that are not made again, since they say what only the run saw: `%s`; and `single_run` of a study's run.\n", strings.Join(observed, "`, `"))
	return b.String()
}
