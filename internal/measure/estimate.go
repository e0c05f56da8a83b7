package measure

import (
	"math"
	"time"
)

// Sensor is what is known of a GPU's power sensor. The zero value knows nothing.
type Sensor struct {
	Refresh time.Duration // from tick to tick of the energy counter, measured; 0: there is none
	// Duty is the share of each refresh in which the sensor looks: 1/4 on GA100
	// and GH100 (arXiv 2312.02741), else 1. 0 is taken for 1.
	Duty float64
	// MeanUsage says that nvmlDeviceGetPowerUsage is a running mean of one second,
	// as on GPUs since Ampere but GA100.
	MeanUsage bool
}

// Figure is an energy with its standard uncertainty (k = 1), by component.
type Figure struct {
	Energy     Joules
	U          Joules
	Components map[string]Joules
}

// Names of components, protocol section 4.
const (
	openingEdge  = "opening_edge"
	closingEdge  = "closing_edge"
	dutyCycle    = "sensor_duty_cycle"
	sampling     = "sampling"
	gaps         = "gaps"
	disagreement = "sensor_disagreement"
	callDelay    = "call_delay"
)

// WindowEnergy is EnergyBetween for a span whose edges were settled (see
// [Recorder.Settle]), idle before it, with uncertainties where the readings
// carry them. sensors are by device.
func WindowEnergy(samples []Sample, sensors []Sensor, from, to time.Duration) []DeviceEnergy {
	out := EnergyBetween(samples, len(sensors), from, to)
	for g := range out {
		if v, ok := see(samples, int32(g), from, to, sensors[g]); ok {
			out[g].refine(v)
		}
	}
	return out
}

// refine puts the figures that carry an uncertainty in the place of the plain
// ones. A counter that could not be read, or went backwards, stays void.
func (e *DeviceEnergy) refine(v *view) {
	integral, haveIntegral := v.integrated()
	if haveIntegral && e.Integral != nil {
		e.Integral, e.UIntegral = &integral.Energy, &integral.U
	}
	best, method, ok := integral, MethodIntegral, haveIntegral && e.Integral != nil
	if e.Counter != nil {
		if best, ok = v.aligned(); ok {
			method = MethodAligned
		} else if best, ok = v.counted(); ok {
			method = MethodCounter
		}
	}
	if !ok {
		return
	}
	if e.Counter != nil {
		e.Counter = &best.Energy
		if e.UIntegral != nil {
			best.Compare(integral)
		}
	}
	e.Method, e.Energy, e.U, e.Components = method, &best.Energy, &best.U, best.Components
	mean := Watts(float64(best.Energy) / (v.to - v.from))
	e.Mean = &mean
}

// Compare grows f by what another instrument says otherwise, where that is more
// than three times what both allow; ok says that it is not.
func (f *Figure) Compare(other *Figure) (ok bool) {
	diff := math.Abs(float64(f.Energy - other.Energy))
	if diff <= disagreementLimit*math.Hypot(float64(f.U), float64(other.U)) {
		return true
	}
	f.Components[disagreement] = Joules(diff / math.Sqrt(3))
	f.sum()
	return false
}

const disagreementLimit = 3

// GainU is the standard uncertainty that the board's sensor leaves in e by its
// gain, which is common to all runs on one card: 5 % as a limit, NVIDIA's own
// word for nvmlDeviceGetPowerUsage.
func GainU(e Joules) Joules { return Joules(0.05 / math.Sqrt(3) * math.Abs(float64(e))) }

// TotalU adds independent uncertainties of several GPUs in quadrature, all of
// them and by component; nil when any is unknown.
func TotalU(es []DeviceEnergy) (u *Joules, components map[string]Joules) {
	components = map[string]Joules{}
	var sum float64
	for _, e := range es {
		if e.U == nil {
			return nil, map[string]Joules{}
		}
		sum += float64(*e.U) * float64(*e.U)
		for name, c := range e.Components {
			components[name] = Joules(math.Hypot(float64(components[name]), float64(c)))
		}
	}
	if len(es) == 0 {
		return nil, components
	}
	total := Joules(math.Sqrt(sum))
	return &total, components
}

// sum settles a figure from its components, which are independent.
func (f *Figure) sum() *Figure {
	var s float64
	for _, u := range f.Components {
		s += float64(u) * float64(u)
	}
	f.U = Joules(math.Sqrt(s))
	return f
}

// reading is one sample of one GPU, in seconds and watts.
type reading struct {
	at      float64
	mj      float64
	power   float64
	counted bool
	powered bool
}

// span is what one GPU showed around an interval, ready for all methods.
type view struct {
	readings []reading
	from, to float64
	refresh  float64
	duty     float64

	idle, idleSpread float64 // before the span
	first, last      float64 // power at the start and at the end of the span
	jump             float64 // RMS of successive readings' differences in the span
	step             float64 // usual time from reading to reading in the span
	averaged         bool    // powers are running means of a second
}

// see collects the readings of one GPU. ok is false when too few bear on the
// span.
func see(samples []Sample, gpu int32, from, to time.Duration, s Sensor) (*view, bool) {
	v := &view{from: from.Seconds(), to: to.Seconds(), refresh: s.Refresh.Seconds(), duty: s.Duty}
	if v.duty == 0 {
		v.duty = 1
	}
	for i := range samples {
		x := &samples[i]
		// What was read after the window's own edges does not matter: the same
		// figure comes out whenever it is computed.
		if x.GPU != gpu || x.Phase > WindowPhase {
			continue
		}
		p, ok := x.Power()
		v.averaged = v.averaged || ok && s.MeanUsage && x.Has&HasPowerInstant == 0
		v.readings = append(v.readings, reading{
			at: x.At.Seconds(), mj: float64(x.EnergyMJ), power: float64(p), counted: x.Has&HasEnergy != 0, powered: ok,
		})
	}
	return v, v.judge()
}

// before is how far back the idle power is taken from.
const before = 2.0

// judge finds the powers around the span and how they vary in it.
func (v *view) judge() bool {
	var idle, inside []reading
	for _, r := range v.readings {
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
	v.idle, v.idleSpread = meanSpread(idle)
	v.first, v.last = inside[0].power, inside[len(inside)-1].power
	v.step = (inside[len(inside)-1].at - inside[0].at) / float64(len(inside)-1)
	// Readings that are closer than a refresh repeat each other.
	far := 0.95 * max(v.refresh, v.step)
	var sum float64
	n, prev := 0, inside[0]
	for _, r := range inside[1:] {
		if r.at-prev.at < far {
			continue
		}
		d := r.power - prev.power
		sum, n, prev = sum+d*d, n+1, r
	}
	if n > 0 {
		v.jump = math.Sqrt(sum / float64(n))
	}
	return true
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

// tick is a move of the counter: when, how finely that is known, and to what.
type tick struct {
	at, within float64
	mj         float64
}

// lastTick is the last move that was seen at or before t, with readings on both
// sides of it closer than half a refresh.
func (v *view) lastTick(t float64) (tick, bool) {
	for i := len(v.readings) - 1; i > 0; i-- {
		b, a := v.readings[i], v.readings[i-1]
		if b.at > t || !a.counted || !b.counted || a.mj == b.mj {
			continue
		}
		gap := b.at - a.at
		return tick{(a.at + b.at) / 2, gap, b.mj}, gap < v.refresh/2 && t-b.at < 1.5*v.refresh
	}
	return tick{}, false
}

// nextTick is the first move that was seen after t, and the value before it.
func (v *view) nextTick(t float64) (next tick, held float64, ok bool) {
	for i := 1; i < len(v.readings); i++ {
		b, a := v.readings[i], v.readings[i-1]
		if a.at < t || !a.counted || !b.counted || a.mj == b.mj {
			continue
		}
		gap := b.at - a.at
		return tick{(a.at + b.at) / 2, gap, b.mj}, a.mj, gap < v.refresh/2
	}
	return tick{}, 0, false
}

// uniform is the standard uncertainty of what may be anywhere in a width.
func uniform(width float64) float64 { return math.Abs(width) / math.Sqrt(12) }

// aligned carries the counter from its ticks to the edges: by the idle power at
// the opening, and at the closing by the power before it and by what is left of
// the tick's own energy, each as much as it is known.
func (v *view) aligned() (*Figure, bool) {
	open, ok := v.lastTick(v.from)
	if !ok || v.refresh == 0 {
		return nil, false
	}
	next, held, ok := v.nextTick(v.to)
	if !ok {
		return nil, false
	}
	begun := next.at - v.refresh // of the tick that the end falls into
	part := v.to - begun
	// Carried forward, the power before the end may have changed.
	carried := v.last * part
	uCarried := math.Hypot(v.jump*part, 0.002*carried)
	if v.averaged { // it does not tell
		uCarried = math.Hypot(uCarried, uniform((v.last-v.idle)*part))
	}
	// What is left of the tick: the power after the end lies between the idle
	// power and the last one.
	rest := v.refresh - part
	tickEnergy := (next.mj - held) / 1000
	left := tickEnergy - (v.last+v.idle)/2*rest
	uLeft := math.Hypot(uniform((v.last-v.idle)*rest), math.Hypot(v.jump*rest/2, v.unseen(v.last-v.idle)))
	closing, uClosing := weigh(carried, uCarried, left, uLeft)
	f := &Figure{Components: map[string]Joules{}}
	head := v.from - open.at
	// A sensor that looks only now and then may not have seen the idle head of
	// the first tick, and then took all of it for the load.
	blind, uBlind := 0.0, 0.0
	if v.duty < 1 {
		blind = (v.first - v.idle) * head
		uBlind = math.Hypot(uniform(blind), uniform((v.first-v.idle)*open.within))
	}
	f.Energy = Joules((held-open.mj)/1000 - v.idle*head - blind/2 + closing)
	f.Components[openingEdge] = Joules(math.Hypot(math.Hypot(v.idleSpread*head, uBlind), uniform(v.idle*open.within)))
	f.Components[closingEdge] = Joules(math.Hypot(uClosing, uniform(v.last*next.within)))
	f.Components[dutyCycle] = Joules(v.dutyNoise())
	return f.sum(), true
}

// weigh is the mean of two estimates by their variances; where they disagree by
// more than these allow, the uncertainty grows by as much.
func weigh(a, ua, b, ub float64) (mean, u float64) {
	switch {
	case ua == 0:
		return a, 0
	case ub == 0:
		return b, 0
	}
	wa, wb := 1/(ua*ua), 1/(ub*ub)
	apart := math.Abs(a-b) / math.Hypot(ua, ub)
	return (a*wa + b*wb) / (wa + wb), max(1, apart) / math.Sqrt(wa+wb)
}

// jumpNoise relates what a sensor that looks a quarter of the time misses in a
// refresh to how its readings jump: 0.45 for steps, 0.61 for noise.
const jumpNoise = 0.61

// dutyNoise is what a sensor that looks only now and then misses of a load that
// varies, and what its looking early or late in each refresh makes of one that
// drifts.
func (v *view) dutyNoise() float64 {
	if v.duty >= 1 {
		return 0
	}
	noise := jumpNoise * v.jump * math.Sqrt(v.refresh*(v.to-v.from))
	return math.Hypot(noise, uniform((v.last-v.first)*(1-v.duty)*v.refresh))
}

// unseen is what such a sensor makes of a step in a tick: where in the tick it
// was, it does not say.
func (v *view) unseen(step float64) float64 {
	if v.duty >= 1 {
		return 0
	}
	return stepMissed * math.Abs(step) * v.refresh
}

// stepMissed is the RMS over all places of a step in a refresh of what a look at
// its last quarter makes of it: √(0.1875).
const stepMissed = 0.433

// counted is the counter where its ticks are not known: half a refresh at each
// edge is taken at the power there.
func (v *view) counted() (*Figure, bool) {
	var first, last *reading
	for i := range v.readings {
		r := &v.readings[i]
		if !r.counted {
			continue
		}
		if r.at <= v.from {
			first = r
		} else if last == nil && r.at >= v.to {
			last = r
		}
	}
	if first == nil || last == nil || last.mj < first.mj || v.refresh == 0 {
		return nil, false
	}
	f := &Figure{Components: map[string]Joules{}}
	f.Energy = Joules((last.mj-first.mj)/1000 + (v.last-v.idle)*v.refresh/2)
	f.Components[openingEdge] = Joules(uniform(v.idle * v.refresh))
	f.Components[closingEdge] = Joules(math.Hypot(uniform(v.last*v.refresh), v.jump*v.refresh/2))
	f.Components[dutyCycle] = Joules(v.dutyNoise())
	return f.sum(), true
}

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
