package pattern

import (
	"time"

	"github.com/llenergymeasure/llem/internal/draw"
)

// arrivals is the stream of random numbers that schedules are drawn from, apart from
// those of prompts and lengths.
const arrivals = 0x6172726976616c73

// renewal is a schedule whose gaps are drawn one by one from a distribution of mean
// 1. The first request is due at 0. Gaps are rounded one by one: a processor that
// computes another last digit of a logarithm does not move what follows.
func renewal(l Load, seed uint64, gap func(*draw.Source) float64) Due {
	d := draw.New(seed, arrivals)
	at := time.Duration(0)
	return func(n int) (time.Duration, bool) {
		if n > 0 {
			at += toNanoseconds(gap(d) / l.RatePerSecond)
		}
		return at, true
	}
}
