package stats

import (
	"cmp"
	"math"
	"slices"
)

// Run is one of the runs of two points that are compared.
type Run struct {
	Second bool    // of the second point
	At     float64 // when it began, in any unit from any moment
	Cycle  string  // that it shares with one run of the other point; empty: none
}

// Method is how a difference is found.
type Method string

// Methods. ByCycle and ByTrend hold under drift; ByWelch assumes that there is none.
const (
	ByCycle Method = "paired" // a straight line of drift is taken out, then each cycle's two runs are held against each other
	ByTrend Method = "trend"  // a straight line of drift is taken out, then Welch's t-test
	ByWelch Method = "welch"  // Welch's t-test
)

// Order is what the order of the runs of two points allows to say of their
// difference. It does not depend on what the runs measured.
type Order struct {
	// Second says of each run, in the order in which they began, whether it is of the
	// second point.
	Second []bool
	// Method is ByWelch where Refused.
	Method Method
	// Widening is what the variance is multiplied by, for what drift that is no straight
	// line may do to the difference; infinite where it may do anything.
	Widening float64
	// Refused says that Widening is so large that drift cannot be distinguished from a difference.
	Refused bool

	by    estimator
	line  *line // nil where there is none
	place []int // of the runs as they were given: where in y each is
	axis  []float64
}

const (
	// mostWidening is the largest factor of the variance with which a verdict is given:
	// an interval 1.4 times as wide.
	mostWidening = 2
	// pairedWidening is up to which runs are paired by cycle where they can be: pairs
	// take out what a cycle has in common, which is worth this much.
	pairedWidening = 1.4
)

// Arrange says what may be done with runs of two points.
func Arrange(runs []Run) *Order {
	o := &Order{Method: ByWelch, Widening: math.Inf(1), Refused: true, place: make([]int, len(runs))}
	given := make([]int, len(runs))
	for i := range given {
		given[i] = i
	}
	slices.SortStableFunc(given, func(i, j int) int { return cmp.Compare(runs[i].At, runs[j].At) })
	sorted := make([]Run, len(runs))
	for at, i := range given {
		sorted[at], o.place[i] = runs[i], at
		o.Second = append(o.Second, runs[i].Second)
	}
	o.axis = axisOf(sorted)
	if l, ok := newLine(sorted, o.axis); ok {
		o.line = l
		o.take(ByTrend, l, widening(l, o.axis))
	}
	if p, ok := newPairs(sorted, o.axis); ok {
		if w := widening(p, o.axis); w <= max(pairedWidening, o.Widening) {
			o.take(ByCycle, p, w)
		}
	}
	return o
}

// take takes a way of comparing if the order of the runs allows it.
func (o *Order) take(m Method, e estimator, widening float64) {
	o.Widening = widening
	if widening <= mostWidening {
		o.Method, o.by, o.Refused = m, e, false
	}
}

// Difference is that of the second point from the first. values are the runs', as
// they were given to [Arrange]. Where the order is refused it is Welch's, and
// true only if nothing drifted. It is unknown where [Welch]'s is, and where a line
// of drift leaves no spread.
func (o *Order) Difference(values []float64) (d Difference, ok bool) {
	var sides [2][]float64
	for i, v := range values {
		s := toInt(o.Second[o.place[i]])
		sides[s] = append(sides[s], v)
	}
	d, ok = Welch(sides[0], sides[1])
	if !ok || o.Refused {
		return d, ok
	}
	const rounding = 1e-12 // of a line through all values
	d = o.by.of(o.logs(values)).difference(o.Widening)
	return d, d.U > rounding
}

// logs are the logarithms of values in the order of the runs.
func (o *Order) logs(values []float64) []float64 {
	y := make([]float64, len(values))
	for i, v := range values {
		y[o.place[i]] = math.Log(v)
	}
	return y
}

func toInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// longestPause is how long a pause counts at most, in medians: a machine that rests
// for a night does not drift as one that works.
const longestPause = 3

// axisOf is when each run began, with long pauses cut, in mean distances from the
// first run.
func axisOf(runs []Run) []float64 {
	axis := make([]float64, len(runs))
	if len(runs) < 2 {
		return axis
	}
	gaps := make([]float64, 0, len(runs)-1)
	for i, r := range runs[1:] {
		gaps = append(gaps, r.At-runs[i].At)
	}
	most := longestPause * slices.Sorted(slices.Values(gaps))[len(gaps)/2]
	for i, g := range gaps {
		axis[i+1] = axis[i] + min(g, most)
	}
	if mean := axis[len(gaps)] / float64(len(gaps)); mean > 0 {
		for i := range axis {
			axis[i] /= mean
		}
	}
	return axis
}
