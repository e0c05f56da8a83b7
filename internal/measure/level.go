package measure

import "math"

// level is the mean power of a stretch of time.
type level struct {
	from, to float64 // seconds
	watts    float64
	power    float64 // as the driver showed it at the end; 0: it did not
	sure     bool    // neither end is read close to another tick
}

// profile is power in a span, level by level.
type profile struct {
	list    []level
	byTicks bool    // they are from tick to tick of the counter
	jump    float64 // RMS of what successive powers differ by that the driver showed, in watts
}

// jump is the RMS of what successive powers differ by, and more where few tell it; 0 for
// fewer than two.
func jump(list []level) float64 {
	sum := 0.0
	for i := 1; i < len(list); i++ {
		d := list[i].watts - list[i-1].watts
		sum += d * d
	}
	n := float64(max(1, len(list)-1))
	return math.Sqrt(sum/n) * (1 + 1/n)
}

// shownLevels are the powers in the span as they were read, usual seconds apart, less 5 %
// for jitter.
func shownLevels(rs []reading, span stretch, usual float64) (list []level) {
	prev := span.from
	for _, r := range rs {
		if r.powered && r.at > span.from && r.at <= span.to && r.at-prev >= 0.95*usual {
			list = append(list, level{prev, r.at, r.power, r.power, true})
			prev = r.at
		}
	}
	return list
}

// fine is how far, as a share, ticks may be off their grid, and the counter's step off
// the energy of a tick, for powers to be read from it.
const fine = 0.05

// levels are the powers in the span by the counter, from tick to tick: what it counted
// between two readings is of a whole number of ticks, which lie on a grid. quantum is what
// the counter moves by, in joules; 0: as finely as it is read. ok is false where ticks do
// not tell.
func (c *counter) levels(span stretch, averaged bool) (list []level, quantum float64, ok bool) {
	if c.refresh == 0 || c.opened.mj == 0 || c.jitter > fine*c.refresh || span.seconds() > mostOnGrid*c.refresh {
		return nil, 0, false
	}
	grid := c.refresh
	if next, _, ok := c.nextTick(span.to); ok && next.within < c.refresh/2 {
		if n := math.Round((next.at - c.opened.at) / c.refresh); n > 0 {
			grid = (next.at - c.opened.at) / n
		}
	}
	margin := min(0.3, 0.02+(3*c.jitter+c.opened.within/2)/c.refresh)
	prev, at, clear := c.opened.mj, 0.0, true
	for _, r := range c.readings {
		if !r.counted || r.at <= span.from || r.at > span.to {
			continue
		}
		n, sure := whole((r.at-c.opened.at)/grid, margin, func(n float64) float64 {
			return math.Abs((r.mj-prev)/1000 - r.power*(n-at)*grid)
		}, r.powered && !averaged)
		if !sure || n <= at {
			continue
		}
		off := (r.at - c.opened.at) / grid
		far := math.Floor(off-margin) == math.Floor(off+margin)
		list = append(list, level{c.opened.at + at*grid, c.opened.at + n*grid, (r.mj - prev) / 1000 / ((n - at) * grid), r.power, far && clear})
		prev, at, clear = r.mj, n, far
	}
	if len(list) < 3 {
		return nil, 0, false
	}
	if step := c.quantised(); step > 0 && !smooth(list, c.refresh, step, averaged) {
		quantum = step
	}
	return list, quantum, quantum <= fine*list[len(list)-1].watts*c.refresh
}

// whole is the number of the tick that a reading so many refreshes after the first
// shows. Close to a tick it is the one before or after, whichever is less off the power.
func whole(n, margin float64, off func(n float64) float64, powered bool) (tick float64, sure bool) {
	before, after := math.Floor(n-margin), math.Floor(n+margin)
	switch {
	case before == after:
		return before, true
	case !powered:
		return 0, false
	case off(before) < off(after):
		return before, true
	}
	return after, true
}

// mostOnGrid is how many refreshes after a tick a grid of them still tells which tick
// is which: a refresh is known to a thousandth.
const mostOnGrid = 400

// quantised is what the counter moves by, in joules, where that is more than can be read
// of it.
func (c *counter) quantised() float64 {
	var step, moves int64
	var prev *reading
	for i := range c.readings {
		r := &c.readings[i]
		if !r.counted {
			continue
		}
		if prev != nil && r.mj > prev.mj {
			step = gcd(int64(r.mj-prev.mj), step)
			moves++
		}
		prev = r
	}
	const fewMoves, least = 8, 100 // of mJ: whole hundreds in all of eight moves are no chance
	if moves < fewMoves || step < least {
		return 0
	}
	return float64(step) / 1000
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// smooth says that the counter does not move in steps of so many joules though all its
// moves are whole numbers of one: the ticks of a steady load are all alike, or are what
// the power makes.
func smooth(list []level, refresh, step float64, averaged bool) bool {
	var last *level
	n, even, alike := 0.0, 0.0, 0.0
	for i := range list {
		l := &list[i]
		if l.to-l.from > 1.5*refresh {
			continue
		}
		if last != nil {
			n++
			if math.Abs(l.watts-last.watts)*refresh < 0.1*step {
				even++
			}
			if l.power > 0 && !averaged && math.Abs(l.watts-l.power)*refresh < 0.1*step {
				alike++
			}
		}
		last = l
	}
	return n < 3 || max(even, alike) > 0.8*n
}

// owned finds that the counter does not share the sensor of the power: the energy of a
// tick in which power rose or fell is not what any power is that the driver showed around
// it. Such a counter misses nothing of the load. One tick in the span does not tell: a poll
// may have missed its power. The one that the end falls into does, since all powers after
// the end are read.
func (v *view) owned() bool {
	if v.sensor.duty >= 1 || !v.profile.byTicks || v.pace.averaged {
		return false
	}
	n := v.profile.unlike(v.sensor, v.power.last)
	if e := v.ending; v.ended && math.Abs(e.part+e.rest-v.sensor.refresh) < v.sensor.refresh/10 {
		near := math.Inf(1)
		for _, r := range v.readings {
			if r.powered && math.Abs(r.at-v.span.to) < 3*v.sensor.refresh {
				near = min(near, math.Abs(e.energy/v.sensor.refresh-r.power))
			}
		}
		if near > v.sensor.apart(e.energy/v.sensor.refresh, v.power.last) && !math.IsInf(near, 1) {
			n += fewUnlike
		}
	}
	return n >= fewUnlike
}

// fewUnlike is how many ticks in the span prove that the counter has its own sensor.
const fewUnlike = 2

// unlike is how many levels are not what any power makes that the driver showed around them.
func (p profile) unlike(s sensor, last float64) (n int) {
	like := make([]bool, len(p.list)) // what the powers around make of it
	for i, l := range p.list {
		for _, other := range p.list[max(0, i-1):min(len(p.list), i+2)] {
			like[i] = like[i] || math.Abs(l.watts-other.power) <= s.apart(l.watts, last)
		}
	}
	for i := 1; i+1 < len(p.list); i++ {
		l := p.list[i]
		// Of neighbours that are unlike too, one may have been taken for the other's tick.
		if !like[i] && like[i-1] && like[i+1] && l.to-l.from < 1.5*s.refresh && l.power != 0 && l.sure {
			n++
		}
	}
	return n
}

// apart is by how many watts the power of a tick must differ from every power around it: one
// that is off its grid holds more or less than its refresh. last is the power at the end.
func (s sensor) apart(watts, last float64) float64 {
	return (leastRise + 6*s.jitter/s.refresh) * math.Max(watts, last)
}
