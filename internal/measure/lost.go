package measure

import (
	"slices"
	"time"

	"github.com/llenergymeasure/llem/internal/device"
)

// latePoll is how late a poll may come on a host that is busy. Assumed: the simulated
// hosts of TestIntervalsHoldTheTruth are late by as much.
const latePoll = 200 * time.Millisecond

// bears says of the readings of one GPU that pass has whether they reach both ends
// of a span: one lies nearer to each than two usual steps and a late poll. any says
// that there was one at all. A GPU that fell off the bus must not be taken to have
// gone on as it was.
func bears(samples []device.Sample, gpu int32, from, to time.Duration, has func(*device.Sample) bool) (ok, any bool) {
	var steps []time.Duration
	prev, first, last := time.Duration(-1), time.Duration(-1), time.Duration(-1)
	closer := func(best, at, t time.Duration) time.Duration {
		if best < 0 || (at-t).Abs() < (best-t).Abs() {
			return at
		}
		return best
	}
	for i := range samples {
		s := &samples[i]
		if s.GPU != gpu || !has(s) {
			continue
		}
		first, last = closer(first, s.At, from), closer(last, s.At, to)
		if s.Edge || s.At > to {
			continue
		}
		if prev >= 0 {
			steps = append(steps, s.At-prev)
		}
		prev = s.At
	}
	if first < 0 {
		return false, false
	}
	allowed := latePoll
	if len(steps) > 0 {
		slices.Sort(steps)
		allowed += 2 * steps[len(steps)/2]
	}
	return (first-from).Abs() <= allowed && (last-to).Abs() <= allowed, true
}

func hasPower(s *device.Sample) bool {
	_, ok := s.Power()
	return ok
}

func hasCounter(s *device.Sample) bool { return s.Has&device.HasEnergy != 0 }
