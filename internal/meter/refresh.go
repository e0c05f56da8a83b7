//go:build linux && cgo

package meter

import (
	"context"
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
// does not move.
func (s *Sampler) CounterRefresh(ctx context.Context) ([]time.Duration, error) {
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
			return nil, ctx.Err()
		case <-poll.C:
		}
	}
	refresh := make([]time.Duration, len(seen))
	for i := range seen {
		refresh[i] = seen[i].interval()
	}
	return refresh, nil
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
		t.at = append(t.at, at)
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
	gaps := make([]time.Duration, len(at)-1)
	for i := range gaps {
		gaps[i] = at[i+1] - at[i]
	}
	median := middle(gaps)
	number := make([]time.Duration, len(at)) // of ticks since the first
	for i := range gaps {
		number[i+1] = number[i] + max(1, (gaps[i]+median/2)/median)
	}
	var slopes []time.Duration
	for i := range at {
		for j := i + 1; j < len(at); j++ {
			slopes = append(slopes, (at[j]-at[i])/(number[j]-number[i]))
		}
	}
	return middle(slopes)
}

func middle(list []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(list))
	return sorted[len(sorted)/2]
}
