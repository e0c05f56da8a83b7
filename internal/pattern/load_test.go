package pattern

import (
	"math"
	"testing"
)

// Whatever the pattern, the mean rate is what the file says, and later requests are
// never due earlier.
func TestDue(t *testing.T) {
	t.Parallel()
	for _, l := range []Load{
		{Pattern: "constant", RatePerSecond: 3}, {Pattern: "poisson", RatePerSecond: 3}, {Pattern: "burst", RatePerSecond: 3, BurstSize: 7},
		{Pattern: "ramp", RatePerSecond: 1, RateEndPerSecond: 3, RampSeconds: 10}, {Pattern: "ramp", RatePerSecond: 9, RateEndPerSecond: 3, RampSeconds: 10},
		{Pattern: "ramp", RatePerSecond: 3, RateEndPerSecond: 3, RampSeconds: 10}, {Pattern: "steps", Steps: []string{"1@5", "8@2.5", "3@1"}},
	} {
		const n = 100_000
		for i := range n {
			if a, b := l.Due(i), l.Due(i+1); !(b >= a) {
				t.Fatalf("%+v: request %d is due at %g s, the next at %g", l, i, a, b)
			}
		}
		if got := n / (l.Due(n) - l.Due(0)); math.Abs(got-3) > 0.01 {
			t.Errorf("%+v: %g a second in the end, want 3", l, got)
		}
		if l.PeakRate() < 3 {
			t.Errorf("%+v: at most %g a second", l, l.PeakRate())
		}
	}
	if d := (Load{Pattern: "closed"}).Due(9); d != 0 {
		t.Errorf("a closed loop has no schedule, and Due says %g", d)
	}
}
