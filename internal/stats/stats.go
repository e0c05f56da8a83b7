package stats

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// Summary of a distribution, in the unit of its sample.
type Summary struct {
	N                             int
	Mean, P50, P90, P95, P99, Max float64
}

// Summarise is nil for an empty sample and for one that holds NaN or ±Inf. It
// leaves v as it is.
func Summarise(v []float64) *Summary {
	if len(v) == 0 || !finite(v) {
		return nil
	}
	s := slices.Sorted(slices.Values(v))
	q := func(p float64) float64 { return stat.Quantile(p, stat.Empirical, s, nil) }
	return &Summary{N: len(s), Mean: stat.Mean(s, nil), P50: q(0.5), P90: q(0.9), P95: q(0.95), P99: q(0.99), Max: s[len(s)-1]}
}

// Interval is the mean of a sample and half of its 95 % confidence interval by
// Student's t. It is unknown for fewer than two values and for values that are
// not finite.
func Interval(v []float64) (mean, half float64, ok bool) {
	if len(v) < 2 || !finite(v) {
		return 0, 0, false
	}
	mean, sd := stat.MeanStdDev(v, nil)
	n := float64(len(v))
	return mean, distuv.StudentsT{Sigma: 1, Nu: n - 1}.Quantile(0.975) * sd / math.Sqrt(n), true
}

// SD is the standard deviation of a sample. It is unknown for fewer than two
// values and for values that are not finite.
func SD(v []float64) (sd float64, ok bool) {
	if len(v) < 2 || !finite(v) {
		return 0, false
	}
	return stat.StdDev(v, nil), true
}

// CV is the coefficient of variation: sample standard deviation over mean. It
// is unknown for fewer than two values, for a mean of zero and for values that
// are not finite.
func CV(v []float64) (cv float64, ok bool) {
	sd, ok := SD(v)
	if mean := stat.Mean(v, nil); ok && mean != 0 {
		return sd / math.Abs(mean), true
	}
	return 0, false
}

func finite(v []float64) bool {
	return !slices.ContainsFunc(v, func(x float64) bool { return math.IsNaN(x) || math.IsInf(x, 0) })
}
