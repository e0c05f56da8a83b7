package measure

import "math"

// ending is the tick that the end of a span falls into, or several in a row of
// which one is it.
type ending struct {
	held   float64 // the counter as it began, in mJ
	energy float64 // of all of it, in joules
	part   float64 // from its beginning to the end of the span, in seconds
	rest   float64 // from there to its own end, in seconds
	within float64 // how finely its edges are known, in seconds
	after  [ticksAfter - 1]float64
	afters int // how many of after are known: the energies of the ticks that follow, in joules
}

// ending finds the tick that the end of a span falls into by the first move after it.
// Where the counter had moved by the first poll after the end, which came late, that is
// a later tick, and all since the last reading before the end are taken together.
func (c *counter) ending(end float64) (e ending, ok bool) {
	next, held, ok := c.nextTick(end)
	if !ok {
		return e, false
	}
	begun, length := next.at-c.refresh, c.refresh
	e = ending{held: held, energy: (next.mj - held) / 1000, within: next.within}
	if r, ok := c.lastBefore(end); ok && begun > end && r.mj < held {
		length *= 1 + math.Floor((begun-r.at)/c.refresh)
		begun -= length
		e.held, e.energy = r.mj, (held-r.mj)/1000
	}
	e.part = end - begun
	e.rest = length - e.part
	c.follow(&e, begun+length)
	return e, true
}

// follow finds the energies of the ticks after the ending one, which ends at t.
func (c *counter) follow(e *ending, t float64) {
	prev := e.held + e.energy*1000
	for at := t; e.afters < len(e.after); e.afters++ {
		next, held, ok := c.nextTick(at + c.refresh/2)
		if !ok || math.Abs(held-prev) > 0.5 || math.Abs(next.at-at-c.refresh) > c.refresh/2 {
			return
		}
		e.after[e.afters] = (next.mj - held) / 1000
		prev, at = next.mj, next.at
	}
}

// edge is what is not known of one, in joules: by the load, by where the tick fell between
// two polls, and, of the closing one, by when the load ended. more is a part of load: the
// energy behind it may have another cause, ticks that are shown late.
type edge struct{ load, poll, end, more float64 }

// opening is what the counter held as a span opened, in joules: since its last tick, head
// seconds before, the GPU drew the power from before the span.
func opening(last tick, head float64, p power, s sensor) (start float64, u edge) {
	u.load = math.Hypot(p.spread*head, p.idle*s.jitter)
	u.poll = uniform(p.idle * last.within)
	if s.duty < 1 { // of a load that began higher than it went on
		u.load = math.Hypot(u.load, ends(max(p.early, p.burst(s.limit))*2*s.off()))
	}
	return last.mj/1000 + p.idle*head, u
}

// split is what the span has of the tick that its end falls into, in joules: all of it but
// what the GPU drew after the end, which the ticks after it show. Where that is more than
// the power before the end makes, the middle of the two is taken. A sensor that looks only
// now and then does not show what was drawn after the end: there the power before the end
// is carried to it. wake is how late this process got to run, in seconds.
func (e ending) split(p power, s sensor, wake float64) (z float64, u edge) {
	length := e.part + e.rest
	carried, share := p.last*e.part, e.energy*e.part/length
	if s.duty >= 1 {
		after, uAfter := e.decay(p, s.refresh)
		z = e.energy - after
		// More than the power before makes is of a rise before the end, or of a load that
		// went on after it.
		more := max(0, z-carried)
		z, after = z-more/2, after+more/2
		u.more = ends(more / 2)
		u.load = math.Hypot(math.Hypot(half(carried-share), uAfter), u.more)
		u.load = math.Hypot(u.load, (after/e.rest-p.lowest)*math.Sqrt2*s.jitter)
		u.poll = uniform((after/e.rest + p.lowest) * e.within)
		return z, u
	}
	u.load = math.Hypot(half(p.fall()*e.part*e.rest/length), closingJump*p.jump*e.part)
	u.load = math.Hypot(max(u.load, half(carried-share)), math.Sqrt2*p.last*s.jitter) // of the tick's begin and its end
	u.poll = uniform(p.last * e.within)
	u.end = p.endsBefore(wake)
	return carried, u
}

// decay is the energy that the rest of the ending tick holds, in joules: power falls from
// the last one, at once or as an exponential that the ticks after it show.
func (e ending) decay(p power, refresh float64) (energy, u float64) {
	idle := p.lowest * e.rest
	top := p.fall()
	if part := e.energy - p.lowest*e.rest; e.part > 0 { // a spike before the end was higher
		top = max(top, min(part/e.part-p.lowest, 2*top))
	}
	const few = 0.02 // of the power before: what is less is noise
	next := e.after[0] - p.lowest*refresh
	switch {
	case top <= 0:
		return idle, 0
	case e.afters < 1:
		return idle + top*e.rest/2, uniform(top * e.rest)
	case next <= few*top*refresh:
		return idle, 0
	}
	excess := fallen(top, e.rest, tailOf(top, e.rest, next, refresh))
	u = 0.15 * excess
	if then := e.after[1] - p.lowest*refresh; e.afters > 1 && then > 0.05*next && then < 0.95*next {
		other := backwards(top, e.rest, next, then, refresh)
		excess, u = (excess+other)/2, math.Hypot(0.05*excess, half(excess-other))
	}
	return idle + excess, math.Hypot(u, p.jump*e.rest)
}

// fallen is what a power holds for so long that falls from top by an exponential, in joules.
func fallen(top, seconds, tail float64) float64 { return top * tail * (1 - math.Exp(-seconds/tail)) }

// tailOf is the time constant of a power that falls from top and leaves so much energy
// for the tick that begins rest later. It grows with that.
func tailOf(top, rest, left, refresh float64) float64 {
	short, long := 1e-4, 100*refresh
	for range 60 {
		tail := math.Sqrt(short * long)
		if top*tail*math.Exp(-rest/tail)*(1-math.Exp(-refresh/tail)) < left {
			short = tail
		} else {
			long = tail
		}
	}
	return long
}

// backwards is what the rest of the ending tick holds by the exponential that two ticks
// after it show, in joules: the load may have ended before its last byte was stamped.
func backwards(top, rest, next, then, refresh float64) (excess float64) {
	tail := -refresh / math.Log(then/next)
	height := next / (tail * (1 - then/next)) // as the ending tick ended
	const parts = 50
	for i := range parts {
		t := rest * (float64(i) + 0.5) / parts // before the tick's end
		excess += min(top, height*math.Exp(t/tail)) * rest / parts
	}
	return excess
}
