package stats

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"testing"
)

// figures are another program's: testdata/figures.json, written by
//
//	python3 internal/stats/testdata/figures.py > internal/stats/testdata/figures.json
//
// with SciPy and statsmodels.
type figures struct {
	Cases []struct {
		A, B          []float64
		Interval      []float64
		Welch, Paired *test
		PowerPaired   []*float64 `json:"power_paired"`
	}
	Equal struct {
		A, B    []float64
		Repeats []int
	}
	NoncentralT [][4]float64 `json:"noncentral_t"`
	Holm        []struct {
		P     []float64
		Shown []bool
	}
}

// test is what a t-test says.
type test struct{ P, DF, Low, High float64 }

func scipy(t *testing.T) (f figures) {
	t.Helper()
	data, err := os.ReadFile("testdata/figures.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &f); err != nil {
		t.Fatal(err)
	}
	return f
}

// near compares figures of two programs: to nine digits, and near 0 to within absolute.
func near(got, want, absolute float64) bool {
	return math.Abs(got-want) <= max(absolute, 1e-9*math.Abs(want))
}

func TestIntervalsAreSciPys(t *testing.T) {
	for i, c := range scipy(t).Cases {
		mean, half, ok := Interval(c.A)
		if !ok || !near(mean-half, c.Interval[0], 0) || !near(mean+half, c.Interval[1], 0) {
			t.Errorf("case %d: %g ± %g, want %v", i, mean, half, c.Interval)
		}
	}
}

func TestDifferencesAreSciPys(t *testing.T) {
	check := func(name string, d Difference, ok bool, want *test) {
		t.Helper()
		low, high := d.Interval(0.05)
		if got := (test{d.P(), d.DF, low, high}); !ok || !near(got.P, want.P, 1e-12) || !near(got.DF, want.DF, 0) || !near(low, want.Low, 1e-9) || !near(high, want.High, 1e-9) {
			t.Errorf("%s: got %+v, want %+v", name, got, *want)
		}
	}
	pairs, powers := 0, 0
	for i, c := range scipy(t).Cases {
		d, ok := Welch(c.A, c.B)
		check(fmt.Sprintf("case %d, Welch", i), d, ok, c.Welch)
		if c.Paired == nil {
			continue
		}
		pairs++
		d, ok = studentPairs(c.A, c.B), true
		check(fmt.Sprintf("case %d, paired", i), d, ok, c.Paired)
		for j, n := range []int{2, 5, 20} {
			if want := c.PowerPaired[j]; want != nil {
				powers++
				if got := d.power(n, 0.05); !near(got, *want, 1e-6) {
					t.Errorf("case %d: power of %d pairs %g, want %g", i, n, got, *want)
				}
			}
		}
	}
	if pairs < 4 || powers < 10 {
		t.Errorf("%d cases of pairs, %d of power", pairs, powers)
	}
}

func TestTheNoncentralTIsSciPys(t *testing.T) {
	for _, c := range scipy(t).NoncentralT {
		// Beyond a million degrees the normal stands for it, to the fifth digit.
		within := 1e-8
		if c[1] >= normal {
			within = 1e-5
		}
		if got := noncentralT(c[0], c[1], c[2]); math.Abs(got-c[3]) > within {
			t.Errorf("t %g, %g degrees, shift %g: %g, want %g", c[0], c[1], c[2], got, c[3])
		}
	}
}

func TestRepeatsAreStatsmodels(t *testing.T) {
	e := scipy(t).Equal
	d, ok := Welch(e.A, e.B)
	if !ok {
		t.Fatal("no difference")
	}
	for i, alpha := range []float64{0.05, 0.01} {
		if n, ok := d.Repeats(alpha, 0.8); !ok || n != e.Repeats[i] {
			t.Errorf("%d repeats at %g, want %d", n, alpha, e.Repeats[i])
		}
	}
}

func TestHolmIsStatsmodels(t *testing.T) {
	for _, c := range scipy(t).Holm {
		for i, level := range Holm(c.P, 0.05) {
			if got := c.P[i] <= level; got != c.Shown[i] {
				t.Errorf("%v: number %d at level %g shown %v, want %v", c.P, i, level, got, c.Shown[i])
			}
		}
	}
}
