package load_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/llenergymeasure/llem/internal/load"
	"github.com/llenergymeasure/llem/internal/pattern"
	"github.com/llenergymeasure/llem/internal/study"
)

func decode(text string) (study.Experiment, error) {
	return study.Decode("x.yaml", []byte("model: a/b\nworkload: {prompts: 5, load: {pattern: pairs, "+text+"}}\n"), study.Options{})
}

func TestNewVariant(t *testing.T) {
	e, err := decode("rate_per_second: 4, burstiness: 0.5, max_in_flight: 8")
	if err != nil {
		t.Fatal(err)
	}
	p, err := load.New(e.Workload, 1)
	if err != nil {
		t.Fatal(err)
	}
	var got []time.Duration
	for i := range p.N {
		at, _ := p.Pattern.At(i)
		got = append(got, at)
	}
	if want := []time.Duration{0, 0, time.Second, time.Second, 2 * time.Second}; !slices.Equal(got, want) || p.Pattern.InFlight() != 8 {
		t.Errorf("due at %v, want %v; %d in flight", got, want, p.Pattern.InFlight())
	}
	if n := e.Workload.Load.AtOnce(); n != 2 {
		t.Errorf("%d at once", n)
	}
	for text, want := range map[string]string{
		"rate_per_second: 4": "burstiness: missing: the pairs pattern needs it",
		"rate_per_second: 4, burstiness: 1, concurrency: 2": "concurrency: belongs to the pattern closed, and the load's is pairs: use max_in_flight",
	} {
		if _, err := decode(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
	for what, text := range map[string]string{"the reference": string(study.Reference()), "the schema": string(study.Schema())} {
		if !strings.Contains(text, "trace, as a file says, which tells the lengths too; pairs, two at once.") || !strings.Contains(text, "pairs") {
			t.Errorf("%s does not have the pattern", what)
		}
	}
	if !strings.Contains(string(study.Reference()), "required for constant, poisson, gamma, burst, ramp and pairs") {
		t.Error("the reference does not say that the pattern needs a rate")
	}
	if !strings.Contains(pattern.Table(), "| `pairs` | two at once") {
		t.Error("the table of the docs does not have the pattern")
	}
}
