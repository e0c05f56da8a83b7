package record

import (
	"testing"
	"time"

	"github.com/llenergymeasure/llem/internal/result"
)

// What a run was interrupted in is computed again as it was left: a window of no length
// began where the record says, and a baseline that was cut off is no figure.
func TestAnInterruptedRunIsComputedAgainAsItWasLeft(t *testing.T) {
	start := time.Unix(1_800_000_000, 0).UTC()
	for seconds, want := range map[float64]time.Time{0: start, 2: start.Add(time.Second)} {
		r := &result.Record{SchemaVersion: result.SchemaVersion, WindowSeconds: new(seconds), WindowStart: new(start)}
		if w := windowOf(r, nil, start.Add(time.Second), true); !w.T0.Equal(want) {
			t.Errorf("a window of %g s began at %v, want %v", seconds, w.T0, want)
		}
	}
	baseline, launch := result.Phase{Name: "baseline"}, result.Phase{Name: "launch"}
	for name, c := range map[string]struct {
		r    result.Record
		want bool
	}{
		"in the baseline": {result.Record{Status: result.Interrupted, Phases: []result.Phase{baseline}}, true},
		"after it":        {result.Record{Status: result.Interrupted, Phases: []result.Phase{baseline, launch}}, false},
		"not at all":      {result.Record{Status: "completed", Phases: []result.Phase{baseline}}, false},
	} {
		if got := endedInBaseline(&c.r); got != c.want {
			t.Errorf("interrupted %s: %v", name, got)
		}
	}
}
