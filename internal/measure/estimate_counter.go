package measure

import "math"

// tick is a move of the counter: when, how finely that is known, and to what.
type tick struct {
	at, within float64
	mj         float64
}

// oneTick is how far polls on both sides of a tick may be apart, in refreshes.
const oneTick = 0.8

// lastTick is the last move that was seen at or before t, with readings on both
// sides of it so close that it can have been but one.
func (v *view) lastTick(t float64) (tick, bool) {
	for i := len(v.readings) - 1; i > 0; i-- {
		b, a := v.readings[i], v.readings[i-1]
		if b.at > t || !a.counted || !b.counted || a.mj == b.mj {
			continue
		}
		gap := b.at - a.at
		return tick{(a.at + b.at) / 2, gap, b.mj}, gap < oneTick*v.refresh && t-b.at < 1.5*v.refresh+6*v.jitter
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
		return tick{(a.at + b.at) / 2, gap, b.mj}, a.mj, gap < oneTick*v.refresh
	}
	return tick{}, 0, false
}

// aligned carries the counter from its ticks to the edges.
func (v *view) aligned() (*Figure, bool) {
	open, ok := v.lastTick(v.from)
	if !ok || v.refresh == 0 {
		return nil, false
	}
	end, ok := v.ending()
	if !ok {
		return nil, false
	}
	before, opening := v.opening(v.from-open.at, open.within)
	after, closing := v.closing(end)
	f := v.figure(opening, closing)
	f.Energy = Joules((end.held-open.mj)/1000 - before - v.drift() + after)
	return f, true
}

// ending is the tick that the end of the span falls into, or several in a row of
// which one is it.
type ending struct {
	held   float64 // the counter as it began
	energy float64 // in joules, of all of it
	part   float64 // from its beginning to the end of the span
	rest   float64 // from there to its own end
	within float64 // how finely its edges are known
}

// ending finds the tick that the end falls into by the first move after it. Where
// the counter had moved by the first poll after the end, which came late, that is
// a later tick, and all since the last reading before the end are taken together.
func (v *view) ending() (e ending, ok bool) {
	next, held, ok := v.nextTick(v.to)
	if !ok {
		return e, false
	}
	begun, length := next.at-v.refresh, v.refresh
	e = ending{held: held, energy: (next.mj - held) / 1000, within: next.within}
	if r, ok := v.lastBefore(v.to); ok && begun > v.to && r.mj < held {
		length *= 1 + math.Floor((begun-r.at)/v.refresh)
		begun -= length
		e.held, e.energy = r.mj, (held-r.mj)/1000
	}
	e.part = v.to - begun
	e.rest = length - e.part
	return e, true
}

// lastBefore is the last reading of the counter at or before t.
func (v *view) lastBefore(t float64) (last reading, ok bool) {
	for _, r := range v.readings {
		if r.at > t {
			break
		}
		if r.counted {
			last, ok = r, true
		}
	}
	return last, ok
}

// edge is what is not known of one: by the load, by where the tick fell between
// two polls, by which part of the tick the sensor looked at (with its sign), and,
// of the closing one, by when the load ended.
type edge struct{ load, poll, look, end float64 }

// figure has the uncertainty of an aligned counter. Its energy is still to be
// filled in.
func (v *view) figure(opening, closing edge) *Figure {
	f := &Figure{Components: map[string]Joules{
		openingEdge: Joules(opening.load), closingEdge: Joules(closing.load), dutyCycle: Joules(v.dutyNoise()),
		polling: Joules(math.Hypot(opening.poll, closing.poll)), sensorLook: Joules(uniform(opening.look + v.drift())),
		loadEnd: Joules(closing.end), resolution: v.floor(),
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

// closing is what the span has of the tick that its end falls into: by the power
// before the end, and by what is left of the tick's own energy, each as much as it
// is known.
func (v *view) closing(e ending) (after float64, u edge) {
	// Carried forward, the power before the end may have changed.
	carried := v.last * e.part
	uCarried := math.Hypot(closingJump*v.jump*e.part, 0.002*carried)
	if v.averaged { // it does not tell
		uCarried = math.Hypot(uCarried, uniform((v.last-v.idle)*e.part))
	}
	// What is left of the tick: the power after the end lies between the idle
	// power and the last one.
	left := e.energy - (v.last+v.idle)/2*e.rest
	uLeft := math.Hypot(uniform((v.last-v.idle)*e.rest), math.Hypot(closingJump*v.jump*e.rest/2, v.unseen(v.last-v.idle)))
	most := v.most(e, carried)
	after, u.load = weigh(most, uCarried, left, uLeft)
	u.load = math.Hypot(u.load, math.Sqrt2*v.last*v.jitter) // of the tick's begin and its end
	u.poll = uniform(v.last * e.within)
	u.end = v.ended(e, carried-most, after)
	return after, u
}

// most is what the span can have of the tick at its end: after the end the GPU
// drew the idle power at least. Less than carried shows that the load had ended
// before the end was stamped. A sensor that looks only now and then did not see.
func (v *view) most(e ending, carried float64) float64 {
	if v.duty < 1 {
		return carried
	}
	return min(carried, e.energy-v.idle*e.rest)
}

// ended is what is not known of when the load ended: the client stamps the last
// byte as late as this process gets to run, and the tick's own energy may show
// that so much was missing. Power falls from then on, so that the span has no less
// than its share of the tick by time.
func (v *view) ended(e ending, missing, after float64) float64 {
	u := math.Hypot(v.wakes(), missing/math.Sqrt(3))
	if v.duty < 1 {
		return u
	}
	share := e.energy * e.part / (e.part + e.rest)
	return min(u, max(0, after-share)/math.Sqrt(3))
}

// wakes is what a last byte that is stamped as late as readings are taken makes of
// a load that ended before.
func (v *view) wakes() float64 { return math.Abs(v.last-v.idle) * v.wake / math.Sqrt(3) }

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
	f.Components[loadEnd] = Joules(v.wakes())
	return f.sum(), true
}

// closingJump is how much more than from reading to reading the power may have
// changed at the end, within a tick: a reading is the mean of one.
const closingJump = 1.5
