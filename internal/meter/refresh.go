//go:build linux && cgo

package meter

import (
	"context"
	"time"

	"github.com/llenergymeasure/llem/internal/measure"
)

const (
	// A refresh is known to about measure.PollEvery/(number of ticks) with at least so
	// many ticks and so much time.
	enoughTicks = 8
	enoughTime  = 600 * time.Millisecond
	// Drivers refresh every 20 ms (V100) to 500 ms (consumer cards: the driver's
	// RMRusdPollingInterval, at most 1 s), so a counter gets this long to tick thrice.
	refreshDeadline = 3500 * time.Millisecond
)

// PollCounters reads each GPU's energy counter alone, over and over, until it is
// known how often it moves, which [measure.Refresh] tells from what it returns. It
// takes 0.6 s where the counters are quick, 0.8 s where they move ten times a second,
// and 3.5 s at most, which is 1,750 readings of each GPU. At is left as time since
// epoch. The error is the context's.
func (s *Sampler) PollCounters(ctx context.Context, epoch time.Time) (polls []measure.Sample, err error) {
	seen := make([]measure.Ticks, len(s.gpus))
	poll := time.NewTicker(measure.PollEvery)
	defer poll.Stop()
	start := time.Now()
	for {
		counters, waiting := false, time.Since(start) < enoughTime
		for i := range s.gpus {
			if m := s.gpus[i].counter(epoch); m.Has != 0 {
				m.GPU = int32(i)
				polls = append(polls, m)
				seen[i].See(m.EnergyMJ, m.At)
			}
			if !s.gpus[i].lacks(energyField | energyCall) {
				counters = true
				waiting = waiting || seen[i].Seen() < enoughTicks
			}
		}
		if !counters || !waiting || time.Since(start) > refreshDeadline {
			return polls, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-poll.C:
		}
	}
}

// counter reads the energy counter alone; the sample has nothing where it gave none.
func (g *gpu) counter(epoch time.Time) (m measure.Sample) {
	start := time.Since(epoch)
	if !g.lacks(energyField) {
		g.readFields(&m, 1) // energy is the first
	}
	g.readEnergy(&m)
	m.Took = time.Since(epoch) - start
	m.At = start + m.Took/2
	return m
}
