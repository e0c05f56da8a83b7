package measure

import "math"

// tick is a move of the counter: when, how finely that is known, and to what. The zero
// value means that no tick was seen.
type tick struct {
	at, within float64
	mj         float64
}

// between is the tick that two readings of the counter show: each read it at some
// instant of its call, and of several ticks it is the last.
func (v *view) between(a, b *reading) tick {
	until := b.at + b.took/2
	since := max(a.at-a.took/2, until-v.refresh-3*v.jitter)
	return tick{(since + until) / 2, until - since, b.mj}
}

// tickBefore is the last tick that readings up to t show. Where the last of them show
// none in time, it was up to a refresh before the last reading.
func (v *view) tickBefore(t float64) (k tick) {
	var prev *reading
	for i := range v.readings {
		r := &v.readings[i]
		if !r.counted {
			continue
		}
		if r.at > t {
			break
		}
		if prev != nil && r.mj != prev.mj {
			k = v.between(prev, r)
		}
		prev = r
	}
	if prev == nil || v.refresh == 0 {
		return tick{}
	}
	if k.mj == 0 || prev.at-k.at > 1.5*v.refresh+6*v.jitter {
		return tick{prev.at - v.refresh/2, v.refresh, prev.mj}
	}
	return k
}

// nextTick is the first move that was seen after t, and the value before it.
func (v *view) nextTick(t float64) (next tick, held float64, ok bool) {
	var prev *reading
	for i := range v.readings {
		r := &v.readings[i]
		if !r.counted || r.at < t {
			continue
		}
		if prev != nil && r.mj != prev.mj {
			return v.between(prev, r), prev.mj, r.at-prev.at < v.refresh
		}
		prev = r
	}
	return tick{}, 0, false
}

// edge is what is not known of one: by the load, by where the tick fell between
// two polls, and, of the closing one, by when the load ended. more is a part of load: the
// energy behind it may have another cause, ticks that are shown late.
type edge struct{ load, poll, end, more float64 }

// counted carries the counter from its ticks to the edges. What is shown late, and what
// the sensor did not see of the load's start, span a range.
func (v *view) counted() (f *Figure, method string, ok bool) {
	if v.opened.mj == 0 {
		return nil, "", false
	}
	start, opening := v.opening(v.opened)
	end, closing, aligned, ok := v.closing()
	if !ok || end < start {
		return nil, "", false
	}
	method = MethodAligned
	if !aligned || v.opened.within > oneTick*v.refresh {
		method = MethodCounter
	}
	f = v.figure(opening, closing)
	f.Energy = Joules(end - start + v.shift().middle())
	return f, method, true
}

// figure has the uncertainty of the counter carried to both edges. Its energy is still
// to be filled in.
func (v *view) figure(opening, closing edge) *Figure {
	late := v.shift().u()
	late = math.Sqrt(late * (late + 2*closing.more)) // both err the same way: they add linearly
	late = math.Hypot(late, v.unsteady()*v.delay.u())
	f := &Figure{Components: map[string]Joules{
		openingEdge: Joules(opening.load), closingEdge: Joules(closing.load), dutyCycle: Joules(v.dutyNoise()),
		polling: Joules(math.Hypot(opening.poll, closing.poll)), sensorLook: Joules(v.drift()), display: Joules(late),
		loadEnd: Joules(closing.end), resolution: v.floor(),
	}}
	return f.sum()
}

// oneTick is how far polls on both sides of a tick may be apart, in refreshes, for it
// to count as seen.
const oneTick = 0.8

// opening is what the counter held as the span opened, in joules: since its last tick
// the GPU drew the power from before the span.
func (v *view) opening(last tick) (start float64, u edge) {
	head := v.from - last.at
	u.load = math.Hypot(v.idleSpread*head, v.idle*v.jitter)
	u.poll = uniform(v.idle * last.within)
	if v.duty < 1 { // of a load that began higher than it went on
		u.load = math.Hypot(u.load, ends(max(v.early, v.burst())*2*v.off()))
	}
	return last.mj/1000 + v.idle*head, u
}

// prefills is by how much more a prefill may raise power than the decode that follows it
// does. Assumed: decode raises power by at least 45 % of what the prefill does.
const prefills = 1.25

// burst is by how much power may have been higher before the sensor first looked than it
// was then, such as in a prefill. The power limit bounds it, with overLimit.
func (v *view) burst() float64 {
	most := prefills * max(0, v.first-v.idle)
	if v.limit > 0 {
		most = min(most, max(0, overLimit*v.limit-v.first))
	}
	return most
}

// ending is the tick that the end of the span falls into, or several in a row of
// which one is it.
type ending struct {
	held   float64 // the counter as it began
	energy float64 // in joules, of all of it
	part   float64 // from its beginning to the end of the span
	rest   float64 // from there to its own end
	within float64 // how finely its edges are known
	after  [ticksAfter - 1]float64
	afters int // how many of after are known: the energies of the ticks that follow
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
	v.follow(&e, begun+length)
	return e, true
}

// follow finds the energies of the ticks after the ending one, which ends at t.
func (v *view) follow(e *ending, t float64) {
	prev := e.held + e.energy*1000
	for at := t; e.afters < len(e.after); e.afters++ {
		next, held, ok := v.nextTick(at + v.refresh/2)
		if !ok || math.Abs(held-prev) > 0.5 || math.Abs(next.at-at-v.refresh) > v.refresh/2 {
			return
		}
		e.after[e.afters] = (next.mj - held) / 1000
		prev, at = next.mj, next.at
	}
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

// closing is what the counter held as the span closed, in joules: what it had as the tick
// began that the end falls into, and the span's part of that tick. aligned says that the
// tick was seen.
func (v *view) closing() (end float64, u edge, aligned, ok bool) {
	e, aligned := v.ending()
	if !aligned || v.coarse() { // which moves when the step is full
		return v.roughly()
	}
	z, u := v.split(e)
	return e.held/1000 + z, u, true, true
}

// split is what the span has of the tick that its end falls into: all of it but what
// the GPU drew after the end, which the ticks after it show, beside what the power
// before the end makes of its part. A sensor that looks only now and then does not
// show what it drew after the end.
func (v *view) split(e ending) (z float64, u edge) {
	length := e.part + e.rest
	carried, share := v.last*e.part, e.energy*e.part/length
	if v.duty >= 1 {
		after, uAfter := v.after(e)
		z = e.energy - after
		// More than the power before makes is of a rise before the end, or of a load that
		// went on after it.
		more := max(0, z-carried)
		z, after = z-more/2, after+more/2
		u.more = ends(more / 2)
		u.load = math.Hypot(math.Hypot(half(carried-share), uAfter), u.more)
		u.load = math.Hypot(u.load, (after/e.rest-v.lowest)*math.Sqrt2*v.jitter)
		u.poll = uniform((after/e.rest + v.lowest) * e.within)
		return z, u
	}
	u.load = math.Hypot(half(v.fall()*e.part*e.rest/length), closingJump*v.jump*e.part)
	u.load = math.Hypot(max(u.load, half(carried-share)), math.Sqrt2*v.last*v.jitter) // of the tick's begin and its end
	u.poll = uniform(v.last * e.within)
	u.end = v.wakes()
	return carried, u
}

// after is the energy that the rest of the ending tick holds: power falls from the last
// one, at once or as an exponential that the ticks after it show.
func (v *view) after(e ending) (energy, u float64) {
	idle := v.lowest * e.rest
	top := v.fall()
	if part := e.energy - v.lowest*e.rest; e.part > 0 { // a spike before the end was higher
		top = max(top, min(part/e.part-v.lowest, 2*top))
	}
	const few = 0.02 // of the power before: what is less is noise
	next := e.after[0] - v.lowest*v.refresh
	switch {
	case top <= 0:
		return idle, 0
	case e.afters < 1:
		return idle + top*e.rest/2, uniform(top * e.rest)
	case next <= few*top*v.refresh:
		return idle, 0
	}
	excess := fallen(top, e.rest, v.tailOf(top, e.rest, next))
	u = 0.15 * excess
	if then := e.after[1] - v.lowest*v.refresh; e.afters > 1 && then > 0.05*next && then < 0.95*next {
		other := v.backwards(top, e.rest, next, then)
		excess, u = (excess+other)/2, math.Hypot(0.05*excess, half(excess-other))
	}
	return idle + excess, math.Hypot(u, v.jump*e.rest)
}

// fallen is what a power holds for so long that falls from top by an exponential.
func fallen(top, seconds, tail float64) float64 { return top * tail * (1 - math.Exp(-seconds/tail)) }

// tailOf is the time constant of a power that falls from top and leaves so much energy
// for the tick that begins rest later. It grows with that.
func (v *view) tailOf(top, rest, left float64) float64 {
	short, long := 1e-4, 100*v.refresh
	for range 60 {
		tail := math.Sqrt(short * long)
		if top*tail*math.Exp(-rest/tail)*(1-math.Exp(-v.refresh/tail)) < left {
			short = tail
		} else {
			long = tail
		}
	}
	return long
}

// backwards is what the rest of the ending tick holds by the exponential that two ticks
// after it show: the load may have ended before its last byte was stamped.
func (v *view) backwards(top, rest, next, then float64) (excess float64) {
	tail := -v.refresh / math.Log(then/next)
	height := next / (tail * (1 - then/next)) // as the ending tick ended
	const parts = 50
	for i := range parts {
		t := rest * (float64(i) + 0.5) / parts // before the tick's end
		excess += min(top, height*math.Exp(t/tail)) * rest / parts
	}
	return excess
}

// roughly is closing where no tick was seen after the end: the last one was up to a
// refresh before the last reading.
func (v *view) roughly() (end float64, u edge, aligned, ok bool) {
	r, ok := v.lastBefore(v.to)
	if !ok {
		return 0, u, false, false
	}
	refresh := v.refresh
	if v.coarse() { // which idle ticks made too long: every reading of the load moved
		refresh = min(refresh, v.step)
	}
	part := v.to - r.at + refresh/2
	u.poll = uniform(v.last * (refresh + r.took))
	u.load = math.Hypot(closingJump*v.jump*part, half(v.fall()*part/2))
	if v.coarse() { // ticks that do not fill a step are not seen, of any GPU
		u.load, u.poll = math.Hypot(u.load, u.poll), 0
	}
	u.end = v.wakes()
	return r.mj/1000 + v.last*part, u, false, true
}

// coarse says that the counter's step is so large that ticks of an idle GPU do not show.
func (v *view) coarse() bool { return v.quantum > v.lowest*v.refresh/2 }

// fall is by how much power falls when the load ends.
func (v *view) fall() float64 { return max(0, v.last-v.lowest) }

// wakes is what a last byte that is stamped as late as readings are taken makes of
// a load that ended before.
func (v *view) wakes() float64 { return half(v.fall() * v.wake) }

// unsteady is by how much power may have changed within the last tick: as it does from level
// to level, or did before the end.
func (v *view) unsteady() float64 {
	n := len(v.list)
	if n < 2 { // of a window that is still to come
		return closingJump * v.jump
	}
	return max(closingJump*v.jump, math.Abs(v.list[n-1].watts-v.list[n-2].watts))
}

// closingJump is how much more than from level to level the power may have
// changed at the end, within a tick: a level is the mean of one. Simulated.
const closingJump = 1.5
