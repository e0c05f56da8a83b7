package measure

import (
	"math"
	"slices"
)

// integrated is the power over time as it was read, with what it lacks because it is
// shown late: that much of the power at the end, for which it has the power from before
// the span. A running mean of a second gives no figure here.
func (v *view) integrated() (*Figure, bool) {
	if v.averaged {
		return nil, false
	}
	e, gap, openGap, closeGap, ok := v.trapezoids(v.from, v.to)
	if !ok {
		return nil, false
	}
	late, known := v.lag()
	swing := v.last - v.idle
	shift := limits{late.least * swing, late.most * swing}
	noise := v.shownJump * max(v.shows, v.step) / math.Sqrt2
	spike := 0.0 // what was shown after the end and not before it
	for _, r := range v.readings {
		if r.powered && r.at > v.to && r.at < v.to+2*v.shows {
			spike = max(spike, r.power-v.last)
		}
	}
	f := &Figure{Energy: Joules(e + shift.middle()), Components: map[string]Joules{
		openingEdge: Joules(math.Hypot(uniform((v.first-v.idle)*openGap), noise)),
		closingEdge: Joules(math.Hypot(uniform(v.fall()*closeGap), math.Hypot(math.Hypot(closingJump*v.shownJump*late.most, noise), half(2*spike*v.shows)))),
		display:     Joules(math.Abs(shift.u())), dutyCycle: Joules(v.dutyNoiseOf(v.shows)), sampling: Joules(v.sampled(v.shows)),
		gaps: Joules(gap), loadEnd: Joules(v.wakes()), resolution: v.floor(),
	}}
	if known { // the step at the opening is in what is lacking
		f.Components[openingEdge] = Joules(noise)
	}
	return f.sum(), true
}

// slowestLag bounds how late power is shown without a counter to hold it to: a mean of a
// second, or a first-order lag of one. Assumed.
const slowestLag = 1.2

// plateau is how long after the start of a span without a counter its power is taken to
// show all of a step: the slowest sensor is a first-order lag of about a second.
const plateau = 5.0

// lag is how late the power is shown: what it lacks in the beginning of a load that
// began with the span, less what may not have begun yet.
func (v *view) lag() (l limits, known bool) {
	l = limits{0, v.shows + slowestDisplay}
	until := v.from + max(2.2*v.shows, 2*v.step)
	if v.refresh == 0 {
		until = v.from + max(2.2*v.shows, min(plateau, (v.to-v.from)/2))
		l.most = slowestLag
	}
	var near []reading
	for _, r := range v.readings {
		if r.powered && r.at >= until && r.at <= min(v.to, until+2*max(v.shows, v.step)) {
			near = append(near, r)
		}
	}
	if len(near) < 2 {
		return l, false
	}
	high, spread := meanSpread(near)
	high = max(high, v.last)
	rise := high - v.idle
	if rise < leastRise*high {
		return l, false
	}
	e, _, _, _, ok := v.trapezoids(v.from, until)
	if !ok {
		return l, false
	}
	lacks := (high*(until-v.from) - e) / rise
	u := math.Hypot(spread*(until-v.from), math.Hypot(v.idleSpread*v.shows, v.shownJump*math.Sqrt((until-v.from)*v.shows))) / rise
	most := min(l.most, max(0, lacks)+2*u)
	if v.refresh == 0 && v.rising(high) {
		most = l.most
	}
	return limits{min(most, max(0, lacks-2*u-v.begun)), most}, true
}

// rising says that power had not come to so many watts two refreshes after the start: a
// sensor that lags shows that, as a load that rises does.
func (v *view) rising(high float64) bool {
	for _, r := range v.readings {
		if r.powered && r.at >= v.from+2.2*v.shows {
			return r.power-v.idle < 0.97*(high-v.idle)
		}
	}
	return true
}

// sampled is what readings miss of a load that varies: what they skip, where
// between two of them it changed, and, of one that drifts, how old what they show
// is, where they keep step with the ticks.
func (v *view) sampled(refresh float64) float64 {
	T := v.to - v.from
	skipped := 0.9 * math.Sqrt(max(0, v.step-refresh)*T) // of noise that readings do not share; simulated
	random := v.shownJump * math.Hypot(skipped, uniform(v.step)*math.Sqrt(T/max(refresh, v.step)))
	return math.Hypot(random, uniform((v.last-v.first)*min(refresh, v.step)))
}

// slowestShown is the longest refresh that a driver is known to have by default
// (RMRusdPollingInterval of consumer cards), and slowestSet the longest that it can be
// set to.
const slowestShown, slowestSet = 0.5, 1.0

// showing is the longest refresh that changes of the power which is read allow.
func (v *view) showing() float64 {
	var between []float64
	var prev *reading
	changed := math.Inf(-1)
	for i := range v.readings {
		r := &v.readings[i]
		if !r.powered || r.at > v.to {
			continue
		}
		if prev != nil && r.power != prev.power {
			between = append(between, r.at-changed)
			changed = r.at
		}
		prev = r
	}
	const few = 4
	if len(between) < few {
		return slowestShown
	}
	v.moves = true
	slices.Sort(between)
	least := between[len(between)/10]
	if least < 1.5*v.step {
		return max(least, v.step)
	}
	return min(slowestSet, least+v.step/2)
}

// trapezoids is the power between two instants over its readings, held where they
// end; gap is what is not known in the gaps that are longer than usual, and open and
// end are the times between the readings next to either instant.
func (v *view) trapezoids(from, to float64) (e, gap, openGap, closeGap float64, ok bool) {
	var gap2 float64
	var prev *reading
	usual := max(v.shows, v.step)
	for i := range v.readings {
		r := &v.readings[i]
		if !r.powered {
			continue
		}
		if prev != nil {
			lo, hi := max(prev.at, from), min(r.at, to)
			if hi > lo && r.at > prev.at {
				slope := (r.power - prev.power) / (r.at - prev.at)
				e += (prev.power + slope*((lo+hi)/2-prev.at)) * (hi - lo)
				if g := r.at - prev.at; g > 2*usual {
					u := uniform((math.Abs(r.power-prev.power) + v.shownJump) * g)
					gap2 += u * u
				}
			}
			if prev.at <= from && r.at > from {
				openGap = r.at - prev.at
			}
			if prev.at <= to && r.at > to {
				closeGap = r.at - prev.at
			}
		}
		prev = r
	}
	if prev == nil {
		return 0, 0, 0, 0, false
	}
	if prev.at < to {
		e += prev.power * (to - max(prev.at, from))
		closeGap = max(closeGap, to-prev.at)
	}
	return e, math.Sqrt(gap2), openGap, closeGap, true
}
