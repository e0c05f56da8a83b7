package measure

import (
	"math"
	"slices"

	"github.com/llenergymeasure/llem/internal/device"
)

// reading is one sample of one GPU.
type reading struct {
	at      float64 // seconds since the recorder's epoch: the middle of the call
	took    float64 // seconds
	mj      float64 // the counter, in mJ
	power   float64 // watts
	counted bool    // mj was read
	powered bool    // power was read
}

// readingsOf are the readings of one GPU. averaged says that powers are running means of
// a second, or may be.
func readingsOf(samples []device.Sample, gpu int32, s device.Sensor) (rs []reading, averaged bool) {
	for i := range samples {
		x := &samples[i]
		// What was read after the window's own edges does not matter: the same
		// figure comes out whenever it is computed.
		if x.GPU != gpu || Phase(x.Phase) > WindowPhase {
			continue
		}
		p, ok := x.Power()
		averaged = averaged || s.Averages(x)
		rs = append(rs, reading{
			at: x.At.Seconds(), took: x.Took.Seconds(), mj: float64(x.EnergyMJ), power: float64(p), counted: x.Has&device.HasEnergy != 0, powered: ok,
		})
	}
	return rs, averaged
}

// meanSpread is the mean and the standard deviation of powers, in watts.
func meanSpread(rs []reading) (mean, spread float64) {
	for _, r := range rs {
		mean += r.power
	}
	mean /= float64(len(rs))
	for _, r := range rs {
		spread += (r.power - mean) * (r.power - mean)
	}
	return mean, math.Sqrt(spread / float64(len(rs)-1))
}

// around are the readings of power before and in a span.
type around struct {
	idle   []reading // right before it
	inside []reading // in it, a refresh after its start
	least  float64   // watts: the lowest power of all readings
	took   float64   // seconds: the longest that a reading at an edge took
}

// before is how many seconds before a span its idle power is taken from at most, and
// restBefore how many at least.
const before, restBefore = 2.0, 0.3

// surround sorts readings by where they are from a span.
func surround(rs []reading, span stretch, refresh float64) around {
	a := around{least: math.Inf(1)}
	for _, r := range rs {
		if near := 0.01 + refresh/10; math.Abs(r.at-span.from) < near || math.Abs(r.at-span.to) < near {
			a.took = max(a.took, r.took)
		}
		if r.powered && r.power > 0 {
			a.least = min(a.least, r.power)
		}
		switch {
		case !r.powered:
		case r.at <= span.from && r.at > span.from-before:
			a.idle = append(a.idle, r)
		case r.at > span.from+refresh && r.at <= span.to:
			a.inside = append(a.inside, r)
		}
	}
	return a
}

// rest finds the power right before the span by the readings since an instant, two at
// least, and how far each of them is from that: a GPU that was busy then is not idle now.
func (a around) rest(since float64) power {
	near := a.idle[len(a.idle)-1:]
	for i := len(a.idle) - 1; i >= 0 && a.idle[i].at > since; i-- {
		near = a.idle[i:]
	}
	if len(near) < 2 {
		near = a.idle[len(a.idle)-2:]
	}
	p := power{least: a.least}
	p.idle, p.spread = meanSpread(near)
	for _, r := range near {
		p.spread = max(p.spread, math.Abs(r.power-p.idle))
	}
	return p
}

// pace is how often one GPU was read, and how often what it shows moves.
type pace struct {
	took     float64 // seconds: the longest that a reading at an edge took
	step     float64 // seconds: the usual time from reading to reading in the span
	wake     float64 // seconds: how late this process got to run, as a limit
	shows    float64 // seconds: the refresh of power, or the longest that it may be where it is not measured
	moves    bool    // power was seen to change often enough to tell how often it is shown
	stuck    bool    // power is the same in and before the span
	averaged bool    // powers are running means of a second, or may be
}

// usual is the time between readings that show different looks of the sensor, in seconds.
func (p pace) usual() float64 { return max(p.shows, p.step) }

// pace finds how often the GPU was read in the span. rs are all of its readings.
func (a around) pace(rs []reading, span stretch, refresh float64) pace {
	n := len(a.inside)
	p := pace{took: a.took, step: (a.inside[n-1].at - a.inside[0].at) / float64(n-1)}
	p.wake = a.lateness(rs, span.to)
	p.shows, p.moves = showing(rs, span.to, p.step)
	if refresh > 0 && (p.shows < refresh || p.shows == slowestShown) {
		p.shows = refresh
	}
	p.stuck = same(a.idle) && same(a.inside) && a.idle[0].power == a.inside[0].power
	return p
}

// lateness is how late this process gets to run, in seconds: what 95 % of the gaps
// between readings in the span are longer by than usual at the most, or, where that is
// more, how long after the end of the span the first poll came.
func (a around) lateness(rs []reading, end float64) float64 {
	var between []float64
	for i := range a.inside[1:] {
		between = append(between, a.inside[i+1].at-a.inside[i].at)
	}
	slices.Sort(between)
	n := len(between)
	late := between[n*95/100] - between[n/2]
	for _, r := range rs {
		if r.at >= end {
			return max(late, r.at-r.took/2-end)
		}
	}
	return late
}

// slowestShown is the longest refresh, in seconds, that a driver is known to have by
// default (RMRusdPollingInterval of consumer cards), and slowestSet the longest that it can
// be set to.
const slowestShown, slowestSet = 0.5, 1.0

// showing is the longest refresh of power, in seconds, that its changes up to the end of
// the span allow, read every step seconds. moves says that there are enough of them.
func showing(rs []reading, end, step float64) (refresh float64, moves bool) {
	var between []float64
	var prev *reading
	changed := math.Inf(-1)
	for i := range rs {
		r := &rs[i]
		if !r.powered || r.at > end {
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
		return slowestShown, false
	}
	slices.Sort(between)
	least := between[len(between)/10]
	if least < 1.5*step {
		return max(least, step), true
	}
	return min(slowestSet, least+step/2), true
}

func same(rs []reading) bool {
	for _, r := range rs {
		if r.power != rs[0].power {
			return false
		}
	}
	return true
}
