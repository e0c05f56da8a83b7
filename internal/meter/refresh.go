package meter

import (
	"context"
	"time"

	"github.com/llenergymeasure/llem/internal/device"
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

// pollCounters reads the energy counter of each of n GPUs alone, over and over, until it
// is known how often it moves, which [measure.Refresh] tells from what it returns. It
// takes 0.6 s where the counters are quick, 0.8 s where they move ten times a second,
// and 3.5 s at most, which is 1,750 readings of each GPU. read reads one, and says
// whether there is a counter at all. The error is the context's.
func pollCounters(ctx context.Context, n int, read func(gpu int) (m device.Sample, counts bool)) (polls []device.Sample, err error) {
	seen := make([]measure.Ticks, n)
	poll := time.NewTicker(measure.PollEvery)
	defer poll.Stop()
	start := time.Now()
	for {
		counters, waiting := false, time.Since(start) < enoughTime
		for i := range n {
			m, counts := read(i)
			if m.Has != 0 {
				m.GPU = int32(i)
				polls = append(polls, m)
				seen[i].See(m.EnergyMJ, m.At)
			}
			if counts {
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
