package measure

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Sensor is what is known of a GPU's power sensor. The zero value knows nothing.
type Sensor struct {
	Refresh time.Duration // from tick to tick of the energy counter, measured; 0: there is none
	Jitter  time.Duration // standard deviation of the ticks about their grid, measured
	// Duty is the share of each refresh in which the sensor looks: 1/4 on GA100
	// and GH100 (arXiv 2312.02741), else 1. 0 is taken for 1.
	Duty float64
	// MeanUsage says that nvmlDeviceGetPowerUsage is a running mean of one second,
	// as on GPUs since Ampere but GA100.
	MeanUsage bool
}

// quarterDuty are the compute capabilities whose power sensor looks a quarter of
// the time: A100 and H100, 25 ms of each 100 (arXiv 2312.02741). Others are taken
// to look all the time.
var quarterDuty = map[string]bool{"8.0": true, "9.0": true}

// SensorOf is the sensor of a GPU by its compute capability ("8.0"; "" is one
// that is not known) and the refresh of its counter, 0 where it has none.
func SensorOf(refresh time.Duration, computeCapability string) Sensor {
	s := Sensor{Refresh: refresh, Duty: 1}
	if quarterDuty[computeCapability] {
		s.Duty = 0.25
	}
	// nvml.h: a mean of one second on Ampere, except GA100, and newer.
	major, _, _ := strings.Cut(computeCapability, ".")
	n, err := strconv.Atoi(major)
	s.MeanUsage = err == nil && n >= 8 && computeCapability != "8.0"
	return s
}

// averages says whether the power in x is a running mean of a second.
func (s Sensor) averages(x *Sample) bool {
	_, ok := x.Power()
	return ok && s.MeanUsage && x.Has&HasPowerInstant == 0
}

// WindowEnergy is EnergyBetween for a span whose edges were settled (see
// [Recorder.Settle]), idle before it, with uncertainties where the readings
// carry them. sensors are by device.
func WindowEnergy(samples []Sample, sensors []Sensor, from, to time.Duration) []DeviceEnergy {
	out := EnergyBetween(samples, len(sensors), from, to)
	for g := range out {
		if v, ok := see(samples, int32(g), from, to, sensors[g]); ok {
			out[g].refine(v)
		} else {
			out[g].coarse(sensors[g], to-from)
		}
	}
	return out
}

// coarse is what is known of a counter over a few ticks, which is too short for
// more: either edge lies anywhere in a tick, at the highest power that was seen,
// and a sensor that looks now and then may have missed any step.
func (e *DeviceEnergy) coarse(s Sensor, span time.Duration) {
	const few = 10
	if e.Counter == nil || s.Refresh <= 0 || span > few*s.Refresh {
		return
	}
	power := float64(*e.Counter) / max(span, s.Refresh).Seconds()
	if e.Peak != nil {
		power = max(power, float64(*e.Peak))
	}
	v := look(s, 0, span)
	edge := Joules(uniform(power * v.refresh))
	f := (&Figure{Components: map[string]Joules{openingEdge: edge, closingEdge: edge, dutyCycle: Joules(v.unseen(power))}}).sum()
	e.U, e.Components = &f.U, f.Components
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
	e.Method, e.Energy = method, &best.Energy
	if !v.blind() {
		e.U, e.Components = &best.U, best.Components
	}
	mean := Watts(float64(best.Energy) / (v.to - v.from))
	e.Mean = &mean
}

// reading is one sample of one GPU, in seconds and watts.
type reading struct {
	at      float64
	took    float64
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
	shows    float64 // the refresh, or the longest that it may be where it is not measured
	jitter   float64
	duty     float64
	took     float64 // the longest that a reading at an edge took

	idle, idleSpread float64 // before the span
	first, last      float64 // power at the start and at the end of the span
	jump             float64 // RMS of successive readings' differences in the span
	step             float64 // usual time from reading to reading in the span
	wake             float64 // how late this process got to run, as a limit
	averaged         bool    // powers are running means of a second
}

// look is a view by a sensor before anything is read.
func look(s Sensor, from, to time.Duration) *view {
	v := &view{from: from.Seconds(), to: to.Seconds(), refresh: s.Refresh.Seconds(), jitter: s.Jitter.Seconds(), duty: s.Duty}
	if v.duty == 0 {
		v.duty = 1
	}
	return v
}

// see collects the readings of one GPU. ok is false when too few bear on the
// span.
func see(samples []Sample, gpu int32, from, to time.Duration, s Sensor) (*view, bool) {
	v := look(s, from, to)
	for i := range samples {
		x := &samples[i]
		// What was read after the window's own edges does not matter: the same
		// figure comes out whenever it is computed.
		if x.GPU != gpu || x.Phase > WindowPhase {
			continue
		}
		p, ok := x.Power()
		v.averaged = v.averaged || s.averages(x)
		v.readings = append(v.readings, reading{
			at: x.At.Seconds(), took: x.Took.Seconds(), mj: float64(x.EnergyMJ), power: float64(p), counted: x.Has&HasEnergy != 0, powered: ok,
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
		if near := 0.01 + v.refresh/10; math.Abs(r.at-v.from) < near || math.Abs(r.at-v.to) < near {
			v.took = max(v.took, r.took)
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
	v.idle, v.idleSpread = meanSpread(idle)
	v.first, v.last = inside[0].power, inside[len(inside)-1].power
	if v.averaged { // it still shows the time before the span
		v.first = v.last
	}
	v.step = (inside[len(inside)-1].at - inside[0].at) / float64(len(inside)-1)
	v.wake = v.lateness(inside)
	v.shows = v.refresh
	if v.refresh == 0 {
		v.shows = v.showing()
	}
	v.jump = jump(inside, 0.95*max(v.shows, v.step))
	return true
}

// jump is the RMS of what successive readings differ by that are so far apart:
// those that are closer than a refresh repeat each other.
func jump(rs []reading, far float64) float64 {
	var sum float64
	n, prev := 0, rs[0]
	for _, r := range rs[1:] {
		if r.at-prev.at < far {
			continue
		}
		d := r.power - prev.power
		sum, n, prev = sum+d*d, n+1, r
	}
	return math.Sqrt(sum / float64(max(n, 1)))
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
			return max(late, r.at-v.to)
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

// uniform is the standard uncertainty of what may be anywhere in a width.
func uniform(width float64) float64 { return math.Abs(width) / math.Sqrt(12) }

// jumpNoise relates what a sensor that looks a quarter of the time misses in a
// refresh to how its readings jump: 0.45 for steps, 0.61 for noise.
const jumpNoise = 0.61

// dutyNoise is what a sensor that looks only now and then misses of a load that
// varies.
func (v *view) dutyNoise() float64 {
	if v.duty >= 1 {
		return 0
	}
	return jumpNoise * v.jump * math.Sqrt(v.refresh*(v.to-v.from))
}

// drift is what a look at the end of each refresh sees too much of a load that
// rises: it takes each for as high as it is so much later than the middle.
func (v *view) drift() float64 { return (v.last - v.first) * v.late() }

// late is how long after the middle of a refresh its look has its own.
func (v *view) late() float64 { return (1 - v.duty) * v.refresh / 2 }

// floor is what stamps and digits leave unknown in any case: either edge lies
// anywhere in its reading, and readings are whole mJ and mW.
func (v *view) floor() Joules {
	const milli = 1e-3
	return Joules(math.Hypot(math.Hypot(uniform(v.first*v.took), uniform(v.last*v.took)), uniform(milli*math.Hypot(1, v.to-v.from))))
}

// blind says that nothing shows how the load varies: the sensor looks only now and
// then, and its readings are means of a second.
func (v *view) blind() bool { return v.averaged && v.duty < 1 }

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
