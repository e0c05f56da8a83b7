package measure

import "math"

// integrated is the power over time. A reading shows what the sensor saw on the
// average half a refresh and half its look ago, so the span is read that much
// later. A running mean of a second loses (P − P_idle) × 0.5 s at a step, and
// gives no figure here.
func (v *view) integrated() (*Figure, bool) {
	if v.averaged {
		return nil, false
	}
	delay := v.refresh/2 + v.duty*v.refresh/2
	from, to := v.from+delay, v.to+delay
	f := &Figure{Components: map[string]Joules{}}
	var e, gap2 float64
	var prev *reading
	usual := max(v.refresh, v.step)
	var openGap, closeGap float64
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
		return nil, false
	}
	if prev.at < to {
		e += prev.power * (to - max(prev.at, from))
		closeGap = max(closeGap, to-prev.at)
	}
	f.Energy = Joules(e)
	edge := func(gap float64) Joules {
		return Joules(math.Abs(v.last-v.idle) * math.Hypot(uniform(v.refresh), uniform(gap)))
	}
	f.Components[openingEdge], f.Components[closingEdge] = edge(openGap), edge(closeGap)
	f.Components[dutyCycle] = Joules(v.dutyNoise())
	f.Components[sampling] = Joules(jumpNoise * v.jump * math.Sqrt(max(0, v.step-v.refresh)*(v.to-v.from)))
	f.Components[gaps] = Joules(math.Sqrt(gap2))
	return f.sum(), true
}
