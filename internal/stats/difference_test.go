package stats

import (
	"math"
	"slices"
	"testing"
)

func TestADifferenceIsUnknown(t *testing.T) {
	for name, v := range map[string][2][]float64{
		"of one run":          {{1}, {1, 2}},
		"of nothing":          {nil, nil},
		"with zero":           {{1, 2}, {0, 1}},
		"with a negative":     {{1, 2}, {-1, 1}},
		"with NaN":            {{1, math.NaN()}, {1, 2}},
		"without any spread":  {{1, 1}, {2, 2}},
		"with an infinity":    {{1, 2}, {1, math.Inf(1)}},
		"of one run, turned":  {{1, 2}, {1}},
		"of single runs each": {{1}, {2}},
	} {
		if _, ok := Welch(v[0], v[1]); ok {
			t.Errorf("Welch of samples %s", name)
		}
	}
}

func TestVerdictsHaveADirection(t *testing.T) {
	a, b := []float64{100, 101, 99}, []float64{90, 91, 89.5}
	less, _ := Welch(a, b)
	more, _ := Welch(b, a)
	none, _ := Welch(a, []float64{100.5, 99.2, 101.3})
	if got := []Verdict{less.Verdict(0.05), more.Verdict(0.05), none.Verdict(0.05)}; !slices.Equal(got, []Verdict{Less, More, NoneShown}) {
		t.Errorf("verdicts %v", got)
	}
	if r := less.Relative(); math.Abs(r+0.098) > 0.002 {
		t.Errorf("%g, want about −9.8 %%", r)
	}
}

// A systematic part widens the interval to that of the normal distribution and is
// not lessened by repeats.
func TestWhatRepeatsDoNotLessen(t *testing.T) {
	d, _ := Welch([]float64{100, 101, 99}, []float64{95, 96, 94})
	if d.Verdict(0.05) != Less {
		t.Fatal("no difference to begin with")
	}
	wide := d.With(0.04)
	if wide.Verdict(0.05) != NoneShown {
		t.Errorf("%g ± %g shown", wide.Log, wide.U)
	}
	low, high := wide.Interval(0.05)
	if half := (math.Log1p(high) - math.Log1p(low)) / 2; math.Abs(half-1.96*wide.U) > 0.02*wide.U {
		t.Errorf("half of the interval %g, want 1.96 × %g", half, wide.U)
	}
	if n, ok := wide.Repeats(0.05, 0.8); ok {
		t.Errorf("%d repeats would show it", n)
	}
}

func TestMoreRepeatsShowLess(t *testing.T) {
	d, _ := Welch([]float64{100, 102, 98}, []float64{99.5, 101, 97})
	n, ok := d.Repeats(0.05, 0.8)
	if !ok || n <= 3 || d.power(n, 0.05) < 0.8 || d.power(n-1, 0.05) >= 0.8 {
		t.Errorf("%d repeats, %v", n, ok)
	}
	if strict, _ := d.Repeats(0.01, 0.8); strict <= n {
		t.Errorf("%d repeats at 1 %%, %d at 5 %%", strict, n)
	}
	d.Log = 0
	if n, ok := d.Repeats(0.05, 0.8); ok {
		t.Errorf("%d repeats would show no difference", n)
	}
}

// An interval at the level of its own leaves out zero where a difference is shown,
// and nowhere else.
func TestHolmsLevelsAgreeWithIntervals(t *testing.T) {
	p := []float64{0.03, 0.011, 0.04, 0.3, 0.001}
	want := []float64{0.05 / 4, 0.05 / 4, 0.05 / 4, 0.05 / 4, 0.05 / 5}
	p[1] = 0.0124
	want[0], want[2], want[3] = 0.05/3, 0.05/3, 0.05/3
	for i, level := range Holm(p, 0.05) {
		if math.Abs(level-want[i]) > 1e-15 {
			t.Errorf("p %g is judged at %g, want %g", p[i], level, want[i])
		}
	}
	if got := Holm(nil, 0.05); len(got) != 0 {
		t.Errorf("levels of no comparison: %v", got)
	}
}

func TestParetoSet(t *testing.T) {
	cost, yield := []float64{1, 2, 2, 3, 1}, []float64{10, 20, 15, 20, 10}
	if got := Pareto(cost, yield); !slices.Equal(got, []bool{true, true, false, false, true}) {
		t.Errorf("%v", got)
	}
}
