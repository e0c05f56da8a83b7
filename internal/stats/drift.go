package stats

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// leastForDrift is how many runs drift is looked for in at least: three figures are
// fitted to them.
const leastForDrift = 5

// Drift is what the runs themselves show of it. Few runs show little: it may take a
// verdict away, and gives none.
type Drift struct {
	Known bool // of five runs at least, two of them of each point
	// Trend is the change from the first run to the last, as a logarithm, of a straight
	// line beside the difference of the points; TrendP the p-value of none, if runs are
	// independent.
	Trend, TrendP float64
	// Dependence is the correlation of a run with the one before, beside points and
	// trend, less what is expected of independent runs; DependenceP the p-value of none.
	Dependence, DependenceP float64
}

// Drift is what values show of it, which are as for [Order.Difference]. It is unknown
// where the line explains all there is.
func (o *Order) Drift(values []float64) (d Drift) {
	l, n := o.line, len(values)
	if l == nil || n < leastForDrift || !finite(o.logs(values)) {
		return d
	}
	rest, slope := l.rest(o.logs(values))
	df, squares, neighbours := float64(n-3), 0.0, 0.0
	for i, r := range rest {
		squares += r * r
		if i > 0 {
			neighbours += r * rest[i-1]
		}
	}
	if squares <= 0 {
		return d
	}
	t := slope / math.Sqrt(squares/df/l.squares)
	mean, sd := l.independent()
	d = Drift{
		Known: true, Trend: slope * o.axis[n-1], TrendP: 2 * student(df).CDF(-math.Abs(t)),
		Dependence: neighbours/squares - mean, DependenceP: 1,
	}
	if sd > 0 { // else this order shows the same for any runs
		d.DependenceP = 2 * distuv.UnitNormal.CDF(-math.Abs(d.Dependence)/sd)
	}
	return d
}

// independent are mean and standard deviation of the correlation of neighbours in
// what is left of independent runs (J. Durbin and G. S. Watson, Biometrika 37, 1950).
func (l *line) independent() (mean, sd float64) {
	n := len(l.side)
	df := float64(n - 3)
	basis := [][]float64{make([]float64, n), make([]float64, n), make([]float64, n)}
	for i, s := range l.side {
		basis[s][i] = 1 / math.Sqrt(l.n[s])
		basis[2][i] = l.from[i] / math.Sqrt(l.squares)
	}
	trace, squared := 0.0, float64(n-1)/2
	for _, q := range basis {
		a := halves(q)
		squared -= 2 * dot(a, a)
		trace -= dot(q, a)
		for _, r := range basis {
			squared += dot(r, a) * dot(r, a)
		}
	}
	return trace / df, math.Sqrt(2 * (squared - trace*trace/df) / (df * (df + 2)))
}

// halves is of each run half the sum of its neighbours.
func halves(q []float64) []float64 {
	out := make([]float64, len(q))
	for i := range q {
		if i > 0 {
			out[i] += q[i-1] / 2
		}
		if i+1 < len(q) {
			out[i] += q[i+1] / 2
		}
	}
	return out
}

func dot(a, b []float64) (sum float64) {
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}
