package harness

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/llenergymeasure/llem/internal/load"
	"github.com/llenergymeasure/llem/internal/measure"
	"github.com/llenergymeasure/llem/internal/meter/card"
	"github.com/llenergymeasure/llem/internal/result"
)

// readings are all samples, and when the window began on their clock.
func (x *run) readings() (samples []measure.Sample, from time.Duration) {
	if x.recorder == nil {
		return nil, 0
	}
	if x.work != nil {
		from = x.work.t0.Sub(x.recorder.Epoch())
	}
	return x.recorder.Samples(), from
}

// mapStartup maps the energy of the launch. As [Verify] does it has all readings so far,
// which tell more of the sensors than those of the launch.
func (x *run) mapStartup(r *result.Record, samples []measure.Sample) {
	r.Engine.StartupEnergyJ, r.Engine.UStartupEnergyJ = nil, nil
	if x.job.Experiment.Energy.Backend == "none" || x.noEnergy != "" {
		return
	}
	energy, u := measure.LaunchEnergy(samples, x.sensors())
	r.Engine.StartupEnergyJ, r.Engine.UStartupEnergyJ = joules(energy), joules(u)
}

// mapEnergy maps baseline, window and steady slice. It is also what [Verify]
// computes them again by.
func (x *run) mapEnergy(r *result.Record, fig load.Figures, samples []measure.Sample, from time.Duration) {
	en := result.Energy{
		Valid: true, Reasons: []string{}, Scope: measure.ScopeGPU, Backend: "nvml", CoverageK: 2,
		PerGPU: []result.GPUEnergy{}, CrossChecks: []result.CrossCheck{}, Components: map[string]float64{},
		Instruments: x.instrumentRecords(),
	}
	defer func() { r.Energy = en }()
	x.mapGain(&en)
	if x.work != nil {
		en.WindowClosedBy, en.EngineIdleConfirmed = x.work.closedBy, x.work.idle
	}
	if x.work != nil {
		en.Host = hostEnergy(x.work.host)
	}
	en.CodeCarbon = x.codeCarbon()
	if x.hostScope() {
		x.mapHostScope(r, &en, fig)
		return
	}
	if x.noEnergy != "" {
		en.Backend, en.Valid, en.Reasons = "none", false, []string{x.noEnergy}
		return
	}
	if b := x.baseline; b != nil {
		r.BaselinePowerW = ptr(float64(b.Power))
		en.Baseline = x.baselineRecord(b)
	}
	if len(x.idle) > 0 {
		var sum measure.Watts
		for _, w := range x.idle {
			sum += w
		}
		en.EngineIdlePowerW = ptr(float64(sum))
		en.UEngineIdlePowerW = watts(measure.FloorU(samples, x.sensors()))
	}
	if x.work == nil || x.work.window <= 0 {
		en.Valid, en.Reasons = false, []string{"the window was not reached"}
		return
	}
	x.mapWindowEnergy(r, &en, fig, samples, from)
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
				sum = ptr(float64(*e.Energy))
			default:
				*sum += float64(*e.Energy)
			}
		}
		return sum
	}
	out.PackageJ, out.DRAMJ = sum("package"), sum("dram")
	return out
}

func (x *run) baselineRecord(b *measure.Baseline) *result.Baseline {
	out := &result.Baseline{
		PowerW: float64(b.Power), Method: b.Method, DurationSeconds: b.Duration.Seconds(),
		MeasuredAt: b.MeasuredAt, AgeSeconds: b.Age.Seconds(), Cached: b.Cached,
		UW: watts(b.U), Components: map[string]float64{}, Contaminated: b.Contaminated, Processes: x.processes(b.Processes),
	}
	for _, w := range b.PerGPU {
		out.PerGPUW = append(out.PerGPUW, float64(w))
	}
	for name, c := range b.Components {
		out.Components[name] = float64(c)
	}
	return out
}

func (x *run) mapWindowEnergy(r *result.Record, en *result.Energy, fig load.Figures, samples []measure.Sample, from time.Duration) {
	to := from + x.work.window
	per := measure.Window{From: from, To: to, Begun: begun(x.work.traces)}.Energy(samples, x.sensors())
	x.warnings = append(x.warnings, measure.GPUWarnings(measure.GPUFacts{
		Devices: x.job.GPUs, Samples: samples, From: from, To: to, Energies: per,
		DriftThreshold: measure.Celsius(x.job.Experiment.Measurement.ThermalDriftThresholdC),
	})...)
	for i, g := range per {
		en.PerGPU = append(en.PerGPU, x.gpuEnergy(i, g, measure.ThrottledTimes(samples, int32(i), from, to)))
	}
	en.PeakPowerW = peak(samples, len(x.job.GPUs), from, to)
	en.CrossChecks = crossChecks(per)
	en.Steady = x.steady(fig, samples, from)
	f := figure{method: commonMethod(per), energy: measure.Total(per)}
	f.u, f.components = measure.TotalU(per)
	if o := x.owner(); o != nil {
		f = x.owned(en, f, measure.Unaligned(samples, x.sensors(), from, to))
		en.Backend = o.backend()
	} else if f.energy == nil {
		f.why = unread(x.work.window)
	}
	en.Method = f.method
	if f.energy == nil {
		x.warn("energy_unavailable", "%s", f.why)
		en.Valid, en.Reasons, en.Method = false, []string{f.why}, ""
		return
	}
	x.mapFigure(r, en, f, fig)
}

// begun is how long after the window opened the GPUs had begun to work at the latest: a
// token had come; 0: none did.
func begun(traces load.Traces) (first time.Duration) {
	for _, t := range traces.All() {
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
	energy     *measure.Joules // nil: there is none, and why says why
	u          *measure.Joules
	components map[string]measure.Joules
	why        string
}

// mapFigure maps the energy and what follows from it.
func (x *run) mapFigure(r *result.Record, en *result.Energy, f figure, fig load.Figures) {
	seconds := x.work.window.Seconds()
	t := float64(*f.energy)
	r.EnergyTotalJ = ptr(t)
	en.MeanPowerW = ptr(t / seconds)
	en.PerRequestJ = per1(t, ptr(int64(fig.Completed)))
	en.PerTotalTokenJ = per1(t, plus(fig.InputTokens, fig.OutputTokens))
	r.EnergyPerOutputToken = per1(t, fig.OutputTokens)
	if r.SLO != nil {
		r.SLO.EnergyPerGoodTokenJ = per1(t, r.SLO.OutputTokensGood)
	}
	if f.u != nil {
		en.URepeatabilityJ = ptr(float64(*f.u))
		en.UAbsoluteJ = ptr(math.Hypot(float64(*f.u), float64(gainOf(en.Gain).U(*f.energy))))
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
	if x.baseline != nil {
		a := *f.energy - measure.Joules(float64(x.baseline.Power)*seconds)
		adjusted = &a
		r.EnergyAdjustedJ = ptr(float64(a))
		if f.u != nil && x.baseline.U != nil {
			mapAdjustedU(en, a, math.Hypot(float64(*f.u), float64(*x.baseline.U)*seconds))
		}
	}
	x.warnings = append(x.warnings, measure.BaselineWarnings(x.baseline, adjusted)...)
}

// mapAdjustedU maps the uncertainty u of the adjusted energy. The sensor that made
// both terms has one gain, which therefore scales their difference.
func mapAdjustedU(en *result.Energy, adjusted measure.Joules, u float64) {
	en.UAdjustedJ = ptr(u)
	en.UAdjustedAbsoluteJ = ptr(math.Hypot(u, float64(gainOf(en.Gain).U(adjusted))))
}

// mapGain maps whose energy it is and how far the sensors' gain may be off, of GPUs.
func (x *run) mapGain(en *result.Energy) {
	if len(x.job.GPUs) == 0 || x.olderGain {
		return
	}
	en.Scope, en.Gain = card.ScopeOf(x.job.GPUs), gainRecord(x.job.GPUs)
}

func gainRecord(devices []measure.Device) *result.Gain {
	g := card.GainOf(devices)
	return &result.Gain{HalfWidth: g.HalfWidth, Source: g.Source, Standing: g.Standing}
}

// gainOf is the gain that a record has, or had when records did not say.
func gainOf(g *result.Gain) measure.Gain {
	if g == nil {
		return measure.OlderGain
	}
	return measure.Gain{HalfWidth: g.HalfWidth, Source: g.Source, Standing: g.Standing}
}

func (x *run) gpuEnergy(i int, g measure.DeviceEnergy, throttled [measure.ThrottleTimes]*time.Duration) result.GPUEnergy {
	out := result.GPUEnergy{
		Index: x.job.GPUs[i].Index, UUID: x.job.GPUs[i].UUID, EnergyJ: joules(g.Energy), UJ: joules(g.U), Method: g.Method,
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
func (x *run) steady(fig load.Figures, samples []measure.Sample, from time.Duration) *result.Steady {
	l := x.job.Experiment.Workload.Load
	full := l.Concurrency
	if l.Open() {
		full = l.MaxInFlight
	}
	if full == 0 {
		return nil
	}
	start, end, tokens, ok := load.Steady(x.work.traces, full)
	if !ok || end <= start {
		return nil
	}
	s := &result.Steady{StartSeconds: start.Seconds(), Seconds: (end - start).Seconds()}
	var known *int64
	if fig.OutputTokens != nil {
		s.OutputTokens, known = &tokens, ptr(int64(tokens))
	}
	per := measure.SliceEnergy(samples, x.sensors(), from+start, from+end)
	sum := measure.Total(per)
	if sum == nil {
		return s
	}
	s.Method, s.EnergyJ, s.JoulesPerToken = commonMethod(per), joules(sum), per1(float64(*sum), known)
	if u, _ := measure.TotalU(per); u != nil {
		s.UJ = joules(u)
		if s.JoulesPerToken != nil && *sum > 0 {
			relative := math.Hypot(float64(*u / *sum), measure.EdgeTokensU(full, tokens))
			s.UPerTokenJ = ptr(relative * *s.JoulesPerToken)
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
	check := result.CrossCheck{Method: measure.MethodIntegral, EnergyJ: integral, DifferenceJ: ptr(integral - counter)}
	if known {
		check.UJ = ptr(u)
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
func peak(samples []measure.Sample, n int, from, to time.Duration) *float64 {
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
			best = ptr(sum)
		}
	}
	return best
}
