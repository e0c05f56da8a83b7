package load

import (
	"math/bits"
	"sync/atomic"
	"time"

	"github.com/llenergymeasure/llem/internal/stats"
)

// histogram counts durations in a fixed memory: exactly below 128 ns, and to
// 1/64 of the value above. What is negative counts as 0. Any number of goroutines
// may add to it.
type histogram struct {
	n, sum atomic.Uint64 // sum of nanoseconds
	max    atomic.Int64
	counts [(64 - fineBits) << fineBits]atomic.Uint64
}

const fineBits = 6

func (h *histogram) add(d time.Duration, n uint64) {
	d = max(0, d)
	if n == 0 {
		return
	}
	h.n.Add(n)
	h.sum.Add(uint64(d) * n)
	for most := h.max.Load(); int64(d) > most; most = h.max.Load() {
		if h.max.CompareAndSwap(most, int64(d)) {
			break
		}
	}
	h.counts[bucket(d)].Add(n)
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
	for i := range h.counts {
		c := h.counts[i].Load()
		if below += c; c > 0 && float64(below) >= q*float64(h.n.Load()) {
			return min(h.most(), edge(i+1)-1)
		}
	}
	return h.most()
}

func (h *histogram) most() time.Duration { return time.Duration(h.max.Load()) }

// summary is in milliseconds; nil of nothing.
func (h *histogram) summary() *stats.Summary {
	n := h.n.Load()
	if n == 0 {
		return nil
	}
	return &stats.Summary{
		N: int(n), Mean: float64(h.sum.Load()) / float64(n) / float64(time.Millisecond), Max: ms(h.most()),
		P50: ms(h.quantile(0.5)), P90: ms(h.quantile(0.9)), P95: ms(h.quantile(0.95)), P99: ms(h.quantile(0.99)),
	}
}
