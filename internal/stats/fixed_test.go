package stats

import (
	"math"
	"testing"
)

func TestFixedGivesZeroNoSign(t *testing.T) {
	for _, c := range []struct {
		v      float64
		digits int
		want   string
	}{
		{-0.04, 1, "0.0"}, {-0.05001, 1, "-0.1"}, {math.Copysign(0, -1), 0, "0"}, {-0.4, 0, "0"}, {-1e-300, 2, "0.00"},
		{25432.1, -1, "25430"}, {25450, -2, "25500"}, {-25432.1, -2, "-25400"}, {-49, -2, "0"}, {0, -2, "0"}, {1.26e15, -14, "1300000000000000"}, {math.Inf(1), -2, "+Inf"},
		{12.34, 1, "12.3"}, {-12.34, 1, "-12.3"}, {0, 2, "0.00"}, {math.Inf(-1), 1, "-Inf"}, {math.NaN(), 1, "NaN"},
	} {
		if got := Fixed(c.v, c.digits); got != c.want {
			t.Errorf("Fixed(%g, %d) is %q, want %q", c.v, c.digits, got, c.want)
		}
	}
}
