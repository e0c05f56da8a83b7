package load

import (
	"math/bits"
	"time"

	"github.com/llenergymeasure/llem/internal/stats"
)

// histogram counts durations in a fixed memory: exactly below 128 ns, and to
// 1/64 of the value above. What is negative counts as 0.
type histogram struct {
	n      uint64
	sum    float64 // nanoseconds
	max    time.Duration
	counts [(64 - fineBits) << fineBits]uint64
}

const fineBits = 6

func (h *histogram) add(d time.Duration, n uint64) {
	d = max(0, d)
	if n == 0 {
		return
	}
	h.n += n
	h.sum += float64(d) * float64(n)
	h.max = max(h.max, d)
	h.counts[bucket(d)] += n
}

// bucket is where d is counted; edge is its inverse, the bucket's lower edge.
func bucket(d time.Duration) int {
	shift := max(0, bits.Len64(uint64(d))-fineBits-1)
	return shift<<fineBits + int(uint64(d)>>shift)
}

func edge(i int) time.Duration {
	shift := max(0, i>>fineBits-1)
	return time.Duration(i-shift<<fineBits) << shift
}

// quantile is the upper edge of the bucket in which a part q of all lies.
func (h *histogram) quantile(q float64) time.Duration {
	var below uint64
	for i, c := range h.counts {
		if below += c; c > 0 && float64(below) >= q*float64(h.n) {
			return min(h.max, edge(i+1)-1)
		}
	}
	return h.max
}

// summary is in milliseconds; nil of nothing.
func (h *histogram) summary() *stats.Summary {
	if h.n == 0 {
		return nil
	}
	return &stats.Summary{
		N: int(h.n), Mean: h.sum / float64(h.n) / float64(time.Millisecond), Max: ms(h.max),
		P50: ms(h.quantile(0.5)), P90: ms(h.quantile(0.9)), P95: ms(h.quantile(0.95)), P99: ms(h.quantile(0.99)),
	}
}
