package stats

import (
	"math"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// Verdict is what a sample shows of a second against a first.
type Verdict string

// Verdicts. NoneShown is not "equal": the sample may be too small to show it.
const (
	Less      Verdict = "less"
	More      Verdict = "more"
	NoneShown Verdict = "no_difference_shown"
)

// Difference of two samples of positive values, as the logarithm of the ratio
// of the second to the first: a factor is the same to both sides, and what a
// day or a card multiplies both with falls out of pairs.
type Difference struct {
	Log float64 // mean of ln(second) − mean of ln(first)
	U   float64 // standard uncertainty of Log
	DF  float64 // degrees of freedom of U

	variance float64 // of Log from one repeat; n repeats divide it by n
	perN     float64 // degrees of freedom of n repeats over n − 1
	fixed    float64 // part of U that repeats do not lessen
}

// Welch is the difference of b from a where nothing pairs them, by Welch's
// t-test: the spreads may differ. It is unknown for fewer than two values on
// either side, for values that are not positive and finite, and where neither
// side has any spread.
func Welch(a, b []float64) (d Difference, ok bool) {
	la, okA := logs(a)
	lb, okB := logs(b)
	if !okA || !okB {
		return Difference{}, false
	}
	meanA, va := stat.MeanVariance(la, nil)
	meanB, vb := stat.MeanVariance(lb, nil)
	na, nb := float64(len(a)), float64(len(b))
	ua, ub := va/na, vb/nb
	d = Difference{
		Log: meanB - meanA, U: math.Sqrt(ua + ub), DF: (ua + ub) * (ua + ub) / (ua*ua/(na-1) + ub*ub/(nb-1)),
		variance: va + vb, perN: (va + vb) * (va + vb) / (va*va + vb*vb),
	}
	return d, d.U > 0
}

func logs(v []float64) (out []float64, ok bool) {
	if len(v) < 2 || !finite(v) {
		return nil, false
	}
	for _, x := range v {
		if x <= 0 {
			return nil, false
		}
		out = append(out, math.Log(x))
	}
	return out, true
}

// With adds a standard uncertainty of the ratio that no repeat lessens, such as
// the gain of another card's sensor, as a component of unlimited degrees of
// freedom (JCGM 100:2008, G.4).
func (d Difference) With(u float64) Difference {
	d.fixed = math.Hypot(d.fixed, u)
	d.U, d.DF = widened(d.U, d.DF, u)
	return d
}

// normal are the degrees of freedom from which Student's t is taken for normal.
const normal = 1e6

// widened adds fixed to an uncertainty of df degrees of freedom.
func widened(u, df, fixed float64) (sum, dfSum float64) {
	sum = math.Hypot(u, fixed)
	return sum, min(normal, df*math.Pow(sum/u, 4))
}

// Interval is the two-sided interval of confidence 1 − alpha, as relative
// differences: −0.07 is 7 % less.
func (d Difference) Interval(alpha float64) (low, high float64) {
	half := critical(d.DF, alpha) * d.U
	return math.Expm1(d.Log - half), math.Expm1(d.Log + half)
}

// Relative is the difference itself: −0.07 is 7 % less.
func (d Difference) Relative() float64 { return math.Expm1(d.Log) }

// P is the two-sided p-value of no difference.
func (d Difference) P() float64 { return 2 * student(d.DF).CDF(-math.Abs(d.Log)/d.U) }

// Verdict says at level alpha whether the second sample is less or more.
func (d Difference) Verdict(alpha float64) Verdict {
	switch {
	case d.P() > alpha:
		return NoneShown
	case d.Log < 0:
		return Less
	}
	return More
}

func student(df float64) distuv.StudentsT { return distuv.StudentsT{Sigma: 1, Nu: df} }

// critical is what |t| must exceed at a two-sided alpha.
func critical(df, alpha float64) float64 { return student(df).Quantile(1 - alpha/2) }
