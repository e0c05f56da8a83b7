package measure

import (
	"math"
	"slices"
	"time"

	"github.com/llenergymeasure/llem/internal/device"
)

// reading is one sample of one GPU, in seconds and watts.
type reading struct {
	at      float64
	took    float64
	mj      float64
	power   float64
	counted bool
	powered bool
}

// level is the mean power of a stretch of time.
type level struct {
	from, to, watts float64
	power           float64 // as the driver showed it at the end; 0: it did not
	sure            bool    // neither end is read close to another tick
}

// view is what one GPU showed around a span, ready for all methods.
type view struct {
	readings []reading
	from, to float64
	refresh  float64
	shows    float64 // the refresh, or the longest that it may be where it is not measured
	jitter   float64
	duty     float64
	quantum  float64 // joules: what the counter moves by; 0: as finely as it is read
	limit    float64 // of the GPU's power; 0: not known
	took     float64 // the longest that a reading at an edge took
	begun    float64 // how long after the start of the span the load had begun at the latest

	idle, idleSpread float64 // before the span, and by how much power differed from it there
	least            float64 // the lowest power that was ever seen up to the span's end
	lowest           float64 // power to which it falls after the load
	first, last      float64 // power at the start and at the end of the span
	early            float64 // by how much power was higher at first
	jump             float64 // RMS of successive levels' differences in the span
	shownJump        float64 // the same of the powers that the driver showed
	step             float64 // usual time from reading to reading in the span
	wake             float64 // how late this process got to run, as a limit
	averaged         bool    // powers are running means of a second, or may be
	moves            bool    // power was seen to change often enough to tell how often it is shown
	stuck            bool    // power is the same in and before the span

	list    []level // powers in the span
	byTicks bool    // they are from tick to tick of the counter
	opened  tick
	delay   limits  // of what is shown to what was
	end     float64 // power right after the span, as far as a tick shows it
	missing float64
	unsure  float64
	known   bool // missing is
}

// look is a view by a sensor before anything is read.
func look(s device.Sensor, from, to time.Duration) *view {
	v := &view{from: from.Seconds(), to: to.Seconds(), refresh: s.Refresh.Seconds(), jitter: s.Jitter.Seconds(), duty: s.Duty, limit: s.LimitW, begun: math.Inf(1)}
	if v.duty == 0 {
		v.duty = device.LeastDuty
	}
	return v
}

// see collects the readings of one GPU. ok is false when too few bear on the
// span.
func see(samples []device.Sample, gpu int32, from, to time.Duration, s device.Sensor) (*view, bool) {
	v := look(s, from, to)
	for i := range samples {
		x := &samples[i]
		// What was read after the window's own edges does not matter: the same
		// figure comes out whenever it is computed.
		if x.GPU != gpu || Phase(x.Phase) > WindowPhase {
			continue
		}
		p, ok := x.Power()
		v.averaged = v.averaged || s.Averages(x)
		v.readings = append(v.readings, reading{
			at: x.At.Seconds(), took: x.Took.Seconds(), mj: float64(x.EnergyMJ), power: float64(p), counted: x.Has&device.HasEnergy != 0, powered: ok,
		})
	}
	return v, v.judge()
}

// before is how far back the idle power is taken from.
const before = 2.0

// judge finds the powers around the span and how they vary in it.
func (v *view) judge() bool {
	var idle, inside []reading
	v.least = math.Inf(1)
	for _, r := range v.readings {
		if near := 0.01 + v.refresh/10; math.Abs(r.at-v.from) < near || math.Abs(r.at-v.to) < near {
			v.took = max(v.took, r.took)
		}
		if r.powered && r.power > 0 {
			v.least = min(v.least, r.power)
		}
		switch {
		case !r.powered:
		case r.at <= v.from && r.at > v.from-before:
			idle = append(idle, r)
		case r.at > v.from+v.refresh && r.at <= v.to:
			inside = append(inside, r)
		}
	}
	if len(idle) < 2 || len(inside) < 3 {
		return false
	}
	v.step = (inside[len(inside)-1].at - inside[0].at) / float64(len(inside)-1)
	v.wake = v.lateness(inside)
	if v.shows = v.showing(); v.refresh > 0 && (v.shows < v.refresh || v.shows == slowestShown) {
		v.shows = v.refresh
	}
	v.rest(idle)
	v.stuck = same(idle) && same(inside) && idle[0].power == inside[0].power
	v.opened = v.tickBefore(v.from)
	v.restByTicks()
	if v.list, v.byTicks = v.ticked(); !v.byTicks {
		v.list = v.powers()
	}
	if len(v.list) < 3 {
		return false
	}
	v.heights(v.list)
	v.unrest()
	v.owned()
	v.aftermath()
	return true
}

// aftermath finds the power right after the span, and how low it fell, as far as the
// ticks after the end show them.
func (v *view) aftermath() {
	v.end = v.last
	e, ok := v.ending()
	if !ok || v.duty < 1 || v.coarse() || e.rest <= 0 {
		return
	}
	for _, tick := range e.after[:e.afters] {
		v.lowest = min(v.lowest, tick/v.refresh)
	}
	z, _ := v.split(e)
	v.end = (e.energy - z) / e.rest
}

// restBefore is how long before a span its idle power is taken from at least.
const restBefore = 0.3

// rest finds the power right before the span, and how far power in the last refreshes
// before it is from that: a GPU that was busy then is not idle now.
func (v *view) rest(idle []reading) {
	since := v.from - max(restBefore, 3*v.shows)
	near := idle[len(idle)-1:]
	for i := len(idle) - 1; i >= 0 && idle[i].at > since; i-- {
		near = idle[i:]
	}
	if len(near) < 2 {
		near = idle[len(idle)-2:]
	}
	v.idle, v.idleSpread = meanSpread(near)
	for _, r := range near {
		v.idleSpread = max(v.idleSpread, math.Abs(r.power-v.idle))
	}
}

// unrest is for a GPU whose power was still falling before the span: right before it, it
// drew something between that and the lowest power that was seen.
func (v *view) unrest() {
	v.lowest = v.idle
	if v.idleSpread > leastRise*math.Abs(v.first-v.least) && v.idle > v.least {
		v.lowest = v.least
		v.idle, v.idleSpread = (v.idle+v.least)/2, (v.idle-v.least)/2
	}
}

// restByTicks takes the power before the span from the last ticks of the counter, where
// these tell: what is read as power may be older.
func (v *view) restByTicks() {
	if v.refresh == 0 || v.opened.mj == 0 || v.opened.within > v.refresh/2 || v.jitter > fine*v.refresh {
		return
	}
	var held [3]float64 // the counter after each of the last ticks, the latest first
	held[0] = v.opened.mj
	for i := 1; i < len(held); i++ {
		t := v.opened.at - (float64(i)-0.5)*v.refresh
		for _, r := range v.readings {
			if k := (v.opened.at - r.at) / v.refresh; r.counted && r.at < v.opened.at && math.Abs(r.at-t) < 0.45*v.refresh && k > 0 {
				held[i] = r.mj
			}
		}
	}
	if held[1] == 0 || held[1] >= held[0] {
		return
	}
	idle := (held[0] - held[1]) / 1000 / v.refresh
	spread := math.Abs(v.idle - idle)
	if held[2] > 0 && held[2] < held[1] {
		spread = math.Abs((held[1]-held[2])/1000/v.refresh - idle)
	}
	v.idle, v.idleSpread = idle, spread
	v.least = min(v.least, idle)
}

func same(rs []reading) bool {
	for _, r := range rs {
		if r.power != rs[0].power {
			return false
		}
	}
	return true
}

// lateness is how late this process gets to run: what 95 % of the gaps between
// readings in the span are longer by than usual at the most, or, where that is
// more, how long after the end of the span the first poll came.
func (v *view) lateness(inside []reading) float64 {
	var between []float64
	for i := range inside[1:] {
		between = append(between, inside[i+1].at-inside[i].at)
	}
	slices.Sort(between)
	n := len(between)
	late := between[n*95/100] - between[n/2]
	for _, r := range v.readings {
		if r.at >= v.to {
			return max(late, r.at-r.took/2-v.to)
		}
	}
	return late
}

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
