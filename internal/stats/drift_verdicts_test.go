package stats

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
)

// ordersTried are of a layout that is drawn at random: a tenth with -short.
func ordersTried() int {
	if testing.Short() {
		return 20
	}
	return 200
}

// mostFalse is how many of n verdicts may be false: where they are fewer, with -short, so
// many more as three of their standard deviations.
func mostFalse(n int) float64 {
	most := mostWrong * float64(n)
	if testing.Short() {
		most += 3 * math.Sqrt(most*(1-mostWrong))
	}
	return most
}

// tally counts what comparisons say.
type tally struct{ blind, shown, refused, all int }

// arranged are orders of a layout for n runs of two points.
func arranged(l layout, n int) (out []*Order, runs [][]Run) {
	rng := rand.New(rand.NewPCG(uint64(n), 1))
	for range ordersTried() {
		r, _ := l.runs(l.of(rng, 2, n), 1)
		if len(out) > 0 && slices.Equal(r, runs[len(runs)-1]) {
			out, runs = append(out, out[len(out)-1]), append(runs, r)
			continue
		}
		out, runs = append(out, Arrange(r)), append(runs, r)
	}
	return out, runs
}

// trial simulates comparisons of two points, n runs each, of which the second is by
// the logarithm shift another.
func trial(l layout, k noise, n int, shift float64) (c tally) {
	rng := rand.New(rand.NewPCG(uint64(n), math.Float64bits(shift)))
	orders, made := arranged(l, n)
	for i, order := range orders {
		runs := made[i]
		values := make([]float64, len(runs))
		for range triesEach {
			for i, e := range k.draw(rng, len(runs)) {
				values[i] = math.Exp(e + shift*float64(toInt(runs[i].Second)))
			}
			c.all++
			c.blind += toInt(blind(l, runs, values) != NoneShown)
			if order.Refused {
				c.refused++
				continue
			}
			d, _ := order.Difference(values)
			c.shown += toInt(d.Verdict(alpha) != NoneShown)
		}
	}
	return c
}

// For each kind of drift and each order of the runs in the table, at most 6 % of the
// verdicts on equal points are false. With -update the table goes to docs/compare.md.
func TestVerdictsUnderDriftAreSeldomFalse(t *testing.T) {
	layouts := []layout{sequential, interleaved, shuffled, turned, byTurns, byHand}
	rows := make([]string, len(noises)*len(layouts))
	var done sync.WaitGroup
	for i, k := range noises {
		for j, l := range layouts {
			done.Go(func() {
				row := fmt.Sprintf("| %s | %s |", k.name, l.name)
				for _, n := range []int{3, 5, 10} {
					c := trial(l, k, n, 0)
					given := c.all - c.refused
					wrong := float64(c.shown) > mostFalse(given)
					if wrong && !k.beyond {
						t.Errorf("%s, %s, %d runs: %d of %d verdicts are false", k.name, l.name, n, c.shown, given)
					}
					bold := strings.Repeat("**", toInt(wrong))
					row += fmt.Sprintf(" %s | %s%s%s | %s |", percent(c.blind, c.all), bold, percent(c.shown, given), bold, percent(c.refused, c.all))
				}
				rows[i*len(layouts)+j] = row + "\n"
			})
		}
	}
	done.Wait()
	written(t, "| runs | order | 3: blind | false | refused | 5: blind | false | refused | 10: blind | false | refused |\n|---|---|---|---|---|---|---|---|---|---|---|\n", rows)
}

// Runs that take turns show a true difference about as often as tests that hold only
// without drift.
func TestDriftCostsLittlePower(t *testing.T) {
	var rows []string
	for _, l := range []layout{interleaved, shuffled, turned, byTurns, byHand} {
		for _, sds := range []float64{1, 2, 3} {
			row := fmt.Sprintf("| %s | %g |", l.name, sds)
			for _, n := range []int{3, 5, 10} {
				c := trial(l, noises[0], n, sds*noises[0].spread)
				row += fmt.Sprintf(" %s | %s |", percent(c.blind, c.all), percent(c.shown, c.all))
			}
			rows = append(rows, row+"\n")
		}
	}
	written(t, "| order | difference in sd | 3: blind | shown | 5: blind | shown | 10: blind | shown |\n|---|---|---|---|---|---|---|---|\n", rows)
}

// So are those on points of unlike counts, with pauses of any length between the
// runs, in orders by hand.
func TestVerdictsOnUnlikeCountsAreSeldomFalse(t *testing.T) {
	const orders, each = 100, 40
	for _, k := range noises {
		for _, n := range [][2]int{{3, 2}, {3, 6}, {4, 12}, {10, 5}} {
			rng := rand.New(rand.NewPCG(uint64(n[0]), uint64(n[1])))
			shown, given := 0, 0
			for range orders {
				runs := make([]Run, n[0]+n[1])
				moment := 0.0
				for i, j := range rng.Perm(len(runs)) {
					runs[i] = Run{Second: j >= n[0], At: moment}
					moment += 1 + rng.ExpFloat64()
				}
				order := Arrange(runs)
				if order.Refused {
					continue
				}
				values := make([]float64, len(runs))
				for range each {
					for i, e := range k.at(rng, runs) {
						values[i] = math.Exp(e)
					}
					d, _ := order.Difference(values)
					given, shown = given+1, shown+toInt(d.Verdict(alpha) != NoneShown)
				}
			}
			if given < orders*each/4 || float64(shown) > mostWrong*float64(given) && !k.beyond {
				t.Errorf("%s, %d and %d runs: %d of %d verdicts are false", k.name, n[0], n[1], shown, given)
			}
		}
	}
}
