package measure

import "math"

// tick is a move of the counter: when, how finely that is known, and to what.
type tick struct {
	at, within float64
	mj         float64
}

// lastTick is the last move that was seen at or before t, with readings on both
// sides of it closer than half a refresh.
func (v *view) lastTick(t float64) (tick, bool) {
	for i := len(v.readings) - 1; i > 0; i-- {
		b, a := v.readings[i], v.readings[i-1]
		if b.at > t || !a.counted || !b.counted || a.mj == b.mj {
			continue
		}
		gap := b.at - a.at
		return tick{(a.at + b.at) / 2, gap, b.mj}, gap < v.refresh/2 && t-b.at < 1.5*v.refresh+6*v.jitter
	}
	return tick{}, false
}

// nextTick is the first move that was seen after t, and the value before it.
func (v *view) nextTick(t float64) (next tick, held float64, ok bool) {
	for i := 1; i < len(v.readings); i++ {
		b, a := v.readings[i], v.readings[i-1]
		if a.at < t || !a.counted || !b.counted || a.mj == b.mj {
			continue
		}
		gap := b.at - a.at
		return tick{(a.at + b.at) / 2, gap, b.mj}, a.mj, gap < v.refresh/2
	}
	return tick{}, 0, false
}

// aligned carries the counter from its ticks to the edges.
func (v *view) aligned() (*Figure, bool) {
	open, ok := v.lastTick(v.from)
	if !ok || v.refresh == 0 {
		return nil, false
	}
	next, held, ok := v.nextTick(v.to)
	if !ok {
		return nil, false
	}
	before, opening := v.opening(v.from-open.at, open.within)
	begun := next.at - v.refresh // of the tick that the end falls into
	after, closing := v.closing(v.to-begun, (next.mj-held)/1000, next.within)
	f := v.figure(opening, closing)
	f.Energy = Joules((held-open.mj)/1000 - before - v.drift() + after)
	return f, true
}

// edge is what is not known of one: by the load, by where the tick fell between
// two polls, and by which part of the tick the sensor looked at (with its sign).
type edge struct{ load, poll, look float64 }

// figure has the uncertainty of an aligned counter. Its energy is still to be
// filled in.
func (v *view) figure(opening, closing edge) *Figure {
	f := &Figure{Components: map[string]Joules{
		openingEdge: Joules(opening.load), closingEdge: Joules(closing.load), dutyCycle: Joules(v.dutyNoise()),
		polling: Joules(math.Hypot(opening.poll, closing.poll)), sensorLook: Joules(uniform(opening.look + v.drift())),
		resolution: v.floor(),
	}}
	return f.sum()
}

// opening is what a tick that ended within so many seconds, head before the span,
// has of the time before the span: idle at the idle power. A sensor that looks at
// the end of a tick did not see the idle head of the first one, or only its end,
// and took it for the load.
func (v *view) opening(head, within float64) (before float64, u edge) {
	rise := v.first - v.idle
	unseen := head
	if end := v.refresh - head; v.duty < 1 && end < v.duty*v.refresh {
		unseen = end * (1/v.duty - 1)
	}
	if v.duty >= 1 {
		unseen = 0
	}
	unseen = max(0, unseen)
	u.look = rise * unseen
	u.load = math.Hypot(math.Hypot(v.idleSpread*head, v.jump*unseen), v.idle*v.jitter)
	u.poll = uniform(v.idle * within)
	if v.duty < 1 {
		u.load = math.Hypot(u.load, rise*v.jitter)
		u.poll = uniform(v.first * within)
	}
	return v.idle*head + u.look, u
}

// closing is what the span has of the tick of tickEnergy that its end falls into,
// part seconds after that tick began: by the power before the end, and by what
// is left of the tick's own energy, each as much as it is known. The tick's end
// is known within so many seconds.
func (v *view) closing(part, tickEnergy, within float64) (after float64, u edge) {
	// Carried forward, the power before the end may have changed.
	carried := v.last * part
	uCarried := math.Hypot(closingJump*v.jump*part, 0.002*carried)
	if v.averaged { // it does not tell
		uCarried = math.Hypot(uCarried, uniform((v.last-v.idle)*part))
	}
	// What is left of the tick: the power after the end lies between the idle
	// power and the last one.
	rest := v.refresh - part
	left := tickEnergy - (v.last+v.idle)/2*rest
	uLeft := math.Hypot(uniform((v.last-v.idle)*rest), math.Hypot(closingJump*v.jump*rest/2, v.unseen(v.last-v.idle)))
	after, u.load = weigh(carried, uCarried, left, uLeft)
	u.load = math.Hypot(u.load, math.Sqrt2*v.last*v.jitter) // of the tick's begin and its end
	u.poll = uniform(v.last * within)
	return after, u
}

// weigh is the mean of two estimates by their variances; where they disagree by
// more than these allow, the uncertainty grows by as much.
func weigh(a, ua, b, ub float64) (mean, u float64) {
	switch {
	case ua == 0:
		return a, 0
	case ub == 0:
		return b, 0
	}
	wa, wb := 1/(ua*ua), 1/(ub*ub)
	apart := math.Abs(a-b) / math.Hypot(ua, ub)
	return (a*wa + b*wb) / (wa + wb), max(1, apart) / math.Sqrt(wa+wb)
}

// counted is the counter where its ticks are not known: half a refresh at each
// edge is taken at the power there.
func (v *view) counted() (*Figure, bool) {
	var first, last *reading
	for i := range v.readings {
		r := &v.readings[i]
		if !r.counted {
			continue
		}
		if r.at <= v.from {
			first = r
		} else if last == nil && r.at >= v.to {
			last = r
		}
	}
	if first == nil || last == nil || last.mj < first.mj || v.refresh == 0 {
		return nil, false
	}
	f := &Figure{Components: map[string]Joules{}}
	f.Energy = Joules((last.mj-first.mj)/1000 + (v.last-v.idle)*(v.refresh/2-v.late()))
	f.Components[openingEdge] = Joules(math.Hypot(uniform(v.idle*v.refresh), v.unseen(v.first-v.idle)))
	f.Components[sensorLook] = Joules(uniform((v.last - v.idle) * v.late()))
	f.Components[resolution] = v.floor()
	f.Components[closingEdge] = Joules(math.Hypot(uniform(v.last*v.refresh), v.jump*v.refresh/2))
	f.Components[dutyCycle] = Joules(v.dutyNoise())
	return f.sum(), true
}

// closingJump is how much more than from reading to reading the power may have
// changed at the end, within a tick: a reading is the mean of one.
const closingJump = 1.5
