package measure

import (
	"math"
	"slices"
	"time"
)

// reading is one sample of one GPU, in seconds and watts.
type reading struct {
	at      float64
	took    float64
	mj      float64
	power   float64
	counted bool
	powered bool
}

// level is the mean power of a stretch of time.
type level struct {
	from, to, watts float64
	power           float64 // as the driver showed it at the end; 0: it did not
	sure            bool    // neither end is read close to another tick
}

// view is what one GPU showed around a span, ready for all methods.
type view struct {
	readings []reading
	from, to float64
	refresh  float64
	shows    float64 // the refresh, or the longest that it may be where it is not measured
	jitter   float64
	duty     float64
	quantum  float64 // joules: what the counter moves by; 0: as finely as it is read
	took     float64 // the longest that a reading at an edge took
	begun    float64 // how long after the start of the span the load had begun at the latest

	idle, idleSpread float64 // before the span, and by how much power differed from it there
	least            float64 // the lowest power that was ever seen up to the span's end
	lowest           float64 // power to which it falls after the load
	first, last      float64 // power at the start and at the end of the span
	jump             float64 // RMS of successive levels' differences in the span
	shownJump        float64 // the same of the powers that the driver showed
	step             float64 // usual time from reading to reading in the span
	wake             float64 // how late this process got to run, as a limit
	averaged         bool    // powers are running means of a second, or may be
	own              bool    // the counter integrates by itself
	moves            bool    // power was seen to change often enough to tell how often it is shown
	stuck            bool    // power is the same in and before the span

	list    []level // powers in the span
	byTicks bool    // they are from tick to tick of the counter
	opened  tick
	delay   limits  // of what is shown to what was
	end     float64 // power right after the span, as far as a tick shows it
	missing float64
	unsure  float64
	known   bool // missing is
}

// look is a view by a sensor before anything is read.
func look(s Sensor, from, to time.Duration) *view {
	v := &view{from: from.Seconds(), to: to.Seconds(), refresh: s.Refresh.Seconds(), jitter: s.Jitter.Seconds(), duty: s.Duty, begun: math.Inf(1)}
	if v.duty == 0 {
		v.duty = leastDuty
	}
	return v
}

// see collects the readings of one GPU. ok is false when too few bear on the
// span.
func see(samples []Sample, gpu int32, from, to time.Duration, s Sensor) (*view, bool) {
	v := look(s, from, to)
	for i := range samples {
		x := &samples[i]
		// What was read after the window's own edges does not matter: the same
		// figure comes out whenever it is computed.
		if x.GPU != gpu || x.Phase > WindowPhase {
			continue
		}
		p, ok := x.Power()
		v.averaged = v.averaged || s.averages(x)
		v.readings = append(v.readings, reading{
			at: x.At.Seconds(), took: x.Took.Seconds(), mj: float64(x.EnergyMJ), power: float64(p), counted: x.Has&HasEnergy != 0, powered: ok,
		})
	}
	return v, v.judge()
}

// before is how far back the idle power is taken from.
const before = 2.0

// judge finds the powers around the span and how they vary in it.
func (v *view) judge() bool {
	var idle, inside []reading
	v.least = math.Inf(1)
	for _, r := range v.readings {
		if near := 0.01 + v.refresh/10; math.Abs(r.at-v.from) < near || math.Abs(r.at-v.to) < near {
			v.took = max(v.took, r.took)
		}
		if r.powered && r.power > 0 {
			v.least = min(v.least, r.power)
		}
		switch {
		case !r.powered:
		case r.at <= v.from && r.at > v.from-before:
			idle = append(idle, r)
		case r.at > v.from+v.refresh && r.at <= v.to:
			inside = append(inside, r)
		}
	}
	if len(idle) < 2 || len(inside) < 3 {
		return false
	}
	v.step = (inside[len(inside)-1].at - inside[0].at) / float64(len(inside)-1)
	v.wake = v.lateness(inside)
	if v.shows = v.showing(); v.refresh > 0 && (v.shows < v.refresh || v.shows == slowestShown) {
		v.shows = v.refresh
	}
	v.rest(idle)
	v.stuck = same(idle) && same(inside) && idle[0].power == inside[0].power
	v.opened = v.tickBefore(v.from)
	v.restByTicks()
	if v.list, v.byTicks = v.ticked(); !v.byTicks {
		v.list = v.powers()
	}
	if len(v.list) < 3 {
		return false
	}
	v.heights(v.list)
	v.unrest()
	v.end = v.last
	if e, ok := v.ending(); ok && v.duty >= 1 && !v.coarse() && e.rest > 0 {
		for _, tick := range e.after[:e.afters] {
			v.lowest = min(v.lowest, tick/v.refresh)
		}
		after, _ := v.after(e)
		v.end = after / e.rest
	}
	v.owned()
	return true
}

// restBefore is how long before a span its idle power is taken from at least.
const restBefore = 0.3

// rest finds the power right before the span, and how far power in the last refreshes
// before it is from that: a GPU that was busy then is not idle now.
func (v *view) rest(idle []reading) {
	since := v.from - max(restBefore, 3*v.shows)
	near := idle[len(idle)-1:]
	for i := len(idle) - 1; i >= 0 && idle[i].at > since; i-- {
		near = idle[i:]
	}
	if len(near) < 2 {
		near = idle[len(idle)-2:]
	}
	v.idle = near[len(near)-1].power
	var spread float64
	v.idle, spread = meanSpread(near)
	for _, r := range near {
		spread = max(spread, math.Abs(r.power-v.idle))
	}
	v.idleSpread = spread
}

// unrest is for a GPU whose power was still falling before the span: right before it, it
// drew something between that and the lowest power that was seen.
func (v *view) unrest() {
	v.lowest = v.idle
	if v.idleSpread > leastRise*math.Abs(v.first-v.least) && v.idle > v.least {
		v.lowest = v.least
		v.idle, v.idleSpread = (v.idle+v.least)/2, (v.idle-v.least)/2
	}
}

// restByTicks takes the power before the span from the last ticks of the counter, where
// these tell: what is read as power may be older.
func (v *view) restByTicks() {
	if v.refresh == 0 || v.opened.mj == 0 || v.opened.within > v.refresh/2 || v.jitter > fine*v.refresh {
		return
	}
	var held [3]float64 // the counter after each of the last ticks, the latest first
	held[0] = v.opened.mj
	for i := 1; i < len(held); i++ {
		t := v.opened.at - (float64(i)-0.5)*v.refresh
		for _, r := range v.readings {
			if k := (v.opened.at - r.at) / v.refresh; r.counted && r.at < v.opened.at && math.Abs(r.at-t) < 0.45*v.refresh && k > 0 {
				held[i] = r.mj
			}
		}
	}
	if held[1] == 0 || held[1] >= held[0] {
		return
	}
	idle := (held[0] - held[1]) / 1000 / v.refresh
	spread := math.Abs(v.idle - idle)
	if held[2] > 0 && held[2] < held[1] {
		spread = math.Abs((held[1]-held[2])/1000/v.refresh - idle)
	}
	v.idle, v.idleSpread = idle, spread
	v.least = min(v.least, idle)
}

// owned finds that the counter integrates by itself: the energy of a tick in which power
// rose or fell is not what any power is that the driver showed around it. Such a counter
// misses nothing, whatever the power's sensor sees.
func (v *view) owned() {
	if v.duty >= 1 || !v.byTicks || v.averaged {
		return
	}
	for i := 1; i+1 < len(v.list); i++ {
		l := v.list[i]
		if l.to-l.from > 1.5*v.refresh || l.power == 0 || !l.sure {
			continue
		}
		near := math.Inf(1)
		for _, other := range v.list[i-1 : i+2] {
			near = min(near, math.Abs(l.watts-other.power))
		}
		if near > leastRise*v.last {
			v.duty, v.own = 1, true
			return
		}
	}
	if e, ok := v.ending(); ok && math.Abs(e.part+e.rest-v.refresh) < v.refresh/10 {
		near := math.Inf(1)
		for _, r := range v.readings {
			if r.powered && math.Abs(r.at-v.to) < 3*v.refresh {
				near = min(near, math.Abs(e.energy/v.refresh-r.power))
			}
		}
		if near > leastRise*v.last && !math.IsInf(near, 1) {
			v.duty, v.own = 1, true
		}
	}
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

func same(rs []reading) bool {
	for _, r := range rs {
		if r.power != rs[0].power {
			return false
		}
	}
	return true
}

// lateness is how late this process gets to run: what 95 % of the gaps between
// readings in the span are longer by than usual at the most, or, where that is
// more, how long after the end of the span the first poll came.
func (v *view) lateness(inside []reading) float64 {
	var between []float64
	for i := range inside[1:] {
		between = append(between, inside[i+1].at-inside[i].at)
	}
	slices.Sort(between)
	n := len(between)
	late := between[n*95/100] - between[n/2]
	for _, r := range v.readings {
		if r.at >= v.to {
			return max(late, r.at-r.took/2-v.to)
		}
	}
	return late
}

func meanSpread(rs []reading) (mean, spread float64) {
	for _, r := range rs {
		mean += r.power
	}
	mean /= float64(len(rs))
	for _, r := range rs {
		spread += (r.power - mean) * (r.power - mean)
	}
	return mean, math.Sqrt(spread / float64(len(rs)-1))
}
