package measure

import "math"

// limits are the least and the most that something can be.
type limits struct{ least, most float64 }

func (l limits) middle() float64 { return (l.least + l.most) / 2 }

// u is the standard uncertainty of what may be anywhere between them, likelier at an end.
func (l limits) u() float64 { return ends((l.most - l.least) / 2) }

// delay is how late the driver shows the ticks of a counter, and when the load began, in
// seconds.
type delay struct {
	shown   limits  // from a tick to when it is shown
	begun   float64 // from the start of the span to when the load had begun, at the latest
	rose    float64 // to when power was first seen to have risen
	missing float64 // what the first ticks lack, at the power of the load
	unsure  float64 // standard uncertainty of missing
	known   bool    // rose and missing are
}

// slowestDisplay bounds how long after a tick a driver shows it, over one refresh.
// Assumed: no driver says it.
const slowestDisplay = 0.1

// unknownDelay is that of a counter with such a refresh, before anything shows it.
func unknownDelay(refresh float64) delay {
	return delay{shown: limits{0, max(refresh, slowestDisplay)}, begun: math.Inf(1)}
}

// opening takes what the first ticks lack of a load that had its first power from the
// start of the span on, and its standard uncertainty, in seconds: so much later was it
// shown, or did it begin.
func (d *delay) opening(lacks, u float64, p power, refresh float64) {
	d.missing, d.unsure, d.known = lacks, u, true
	// A load that began higher than it went on makes up for what is shown late.
	hidden := 2 * p.early * refresh / p.rise()
	d.shown.most = min(d.shown.most, max(0, lacks)+2*u+hidden)
	d.shown.least = min(d.shown.most, max(0, lacks-2*u-d.begun))
}

// closing takes how late the fall of power shows in the tick that the end falls into, at
// the most. A sensor that looks only now and then does not tell.
func (d *delay) closing(e ending, p power, s sensor, wake float64) {
	if p.fall() < leastRise*p.last {
		return
	}
	lacks := e.energy - p.lowest*e.rest - p.last*e.part
	for _, after := range e.after[:e.afters] {
		lacks += after - p.lowest*s.refresh
	}
	lacks /= p.fall()
	u := math.Hypot(uniform(p.last*e.within), math.Hypot(p.unsteady*e.part, math.Sqrt2*p.last*s.jitter)) / p.fall()
	d.shown.most = max(d.shown.least, min(d.shown.most, max(0, lacks)+2*u+2*wake))
}

// lacking is what the counter lacks at its third tick or later of a load that began
// with the span, in seconds of its first power, and how far that is uncertain. step is
// from reading to reading, in seconds.
func (c *counter) lacking(p power, span stretch, step float64) (seconds, u float64, ok bool) {
	rise := p.rise()
	if c.refresh == 0 || c.opened.mj == 0 || rise < leastRise*p.first {
		return 0, 0, false
	}
	const least, most = 2.2, 8
	head := span.from - c.opened.at
	unsure := 0.01 + (3*c.jitter+c.opened.within/2)/c.refresh
	best := math.Inf(1)
	for _, r := range c.readings {
		n := (r.at - c.opened.at) / c.refresh
		if !r.counted || r.at < span.from+least*c.refresh || r.at > min(span.to, span.from+most*c.refresh+step) {
			continue
		}
		// A reading close to a tick may be of the one before, or the one after.
		part := n - math.Floor(n)
		count, within := math.Floor(n), 0.0
		if part < unsure || part > 1-unsure {
			count, within = n-0.5, c.refresh
		}
		since := count * c.refresh
		own := math.Hypot(uniform(p.first*within), p.first*math.Sqrt2*c.jitter)
		own = math.Hypot(own, math.Hypot(uniform(p.first*c.opened.within), p.jump*math.Sqrt(max(1, count))*c.refresh))
		if c.quantum > 0 {
			own = math.Hypot(own, math.Sqrt2*uniform(c.quantum))
		}
		if own/rise < best {
			best = own / rise
			seconds = (p.idle*head + p.first*(since-head) - (r.mj-c.opened.mj)/1000) / rise
		}
	}
	return seconds, best, !math.IsInf(best, 1)
}

// rose is how long after the start of the span power was first seen to have risen, in
// seconds.
func (c *counter) rose(p power, span stretch) float64 {
	middle := (p.idle + p.first) / 2
	for _, r := range c.readings {
		if r.at > span.from && r.powered && (r.power-middle)*p.rise() > 0 {
			since := r.at - c.opened.at
			if c.refresh > 0 { // it was shown at the tick before
				since = math.Floor(since/c.refresh+0.05) * c.refresh
			}
			return c.opened.at + since - span.from
		}
	}
	return span.seconds()
}

// shareDelays lets GPUs of one kind share what each tells of how late its driver shows
// ticks. GPUs that contradict each other do not.
func shareDelays(views []*view) {
	both := limits{0, math.Inf(1)}
	for _, v := range views {
		if v == nil || v.sensor.refresh == 0 || views[0] == nil || v.sensor.duty != views[0].sensor.duty || math.Abs(v.sensor.refresh-views[0].sensor.refresh) > 0.05*v.sensor.refresh {
			return
		}
		both = limits{max(both.least, v.delay.shown.least), min(both.most, v.delay.shown.most)}
	}
	if both.least > both.most {
		return
	}
	for _, v := range views {
		v.delay.shown = both
	}
}

// shift is what the counter, carried to the edges as if it showed each tick at once and
// had seen all of it, may have counted too little, in joules. Shown late, it lacks the
// power at the end for that long, and has that from before the span instead. A sensor that
// looks now and then may have taken the tick of the load's start, head seconds before it,
// for all idle or all busy: the truth lies between a load that began with the span and one
// that began at the latest.
func (d delay) shift(p power, s sensor, head float64) limits {
	swing := p.end - p.idle
	l := limits{d.shown.least * swing, d.shown.most * swing}
	if l.least > l.most {
		l.least, l.most = l.most, l.least
	}
	if s.duty >= 1 {
		return l
	}
	if !d.known {
		unseen := p.rise() * 2 * s.off()
		return limits{min(l.least, -unseen), max(l.most, unseen)}
	}
	// Counted too much is at most what came before the span in its first tick: more is of
	// a load that began higher than it went on.
	missing := max(d.missing, -min(2*s.off(), head))
	whole := p.rise() * missing
	late := whole - p.rise()*min(d.begun, d.rose, max(0, missing)+2*s.off()+2*d.unsure)
	return limits{min(l.least, whole, late), max(l.most, whole, late)}
}
