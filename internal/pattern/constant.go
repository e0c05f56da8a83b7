package pattern

import (
	"math"
	"time"
)

var constant = pattern{
	Name: "constant", Brief: "evenly", Sends: "evenly, every 1/rate seconds",
	Needs: []Key{ratePerSecond},
	Mean:  evenly,
	Schedule: func(l Load, _ uint64, _ Trace) Due {
		return func(n int) (time.Duration, bool) { return Evenly(l.RatePerSecond, n), true }
	},
}

// Evenly is when request n, from 0, is due at a rate that does not change. It is rounded
// once, so that no error adds up.
func Evenly(rate float64, n int) time.Duration {
	return time.Duration(math.Round(float64(n) * float64(time.Second) / rate))
}
