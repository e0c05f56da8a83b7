package measure

import "math"

// counted carries the counter from its ticks to the edges. What is shown late, and what
// the sensor did not see of the load's start, span a range.
func (v *view) counted() (f *Figure, method string, ok bool) {
	opened := v.counter.opened
	if opened.mj == 0 {
		return nil, "", false
	}
	start, open := opening(opened, v.span.from-opened.at, v.power, v.sensor)
	end, closed, aligned, ok := v.closing()
	if !ok || end < start {
		return nil, "", false
	}
	method = MethodAligned
	if !aligned || opened.within > oneTick*v.sensor.refresh {
		method = MethodCounter
	}
	f = v.figure(open, closed)
	f.Energy = Joules(end - start + v.shift().middle())
	return f, method, true
}

// figure has the uncertainty of the counter carried to both edges. Its energy is still
// to be filled in.
func (v *view) figure(opening, closing edge) *Figure {
	late := v.shift().u()
	late = math.Sqrt(late * (late + 2*closing.more)) // both err the same way: they add linearly
	late = math.Hypot(late, v.power.unsteady*v.delay.shown.u())
	f := &Figure{Components: map[string]Joules{
		openingEdge: Joules(opening.load), closingEdge: Joules(closing.load), dutyCycle: v.missed(),
		polling: Joules(math.Hypot(opening.poll, closing.poll)), sensorLook: Joules(v.sensor.drift(v.power)), display: Joules(late),
		loadEnd: Joules(closing.end), resolution: v.resolution(),
	}}
	return f.sum()
}

// shift is what the counter may have counted too little.
func (v *view) shift() limits {
	return v.delay.shift(v.power, v.sensor, v.span.from-v.counter.opened.at)
}

// missed is what the counter missed that the sensor did not look at.
func (v *view) missed() Joules {
	return Joules(v.sensor.misses(v.power.jump, v.sensor.refresh, v.span.seconds()))
}

// resolution is what stamps and digits leave unknown.
func (v *view) resolution() Joules {
	return v.power.resolution(v.pace.took, max(v.counter.quantum, v.counter.uneven), v.span.seconds())
}

// oneTick is how far polls on both sides of a tick may be apart, in refreshes, for it
// to count as seen.
const oneTick = 0.8

// closing is what the counter held as the span closed, in joules: what it had as the tick
// began that the end falls into, and the span's part of that tick. aligned says that the
// tick was seen.
func (v *view) closing() (end float64, u edge, aligned, ok bool) {
	if !v.ended || v.counter.coarse(v.power.lowest) { // which moves when the step is full
		end, u, ok = v.roughly()
		return end, u, false, ok
	}
	z, u := v.ending.split(v.power, v.sensor, v.pace.wake)
	return v.ending.held/1000 + z, u, true, true
}

// roughly is closing where no tick was seen after the end: the last one was up to a
// refresh before the last reading.
func (v *view) roughly() (end float64, u edge, ok bool) {
	r, ok := v.counter.lastBefore(v.span.to)
	if !ok {
		return 0, u, false
	}
	p, refresh, coarse := v.power, v.sensor.refresh, v.counter.coarse(v.power.lowest)
	if coarse { // which idle ticks made too long: every reading of the load moved
		refresh = min(refresh, v.pace.step)
	}
	part := v.span.to - r.at + refresh/2
	u.poll = uniform(p.last * (refresh + r.took))
	u.load = math.Hypot(closingJump*p.jump*part, half(p.fall()*part/2))
	if coarse { // ticks that do not fill a step are not seen, of any GPU
		u.load, u.poll = math.Hypot(u.load, u.poll), 0
	}
	u.end = p.endsBefore(v.pace.wake)
	return r.mj/1000 + p.last*part, u, true
}
