package measure

import (
	"math"
	"slices"
)

// integrated is the power over time. A reading shows what the sensor saw on the
// average half a refresh and half its look ago, so the span is read that much
// later. A running mean of a second loses (P − P_idle) × 0.5 s at a step, and
// gives no figure here.
func (v *view) integrated() (*Figure, bool) {
	if v.averaged {
		return nil, false
	}
	if v.refresh == 0 {
		return v.uncounted()
	}
	delay := v.refresh/2 + v.duty*v.refresh/2
	from, to := v.from+delay, v.to+delay
	f := &Figure{Components: map[string]Joules{}}
	e, gap2, openGap, closeGap, ok := v.trapezoids(from, to)
	if !ok {
		return nil, false
	}
	// A step of power shows in the middle of a tick, and one that is weighed by the
	// delay loses a part of it.
	loss := (0.115 + 0.052*v.duty) * v.refresh
	rise, fall := v.first-v.idle, v.last-v.idle
	f.Energy = Joules(e + rise*loss + fall*loss/2)
	edge := func(step, u, gap float64) Joules {
		return Joules(math.Hypot(step*math.Hypot(u, uniform(gap)), v.jump*v.refresh/2))
	}
	f.Components[openingEdge] = edge(rise, 0.09*v.refresh, openGap)
	f.Components[closingEdge] = edge(fall, math.Hypot(0.09*v.refresh, loss/2), closeGap)
	f.Components[dutyCycle] = Joules(v.dutyNoise())
	f.Components[sampling] = Joules(v.sampled(v.refresh))
	f.Components[gaps] = Joules(gap2)
	f.Components[resolution] = v.floor()
	return f.sum(), true
}

// sampled is what readings miss of a load that varies: what they skip, where
// between two of them it changed, and, of one that drifts, how old what they show
// is, where they keep step with the ticks.
func (v *view) sampled(refresh float64) float64 {
	T := v.to - v.from
	skipped := jumpNoise * math.Sqrt(max(0, v.step-refresh)*T)
	random := v.jump * math.Hypot(skipped, uniform(v.step)*math.Sqrt(T/max(refresh, v.step)))
	return math.Hypot(random, uniform((v.last-v.first)*min(refresh, v.step)))
}

// uncounted is the integral on a GPU without a counter: nobody polled at the edges,
// and of the refresh only the longest is known that the readings allow. The span is
// read two of these later, when the sensor shows nothing of the time before it, and
// the power before its end is held.
func (v *view) uncounted() (*Figure, bool) {
	T := v.to - v.from
	shift := min(2*v.shows, T/2)
	lag := min((1+v.duty)/4*v.shows, shift) // between nothing and twice that
	e, gap, _, _, ok := v.trapezoids(v.from+shift, v.to)
	if !ok {
		return nil, false
	}
	first := v.last
	for _, r := range v.readings {
		if r.powered && r.at >= v.from+shift {
			first = r.power
			break
		}
	}
	early := shift - lag // of this the power is not in the integral
	f := &Figure{Components: map[string]Joules{}}
	f.Energy = Joules(e + first*early + v.last*lag)
	f.Components[openingEdge] = Joules(v.jump * early * math.Sqrt(max(1, early/max(v.shows, v.step))))
	f.Components[closingEdge] = Joules(v.jump * lag)
	f.Components[sensorLook] = Joules((v.last - first) * lag / math.Sqrt2)
	f.Components[dutyCycle] = Joules(0)
	if v.duty < 1 {
		f.Components[dutyCycle] = Joules(jumpNoise * v.jump * math.Sqrt(v.shows*T))
	}
	f.Components[loadEnd] = Joules(v.wakes())
	f.Components[sampling] = Joules(v.sampled(v.shows / 2))
	f.Components[gaps] = Joules(gap)
	f.Components[resolution] = v.floor()
	return f.sum(), true
}

// slowestShown is the longest refresh that is known of a card (RMRusdPollingInterval
// of consumer cards).
const slowestShown = 0.5

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
	slices.Sort(between)
	least := between[len(between)/10]
	if least < 1.5*v.step {
		return max(least, v.step)
	}
	return min(slowestShown, least+v.step/2)
}

// trapezoids is the power between two instants over its readings, held where they
// end; gap is what is not known in the gaps that are longer than usual, and open and
// end are the times between the readings next to either instant.
func (v *view) trapezoids(from, to float64) (e, gap, openGap, closeGap float64, ok bool) {
	var gap2 float64
	var prev *reading
	usual := max(v.refresh, v.step)
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
					u := uniform((math.Abs(r.power-prev.power) + v.jump) * g)
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
