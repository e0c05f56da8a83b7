package stats

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the tables in docs/compare.md")

const (
	triesEach   = 25   // comparisons in each order
	mostWrong   = 0.06 // of the verdicts on simulated pairs
	alpha       = 0.05
	comparePage = "../../docs/compare.md"
)

// kind is how simulated runs spread. Values are in shares of the figure.
type kind struct {
	name     string
	order    layout
	cycle    float64 // spread that the runs of one cycle have in common
	a, b     float64 // spread of each point's runs
	skewed   float64 // mean of an exponential on top: runs are late, never early
	drift    noise   // besides
	together int     // points that are compared with the first, by Holm
}

var kinds = []kind{
	{name: "shuffled cycles: cycles 2 %, runs 1 %", order: shuffled, cycle: 0.02, a: 0.01, b: 0.01, together: 1},
	{name: "shuffled cycles: runs 1 %", order: shuffled, a: 0.01, b: 0.01, together: 1},
	{name: "shuffled cycles: runs 1 % and 3 %", order: shuffled, a: 0.01, b: 0.03, together: 1},
	{name: "shuffled cycles: skewed, 0.3 % and a tail of 1 %", order: shuffled, a: 0.003, b: 0.003, skewed: 0.01, together: 1},
	{name: "interleaved: cycles 2 %, runs 1 %", order: interleaved, cycle: 0.02, a: 0.01, b: 0.01, together: 1},
	{name: "by hand, A B A B: runs 1 % and 3 %", order: byTurns, a: 0.01, b: 0.03, together: 1},
	{name: "four points against one, shuffled, Holm: runs 1 %", order: shuffled, a: 0.01, b: 0.01, together: 4},
	{name: "four points against one, shuffled, Holm: AR(1) 0.6", order: shuffled, drift: noise{spread: 0.01, memory: 0.6}, together: 4},
	{name: "four points against one, shuffled, Holm: linear drift of 3 %, runs 0.3 %", order: shuffled, drift: noise{spread: 0.003, drift: linear}, together: 4},
	{name: "four points against one, interleaved, Holm: linear drift of 3 %, runs 0.3 %", order: interleaved, drift: noise{spread: 0.003, drift: linear}, together: 4},
}

// table is an order of runs, and what it allows for each point but the first.
type table struct {
	made   []int // point of each run
	orders []*Order
	at     [][]int // where in made the runs of each comparison are
}

func (k kind) table(rng *rand.Rand, n int) (t table) {
	t.made = k.order.of(rng, k.together+1, n)
	for p := range k.together {
		runs, at := k.order.runs(t.made, p+1)
		t.orders, t.at = append(t.orders, Arrange(runs)), append(t.at, at)
	}
	return t
}

// draw is what the runs of a table measure, of which all points but the first are
// less by the share less.
func (k kind) draw(rng *rand.Rand, t table, less float64) []float64 {
	seen, cycles := make([]int, k.together+1), map[int]float64{}
	out := k.drift.draw(rng, len(t.made))
	for i, p := range t.made {
		c := seen[p]
		if _, there := cycles[c]; !there {
			cycles[c] = k.cycle * rng.NormFloat64()
		}
		seen[p]++
		truth, spread := 1.0, k.a
		if p > 0 {
			truth, spread = 1-less, k.b
		}
		out[i] = truth * math.Exp(out[i]+cycles[c]+spread*rng.NormFloat64()+k.skewed*rng.ExpFloat64())
	}
	return out
}

// judge says whether a simulated table says anything false of any point (wrong), and
// whether it says what is true of all (right).
func (k kind) judge(rng *rand.Rand, t table, less float64) (wrong, right bool) {
	made := k.draw(rng, t, less)
	var list []Difference
	var ps []float64
	for p, order := range t.orders {
		values := make([]float64, len(t.at[p]))
		for i, at := range t.at[p] {
			values[i] = made[at]
		}
		if d, ok := order.Difference(values); ok && !order.Refused {
			list, ps = append(list, d), append(ps, d.P())
		}
	}
	right = less > 0 && len(list) == k.together
	for i, level := range Holm(ps, alpha) {
		v := list[i].Verdict(level)
		wrong, right = wrong || v == More || v == Less && less == 0, right && v == Less
	}
	return wrong, right
}

// row is a line of the table: one kind and difference, at 3, 5 and 10 runs a point.
func (k kind) row(t *testing.T, less float64) string {
	row := fmt.Sprintf("| %s | %g %% |", k.name, less*100)
	for _, n := range []int{3, 5, 10} {
		rng := rand.New(rand.NewPCG(uint64(n), math.Float64bits(less)))
		wrong, right, all := 0, 0, triesEach*ordersTried()
		for range ordersTried() {
			made := k.table(rng, n)
			for range triesEach {
				w, r := k.judge(rng, made, less)
				wrong, right = wrong+toInt(w), right+toInt(r)
			}
		}
		if float64(wrong) > mostFalse(all) {
			t.Errorf("%s, %g %%, %d runs: %d of %d verdicts are false", k.name, less*100, n, wrong, all)
		}
		shown := "–"
		if less > 0 {
			shown = percent(right, all)
		}
		row += fmt.Sprintf(" %.2f %% | %s |", 100*float64(wrong)/float64(all), shown)
	}
	return row + "\n"
}

// At most 6 % of verdicts on simulated pairs are false, with no difference, a small
// and a large one. With -update the table goes to docs/compare.md.
func TestVerdictsAreSeldomFalse(t *testing.T) {
	differences := []float64{0, 0.02, 0.10}
	rows := make([]string, len(kinds)*len(differences))
	var done sync.WaitGroup
	for i, k := range kinds {
		for j, less := range differences {
			if k.together > 1 && less > 0 {
				continue // a family is to say nothing false of what is equal
			}
			done.Go(func() { rows[i*len(differences)+j] = k.row(t, less) })
		}
	}
	done.Wait()
	written(t, "| simulated runs | difference | 3: false | shown | 5: false | shown | 10: false | shown |\n|---|---|---|---|---|---|---|---|\n", rows)
}
