package measure

import (
	"math"
	"testing"
)

// Any error within the limit is as likely: its standard deviation is the limit / √3.
func TestTheGainsUncertainty(t *testing.T) {
	for _, c := range []struct {
		g    Gain
		e    Joules
		want float64
	}{
		{Gain{HalfWidth: 0.06}, 6000, 207.846}, {Gain{HalfWidth: 0.11}, -100, 6.3509}, {OlderGain, 6000, 173.205}, {Gain{}, 6000, 0}, {OlderGain, 0, 0},
	} {
		if got := float64(c.g.U(c.e)); math.Abs(got-c.want) > 1e-3 {
			t.Errorf("%g of %g J: %g, want %g", c.g.HalfWidth, float64(c.e), got, c.want)
		}
	}
}
