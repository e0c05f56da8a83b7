package stats

import (
	"math"
	"sort"

	"gonum.org/v1/gonum/integrate/quad"
	"gonum.org/v1/gonum/stat/distuv"
)

// mostRepeats are more than anybody makes.
const mostRepeats = 1000

// Repeats is how many repeats of both samples would show, at level alpha and with
// the given power, a difference as large as the one that was seen with a spread
// as large. ok is false where a thousand would not.
func (d Difference) Repeats(alpha, power float64) (n int, ok bool) {
	n = 2 + sort.Search(mostRepeats-1, func(i int) bool { return d.power(2+i, alpha) >= power })
	return n, n <= mostRepeats
}

// power is the chance that n repeats show the difference.
func (d Difference) power(n int, alpha float64) float64 {
	u, df := widened(math.Sqrt(d.variance/float64(n)), d.perN*float64(n-1), d.fixed)
	t, shift := critical(df, alpha), math.Abs(d.Log)/u
	return 1 - noncentralT(t, df, shift) + noncentralT(-t, df, shift)
}

// noncentralT is the distribution function at t of (Z + shift)/√(χ²/df): the
// normal one's, averaged over the spread that df degrees of freedom find.
func noncentralT(t, df, shift float64) float64 {
	const tail, points = 1e-10, 100
	z := distuv.UnitNormal
	if df >= normal {
		return z.CDF(t - shift)
	}
	chi := distuv.ChiSquared{K: df}
	of := func(x float64) float64 { return z.CDF(t*x-shift) * 2 * df * x * chi.Prob(df*x*x) }
	return quad.Fixed(of, math.Sqrt(chi.Quantile(tail)/df), math.Sqrt(chi.Quantile(1-tail)/df), points, quad.Legendre{}, 0)
}
