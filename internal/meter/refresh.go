//go:build linux && cgo

package meter

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/llenergymeasure/llem/internal/measure"
)

const (
	pollEvery = 2 * time.Millisecond
	// A refresh is known to about pollEvery/(number of ticks) with at least so
	// many ticks and so much time.
	enoughTicks = 8
	enoughTime  = 600 * time.Millisecond
	// Drivers refresh every 20 ms (V100) to 500 ms (consumer cards: the driver's
	// RMRusdPollingInterval, at most 1 s), so a counter gets this long to tick thrice.
	refreshDeadline = 3500 * time.Millisecond
)

// CounterRefresh measures how often each GPU's energy counter moves, from the
// counter's own ticks. It takes 0.6 s where the counters are quick, 0.8 s where
// they move ten times a second. 0 stands for a GPU whose counter is not there or
// does not move. jitter is the standard deviation of the ticks about their grid, as
// far as the polls do not explain it.
func (s *Sampler) CounterRefresh(ctx context.Context) (refresh, jitter []time.Duration, err error) {
	seen := make([]ticks, len(s.gpus))
	poll := time.NewTicker(pollEvery)
	defer poll.Stop()
	start := time.Now()
	for {
		counters, waiting := false, time.Since(start) < enoughTime
		for i := range s.gpus {
			if v, ok := s.gpus[i].counter(); ok {
				seen[i].see(v, time.Since(start))
			}
			if !s.gpus[i].lacks(energyField | energyCall) {
				counters = true
				waiting = waiting || len(seen[i].at) < enoughTicks
			}
		}
		if !counters || !waiting || time.Since(start) > refreshDeadline {
			break
		}
		select {
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		case <-poll.C:
		}
	}
	for i := range seen {
		every := seen[i].interval()
		refresh, jitter = append(refresh, every), append(jitter, seen[i].jitter(every))
	}
	return refresh, jitter, nil
}

// counter reads the energy counter alone.
func (g *gpu) counter() (uint64, bool) {
	var m measure.Sample
	if !g.lacks(energyField) {
		g.readFields(&m, 1) // energy is the first
	}
	g.readEnergy(&m)
	return m.EnergyMJ, m.Has&measure.HasEnergy != 0
}

// ticks are the instants at which a counter was seen to have moved.
type ticks struct {
	last uint64
	read time.Duration // when last was read
	any  bool
	at   []time.Duration
	gap  []time.Duration // from the reading before to that of each in at
	late []time.Duration // those of a poll that came so late that it tells little
}

// lateAfter is how long after the reading before it a reading may come for its
// tick to count: a process that was not scheduled sees ticks late.
const lateAfter = 5 * pollEvery

func (t *ticks) see(v uint64, at time.Duration) {
	switch moved := t.any && v != t.last; {
	case moved && at-t.read > lateAfter:
		t.late = append(t.late, at)
	case moved:
		t.at, t.gap = append(t.at, at), append(t.gap, at-t.read)
	}
	t.last, t.read, t.any = v, at, true
}

// interval is the time from tick to tick. The median gap tells how many ticks lie
// between two that were seen, and the median of the slopes between all pairs is
// finer than one poll and not moved by a few that were seen late.
func (t *ticks) interval() time.Duration {
	at := t.at
	if len(at) < 3 { // every poll is slow here
		at = slices.Sorted(slices.Values(append(t.late, at...)))
	}
	if len(at) < 2 {
		return 0
	}
	number := numbers(at)
	var slopes []time.Duration
	for i := range at {
		for j := i + 1; j < len(at); j++ {
			slopes = append(slopes, (at[j]-at[i])/(number[j]-number[i]))
		}
	}
	return middle(slopes)
}

// numbers are how many ticks after the first each of at is, of two at least.
func numbers(at []time.Duration) []time.Duration {
	gaps := make([]time.Duration, len(at)-1)
	for i := range gaps {
		gaps[i] = at[i+1] - at[i]
	}
	median := middle(gaps)
	number := make([]time.Duration, len(at))
	for i := range gaps {
		number[i+1] = number[i] + max(1, (gaps[i]+median/2)/median)
	}
	return number
}

// For errors of a normal distribution the median distance from the middle times
// madNormal is their standard deviation, and for those that are anywhere in a width
// it is madUniform of the width.
const (
	madNormal  = 1.4826
	madUniform = madNormal / 4
	fewTicks   = 4 // fewer show no jitter
)

// jitter is how far ticks lie from a grid of the given interval, by the median
// distance, less what polls that were so far apart make of it.
func (t *ticks) jitter(interval time.Duration) time.Duration {
	if len(t.at) < fewTicks || len(t.gap) != len(t.at) {
		return 0
	}
	number := numbers(t.at)
	off := make([]time.Duration, len(t.at))
	for i := range off {
		off[i] = t.at[i] - number[i]*interval
	}
	centre := middle(off)
	for i := range off {
		off[i] = (off[i] - centre).Abs()
	}
	spread, polled := madNormal*float64(middle(off)), madUniform*float64(middle(t.gap))
	return time.Duration(math.Sqrt(max(0, spread*spread-polled*polled)))
}

func middle(list []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(list))
	return sorted[len(sorted)/2]
}
