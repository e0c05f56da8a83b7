package report

import (
	"math"
	"testing"
)

// A figure has no more digits than its wider interval bears, and names both.
func TestFiguresNameBothIntervals(t *testing.T) {
	for name, c := range map[string]struct {
		v, repeatability, absolute *float64 // u
		want                       string
	}{
		"absolute far wider":          {p(5.99442), p(0.00031), p(0.173), "5.99 J, ± 0.0006 repeatability, ± 0.35 absolute"},
		"absolute a little wider":     {p(0.99344), p(0.0025), p(0.0288), "0.993 J, ± 0.005 repeatability, ± 0.058 absolute"},
		"thousands":                   {p(25432.1), p(64.0), p(737.0), "25 400 J, ± 130 repeatability, ± 1 500 absolute"},
		"rounded up a place":          {p(1.0), p(0.0499), p(0.4999), "1.0 J, ± 0.10 repeatability, ± 1.0 absolute"},
		"a first digit of 1":          {p(5.99442), p(0.00007), p(0.173), "5.99 J, ± 0.00014 repeatability, ± 0.35 absolute"},
		"wider than the value":        {p(1.1), p(0.0003), p(2.35), "1.1 J, ± 0.0006 repeatability, ± 4.7 absolute"},
		"far wider than the value":    {p(0.3), p(0.1), p(23.5), "0 J, ± 0.2 repeatability, ± 47 absolute"},
		"negative":                    {p(-83.26), p(3.1), p(4.2), "-83.3 J, ± 6.2 repeatability, ± 8.4 absolute"},
		"negative, rounded away":      {p(-0.3), p(3.1), p(42.0), "0 J, ± 6 repeatability, ± 84 absolute"},
		"zero":                        {p(0.0), p(0.031), p(0.031), "0.000 J, ± 0.062 repeatability, ± 0.062 absolute"},
		"zero without either":         {p(0.0), nil, nil, "0 J"},
		"no uncertainty":              {p(5.99442), nil, nil, "5.994 J"},
		"no absolute":                 {p(5.99442), p(0.00031), nil, "5.994 J, ± 0.00062 repeatability, absolute not known"},
		"no absolute, wide":           {p(5.99442), p(0.2), nil, "5.99 J, ± 0.40 repeatability, absolute not known"},
		"no repeatability":            {p(5.99442), nil, p(0.173), "5.99 J, repeatability not known, ± 0.35 absolute"},
		"an uncertainty of 0":         {p(5.99442), p(0.0), p(0.173), "5.99 J, repeatability not known, ± 0.35 absolute"},
		"one that cannot be":          {p(5.99442), p(math.NaN()), p(math.Inf(1)), "5.994 J"},
		"negative uncertainty":        {p(5.99442), p(-1.0), p(0.173), "5.99 J, repeatability not known, ± 0.35 absolute"},
		"absolute narrower (damaged)": {p(5.99442), p(0.173), p(0.00031), "5.99 J, ± 0.35 repeatability, ± 0.0006 absolute"},
		"too narrow for digits":       {p(5.99442), p(5e-13), p(0.173), "5.99 J, ± 1e-12 repeatability, ± 0.35 absolute"},
		"no value":                    {nil, p(1.0), p(2.0), "–"},
	} {
		if got := plain(both(c.v, widthsOf(c.repeatability, c.absolute, 2, 1), "J")); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
	if got, want := plain(both(p(5.99442), widthsOf(p(1.0), p(2.0), 0, 1), "J")), "5.994 J"; got != want {
		t.Errorf("without coverage: got %q, want %q", got, want)
	}
}

// A figure of the same sensor has the same share of its gain.
func TestTheGainOfOneFigureIsThatOfAnother(t *testing.T) {
	gain := gainWidth(p(1000.0), widthsOf(p(3.0), p(5.0), 2, 1)) // 8 of 1000
	if math.Abs(gain-0.008) > 1e-12 {
		t.Errorf("the gain is %g of the figure, want 0.008", gain)
	}
	for _, v := range []float64{50, -50} {
		if w := withGain(&v, p(0.15), 2, gain); math.Abs(w.absolute-0.5) > 1e-12 || w.repeatability != 0.3 {
			t.Errorf("of %g: %+v, want 0.3 and 0.5", v, w)
		}
	}
	for name, w := range map[string]widths{
		"no value": withGain(nil, p(0.15), 2, gain), "no gain": withGain(p(50.0), p(0.15), 2, 0), "no u": withGain(p(50.0), nil, 2, gain),
	} {
		if w.absolute != 0 {
			t.Errorf("%s: absolute %g", name, w.absolute)
		}
	}
	if g := gainWidth(p(0.0), widthsOf(p(3.0), p(5.0), 2, 1)); g != 0 {
		t.Errorf("of nothing: %g", g)
	}
}
