package study

import (
	"iter"
	"math/rand/v2"
)

// Run is one of a study's runs: a point in a cycle.
type Run struct {
	Cycle int // from 1
	Point int // of Plan.Points
}

// Runs are the plan's runs, in order. It may be read more than once, and each
// time gives the same; only one cycle is in memory at a time.
func (p *Plan) Runs() iter.Seq[Run] {
	return func(yield func(Run) bool) {
		if p.Execution.Order == Sequential {
			for _, point := range p.runs {
				for c := range p.Execution.Cycles {
					if !yield(Run{c + 1, int(point)}) {
						return
					}
				}
			}
			return
		}
		row := make([]int, len(p.runs))
		next := p.rows()
		for c := range p.Execution.Cycles {
			next(c, row)
			for _, i := range row {
				if !yield(Run{c + 1, int(p.runs[i])}) {
					return
				}
			}
		}
	}
}

// rows fills the order of cycle c, from 0, over the points that are run.
func (p *Plan) rows() func(c int, row []int) {
	seed := uint64(0)
	if p.Execution.Seed != nil {
		seed = uint64(*p.Execution.Seed)
	}
	switch p.Execution.Order {
	case Shuffle:
		return func(c int, row []int) { shuffle(row, seed, uint64(c)) }
	case LatinSquare:
		names := make([]int, len(p.runs)) // which point a number of the square stands for
		shuffle(names, seed, 0)
		return func(c int, row []int) {
			williams(c, row)
			for i, n := range row {
				row[i] = names[n]
			}
		}
	}
	return func(_ int, row []int) {
		for i := range row {
			row[i] = i
		}
	}
}

// shuffle fills row with a permutation of its indices that depends on seed and
// stream alone. It is Fisher and Yates's, written out, since a study's order
// must not change with the standard library's.
func shuffle(row []int, seed, stream uint64) {
	src := rand.NewPCG(seed, stream)
	for i := range row {
		row[i] = i
	}
	for i := len(row) - 1; i > 0; i-- {
		n := uint64(i + 1)
		limit := -n % n // 2⁶⁴ mod n: below it a remainder would come up too often
		x := src.Uint64()
		for x < limit {
			x = src.Uint64()
		}
		j := int(x % n)
		row[i], row[j] = row[j], row[i]
	}
}

// squareRows is the number of rows of Williams's design for k points: k where it
// is even, else twice as many.
func squareRows(k int) int {
	if k > 1 && k%2 == 1 {
		return 2 * k
	}
	return k
}

// williams fills row number r, modulo the design's rows, of the Latin square that
// is balanced for carry-over (E. J. Williams, Aust. J. Sci. Res. A 2, 1949): its
// first row is 0, 1, k−1, 2, k−2, … and each other adds one modulo k. Where k is
// odd, the second k rows are the first ones backwards.
func williams(r int, row []int) {
	k := len(row)
	if k == 0 {
		return
	}
	r %= squareRows(k)
	for j := range row {
		x := (j + 1) / 2
		if j%2 == 0 {
			x = (k - j/2) % k
		}
		at := j
		if r >= k {
			at = k - 1 - j
		}
		row[at] = (x + r) % k
	}
}
