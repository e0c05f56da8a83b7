package stats

import "math"

// Drift that the order of the runs must bear.
var (
	// memories are how much of a chance departure is left at the next run: of AR(1)
	// noise, from a little to a slow walk.
	memories = []float64{0.3, 0.6, 0.9, 0.98}
	// curves are drifts that are no straight line, over the runs from 0 to 1.
	curves = []func(x float64) float64{
		func(x float64) float64 { return x * x },
		func(x float64) float64 { return x * x * x },
		func(x float64) float64 { return math.Exp(-x / 0.1) },
		func(x float64) float64 { return math.Exp(-x / 0.25) },
		func(x float64) float64 { return math.Exp(-x / 0.5) },
	}
)

const (
	// curveBears is how much more of a curved drift than its variance allows for a
	// difference may hold: beside chance, Student's t bears it.
	curveBears = 1.4
	// mostPlaces is at how many runs departures and jumps are tried.
	mostPlaces = 500
)

// widening is by how much the variance that e finds must be multiplied so that it
// allows for what drift of many shapes does to the difference: at least 1. It depends
// on the order of the runs, not on their values.
func widening(e estimator, axis []float64) float64 {
	f := 1.0
	for _, m := range memories {
		f = max(f, walk(e, axis, m))
	}
	y := make([]float64, len(axis))
	for _, curve := range curves {
		for i, at := range axis {
			y[i] = curve(at / axis[len(axis)-1])
		}
		f = max(f, gain(e.of(y))/curveBears)
	}
	return max(f, jumps(e, axis))
}

// gain is the square of the difference that a drift makes over the variance that is
// found for it.
func gain(e estimate) float64 {
	const rounding = 1e-20
	switch d, v := e.delta*e.delta, e.variance(); {
	case d < rounding:
		return 0
	case v < rounding:
		return math.Inf(1)
	default:
		return d / v
	}
}

// walk is that of noise in which each run keeps a share of what the last one had: the
// sum over the runs at which a departure may begin.
func walk(e estimator, axis []float64, memory float64) float64 {
	squares, variance := 0.0, 0.0
	for k := 0; k < len(axis); k += stride(axis) {
		begun := 1.0
		if k > 0 {
			begun = 1 - math.Pow(memory, 2*(axis[k]-axis[k-1]))
		}
		got := e.of(departure(axis, k, memory))
		squares += begun * got.delta * got.delta
		variance += begun * got.variance()
	}
	return squares / variance
}

// departure is 1 at run k, and fades after it.
func departure(axis []float64, k int, memory float64) []float64 {
	y := make([]float64, len(axis))
	y[k] = 1
	for i := k + 1; i < len(y); i++ {
		y[i] = y[i-1] * math.Pow(memory, axis[i]-axis[i-1])
	}
	return y
}

// jumps is by how much the variance must be multiplied so that no jump at any run,
// however large, is taken for a difference at 5 %, with a margin for the chance that
// comes on top of it.
func jumps(e estimator, axis []float64) float64 {
	const (
		margin      = 1.6  // by simulation: less lets one jump in a study of five cycles say more than 6 % false verdicts
		leastSquare = 3.84 // of the critical value, whatever the degrees of freedom
	)
	f := 0.0
	for k := 1; k < len(axis); k += stride(axis) {
		got := e.of(departure(axis, k, 1))
		switch g := gain(got); {
		case math.IsInf(g, 1):
			return g
		case margin*g > f*leastSquare:
			t := critical(got.df(), 0.05)
			f = max(f, margin*g/(t*t))
		}
	}
	return f
}

func stride(axis []float64) int { return 1 + len(axis)/mostPlaces }
