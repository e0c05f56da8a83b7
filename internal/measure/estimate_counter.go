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
		return tick{(a.at + b.at) / 2, gap, b.mj}, gap < v.refresh/2 && t-b.at < 1.5*v.refresh
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
	idle, blind, uOpening := v.opening(v.from-open.at, open.within)
	begun := next.at - v.refresh // of the tick that the end falls into
	closing, uClosing := v.closing(v.to-begun, (next.mj-held)/1000, next.within)
	f := v.figure(uOpening, uClosing)
	f.Energy = Joules((held-open.mj)/1000 - idle - blind/2 + closing)
	return f, true
}

// figure has the uncertainty of an aligned counter. Its energy is still to be
// filled in.
func (v *view) figure(opening, closing float64) *Figure {
	f := &Figure{Components: map[string]Joules{
		openingEdge: Joules(opening), closingEdge: Joules(closing), dutyCycle: Joules(v.dutyNoise()),
	}}
	return f.sum()
}

// opening is what a tick that ended within so many seconds, head before the
// span, has of the time before the span: idle at the idle power, and between
// nothing and blind besides.
func (v *view) opening(head, within float64) (idle, blind, u float64) {
	// A sensor that looks only now and then may not have seen the idle head of
	// the first tick, and then took all of it for the load.
	uBlind := 0.0
	if v.duty < 1 {
		blind = (v.first - v.idle) * head
		uBlind = math.Hypot(uniform(blind), uniform((v.first-v.idle)*within))
	}
	return v.idle * head, blind, math.Hypot(math.Hypot(v.idleSpread*head, uBlind), uniform(v.idle*within))
}

// closing is what the span has of the tick of tickEnergy that its end falls into,
// part seconds after that tick began: by the power before the end, and by what
// is left of the tick's own energy, each as much as it is known. The tick's end
// is known within so many seconds.
func (v *view) closing(part, tickEnergy, within float64) (energy, u float64) {
	// Carried forward, the power before the end may have changed.
	carried := v.last * part
	uCarried := math.Hypot(v.jump*part, 0.002*carried)
	if v.averaged { // it does not tell
		uCarried = math.Hypot(uCarried, uniform((v.last-v.idle)*part))
	}
	// What is left of the tick: the power after the end lies between the idle
	// power and the last one.
	rest := v.refresh - part
	left := tickEnergy - (v.last+v.idle)/2*rest
	uLeft := math.Hypot(uniform((v.last-v.idle)*rest), math.Hypot(v.jump*rest/2, v.unseen(v.last-v.idle)))
	energy, u = weigh(carried, uCarried, left, uLeft)
	return energy, math.Hypot(u, uniform(v.last*within))
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
	f.Energy = Joules((last.mj-first.mj)/1000 + (v.last-v.idle)*v.refresh/2)
	f.Components[openingEdge] = Joules(uniform(v.idle * v.refresh))
	f.Components[closingEdge] = Joules(math.Hypot(uniform(v.last*v.refresh), v.jump*v.refresh/2))
	f.Components[dutyCycle] = Joules(v.dutyNoise())
	return f.sum(), true
}
