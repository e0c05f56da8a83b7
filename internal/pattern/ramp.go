package pattern

import "math"

var ramp = pattern{
	Name: "ramp", Brief: "at a rate that changes", Sends: "evenly, at a rate that goes linearly from one to the other in `ramp_seconds`, and stays there",
	Needs: []Key{
		ratePerSecond,
		{Name: "rate_end_per_second", Min: 1e-6, Max: 1e6, Doc: "Requests a second at the ramp's end, which stays."},
		{Name: "ramp_seconds", Min: 0.001, Max: Week, Doc: "How long the rate changes, linearly."},
	},
	Mean: func(l Load, n int) float64 { return rampDue(l, float64(n)) },
	Peak: func(l Load) float64 { return max(l.RatePerSecond, l.RateEndPerSecond) },
}

// rampDue is when n requests have come of a rate that goes linearly from one to the
// other and stays there.
func rampDue(l Load, n float64) float64 {
	from, to, over := l.RatePerSecond, l.RateEndPerSecond, l.RampSeconds
	if all := (from + to) / 2 * over; n > all {
		return over + (n-all)/to
	}
	if from == to {
		return n / from
	}
	slope := (to - from) / over // from·t + slope·t²/2 = n, in the form that loses no digits
	return 2 * n / (from + math.Sqrt(from*from+2*slope*n))
}
