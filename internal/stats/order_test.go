package stats

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// laid are runs an hour apart, in an order such as "ABBA"; those of one number of
// each point are of one cycle if cycles.
func laid(order string, cycles bool) (runs []Run) {
	seen := map[rune]int{}
	for i, label := range order {
		r := Run{Second: label == 'B', At: 3600 * float64(i)}
		if cycles {
			r.Cycle = fmt.Sprint(seen[label])
		}
		seen[label]++
		runs = append(runs, r)
	}
	return runs
}

func TestOrdersThatCannotShowDriftAreRefused(t *testing.T) {
	for order, refused := range map[string]bool{
		"AB": true, "AABB": true, "ABAB": true, "ABBA": true, "AAABBB": true, "BBBAAA": true, "AABBBA": true, "ABBBAA": true,
		"AAAAABBBBB": true, "AAABBBAAABBB": true, "AAAAABBBBBAAAAABBBBB": true, "AAAAAAAAAABBBBBBBBBB": true,
		"ABABA": false, "ABABAB": false, "ABBAAB": false, "ABBABA": false, "ABABABABAB": false, "ABBAABBAAB": false, "AABABBABAB": false,
		strings.Repeat("AB", 300): false, strings.Repeat("A", 300) + strings.Repeat("B", 300): true,
	} {
		for _, cycles := range []bool{false, true} {
			o := Arrange(laid(order, cycles))
			if o.Refused != refused || (o.Method == ByWelch) != refused || o.Widening < 1 || !refused && o.Widening > mostWidening {
				t.Errorf("%.20s, cycles %v: %s, widening %g, refused %v", order, cycles, o.Method, o.Widening, o.Refused)
			}
		}
	}
}

// The unit of time, the moment it counts from, and the order in which the runs are
// given change nothing.
func TestOnlyTheOrderCounts(t *testing.T) {
	runs := laid("ABBABAABAB", false)
	rng := rand.New(rand.NewPCG(1, 2))
	values := make([]float64, len(runs))
	for i := range values {
		values[i] = math.Exp(0.02 * rng.NormFloat64())
	}
	want, _ := Arrange(runs).Difference(values)
	for range 20 {
		var other []Run
		var of []float64
		for _, i := range rng.Perm(len(runs)) {
			r := runs[i]
			r.At = 1e6 + r.At/60
			other, of = append(other, r), append(of, values[i])
		}
		if got, ok := Arrange(other).Difference(of); !ok || math.Abs(got.Log-want.Log) > 1e-12 || math.Abs(got.U-want.U) > 1e-12 {
			t.Fatalf("%g ± %g, want %g ± %g", got.Log, got.U, want.Log, want.U)
		}
	}
}

// A straight line of drift, however steep, changes neither the difference nor its
// uncertainty.
func TestALineOfDriftIsTakenOut(t *testing.T) {
	for _, cycles := range []bool{false, true} {
		runs := laid("ABBAABBAAB", cycles)
		order := Arrange(runs)
		steady, drifting := make([]float64, len(runs)), make([]float64, len(runs))
		rng := rand.New(rand.NewPCG(3, 4))
		for i, r := range runs {
			e := 0.01*rng.NormFloat64() - 0.05*float64(toInt(r.Second))
			steady[i], drifting[i] = math.Exp(e), math.Exp(e+r.At/3600)
		}
		a, _ := order.Difference(steady)
		b, _ := order.Difference(drifting)
		if math.Abs(a.Log-b.Log) > 1e-9 || math.Abs(a.U-b.U) > 1e-9 || a.Verdict(alpha) != Less {
			t.Errorf("%s: %g ± %g, and with drift %g ± %g", order.Method, a.Log, a.U, b.Log, b.U)
		}
		for i, r := range runs {
			steady[i] = math.Exp(r.At/36000 - 0.05*float64(toInt(r.Second)))
		}
		if d, ok := order.Difference(steady); ok {
			t.Errorf("%s: a line without any spread differs: %+v", order.Method, d)
		}
		if d := order.Drift(drifting); !d.Known || math.Abs(d.Trend-9) > 0.1 || d.TrendP > 1e-6 {
			t.Errorf("drift %+v", d)
		}
	}
}

// Runs of a cycle are held against each other where the cycle's common part is large
// and each run's own is small.
func TestPairsShowWhatTheCycleHides(t *testing.T) {
	day := []float64{0, 0.2, -0.1, 0.1, 0.15, -0.05}
	values := make([]float64, 12)
	runs := laid("ABBAABBAABBA", true)
	seen := [2]int{}
	rng := rand.New(rand.NewPCG(5, 6))
	for i, r := range runs {
		s := toInt(r.Second)
		values[i] = math.Exp(day[seen[s]] + 0.002*rng.NormFloat64() - 0.02*float64(s))
		seen[s]++
	}
	if o := Arrange(runs); o.Method != ByCycle || verdict(o, values) != Less {
		t.Errorf("%s: %s", o.Method, verdict(o, values))
	}
	if o := Arrange(laid("ABBAABBAABBA", false)); o.Method != ByTrend || verdict(o, values) != NoneShown {
		t.Errorf("%s: %s", o.Method, verdict(o, values))
	}
	incomplete := laid("ABBAABBAABBA", true)
	incomplete[11].Cycle = "another"
	if o := Arrange(incomplete); o.Method != ByTrend {
		t.Errorf("runs without a partner are compared by %s", o.Method)
	}
}

func verdict(o *Order, values []float64) Verdict {
	d, _ := o.Difference(values)
	return d.Verdict(alpha)
}

// A night between two days of runs is no drift of a night.
func TestLongPausesAreCut(t *testing.T) {
	runs := []Run{{At: 0}, {At: 10}, {At: 20}, {At: 5000}, {At: 5010}}
	if got, want := axisOf(runs), []float64{0, 4. / 6, 8. / 6, 20. / 6, 4}; !near(got[1], want[1], 0) || !near(got[3], want[3], 0) || got[4] != 4 {
		t.Errorf("%v, want %v", got, want)
	}
	if got := axisOf([]Run{{At: 5}, {At: 5}}); !slices.Equal(got, []float64{0, 0}) {
		t.Errorf("%v", got)
	}
	for _, few := range [][]Run{nil, {{At: 1}}, {{At: 5}, {At: 5, Second: true}}} {
		if o := Arrange(few); !o.Refused {
			t.Errorf("%v has a verdict", few)
		}
	}
}

// The p-values of trend and dependence are those of independent runs about as often
// as they say, and find drift where it is large.
func TestDriftIsSeen(t *testing.T) {
	for _, n := range []int{3, 5, 10} {
		order := Arrange(laid(strings.Repeat("AB", n), false))
		count := func(k noise) (trend, dependence float64) {
			rng := rand.New(rand.NewPCG(uint64(n), 7))
			const all = 4000
			values := make([]float64, 2*n)
			for range all {
				for i, e := range k.draw(rng, 2*n) {
					values[i] = math.Exp(e)
				}
				d := order.Drift(values)
				trend += float64(toInt(d.TrendP < alpha)) / all
				dependence += float64(toInt(d.DependenceP < alpha)) / all
			}
			return trend, dependence
		}
		if trend, dependence := count(noises[0]); trend > 0.06 || dependence > 0.07 {
			t.Errorf("%d runs each: independent runs have a trend in %g, dependence in %g", n, trend, dependence)
		}
		if trend, _ := count(noise{spread: 0.003, drift: linear}); trend < 0.95 {
			t.Errorf("%d runs each: a drift of ten times the spread is seen in %g", n, trend)
		}
		if _, dependence := count(noise{spread: 0.01, memory: 0.9}); n == 10 && dependence < 0.3 {
			t.Errorf("%d runs each: AR(1) 0.9 is seen in %g", n, dependence)
		}
	}
	if d := Arrange(laid("ABAB", false)).Drift([]float64{1, 2, 3, 4}); d.Known {
		t.Errorf("four runs show drift: %+v", d)
	}
	if d := Arrange(laid("ABABAB", false)).Drift([]float64{1, 2, 1, 2, 1, 2}); d.Known {
		t.Errorf("runs without any spread show drift: %+v", d)
	}
}

// In any order and for any values, no figure is one that JSON cannot hold.
func TestDriftIsFinite(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 9))
	for range 3000 {
		runs := make([]Run, 2+rng.IntN(9))
		values := make([]float64, len(runs))
		for i := range runs {
			runs[i] = Run{Second: rng.IntN(2) == 0, At: math.Floor(5 * rng.Float64()), Cycle: fmt.Sprint(rng.IntN(4))}
			values[i] = math.Exp(float64(rng.IntN(3)))
		}
		o := Arrange(runs)
		d := o.Drift(values)
		if !finite([]float64{d.Trend, d.TrendP, d.Dependence, d.DependenceP}) || math.IsNaN(o.Widening) || !o.Refused && math.IsInf(o.Widening, 1) {
			t.Fatalf("%+v: %+v, widening %g", runs, d, o.Widening)
		}
		if got, ok := o.Difference(values); ok && !finite([]float64{got.Log, got.U, got.DF, got.P()}) {
			t.Fatalf("%+v, %v: %+v", runs, values, got)
		}
	}
}
