package measure

import (
	"fmt"
	"math"
)

// counter is what the readings of one GPU show of its energy counter around a span.
type counter struct {
	readings []reading
	refresh  float64 // seconds from tick to tick; 0: no counter
	jitter   float64 // standard deviation of the ticks about their grid, in seconds
	opened   tick    // the last before the span
	quantum  float64 // joules: what it moves by; 0: as finely as it is read
	// uneven is the greatest step, in joules, of which all moves are multiples, where ticks are
	// too far off their grid to tell more. An idle GPU whose ticks do not fill a step has such.
	uneven float64
}

// tick is a move of the counter. The zero value means that no tick was seen.
type tick struct {
	at     float64 // seconds
	within float64 // seconds: how finely that is known
	mj     float64 // to what the counter moved
}

// between is the tick that two readings of the counter show: each read it at some
// instant of its call, and of several ticks it is the last.
func (c *counter) between(a, b *reading) tick {
	until := b.at + b.took/2
	since := max(a.at-a.took/2, until-c.refresh-3*c.jitter)
	return tick{(since + until) / 2, until - since, b.mj}
}

// tickBefore is the last tick that readings up to t show. Where the last of them show
// none in time, it was up to a refresh before the last reading.
func (c *counter) tickBefore(t float64) (k tick) {
	var prev *reading
	for i := range c.readings {
		r := &c.readings[i]
		if !r.counted {
			continue
		}
		if r.at > t {
			break
		}
		if prev != nil && r.mj != prev.mj {
			k = c.between(prev, r)
		}
		prev = r
	}
	if prev == nil || c.refresh == 0 {
		return tick{}
	}
	if k.mj == 0 || prev.at-k.at > 1.5*c.refresh+6*c.jitter {
		return tick{prev.at - c.refresh/2, c.refresh, prev.mj}
	}
	return k
}

// nextTick is the first move that was seen after t, and the value before it.
func (c *counter) nextTick(t float64) (next tick, held float64, ok bool) {
	var prev *reading
	for i := range c.readings {
		r := &c.readings[i]
		if !r.counted || r.at < t {
			continue
		}
		if prev != nil && r.mj != prev.mj {
			return c.between(prev, r), prev.mj, r.at-prev.at < c.refresh
		}
		prev = r
	}
	return tick{}, 0, false
}

// lastBefore is the last reading of the counter at or before t.
func (c *counter) lastBefore(t float64) (last reading, ok bool) {
	for _, r := range c.readings {
		if r.at > t {
			break
		}
		if r.counted {
			last, ok = r, true
		}
	}
	return last, ok
}

// at is the counter at t in mJ, between the readings next to it, which lie gap
// seconds apart; ok is false where a side has no reading, or the counter went backwards.
func (c *counter) at(t float64) (mj, gap float64, ok bool) {
	var prev *reading
	for i := range c.readings {
		r := &c.readings[i]
		switch {
		case !r.counted:
			continue
		case r.at >= t && (prev == nil || r.mj < prev.mj):
			return 0, 0, false
		case r.at >= t:
			gap = r.at - prev.at
			return prev.mj + (r.mj-prev.mj)*(t-prev.at)/gap, gap, true
		}
		prev = r
	}
	return 0, 0, false
}

// rest takes the power before the span, and its spread, from the last ticks of the
// counter, where these tell: what is read as power, shown watts, may be older.
func (c *counter) rest(shown float64) (idle, spread float64, ok bool) {
	if c.refresh == 0 || c.opened.mj == 0 || c.opened.within > c.refresh/2 || c.jitter > fine*c.refresh {
		return 0, 0, false
	}
	var held [3]float64 // the counter after each of the last ticks, the latest first
	held[0] = c.opened.mj
	for i := 1; i < len(held); i++ {
		t := c.opened.at - (float64(i)-0.5)*c.refresh
		for _, r := range c.readings {
			if k := (c.opened.at - r.at) / c.refresh; r.counted && r.at < c.opened.at && math.Abs(r.at-t) < 0.45*c.refresh && k > 0 {
				held[i] = r.mj
			}
		}
	}
	if held[1] == 0 || held[1] >= held[0] {
		return 0, 0, false
	}
	idle = (held[0] - held[1]) / 1000 / c.refresh
	spread = math.Abs(shown - idle)
	if held[2] > 0 && held[2] < held[1] {
		spread = math.Abs((held[1]-held[2])/1000/c.refresh - idle)
	}
	return idle, spread, true
}

// coarse says that the counter's step is so large that ticks of an idle GPU, of so many
// watts, do not show.
func (c *counter) coarse(idle float64) bool { return c.quantum > idle*c.refresh/2 }

// standing is for how many refreshes a counter may show the same value.
const standing = 4

// irregular says how the counter, read every step seconds, did not count all along;
// empty: it did. limit is the GPU's power limit in watts; 0: not known.
func (c *counter) irregular(span stretch, step, limit float64) string {
	if limit <= 0 {
		for _, r := range c.readings {
			limit = max(limit, 2*r.power)
		}
	}
	var prev *reading
	var moved float64 // when
	for i := range c.readings {
		r := &c.readings[i]
		switch {
		case r.at < c.opened.at-c.refresh || r.at > span.to+2*c.refresh:
			continue
		case !r.counted && prev != nil && r.at < span.to, r.counted && prev == nil && r.at > span.from:
			return "the energy counter was not there in all of the window"
		case !r.counted:
			continue
		case prev == nil || r.mj != prev.mj:
			moved = r.at
		case r.at <= span.to && r.at-moved > standing*c.refresh+step && c.quantum == 0:
			return fmt.Sprintf("the energy counter stood still for %.1f s in the window", r.at-moved)
		}
		if prev != nil && limit > 0 && (r.mj-prev.mj)/1000 > 1.5*limit*(r.at-prev.at+2*c.refresh+r.took) {
			return fmt.Sprintf("the energy counter jumped by %.0f J within %.2f s", (r.mj-prev.mj)/1000, r.at-prev.at)
		}
		prev = r
	}
	return ""
}
