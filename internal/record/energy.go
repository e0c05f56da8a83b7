package record

import (
	"cmp"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/llenergymeasure/llem/internal/device"
	"github.com/llenergymeasure/llem/internal/load"
	"github.com/llenergymeasure/llem/internal/measure"
	"github.com/llenergymeasure/llem/internal/result"
)

// mapStartup maps the energy of the launch. It has all readings so far, which tell more of
// the sensors than those of the launch.
func (o *Observation) mapStartup(r *result.Record) {
	r.Engine.StartupEnergyJ, r.Engine.UStartupEnergyJ = nil, nil
	if o.Job.Experiment.Energy.Backend == "none" || o.Host.NoEnergy != "" {
		return
	}
	energy, u := measure.LaunchEnergy(o.Readings.Samples, o.Host.sensors())
	r.Engine.StartupEnergyJ, r.Engine.UStartupEnergyJ = joules(energy), joules(u)
}

// unopened is the meter in a record of a run that ended before one was opened.
const unopened = "nvml"

// mapEnergy maps baseline, window and steady slice.
func (o *Observation) mapEnergy(r *result.Record, fig load.Figures) {
	en := result.Energy{
		Valid: true, Reasons: []string{}, Scope: measure.ScopeGPU, Backend: cmp.Or(o.Readings.Meter, unopened), CoverageK: 2,
		PerGPU: []result.GPUEnergy{}, CrossChecks: []result.CrossCheck{}, Components: map[string]float64{},
		Instruments: instrumentsOf(o.Instruments, o.Window),
	}
	defer func() { r.Energy = en }()
	o.Host.mapGain(&en)
	if w := o.Window; w != nil {
		en.WindowClosedBy, en.EngineIdleConfirmed, en.Host = w.ClosedBy, w.Idle, hostEnergy(w.Host)
	}
	en.CodeCarbon = codeCarbonOf(o.Instruments)
	if o.hostScope() {
		o.mapHostScope(r, &en, fig)
		return
	}
	if o.Host.NoEnergy != "" {
		en.Backend, en.Valid, en.Reasons = "none", false, []string{o.Host.NoEnergy}
		return
	}
	if b := o.Idle.Baseline; b != nil {
		r.BaselinePowerW = new(float64(b.Power))
		en.Baseline = o.Host.baseline(b)
	}
	if len(o.Idle.Engine) > 0 {
		var sum device.Watts
		for _, w := range o.Idle.Engine {
			sum += w
		}
		en.EngineIdlePowerW = new(float64(sum))
		en.UEngineIdlePowerW = watts(measure.FloorU(o.Readings.Samples, o.Host.sensors()))
	}
	if o.Window == nil || o.Window.Length <= 0 {
		en.Valid, en.Reasons = false, []string{"the window was not reached"}
		return
	}
	o.mapWindowEnergy(r, &en, fig)
}

// hostEnergy adds packages and memories up, each null where any is unknown.
func hostEnergy(list []measure.HostEnergy) *result.HostEnergy {
	if len(list) == 0 {
		return nil
	}
	out := &result.HostEnergy{Method: "rapl"}
	sum := func(prefix string) *float64 {
		var sum *float64
		for _, e := range list {
			switch {
			case !strings.HasPrefix(e.Domain, prefix):
			case e.Energy == nil:
				return nil
			case sum == nil:
				sum = new(float64(*e.Energy))
			default:
				*sum += float64(*e.Energy)
			}
		}
		return sum
	}
	out.PackageJ, out.DRAMJ = sum("package"), sum("dram")
	return out
}

func (o *Observation) mapWindowEnergy(r *result.Record, en *result.Energy, fig load.Figures) {
	samples, from := o.Readings.Samples, o.Readings.From
	to := from + o.Window.Length
	per := measure.Window{From: from, To: to, Begun: begun(o.Window.Timings)}.Energy(samples, o.Host.sensors())
	o.Warnings = append(o.Warnings, measure.GPUWarnings(measure.GPUFacts{
		Devices: o.Host.Devices, Samples: samples, From: from, To: to, Energies: per,
		DriftThreshold: measure.Celsius(o.Job.Experiment.Measurement.ThermalDriftThresholdC),
	})...)
	for i, g := range per {
		en.PerGPU = append(en.PerGPU, o.Host.energy(i, g, measure.ThrottledTimes(samples, int32(i), from, to)))
	}
	en.PeakPowerW = peak(samples, len(o.Host.Devices), from, to)
	en.CrossChecks = crossChecks(per)
	en.Steady = o.steady(fig)
	f := figure{method: commonMethod(per), energy: measure.Total(per)}
	f.u, f.components = measure.TotalU(per)
	if len(o.Instruments) > 0 {
		f = o.owned(en, f, measure.Unaligned(samples, o.Host.sensors(), from, to))
		en.Backend = o.Instruments[0].backend()
	} else if f.energy == nil {
		f.why = unread(o.Window.Length)
	}
	en.Method = f.method
	if f.energy == nil {
		o.warn("energy_unavailable", "%s", f.why)
		en.Valid, en.Reasons, en.Method = false, []string{f.why}, ""
		return
	}
	o.mapFigure(r, en, f, fig)
}

// begun is how long after the window opened the GPUs had begun to work at the latest: a
// token had come; 0: none did.
func begun(timings load.Timings) (first time.Duration) {
	for _, t := range timings.All() {
		if t.FirstToken > 0 && (first == 0 || t.FirstToken < first) {
			first = t.FirstToken
		}
	}
	return first
}

// unread is why GPUs that can be read gave no energy over a window.
func unread(window time.Duration) string {
	if window < time.Second {
		return fmt.Sprintf("%s is too short for a GPU's energy counter to move", window.Round(time.Microsecond))
	}
	return "a GPU gave neither an energy counter nor power in the window"
}

// figure is the energy of all GPUs by the instrument that owns it.
type figure struct {
	method     string
	energy     *measure.Joules // nil: why says why there is no figure
	u          *measure.Joules
	components map[string]measure.Joules
	why        string
}

// mapFigure maps the energy and what follows from it.
func (o *Observation) mapFigure(r *result.Record, en *result.Energy, f figure, fig load.Figures) {
	seconds := o.Window.Length.Seconds()
	t := float64(*f.energy)
	r.EnergyTotalJ = new(t)
	en.MeanPowerW = new(t / seconds)
	en.PerRequestJ = per1(t, new(int64(fig.Completed)))
	en.PerTotalTokenJ = per1(t, plus(fig.InputTokens, fig.OutputTokens))
	r.EnergyPerOutputToken = per1(t, fig.OutputTokens)
	if r.SLO != nil {
		r.SLO.EnergyPerGoodTokenJ = per1(t, r.SLO.OutputTokensGood)
	}
	if f.u != nil {
		en.URepeatabilityJ = new(float64(*f.u))
		en.UAbsoluteJ = new(math.Hypot(float64(*f.u), float64(gainOf(en.Gain).U(*f.energy))))
		for name, c := range f.components {
			en.Components[name] = float64(c)
		}
		if r.SLO != nil {
			r.SLO.UEnergyPerGoodTokenJ = per1(float64(*f.u), r.SLO.OutputTokensGood)
		}
		en.UPerOutputTokenJ = per1(float64(*f.u), fig.OutputTokens) // tokens of a drained window are counted whole
		en.UPerOutputTokenAbsoluteJ = per1(*en.UAbsoluteJ, fig.OutputTokens)
	}
	var adjusted *measure.Joules
	if o.Idle.Baseline != nil {
		a := *f.energy - measure.Joules(float64(o.Idle.Baseline.Power)*seconds)
		adjusted = &a
		r.EnergyAdjustedJ = new(float64(a))
		if f.u != nil && o.Idle.Baseline.U != nil {
			mapAdjustedU(en, a, math.Hypot(float64(*f.u), float64(*o.Idle.Baseline.U)*seconds))
		}
	}
	o.Warnings = append(o.Warnings, measure.BaselineWarnings(o.Idle.Baseline, adjusted)...)
}

// mapAdjustedU maps the uncertainty u of the adjusted energy. The sensor that made
// both terms has one gain, which therefore scales their difference.
func mapAdjustedU(en *result.Energy, adjusted measure.Joules, u float64) {
	en.UAdjustedJ = new(u)
	en.UAdjustedAbsoluteJ = new(math.Hypot(u, float64(gainOf(en.Gain).U(adjusted))))
}

// widenByDrift adds to the adjusted energy's uncertainty how far the idle power
// moved from before the run to after it.
func widenByDrift(r *result.Record) {
	if r.Energy.UAdjustedJ == nil || r.Energy.BaselineAfter == nil {
		return
	}
	drift := (r.Energy.BaselineAfter.PowerW - *r.BaselinePowerW) * *r.WindowSeconds / math.Sqrt(12)
	mapAdjustedU(&r.Energy, measure.Joules(*r.EnergyAdjustedJ), math.Hypot(*r.Energy.UAdjustedJ, drift))
}

// energy maps that of GPU i.
func (h *Host) energy(i int, g measure.DeviceEnergy, throttled [device.ThrottleTimes]*time.Duration) result.GPUEnergy {
	out := result.GPUEnergy{
		Index: h.Devices[i].Index, UUID: h.Devices[i].UUID, EnergyJ: joules(g.Energy), UJ: joules(g.U), Method: g.Method,
		CounterJ: joules(g.Counter), PowerIntegralJ: joules(g.Integral), Samples: g.Samples,
		MeanPowerW: watts(g.Mean), PeakPowerW: watts(g.Peak), ThrottledSeconds: map[string]float64{},
	}
	for k, d := range throttled {
		if d != nil {
			out.ThrottledSeconds[measure.ThrottleKey(k)] = d.Seconds()
		}
	}
	return out
}

// steady is the slice in which the concurrency was full, for a closed loop.
func (o *Observation) steady(fig load.Figures) *result.Steady {
	l := o.Job.Experiment.Workload.Load
	full := l.Concurrency
	if l.Open() {
		full = l.MaxInFlight
	}
	if full == 0 {
		return nil
	}
	start, end, tokens, ok := load.Steady(o.Window.Timings, full)
	if !ok || end <= start {
		return nil
	}
	s := &result.Steady{StartSeconds: start.Seconds(), Seconds: (end - start).Seconds()}
	var known *int64
	if fig.OutputTokens != nil {
		s.OutputTokens, known = &tokens, new(int64(tokens))
	}
	per := measure.SliceEnergy(o.Readings.Samples, o.Host.sensors(), o.Readings.From+start, o.Readings.From+end)
	sum := measure.Total(per)
	if sum == nil {
		return s
	}
	s.Method, s.EnergyJ, s.JoulesPerToken = commonMethod(per), joules(sum), per1(float64(*sum), known)
	if u, _ := measure.TotalU(per); u != nil {
		s.UJ = joules(u)
		if s.JoulesPerToken != nil && *sum > 0 {
			relative := math.Hypot(float64(*u / *sum), measure.EdgeTokensU(full, tokens))
			s.UPerTokenJ = new(relative * *s.JoulesPerToken)
		}
	}
	return s
}

// crossChecks is the sum of the integral where the counter gave the figure.
func crossChecks(per []measure.DeviceEnergy) []result.CrossCheck {
	var counter, integral, u float64
	known := true
	for _, g := range per {
		// A figure with an uncertainty is not checked by one without.
		if g.Counter == nil || g.Integral == nil || g.U != nil && g.UIntegral == nil {
			return []result.CrossCheck{}
		}
		counter, integral = counter+float64(*g.Counter), integral+float64(*g.Integral)
		if known = known && g.UIntegral != nil; known {
			u += float64(*g.UIntegral) // GPUs that share a job err alike
		}
	}
	check := result.CrossCheck{Method: measure.MethodIntegral, EnergyJ: integral, DifferenceJ: new(integral - counter)}
	if known {
		check.UJ = new(u)
	}
	return []result.CrossCheck{check}
}

// commonMethod is the method of all GPUs, or the names of two where they differ.
func commonMethod(per []measure.DeviceEnergy) string {
	m := per[0].Method
	for _, g := range per {
		if g.Method != m {
			return m + "+" + g.Method
		}
	}
	return m
}

// peak is the highest sum of power over readings of all GPUs taken together.
func peak(samples []device.Sample, n int, from, to time.Duration) *float64 {
	var best *float64
	var sum float64
	seen := 0
	for i := range samples {
		s := &samples[i]
		if s.GPU == 0 {
			sum, seen = 0, 0
		}
		p, ok := s.Power()
		if !ok || s.At < from || s.At > to {
			continue
		}
		sum += float64(p)
		if seen++; seen == n && (best == nil || sum > *best) {
			best = new(sum)
		}
	}
	return best
}
