package measure

import "math"

// owned finds that the counter does not share the sensor of the power: the energy of a tick in which power
// rose or fell is not what any power is that the driver showed around it. Such a counter
// misses nothing of the load. One tick in the span does not tell: a poll may have missed
// its power. The one that the end falls into does, since all powers after the end are read.
func (v *view) owned() {
	if v.duty >= 1 || !v.byTicks || v.averaged {
		return
	}
	like := make([]bool, len(v.list)) // what the powers around make of it
	for i, l := range v.list {
		for _, other := range v.list[max(0, i-1):min(len(v.list), i+2)] {
			like[i] = like[i] || math.Abs(l.watts-other.power) <= v.unlike(l.watts)
		}
	}
	unlike := 0
	for i := 1; i+1 < len(v.list); i++ {
		l := v.list[i]
		// Of neighbours that are unlike too, one may have been taken for the other's tick.
		if !like[i] && like[i-1] && like[i+1] && l.to-l.from < 1.5*v.refresh && l.power != 0 && l.sure {
			unlike++
		}
	}
	if e, ok := v.ending(); ok && math.Abs(e.part+e.rest-v.refresh) < v.refresh/10 {
		near := math.Inf(1)
		for _, r := range v.readings {
			if r.powered && math.Abs(r.at-v.to) < 3*v.refresh {
				near = min(near, math.Abs(e.energy/v.refresh-r.power))
			}
		}
		if near > v.unlike(e.energy/v.refresh) && !math.IsInf(near, 1) {
			unlike += fewUnlike
		}
	}
	if unlike >= fewUnlike {
		v.duty = 1
	}
}

// fewUnlike is how many ticks in the span prove that the counter has its own sensor.
const fewUnlike = 2

// unlike is by how much the power of a tick must differ from every power around it: one
// that is off its grid holds more or less than its refresh.
func (v *view) unlike(watts float64) float64 {
	return (leastRise + 6*v.jitter/v.refresh) * math.Max(watts, v.last)
}

// quantised is what the counter moves by, where that is more than can be read of it.
func (v *view) quantised() float64 {
	var step, moves int64
	var prev *reading
	for i := range v.readings {
		r := &v.readings[i]
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

// smooth says that the counter does not move in steps though all its moves are whole
// numbers of one: the ticks of a steady load are all alike, or are what the power makes.
func (v *view) smooth(list []level, step float64) bool {
	var last *level
	n, even, alike := 0.0, 0.0, 0.0
	for i := range list {
		l := &list[i]
		if l.to-l.from > 1.5*v.refresh {
			continue
		}
		if last != nil {
			n++
			if math.Abs(l.watts-last.watts)*v.refresh < 0.1*step {
				even++
			}
			if l.power > 0 && !v.averaged && math.Abs(l.watts-l.power)*v.refresh < 0.1*step {
				alike++
			}
		}
		last = l
	}
	return n < 3 || max(even, alike) > 0.8*n
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// fine is how far, as a share, ticks may be off their grid, and the counter's step off
// the energy of a tick, for powers to be read from it.
const fine = 0.05

// ticked are the powers in the span by the counter, from tick to tick: what it counted
// between two readings is of a whole number of ticks, which lie on a grid. ok is false
// where they do not tell.
func (v *view) ticked() (list []level, ok bool) {
	if v.refresh == 0 || v.opened.mj == 0 || v.jitter > fine*v.refresh || v.to-v.from > mostOnGrid*v.refresh {
		return nil, false
	}
	grid := v.refresh
	if next, _, ok := v.nextTick(v.to); ok && next.within < v.refresh/2 {
		if n := math.Round((next.at - v.opened.at) / v.refresh); n > 0 {
			grid = (next.at - v.opened.at) / n
		}
	}
	margin := min(0.3, 0.02+(3*v.jitter+v.opened.within/2)/v.refresh)
	prev, at, clear := v.opened.mj, 0.0, true
	for _, r := range v.readings {
		if !r.counted || r.at <= v.from || r.at > v.to {
			continue
		}
		n, sure := v.whole((r.at-v.opened.at)/grid, margin, func(n float64) float64 {
			return math.Abs((r.mj-prev)/1000 - r.power*(n-at)*grid)
		}, r.powered && !v.averaged)
		if !sure || n <= at {
			continue
		}
		off := (r.at - v.opened.at) / grid
		far := math.Floor(off-margin) == math.Floor(off+margin)
		list = append(list, level{v.opened.at + at*grid, v.opened.at + n*grid, (r.mj - prev) / 1000 / ((n - at) * grid), r.power, far && clear})
		prev, at, clear = r.mj, n, far
	}
	if len(list) < 3 {
		return nil, false
	}
	if step := v.quantised(); step > 0 && !v.smooth(list, step) {
		v.quantum = step
	}
	return list, v.quantum <= fine*list[len(list)-1].watts*v.refresh
}

// whole is the number of the tick that a reading so many refreshes after the first
// shows. Close to a tick it is the one before or after, whichever is less off the power.
func (v *view) whole(n, margin float64, off func(n float64) float64, powered bool) (tick float64, sure bool) {
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

// powers are the powers in the span as they were read, a refresh apart.
func (v *view) powers() (list []level) {
	prev := v.from
	for _, r := range v.readings {
		if r.powered && r.at > v.from && r.at <= v.to && r.at-prev >= 0.95*max(v.shows, v.step) {
			list = append(list, level{prev, r.at, r.power, r.power, true})
			prev = r.at
		}
	}
	return list
}

// heights finds the powers at both ends, after what the first level shows of the time
// before, and how they vary.
func (v *view) heights(list []level) {
	for len(list) > 3 && list[0].from < v.from+v.shows {
		list = list[1:]
	}
	v.first = (list[0].watts + list[1].watts) / 2
	for _, l := range v.list {
		if l.to < list[1].to {
			v.early = max(v.early, l.watts-v.first)
		}
	}
	v.last = list[len(list)-1].watts
	v.jump, v.shownJump = jump(list), jump(v.powers())
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
