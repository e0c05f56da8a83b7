package measure

import "math"

// power is what one GPU drew around a span, in watts.
type power struct {
	idle     float64 // before the span
	spread   float64 // by how much power differed from it there
	least    float64 // the lowest that was seen, in or around the span
	lowest   float64 // to which it falls after the load
	first    float64 // at the start of the span
	last     float64 // at the end of the span
	early    float64 // by how much it was higher at first
	end      float64 // right after the span, as far as a tick shows it
	jump     float64 // RMS of successive levels' differences in the span
	unsteady float64 // by how much it may have changed within the last tick
}

// leastRise is the share of power that a load raises it by at least, if its start is to show.
const leastRise = 0.1

// rise is by how much power rises when the load begins.
func (p power) rise() float64 { return p.first - p.idle }

// fall is by how much power falls when the load ends.
func (p power) fall() float64 { return max(0, p.last-p.lowest) }

// heights finds the powers at both ends of the span, after what the first level shows of
// the time before, and how they vary. Levels that begin before shown still have that;
// there are three levels at least.
func (p *power) heights(all []level, shown float64) {
	list := all
	for len(list) > 3 && list[0].from < shown {
		list = list[1:]
	}
	p.first = (list[0].watts + list[1].watts) / 2
	for _, l := range all {
		if l.to < list[1].to {
			p.early = max(p.early, l.watts-p.first)
		}
	}
	n := len(list)
	p.last, p.jump = list[n-1].watts, jump(list)
	p.unsteady = max(closingJump*p.jump, math.Abs(list[n-1].watts-list[n-2].watts))
}

// closingJump is how much more than from level to level the power may have
// changed at the end, within a tick: a level is the mean of one. Simulated.
const closingJump = 1.5

// unrest is for a GPU whose power was still falling before the span: right before it, it
// drew something between that and the lowest power that was seen.
func (p *power) unrest() {
	p.lowest = p.idle
	if p.spread > leastRise*math.Abs(p.first-p.least) && p.idle > p.least {
		p.lowest = p.least
		p.idle, p.spread = (p.idle+p.least)/2, (p.idle-p.least)/2
	}
}

// restless says that power was still falling before the span.
func (p power) restless() bool {
	return p.spread > leastRise*math.Abs(p.first-p.least) && p.spread > leastRise*p.first/2
}

// prefills is by how much more a prefill may raise power than the decode that follows it
// does. Assumed: decode raises power by at least 45 % of what the prefill does.
const prefills = 1.25

// burst is by how much power may have been higher before the sensor first looked than it
// was then, such as in a prefill. The power limit bounds it, with overLimit; 0: not known.
func (p power) burst(limit float64) float64 {
	most := prefills * max(0, p.rise())
	if limit > 0 {
		most = min(most, max(0, overLimit*limit-p.first))
	}
	return most
}

// endsBefore is what a load makes, in joules, that ended before its last byte was stamped:
// up to wake seconds, as late as readings are taken.
func (p power) endsBefore(wake float64) float64 { return half(p.fall() * wake) }

// resolution is what stamps and digits leave unknown in any case, in joules: either edge
// lies anywhere in its reading, which took so many seconds, and readings are whole mJ and
// mW, or whole steps of the counter.
func (p power) resolution(took, quantum, seconds float64) Joules {
	const milli = 1e-3
	digits := math.Hypot(uniform(milli*math.Hypot(1, seconds)), math.Sqrt2*uniform(quantum))
	return Joules(math.Hypot(math.Hypot(uniform(p.first*took), uniform(p.last*took)), digits))
}
