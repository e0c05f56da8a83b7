package load

import (
	"iter"
	"time"

	"github.com/llenergymeasure/llem/internal/stats"
)

// summariseGaps is of the gaps between chunks of completed requests, in milliseconds. They
// are many more than the requests, and are gone through several times in place of being
// held. An answer that came at once has none.
func summariseGaps(timings Timings) *stats.Summary {
	return summariseSteps(func(yield func(uint64) bool) {
		for _, t := range timings.All() {
			if t.Status != StatusOK || t.FirstToken < 0 || t.FirstToken == t.LastToken {
				continue
			}
			for k := 1; k < len(t.Chunks); k++ {
				if !yield(uint64(max(0, t.Chunks[k].At()-t.Chunks[k-1].At())) >> stepBits) {
					return
				}
			}
		}
	})
}

// Digits by which quantiles of steps are found, from the highest: three of 15 bits hold
// every step that a chunk can say.
const (
	digits    = 3
	digitBits = 15
)

// summariseSteps is of times in steps of 64 ns, exactly; nil of none. It takes no memory for
// them: a quantile is found digit by digit, each by one walk through all.
func summariseSteps(steps iter.Seq[uint64]) *stats.Summary {
	var n, sum, most uint64
	for s := range steps {
		n++
		sum += s
		most = max(most, s)
	}
	if n == 0 {
		return nil
	}
	q := [...]float64{0.5, 0.9, 0.95, 0.99}
	var value, rank [len(q)]uint64 // the digits so far, and which of those with them it is
	for i := range q {
		for rank[i] = max(1, uint64(q[i]*float64(n))); float64(rank[i]) < q[i]*float64(n); rank[i]++ {
		}
	}
	for d := digits - 1; d >= 0; d-- {
		var counts [len(q)][1 << digitBits]uint64
		for s := range steps {
			high, digit := s>>(digitBits*(d+1)), s>>(digitBits*d)&(1<<digitBits-1)
			for i := range q {
				if high == value[i] {
					counts[i][digit]++
				}
			}
		}
		for i := range q {
			digit := uint64(0)
			for ; rank[i] > counts[i][digit]; digit++ {
				rank[i] -= counts[i][digit]
			}
			value[i] = value[i]<<digitBits | digit
		}
	}
	in := func(s uint64) float64 { return ms(time.Duration(s << stepBits)) }
	return &stats.Summary{
		N: int(n), Mean: float64(sum) * (1 << stepBits) / float64(time.Millisecond) / float64(n), Max: in(most),
		P50: in(value[0]), P90: in(value[1]), P95: in(value[2]), P99: in(value[3]),
	}
}
