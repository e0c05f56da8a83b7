package measure

import (
	"math"
	"time"
)

// limits are the least and the most that something can be.
type limits struct{ least, most float64 }

func (l limits) middle() float64 { return (l.least + l.most) / 2 }

// u is the standard uncertainty of what may be anywhere between them, likelier at an end.
func (l limits) u() float64 { return ends((l.most - l.least) / 2) }

// slowestDisplay bounds how long after a tick a driver shows it, beside one refresh.
// Assumed: no driver says it.
const slowestDisplay = 0.1

// A load that raises power by less than this share of it does not show when it began.
const leastRise = 0.1

// begin finds what the first ticks lack of a load that had its first power from the
// start of the span on: so much later was it shown, or did it begin. begun is by when
// it had, at the latest; 0: not known.
func (v *view) begin(begun time.Duration) {
	if begun > 0 {
		v.begun = begun.Seconds()
	}
	most := max(v.refresh, slowestDisplay)
	v.delay = limits{0, most}
	if lacks, u, ok := v.lacking(); ok {
		v.missing, v.unsure, v.known = lacks, u, true
		// A load that began higher than it went on makes up for what is shown late.
		hidden := 2 * v.early * v.refresh / (v.first - v.idle)
		v.delay.most = min(most, max(0, lacks)+2*u+hidden)
		v.delay.least = min(v.delay.most, max(0, lacks-2*u-v.begun))
	}
	if late, ok := v.lateEnd(); ok {
		v.delay.most = max(v.delay.least, min(v.delay.most, late))
	}
}

// lacking is what the counter lacks at its third tick or later of a load that began
// with the span, in seconds of its first power, and how far that is uncertain.
func (v *view) lacking() (seconds, u float64, ok bool) {
	rise := v.first - v.idle
	if v.refresh == 0 || v.opened.mj == 0 || rise < leastRise*v.first {
		return 0, 0, false
	}
	const least, most = 2.2, 8
	head := v.from - v.opened.at
	unsure := 0.01 + (3*v.jitter+v.opened.within/2)/v.refresh
	best := math.Inf(1)
	for _, r := range v.readings {
		n := (r.at - v.opened.at) / v.refresh
		if !r.counted || r.at < v.from+least*v.refresh || r.at > min(v.to, v.from+most*v.refresh+v.step) {
			continue
		}
		// A reading close to a tick may be of the one before, or the one after.
		part := n - math.Floor(n)
		count, within := math.Floor(n), 0.0
		if part < unsure || part > 1-unsure {
			count, within = n-0.5, v.refresh
		}
		span := count * v.refresh
		own := math.Hypot(uniform(v.first*within), v.first*math.Sqrt2*v.jitter)
		own = math.Hypot(own, math.Hypot(uniform(v.first*v.opened.within), v.jump*math.Sqrt(max(1, count))*v.refresh))
		if v.quantum > 0 {
			own = math.Hypot(own, math.Sqrt2*uniform(v.quantum))
		}
		if own/rise < best {
			best = own / rise
			seconds = (v.idle*head + v.first*(span-head) - (r.mj-v.opened.mj)/1000) / rise
		}
	}
	return seconds, best, !math.IsInf(best, 1)
}

// lateEnd is how late the fall of power at the end shows in the tick that the end falls
// into, at the most. A sensor that looks only now and then does not tell.
func (v *view) lateEnd() (seconds float64, ok bool) {
	e, ok := v.ending()
	if !ok || v.duty < 1 || v.coarse() || v.fall() < leastRise*v.last || e.rest <= 0 {
		return 0, false
	}
	lacks := e.energy - v.lowest*e.rest - v.last*e.part
	for _, after := range e.after[:e.afters] {
		lacks += after - v.lowest*v.refresh
	}
	lacks /= v.fall()
	u := math.Hypot(uniform(v.last*e.within), math.Hypot(v.unsteady()*e.part, math.Sqrt2*v.last*v.jitter)) / v.fall()
	return max(0, lacks) + 2*u + 2*v.wake, true
}

// shareDelays lets GPUs of one kind share what each tells of how late its driver shows
// ticks. GPUs that contradict each other keep their own.
func shareDelays(views []*view) {
	both := limits{0, math.Inf(1)}
	for _, v := range views {
		if v == nil || v.refresh == 0 || views[0] == nil || v.duty != views[0].duty || math.Abs(v.refresh-views[0].refresh) > 0.05*v.refresh {
			return
		}
		both = limits{max(both.least, v.delay.least), min(both.most, v.delay.most)}
	}
	if both.least > both.most {
		return
	}
	for _, v := range views {
		v.delay = both
	}
}

// shift is what the counter, carried to the edges as if it showed each tick at once and
// had seen all of it, may have counted too little. Shown late, it lacks the power at the
// end for that long, and has that from before the span instead. A sensor that looks now
// and then may have taken the tick of the load's start for all idle or all busy: the
// truth lies between a load that began with the span and one that began at the latest.
func (v *view) shift() limits {
	swing := v.end - v.idle
	s := limits{v.delay.least * swing, v.delay.most * swing}
	if s.least > s.most {
		s.least, s.most = s.most, s.least
	}
	if v.duty >= 1 {
		return s
	}
	rise := v.first - v.idle
	if !v.known {
		unseen := rise * 2 * v.off()
		return limits{min(s.least, -unseen), max(s.most, unseen)}
	}
	// Counted too much is at most what came before the span in its first tick: more is of
	// a load that began higher than it went on.
	missing := max(v.missing, -min(2*v.off(), v.from-v.opened.at))
	whole := rise * missing
	late := whole - rise*min(v.begun, v.rose(), max(0, missing)+2*v.off()+2*v.unsure)
	return limits{min(s.least, whole, late), max(s.most, whole, late)}
}

// rose is how long after the start of the span power was first seen to have risen.
func (v *view) rose() float64 {
	middle := (v.idle + v.first) / 2
	for _, r := range v.readings {
		if r.at > v.from && r.powered && (r.power-middle)*(v.first-v.idle) > 0 {
			since := r.at - v.opened.at
			if v.refresh > 0 { // it was shown at the tick before
				since = math.Floor(since/v.refresh+0.05) * v.refresh
			}
			return v.opened.at + since - v.from
		}
	}
	return v.to - v.from
}
