package stats

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the table in docs/compare.md")

const (
	simulated   = 10_000
	mostWrong   = 0.06 // of the verdicts on simulated pairs
	alpha       = 0.05
	comparePage = "../../docs/compare.md"
)

// kind is how simulated runs spread. Values are in shares of the figure.
type kind struct {
	name     string
	compare  func(a, b []float64) (Difference, bool)
	cycle    float64 // spread that the runs of one cycle have in common
	a, b     float64 // spread of each point's runs
	skewed   float64 // mean of an exponential on top: runs are late, never early
	together int     // points that are compared with the first, by Holm
}

var kinds = []kind{
	{name: "paired by cycle: cycles 2 %, runs 1 %", compare: Paired, cycle: 0.02, a: 0.01, b: 0.01, together: 1},
	{name: "not paired: runs 1 %", compare: Welch, a: 0.01, b: 0.01, together: 1},
	{name: "not paired: runs 1 % and 3 %", compare: Welch, a: 0.01, b: 0.03, together: 1},
	{name: "not paired: skewed, 0.3 % and a tail of 1 %", compare: Welch, a: 0.003, b: 0.003, skewed: 0.01, together: 1},
	{name: "four points against one, Holm: runs 1 %", compare: Welch, a: 0.01, b: 0.01, together: 4},
}

// draw is n runs of a point whose figure is truth.
func (k kind) draw(rng *rand.Rand, truth, spread float64, cycles []float64) []float64 {
	out := make([]float64, len(cycles))
	for i, c := range cycles {
		out[i] = truth * math.Exp(k.cycle*c+spread*rng.NormFloat64()+k.skewed*rng.ExpFloat64())
	}
	return out
}

// judge simulates one table of n cycles in which every point is less than the first
// by the share less: wrong is whether it says anything false of any, right whether
// it says what is true of all.
func (k kind) judge(rng *rand.Rand, n int, less float64) (wrong, right bool) {
	cycles := make([]float64, n)
	for i := range cycles {
		cycles[i] = rng.NormFloat64()
	}
	a := k.draw(rng, 1, k.a, cycles)
	list, ps := make([]Difference, k.together), make([]float64, k.together)
	for i := range list {
		list[i], _ = k.compare(a, k.draw(rng, 1-less, k.b, cycles))
	}
	levels := []float64{alpha} // that of a family of one
	if k.together > 1 {
		for i, d := range list {
			ps[i] = d.P()
		}
		levels = Holm(ps, alpha)
	}
	right = less > 0
	for i, d := range list {
		v := d.Verdict(levels[i])
		wrong, right = wrong || v == More || v == Less && less == 0, right && v == Less
	}
	return wrong, right
}

// row is a line of the table: one kind and difference, at 3, 5 and 10 cycles.
func (k kind) row(t *testing.T, less float64) string {
	row := fmt.Sprintf("| %s | %g %% |", k.name, less*100)
	for _, n := range []int{3, 5, 10} {
		rng := rand.New(rand.NewPCG(uint64(n), math.Float64bits(less)))
		wrong, right := 0, 0
		for range simulated {
			w, r := k.judge(rng, n, less)
			wrong, right = wrong+toInt(w), right+toInt(r)
		}
		if float64(wrong)/simulated > mostWrong {
			t.Errorf("%s, %g %%, %d cycles: %d of %d verdicts are false", k.name, less*100, n, wrong, simulated)
		}
		shown := "–"
		if less > 0 {
			shown = fmt.Sprintf("%.1f %%", 100*float64(right)/simulated)
		}
		row += fmt.Sprintf(" %.2f %% | %s |", 100*float64(wrong)/simulated, shown)
	}
	return row + "\n"
}

func toInt(b bool) int {
	if b {
		return 1
	}
	return 0
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
	page, err := os.ReadFile(comparePage)
	if err != nil {
		t.Fatal(err)
	}
	const head = "|---|---|---|---|---|---|---|---|\n"
	before, rest, ok := strings.Cut(string(page), head)
	end := strings.Index(rest, "\n\n")
	if !ok || end < 0 {
		t.Fatalf("%s has no table of simulated verdicts", comparePage)
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
