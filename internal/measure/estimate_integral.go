package measure

import "math"

// integrated is the power over time as it was read, with what it lacks because it is
// shown late: that much of the power at the end, for which it has the power from before
// the span. A running mean of a second gives no figure here.
func (v *view) integrated() (*Figure, bool) {
	if v.pace.averaged {
		return nil, false
	}
	s, p, shows := series{v.readings, v.span, v.pace, v.profile.jump}, v.power, v.pace.shows
	area, ok := s.area(v.span.from, v.span.to)
	if !ok {
		return nil, false
	}
	late, known := s.lag(p, v.sensor.refresh, v.delay.begun)
	swing := p.last - p.idle
	shift := limits{late.least * swing, late.most * swing}
	noise := s.jump * s.pace.usual() / math.Sqrt2
	closing := math.Hypot(math.Hypot(closingJump*s.jump*late.most, noise), half(2*s.spike(p.last)*shows))
	f := &Figure{Energy: Joules(area.energy + shift.middle()), Components: map[string]Joules{
		openingEdge: Joules(math.Hypot(uniform(p.rise()*area.opening), noise)),
		closingEdge: Joules(math.Hypot(uniform(p.fall()*area.closing), closing)),
		display:     Joules(math.Abs(shift.u())), dutyCycle: Joules(v.sensor.misses(p.jump, shows, v.span.seconds())), sampling: Joules(s.sampled(p)),
		gaps: Joules(area.gaps), loadEnd: Joules(p.endsBefore(v.pace.wake)), resolution: v.resolution(),
	}}
	if known { // the step at the opening is in what is lacking
		f.Components[openingEdge] = Joules(noise)
	}
	return f.sum(), true
}

// series is the power of one GPU over time as it was read.
type series struct {
	readings []reading
	span     stretch
	pace     pace
	jump     float64 // RMS of what successive powers in the span differ by, in watts
}

// area is what readings of power make between two instants.
type area struct {
	energy           float64 // joules
	gaps             float64 // joules: what is not known in the gaps that are longer than usual
	opening, closing float64 // seconds between the readings next to either instant
}

// area is the power between two instants over its readings, held where they end.
func (s series) area(from, to float64) (a area, ok bool) {
	var gap2 float64
	var prev *reading
	usual := s.pace.usual()
	for i := range s.readings {
		r := &s.readings[i]
		if !r.powered {
			continue
		}
		if prev != nil {
			lo, hi := max(prev.at, from), min(r.at, to)
			if hi > lo && r.at > prev.at {
				slope := (r.power - prev.power) / (r.at - prev.at)
				a.energy += (prev.power + slope*((lo+hi)/2-prev.at)) * (hi - lo)
				if g := r.at - prev.at; g > 2*usual {
					u := uniform((math.Abs(r.power-prev.power) + s.jump) * g)
					gap2 += u * u
				}
			}
			if prev.at <= from && r.at > from {
				a.opening = r.at - prev.at
			}
			if prev.at <= to && r.at > to {
				a.closing = r.at - prev.at
			}
		}
		prev = r
	}
	if prev == nil {
		return area{}, false
	}
	if prev.at < to {
		a.energy += prev.power * (to - max(prev.at, from))
		a.closing = max(a.closing, to-prev.at)
	}
	a.gaps = math.Sqrt(gap2)
	return a, true
}

// slowestLag bounds how late power is shown without a counter to hold it to, in seconds: a
// mean of a second, or a first-order lag of one. Assumed.
const slowestLag = 1.2

// plateau is how many seconds after the start of a span without a counter its power is
// taken to show all of a step: the slowest sensor is a first-order lag of about a second.
const plateau = 5.0

// lag is how late the power is shown, in seconds: what it lacks in the beginning of a load
// that began with the span, less what may not have begun yet. refresh is the counter's.
func (s series) lag(p power, refresh, begun float64) (l limits, known bool) {
	shows, step := s.pace.shows, s.pace.step
	l = limits{0, shows + slowestDisplay}
	until := s.span.from + max(2.2*shows, 2*step)
	if refresh == 0 {
		until = s.span.from + max(2.2*shows, min(plateau, s.span.seconds()/2))
		l.most = slowestLag
	}
	var near []reading
	for _, r := range s.readings {
		if r.powered && r.at >= until && r.at <= min(s.span.to, until+2*s.pace.usual()) {
			near = append(near, r)
		}
	}
	if len(near) < 2 {
		return l, false
	}
	high, spread := meanSpread(near)
	high = max(high, p.last)
	rise := high - p.idle
	if rise < leastRise*high {
		return l, false
	}
	a, ok := s.area(s.span.from, until)
	if !ok {
		return l, false
	}
	lacks := (high*(until-s.span.from) - a.energy) / rise
	u := math.Hypot(spread*(until-s.span.from), math.Hypot(p.spread*shows, s.jump*math.Sqrt((until-s.span.from)*shows))) / rise
	most := min(l.most, max(0, lacks)+2*u)
	if refresh == 0 && s.rising(p.idle, high) {
		most = l.most
	}
	return limits{min(most, max(0, lacks-2*u-begun)), most}, true
}

// rising says that power had not come from idle to high watts two refreshes after the
// start: a sensor that lags shows that, as a load that rises does.
func (s series) rising(idle, high float64) bool {
	for _, r := range s.readings {
		if r.powered && r.at >= s.span.from+2.2*s.pace.shows {
			return r.power-idle < 0.97*(high-idle)
		}
	}
	return true
}

// spike is by how many watts more than last was shown after the end, and not before it.
func (s series) spike(last float64) (watts float64) {
	for _, r := range s.readings {
		if r.powered && r.at > s.span.to && r.at < s.span.to+2*s.pace.shows {
			watts = max(watts, r.power-last)
		}
	}
	return watts
}

// sampled is what readings miss of a load that varies, in joules: what they skip, where
// between two of them it changed, and, of one that drifts, how old what they show
// is, where they keep step with the ticks.
func (s series) sampled(p power) float64 {
	T, shows, step := s.span.seconds(), s.pace.shows, s.pace.step
	skipped := 0.9 * math.Sqrt(max(0, step-shows)*T) // of noise that readings do not share; simulated
	random := s.jump * math.Hypot(skipped, uniform(step)*math.Sqrt(T/s.pace.usual()))
	return math.Hypot(random, uniform((p.last-p.first)*min(shows, step)))
}
