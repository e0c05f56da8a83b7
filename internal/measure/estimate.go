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
			if v.opened.within < v.refresh/4 {
				out[g].every, out[g].phase = v.refresh, v.opened.at
			}
			out[g].Restless = v.restless()
			if why := v.implausible(&out[g], sensors[g].LimitW); why != "" {
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
	switch {
	case v.stuck && e.Counter == nil:
		e.Refused = stuckPower
	case !ok && v.averaged:
		e.Refused = onlyMean
	case !ok:
		e.Refused = noMethod
	case v.averaged && v.duty < 1 && !v.byTicks:
		e.Refused = unseen
	case e.Counter == nil && ok && (v.idleSpread > leastRise*max(math.Abs(v.first-v.idle), v.first/2) || !v.moves && v.first-v.idle < leastRise*v.first):
		e.Refused = notAtRest
	case v.to-v.from < nearly*fewestRefreshes*v.every(method):
		e.Refused = fewRefreshes
	}
	if !ok {
		return
	}
	switch {
	case e.Counter != nil && v.stuck && math.Abs(v.last-v.least) > leastRise*v.last:
		e.Integral, e.UIntegral = nil, nil // the counter moves, and power does not: it checks nothing
	case e.Counter != nil && e.UIntegral != nil:
		v.compare(best, integral)
	}
	e.Method, e.Energy = method, &best.Energy
	if e.Refused == "" {
		e.U, e.Components = &best.U, best.Components
	}
	mean := device.Watts(float64(best.Energy) / (v.to - v.from))
	e.Mean = &mean
}

// every is how often what a method reads is refreshed.
func (v *view) every(method string) float64 {
	if method == MethodIntegral {
		return v.shows
	}
	return v.refresh
}

// uniform is the standard uncertainty of what may be anywhere in a width.
func uniform(width float64) float64 { return math.Abs(width) / math.Sqrt(12) }

// half is that of what may be anywhere so far to either side.
func half(width float64) float64 { return math.Abs(width) / math.Sqrt(3) }

// ends is that of what may be anywhere so far to either side, and is likelier at an end
// than in the middle (by an arcsine). A sensor that looks at one end of each refresh does
// so in every window, and all that depends on it errs the same way.
func ends(width float64) float64 { return math.Abs(width) / math.Sqrt2 }

// jumpNoise relates what a sensor that looks a quarter of the time misses in a
// refresh to how its readings jump: 0.45 for steps, 0.61 for noise. Simulated.
const jumpNoise = 0.61

// dutyNoise is what a sensor that looks only now and then misses of a load that
// varies.
func (v *view) dutyNoise() float64 { return v.dutyNoiseOf(v.refresh) }

func (v *view) dutyNoiseOf(refresh float64) float64 {
	if v.duty >= 1 {
		return 0
	}
	return jumpNoise * v.jump * math.Sqrt(refresh*(v.to-v.from))
}

// off is how far the middle of a look may lie from the middle of its refresh.
func (v *view) off() float64 { return (1 - v.duty) * v.refresh / 2 }

// drift is what such a sensor makes of a load that rises: it takes each refresh for as
// high as its look, which may be early or late in it.
func (v *view) drift() float64 { return ends((v.last - v.first) * v.off()) }

// floor is what stamps and digits leave unknown in any case: either edge lies
// anywhere in its reading, and readings are whole mJ and mW, or whole steps of the
// counter.
func (v *view) floor() Joules {
	const milli = 1e-3
	digits := math.Hypot(uniform(milli*math.Hypot(1, v.to-v.from)), math.Sqrt2*uniform(v.quantum))
	return Joules(math.Hypot(math.Hypot(uniform(v.first*v.took), uniform(v.last*v.took)), digits))
}

// compare grows the counter's figure f by what the power that was read says otherwise
// of the second half of the window, where neither edge matters, if that is more than
// three times what both allow.
func (v *view) compare(f, integral *Figure) {
	var off, sum, n float64
	var single []level
	for _, l := range v.list {
		if l.from >= (v.from+v.to)/2 && l.power > 0 && l.to-l.from < 1.5*v.refresh {
			off, sum, n = off+l.watts-l.power, sum+l.watts, n+1
			single = append(single, l)
		}
	}
	if !v.byTicks || n < 5 {
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
	drift := math.Abs(v.last-v.first) / (v.to - v.from) * (v.shows + v.refresh)
	if math.Abs(off) > disagreementLimit*scatter+drift+2e-3*sum {
		f.Components[disagreement] = Joules(math.Abs(off) / sum * float64(f.Energy) / math.Sqrt(3))
		f.sum()
	}
}
