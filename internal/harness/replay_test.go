package harness

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/llenergymeasure/llem/internal/measure"
	"github.com/llenergymeasure/llem/internal/result"
)

// A cached baseline has no readings in its run: what its age adds is computed again
// from the parts that the earlier run gave.
func TestVerifyAgesACachedBaselineAgain(t *testing.T) {
	b := measure.Baseline{Power: 61.7, PerGPU: []measure.Watts{61.7}, Method: measure.MethodAligned, Components: map[string]measure.Watts{"edges": 0.1, "spread": 0.2}}
	u := measure.Watts(0.3)
	b.U = &u
	b.Aged(1234567891 * time.Microsecond)
	x := &run{Runner: &Runner{}}
	was := x.baselineRecord(&b)
	again, err := x.baselineOf(&result.Record{Energy: result.Energy{Baseline: was}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(was, x.baselineRecord(again), cmp.FilterPath(func(p cmp.Path) bool {
		return p.String() == "DurationSeconds" || p.String() == "MeasuredAt"
	}, cmp.Ignore())); diff != "" {
		t.Error(diff)
	}
	was.AgeSeconds *= 2
	again, err = x.baselineOf(&result.Record{Energy: result.Energy{Baseline: was}}, nil)
	if err != nil || float64(*again.U) == *was.UW {
		t.Errorf("another age goes unseen: u %g W, %v", float64(*again.U), err)
	}
}
