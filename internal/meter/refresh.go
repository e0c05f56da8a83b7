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

// ticks are the instants at which a counter was first seen to have moved.
type ticks struct {
	last uint64
	any  bool
	at   []time.Duration
}

func (t *ticks) see(v uint64, at time.Duration) {
	if t.any && v != t.last {
		t.at = append(t.at, at)
	}
	t.last, t.any = v, true
}

// interval is the time from tick to tick. The median is robust against a tick
// that was seen late or not at all; with it each gap is known as a number of
// ticks, and the mean over all of them is finer than one poll.
func (t *ticks) interval() time.Duration {
	if len(t.at) < 2 {
		return 0
	}
	gaps := make([]time.Duration, len(t.at)-1)
	for i := range gaps {
		gaps[i] = t.at[i+1] - t.at[i]
	}
	sorted := slices.Sorted(slices.Values(gaps))
	median := sorted[len(sorted)/2]
	n := time.Duration(0)
	for _, gap := range gaps {
		n += (gap + median/2) / median
	}
	return (t.at[len(t.at)-1] - t.at[0]) / max(n, 1)
}
