package study

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// planOf is a plan of k points.
func planOf(t testing.TB, k int, execution string) *Plan {
	t.Helper()
	values := make([]string, k)
	for i := range values {
		values[i] = fmt.Sprint(i)
	}
	text := "model: a/b\nsweep: {seed: [" + strings.Join(values, ", ") + "]}\nexecution: {" + execution + "}\n"
	s, err := DecodeStudy("s.yaml", []byte(text), Options{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.Plan()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// cycles are the points in their order, by cycle.
func cycles(p *Plan) [][]int {
	out := make([][]int, p.Execution.Cycles)
	for r := range p.Runs() {
		out[r.Cycle-1] = append(out[r.Cycle-1], r.Point)
	}
	return out
}

func TestOrdersOfThreePoints(t *testing.T) {
	t.Parallel()
	for order, want := range map[string]string{
		Sequential: "[{1 0} {2 0} {1 1} {2 1} {1 2} {2 2}]",
		Interleave: "[{1 0} {1 1} {1 2} {2 0} {2 1} {2 2}]",
	} {
		p := planOf(t, 3, "cycles: 2, order: "+order)
		if got := fmt.Sprint(slices.Collect(p.Runs())); got != want {
			t.Errorf("%s: %s, want %s", order, got, want)
		}
	}
}

func TestEveryOrderRunsEveryPointOnceACycle(t *testing.T) {
	t.Parallel()
	for _, order := range []string{Sequential, Interleave, Shuffle, LatinSquare} {
		for k := 1; k <= 9; k++ {
			for asked := 1; asked <= 5; asked++ {
				p := planOf(t, k, fmt.Sprintf("cycles: %d, order: %s", asked, order))
				all := cycles(p)
				if len(all) < asked || order != LatinSquare && len(all) != asked || p.Len() != len(all)*k {
					t.Errorf("%s of %d points: %d cycles, asked for %d; %d runs", order, k, len(all), asked, p.Len())
				}
				for c, points := range all {
					if slices.Sort(points); !slices.Equal(points, p.Runnable()) {
						t.Errorf("%s of %d points, cycle %d: %v", order, k, c+1, points)
					}
				}
			}
		}
	}
}

// Every point stands in every place equally often, and follows every other
// equally often: once in k rows where k is even, twice in 2k rows where it is
// odd.
func TestTheLatinSquareIsBalanced(t *testing.T) {
	t.Parallel()
	for k := 2; k <= 9; k++ {
		p := planOf(t, k, "cycles: 1, order: latin_square")
		rows, times := k, 1
		if k%2 == 1 {
			rows, times = 2*k, 2
		}
		if p.Execution.Cycles != rows || p.Asked != 1 {
			t.Errorf("%d points: %d cycles of %d asked, want %d of 1", k, p.Execution.Cycles, p.Asked, rows)
		}
		places, follows := map[[2]int]int{}, map[[2]int]int{}
		for _, row := range cycles(p) {
			for j, x := range row {
				places[[2]int{x, j}]++
				if j > 0 {
					follows[[2]int{row[j-1], x}]++
				}
			}
		}
		for a := range k {
			for b := range k {
				if places[[2]int{a, b}] != times || a != b && follows[[2]int{a, b}] != times {
					t.Errorf("%d points: %d in place %d %d times, and after it %d times; want %d", k, a, b, places[[2]int{a, b}], follows[[2]int{a, b}], times)
				}
			}
		}
	}
}

func TestCyclesOfALatinSquareAreRoundedUp(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ points, asked, want int }{{1, 3, 3}, {2, 3, 4}, {4, 4, 4}, {4, 5, 8}, {3, 3, 6}, {3, 7, 12}, {5, 1, 10}} {
		if p := planOf(t, c.points, fmt.Sprintf("cycles: %d, order: latin_square", c.asked)); p.Execution.Cycles != c.want {
			t.Errorf("%d points, %d cycles asked: %d, want %d", c.points, c.asked, p.Execution.Cycles, c.want)
		}
	}
}

func TestTheSeedDecidesTheOrder(t *testing.T) {
	t.Parallel()
	for _, order := range []string{Shuffle, LatinSquare} {
		of := func(k int, seed string) (string, int64) {
			p := planOf(t, k, "cycles: 8, order: "+order+seed)
			return fmt.Sprint(cycles(p)), *p.Execution.Seed
		}
		own, seed := of(8, "")
		if again, same := of(8, ""); again != own || same != seed || seed < 0 {
			t.Errorf("%s: the same study has another order", order)
		}
		if given, _ := of(8, fmt.Sprintf(", seed: %d", seed)); given != own {
			t.Errorf("%s: the recorded seed gives another order", order)
		}
		if other, _ := of(8, fmt.Sprintf(", seed: %d", seed+1)); other == own {
			t.Errorf("%s: another seed gives the same order", order)
		}
		if _, of9 := of(9, ""); of9 == seed {
			t.Errorf("%s: another study has the same seed", order)
		}
	}
	// Pinned: an order that is recorded by its seed alone must stay what it was.
	row := make([]int, 10)
	if shuffle(row, 7, 1); fmt.Sprint(row) != pinned {
		t.Errorf("shuffle of seed 7: %v, want %s", row, pinned)
	}
	all := cycles(planOf(t, 8, "cycles: 8, order: shuffle"))
	if fmt.Sprint(all[0]) == fmt.Sprint(all[1]) {
		t.Error("two cycles have the same order")
	}
}

const pinned = "[8 0 5 4 1 3 2 7 6 9]"

// Each of the 24 orders of four points comes up about as often.
func TestShufflesAreFair(t *testing.T) {
	t.Parallel()
	seen := map[string]int{}
	const n = 24_000
	for c := range n {
		row := make([]int, 4)
		shuffle(row, 1, uint64(c))
		seen[fmt.Sprint(row)]++
	}
	chi2 := 0.0
	for _, count := range seen {
		d := float64(count) - n/24
		chi2 += d * d / (n / 24)
	}
	if len(seen) != 24 || chi2 > 49.7 { // the 99.9 % point for 23 degrees of freedom
		t.Errorf("%d orders, χ² %.1f", len(seen), chi2)
	}
}

// Studies made at random have as many points as their axes multiply to, and
// every point has every value that its place in the grid says.
func TestNoFieldOfAPointIsLost(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(1, 2))
	pool := []string{"seed", "workload.load.concurrency", "workload.max_input_tokens", "warmup.n_warmup", "engine.args.a", "engine.args.b.c", "workload.extra_body.x.y", "workload.extra_body.x.z", "measurement.sample_interval_ms"}
	for range 200 {
		paths := slices.Clone(pool)
		rnd.Shuffle(len(paths), func(i, j int) { paths[i], paths[j] = paths[j], paths[i] })
		paths = paths[:1+rnd.IntN(4)]
		var entries []string
		points := 1
		values := map[string][]string{}
		for _, p := range paths {
			n := 1 + rnd.IntN(4)
			points *= n
			for i := range n {
				values[p] = append(values[p], fmt.Sprint(11+i+rnd.IntN(2)*100))
			}
			entries = append(entries, p+": ["+strings.Join(values[p], ", ")+"]")
		}
		text := "model: a/b\nsweep: {" + strings.Join(entries, ", ") + "}\n"
		p := plan(t, text)
		if len(p.Points) != points {
			t.Fatalf("%s: %d points, want %d", text, len(p.Points), points)
		}
		for i := range p.Points {
			e, err := p.Experiment(i)
			if err != nil {
				t.Fatal(err)
			}
			rest := i
			for _, path := range slices.Backward(paths) {
				want := values[path][rest%len(values[path])]
				rest /= len(values[path])
				if got := valueAt(&e, path); got != want {
					t.Errorf("%s: point %d has %s %s, want %s", text, i, path, got, want)
				}
			}
		}
	}
}

func valueAt(e *Experiment, path string) string {
	k, child, _ := rowAt(path)
	v := fieldOf(reflect.ValueOf(e).Elem(), k.path).Interface()
	for _, name := range child {
		v = v.(map[string]any)[name]
	}
	return fmt.Sprint(v)
}
