package measure

import (
	"cmp"
	"math"
	"time"

	"github.com/llenergymeasure/llem/internal/device"
)

// Window is a span whose edges were settled (see [Recorder.Settle]), since the
// recorder's epoch.
type Window struct {
	From, To time.Duration
	// Begun is how long after From the load had begun at the latest, such as when the
	// first token came; 0: not known.
	Begun time.Duration
}

// WindowEnergy is the energy of a window whose load began at any time in it.
func WindowEnergy(samples []device.Sample, sensors []device.Sensor, from, to time.Duration) []DeviceEnergy {
	return Window{From: from, To: to}.Energy(samples, sensors)
}

// Energy is EnergyBetween for a window, with uncertainties where the readings
// carry them. sensors are by device.
func (w Window) Energy(samples []device.Sample, sensors []device.Sensor) []DeviceEnergy {
	out := EnergyBetween(samples, len(sensors), w.From, w.To)
	views := make([]*view, len(sensors))
	for g := range out {
		if v, ok := see(samples, int32(g), w.From, w.To, sensors[g]); ok {
			v.begin(w.Begun)
			views[g] = v
		}
	}
	shareDelays(views)
	for g := range out {
		switch v := views[g]; {
		case v != nil:
			out[g].refine(v)
			if opened := v.counter.opened; opened.within < v.sensor.refresh/4 {
				out[g].every, out[g].phase = v.sensor.refresh, opened.at
			}
			out[g].Restless = v.power.restless()
			if why := v.implausible(&out[g]); why != "" {
				out[g].Refused, out[g].Implausible, out[g].U, out[g].Components = why, true, nil, nil
			}
		default:
			out[g].Refused = cmp.Or(out[g].Refused, noReadings)
		}
	}
	return out
}

// Why a figure carries no uncertainty. They are reasons for which it must not be ranked.
const (
	noReadings   = "too few readings of power bear on it"
	fewRefreshes = "the window is shorter than 20 refreshes of the sensor"
	stuckPower   = "the power that the driver shows does not move"
	notAtRest    = "the GPU was not at rest before the window, and it has no energy counter"
	unseen       = "the sensor looks only now and then, and nothing shows how the load varies"
	onlyMean     = "the driver shows power as a mean of one second, and no energy counter"
	noMethod     = "its readings do not reach from the start of the window to its end"
)

// refine puts the figures that carry an uncertainty in the place of the plain
// ones. A counter that could not be read, or went backwards, stays void.
func (e *DeviceEnergy) refine(v *view) {
	integral, haveIntegral := v.integrated()
	if haveIntegral && e.Integral != nil {
		e.Integral, e.UIntegral = &integral.Energy, &integral.U
	}
	best, method, ok := integral, MethodIntegral, haveIntegral && e.Integral != nil
	if e.Counter != nil {
		if best, method, ok = v.counted(); ok {
			e.Counter = &best.Energy
		}
	}
	p, pace := v.power, v.pace
	switch {
	case pace.stuck && e.Counter == nil:
		e.Refused = stuckPower
	case !ok && pace.averaged:
		e.Refused = onlyMean
	case !ok:
		e.Refused = noMethod
	case pace.averaged && v.sensor.duty < 1 && !v.profile.byTicks:
		e.Refused = unseen
	case e.Counter == nil && ok && (p.spread > leastRise*max(math.Abs(p.rise()), p.first/2) || !pace.moves && p.rise() < leastRise*p.first):
		e.Refused = notAtRest
	case v.short(method):
		e.Refused = fewRefreshes
	}
	if !ok {
		return
	}
	switch {
	case e.Counter != nil && pace.stuck && math.Abs(p.last-p.least) > leastRise*p.last:
		e.Integral, e.UIntegral = nil, nil // the counter moves, and power does not: it checks nothing
	case e.Counter != nil && e.UIntegral != nil:
		v.compare(best, integral)
	}
	e.Method, e.Energy = method, &best.Energy
	if e.Refused == "" {
		e.U, e.Components = &best.U, best.Components
	}
	mean := device.Watts(float64(best.Energy) / v.span.seconds())
	e.Mean = &mean
}

// short says that the span has fewer refreshes of what a method reads than a test holds
// the estimator to the truth for.
func (v *view) short(method string) bool {
	every := v.sensor.refresh
	if method == MethodIntegral {
		every = v.pace.shows
	}
	return v.span.seconds() < nearly*fewestRefreshes*every
}

// compare grows the counter's figure f by what the power that was read says otherwise
// of the second half of the window, where neither edge matters, if that is more than
// three times what both allow.
func (v *view) compare(f, integral *Figure) {
	var off, sum, n float64
	var single []level
	for _, l := range v.profile.list {
		if l.from >= (v.span.from+v.span.to)/2 && l.power > 0 && l.to-l.from < 1.5*v.sensor.refresh {
			off, sum, n = off+l.watts-l.power, sum+l.watts, n+1
			single = append(single, l)
		}
	}
	if !v.profile.byTicks || n < 5 {
		f.Compare(integral)
		return
	}
	off, sum = off/n, sum/n
	squares := 0.0
	for _, l := range single {
		d := l.watts*(1-off/sum) - l.power
		squares += d * d
	}
	scatter := math.Sqrt(squares / n / (n - 1))
	drift := math.Abs(v.power.last-v.power.first) / v.span.seconds() * (v.pace.shows + v.sensor.refresh)
	if math.Abs(off) > disagreementLimit*scatter+drift+2e-3*sum {
		f.Components[disagreement] = Joules(math.Abs(off) / sum * float64(f.Energy) / math.Sqrt(3))
		f.sum()
	}
}
