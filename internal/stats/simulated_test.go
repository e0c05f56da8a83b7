package stats

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// layout is an order in which the runs of points are made.
type layout struct {
	name   string
	cycles bool // the runs have cycles, as a study's do
	// of is the point of each run, each of n runs.
	of func(rng *rand.Rand, points, n int) []int
}

var (
	sequential = layout{"sequential", true, func(_ *rand.Rand, points, n int) (out []int) {
		for p := range points {
			for range n {
				out = append(out, p)
			}
		}
		return out
	}}
	interleaved = layout{"interleaved", true, func(_ *rand.Rand, points, n int) (out []int) {
		for i := range points * n {
			out = append(out, i%points)
		}
		return out
	}}
	shuffled = layout{"shuffled", true, func(rng *rand.Rand, points, n int) (out []int) {
		for range n {
			out = append(out, rng.Perm(points)...)
		}
		return out
	}}
	turned = layout{"A B B A", true, func(_ *rand.Rand, points, n int) (out []int) {
		for i := range points * n {
			if p := i % points; i/points%2 == 0 {
				out = append(out, p)
			} else {
				out = append(out, points-1-p)
			}
		}
		return out
	}}
	byTurns = layout{"by hand, A B A B", false, interleaved.of}
	byHand  = layout{"by hand, at random", false, func(rng *rand.Rand, points, n int) (out []int) {
		for _, i := range rng.Perm(points * n) {
			out = append(out, i%points)
		}
		return out
	}}
)

// runs are those of points 0 and second among all that are made.
func (l layout) runs(order []int, second int) (runs []Run, at []int) {
	seen := map[int]int{}
	for i, p := range order {
		if p == 0 || p == second {
			r := Run{Second: p != 0, At: float64(i)}
			if l.cycles {
				r.Cycle = fmt.Sprint(seen[p])
			}
			runs, at = append(runs, r), append(at, i)
		}
		seen[p]++
	}
	return runs, at
}

// noise is how runs depart from their point's figure, as logarithms, in the order in
// which they are made.
type noise struct {
	name   string
	spread float64 // of one run
	memory float64 // AR(1): the share of a run's departure that the next one has
	drift  func(x float64) float64
	// any is a drift that is another in each comparison.
	any func(rng *rand.Rand) func(x float64) float64
	// beyond says that no verdict claims to hold under it.
	beyond bool
}

const drifts = 0.03 // of the figure, over the whole comparison

func linear(x float64) float64 { return drifts * x }
func warmup(x float64) float64 { return drifts * math.Exp(-4*x) }

// jump is one at any moment.
func jump(rng *rand.Rand) func(x float64) float64 {
	at := rng.Float64()
	return func(x float64) float64 { return drifts * float64(toInt(x > at)) }
}

// wave is one of any phase, which comes half a time to one and a half times.
func wave(rng *rand.Rand) func(x float64) float64 {
	times, phase := 0.5+rng.Float64(), rng.Float64()
	return func(x float64) float64 { return drifts / 2 * math.Sin(2*math.Pi*(times*x+phase)) }
}

var noises = []noise{
	{name: "independent runs, 1 %", spread: 0.01},
	{name: "AR(1) 0.6, 1 %", spread: 0.01, memory: 0.6},
	{name: "AR(1) 0.9, 1 %", spread: 0.01, memory: 0.9},
	{name: "linear drift of 3 %, runs 1 %", spread: 0.01, drift: linear},
	{name: "linear drift of 3 %, runs 0.3 %", spread: 0.003, drift: linear},
	{name: "warm-up from 3 %, runs 1 %", spread: 0.01, drift: warmup},
	{name: "warm-up from 3 %, runs 0.3 %", spread: 0.003, drift: warmup},
	{name: "one jump of 3 %, runs 1 %", spread: 0.01, any: jump},
	{name: "one jump of 3 %, runs 0.3 %", spread: 0.003, any: jump},
	{name: "a wave of 3 %, runs 1 %", spread: 0.01, any: wave, beyond: true},
	{name: "a wave of 3 %, runs 0.3 %", spread: 0.003, any: wave, beyond: true},
}

func (k noise) draw(rng *rand.Rand, n int) []float64 {
	runs := make([]Run, n)
	for i := range runs {
		runs[i].At = float64(i)
	}
	return k.at(rng, runs)
}

// at is draw at the moments of runs, whose order they are in.
func (k noise) at(rng *rand.Rand, runs []Run) []float64 {
	out := make([]float64, len(runs))
	drift := k.drift
	if k.any != nil {
		drift = k.any(rng)
	}
	e := rng.NormFloat64()
	for i := range out {
		out[i] = k.spread * e
		if drift != nil {
			out[i] += drift(runs[i].At / runs[len(runs)-1].At)
		}
		e = k.memory*e + math.Sqrt(1-k.memory*k.memory)*rng.NormFloat64()
	}
	return out
}

// blind is what a comparison says that does not look at the order: each cycle's runs
// are pairs, and where there are no cycles Welch's test is.
func blind(l layout, runs []Run, values []float64) Verdict {
	var a, b []float64
	for i, r := range runs {
		if r.Second {
			b = append(b, values[i])
		} else {
			a = append(a, values[i])
		}
	}
	if !l.cycles {
		d, _ := Welch(a, b)
		return d.Verdict(alpha)
	}
	return studentPairs(a, b).Verdict(alpha)
}

// studentPairs is Student's test of pairs, which does not look at their order.
func studentPairs(a, b []float64) Difference {
	n := float64(len(a))
	mean, squares := 0.0, 0.0
	for i := range a {
		mean += math.Log(b[i]/a[i]) / n
	}
	for i := range a {
		squares += math.Pow(math.Log(b[i]/a[i])-mean, 2)
	}
	v := squares / (n - 1)
	return Difference{Log: mean, U: math.Sqrt(v / n), DF: n - 1, variance: v, perN: 1}
}

// written holds the table of docs/compare.md under a head to rows; with -update it is
// written there. With -short rows are of too few comparisons.
func written(t *testing.T, head string, rows []string) {
	t.Helper()
	if testing.Short() {
		return
	}
	page, err := os.ReadFile(comparePage)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(page), head)
	end := strings.Index(rest, "\n\n")
	if !ok || end < 0 {
		t.Fatalf("%s has no table under %s", comparePage, head)
	}
	want := before + head + strings.Join(rows, "") + rest[end+1:]
	if *update {
		if err := os.WriteFile(comparePage, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, string(page)); diff != "" {
		t.Errorf("%s (go test ./internal/stats -update rewrites it): -want +got:\n%s", comparePage, diff)
	}
}

func percent(count, of int) string {
	if of == 0 {
		return "–"
	}
	return fmt.Sprintf("%.1f %%", 100*float64(count)/float64(of))
}
