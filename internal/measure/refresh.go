package measure

import (
	"math"
	"slices"
	"time"

	"github.com/llenergymeasure/llem/internal/device"
)

// Refresh is how often the energy counter of each of n GPUs moves, from polls of it,
// and the standard deviation of its ticks about their grid, as far as the polls do
// not explain it; 0 is for a counter that is not there or did not move.
func Refresh(polls []device.Sample, n int) (refresh, jitter []time.Duration) {
	seen := make([]Ticks, n)
	for i := range polls {
		seen[polls[i].GPU].See(polls[i].EnergyMJ, polls[i].At)
	}
	for i := range seen {
		every := seen[i].Interval()
		refresh, jitter = append(refresh, every), append(jitter, seen[i].Jitter(every))
	}
	return refresh, jitter
}

// Ticks are the instants at which an energy counter was seen to have moved, by
// polls of it alone. The zero value has seen none.
type Ticks struct {
	last uint64
	read time.Duration // when last was read
	any  bool
	at   []time.Duration
	gap  []time.Duration // from the reading before to that of each in at
	late []time.Duration // those of a poll that came so late that it tells little
}

// PollEvery is the time from one poll for ticks to the next.
const PollEvery = 2 * time.Millisecond

// lateAfter is how long after the reading before it a reading may come for its
// tick to count: a process that was not scheduled sees ticks late.
const lateAfter = 5 * PollEvery

// See takes a reading of the counter, the next in time.
func (t *Ticks) See(v uint64, at time.Duration) {
	switch moved := t.any && v != t.last; {
	case moved && at-t.read > lateAfter:
		t.late = append(t.late, at)
	case moved:
		t.at, t.gap = append(t.at, at), append(t.gap, at-t.read)
	}
	t.last, t.read, t.any = v, at, true
}

// Seen is how many ticks count.
func (t *Ticks) Seen() int { return len(t.at) }

// mostTicks is how many ticks are compared with each other: preflight sees some
// hundred, and a damaged file may show any number.
const mostTicks = 2048

// Interval is the time from tick to tick. The median gap tells how many ticks lie
// between two that were seen, and the median of the slopes between all pairs is
// finer than one poll and not moved by a few that were seen late.
func (t *Ticks) Interval() time.Duration {
	at := t.at
	if len(at) < 3 { // every poll is slow here
		at = slices.Sorted(slices.Values(append(t.late, at...)))
	}
	if len(at) < 2 {
		return 0
	}
	at = at[:min(len(at), mostTicks)]
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
	median := max(1, middle(gaps)) // ticks of one instant are in no run, but may be in a file
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

// Jitter is how far ticks lie from a grid of the given interval, by the median
// distance, less what polls that were so far apart make of it.
func (t *Ticks) Jitter(interval time.Duration) time.Duration {
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
