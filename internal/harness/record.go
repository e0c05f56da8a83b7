package harness

import (
	"time"

	"github.com/llenergymeasure/llem/internal/load"
	"github.com/llenergymeasure/llem/internal/measure"
	"github.com/llenergymeasure/llem/internal/result"
	"github.com/llenergymeasure/llem/internal/stats"
)

// This file is the only one that knows both the run and the record.

// record maps everything that was reached into the record; cause is why the
// run did not complete, or nil.
func (x *run) record(cause error) *result.Record {
	e := x.exp
	r := &result.Record{
		SchemaVersion: result.SchemaVersion, ExperimentID: x.id,
		ConfigHash: e.ConfigHash(), WorkloadHash: e.WorkloadHash(x.prompts.digest),
		Name: e.Name, LlemVersion: x.Version, Status: result.Completed,
		StartedAt: x.started, EndedAt: time.Now().UTC(), Phases: x.phases,
		Gap:    "skipped: starting a container is the gap, and the thermal floor stands inside the experiment",
		Config: e.Redacted(),
	}
	if cause != nil {
		r.Status, r.Error = result.Failed, cause.Error()
		if KindOf(cause) == InterruptFault {
			r.Status = result.Interrupted
		}
	}
	r.Engine, r.Model = x.engineRecord(), x.modelRecord()
	r.Environment = x.environment()
	x.mapWarmup(r)
	var fig load.Figures
	if x.work != nil {
		fig = x.mapWork(r)
	}
	x.mapEnergy(r, fig)
	r.FLOPs = x.flops(r)
	x.runWarnings(fig)
	x.mapWarnings(r)
	return r
}

func (x *run) engineRecord() result.Engine {
	out := result.Engine{
		Name: x.eng.Name(), Version: x.info.Version, Image: x.image.Ref,
		ImageDigest: textOrNil(x.image.Digest), ImageID: x.image.ID, Command: []string{},
	}
	if x.server != nil {
		info := x.server.Info()
		out.Command, out.ContainerID, out.Route = info.Command, info.ID, info.Route
	}
	if x.startup != nil {
		out.StartupSeconds = ptr(x.startup.took.Seconds())
		out.StartupEnergyJ = joules(x.startup.energy)
	}
	if w := x.work; w != nil && w.before != nil && w.after != nil {
		out.Counters = &result.EngineCounters{
			PromptTokens: difference(w.before.PromptTokens, w.after.PromptTokens),
			OutputTokens: difference(w.before.OutputTokens, w.after.OutputTokens),
			MultiplyAdds: difference(w.before.MultiplyAdds, w.after.MultiplyAdds),
		}
	}
	return out
}

// difference of two counters; nil when either is unknown (-1).
func difference(before, after int64) *int64 {
	if before < 0 || after < 0 {
		return nil
	}
	return ptr(after - before)
}

func (x *run) environment() result.Environment {
	d := x.daemon
	env := result.Environment{
		GPUs: []result.GPU{}, Host: describeHost(),
		Docker:       result.Docker{Version: d.Version, APIVersion: d.APIVersion, Runtimes: d.Runtimes},
		GPUProcesses: x.processes(x.foreign),
	}
	for i, d := range x.devices {
		g := result.GPU{
			Index: d.Index, UUID: d.UUID, Name: d.Name, MemoryMB: float64(d.MemoryBytes) / (1 << 20),
			Driver: d.Driver, CUDA: d.CUDA, VBIOS: d.VBIOS, ComputeCapability: d.ComputeCapability,
			PowerLimitW: d.PowerLimitW, PowerLimitDefaultW: d.PowerLimitDefaultW,
			SMClockMHz: d.SMClockMHz, SMClockMaxMHz: d.SMClockMaxMHz, MemClockMHz: d.MemClockMHz,
			Persistence: d.Persistence, MIG: d.MIG, PCIBusID: d.PCIBusID,
			PCIeGeneration: d.PCIeGen, PCIeWidth: d.PCIeWidth,
		}
		if i < len(x.refresh) && x.refresh[i] > 0 {
			g.CounterRefreshMS = ptr(x.refresh[i].Seconds() * 1000)
		}
		env.GPUs = append(env.GPUs, g)
	}
	return env
}

func (x *run) processes(list []measure.Process) []result.Process {
	out := make([]result.Process, 0, len(list))
	for _, p := range list {
		out = append(out, result.Process{PID: p.PID, Name: p.Name, GPU: x.devices[p.Device].UUID, MemoryMB: float64(p.MemoryUsed) / (1 << 20)})
	}
	return out
}

func (x *run) mapWarmup(r *result.Record) {
	if x.warmup == nil {
		return
	}
	w := x.warmup
	out := &result.Warmup{
		Converged: w.Converged, FinalCV: w.FinalCV, IterationsCompleted: w.Iterations,
		TargetCV: w.TargetCV, MaxPrompts: w.Max, LatenciesMS: []float64{},
		DurationSeconds: w.Duration.Seconds(), ThermalFloorSeconds: x.floor.Seconds(),
	}
	for _, l := range w.Latencies {
		out.LatenciesMS = append(out.LatenciesMS, l.Seconds()*1000)
	}
	r.Warmup = out
}

// mapWork maps the window's requests, tokens and latencies.
func (x *run) mapWork(r *result.Record) load.Figures {
	w := x.work
	open := x.exp.Workload.Load.Pattern != "closed"
	fig := load.Summarise(w.traces, open)
	seconds := w.window.Seconds()
	r.WindowSeconds = ptr(seconds)
	r.WindowStart = ptr(w.t0.UTC())
	r.Tokens = result.Tokens{Input: fig.InputTokens, Output: fig.OutputTokens, Reasoning: fig.ReasoningTokens, Source: fig.TokenSource}
	r.Requests = result.Requests{
		Completed: fig.Completed, Failed: fig.Failed,
		PromptChecksum: load.Checksum(x.prompts.measured), MultiTokenChunks: fig.MultiTokenChunks,
	}
	if seconds > 0 {
		r.TokensPerSecond = ptr(float64(fig.OutputTokens) / seconds)
		if n := len(x.devices); n > 0 {
			r.TokensPerSecondPerGPU = ptr(*r.TokensPerSecond / float64(n))
		}
	}
	r.Latency = result.Latency{TTFT: summary(fig.TTFT), TPOT: summary(fig.TPOT), ITL: summary(fig.ITL), E2E: summary(fig.E2E)}
	if open {
		r.Latency.TTFTScheduled, r.Latency.E2EScheduled = summary(fig.TTFTScheduled), summary(fig.E2EScheduled)
	}
	r.Client = result.Client{CPUSeconds: ptr(w.cpu.Seconds()), SendLagMS: summary(fig.Lag)}
	return fig
}

// mapEnergy maps baseline, window and steady slice.
func (x *run) mapEnergy(r *result.Record, fig load.Figures) {
	en := result.Energy{
		Valid: true, Reasons: []string{}, Scope: "gpu", Backend: "nvml", CoverageK: 2,
		PerGPU: []result.GPUEnergy{}, CrossChecks: []result.CrossCheck{}, Components: map[string]float64{},
	}
	defer func() { r.Energy = en }()
	if x.work != nil {
		en.WindowClosedBy, en.EngineIdleConfirmed = x.work.closedBy, x.work.idle
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
	}
	if x.work == nil || x.work.window <= 0 {
		en.Valid, en.Reasons = false, []string{"the window was not reached"}
		return
	}
	x.mapWindowEnergy(r, &en, fig)
}

func (x *run) baselineRecord(b *measure.Baseline) *result.Baseline {
	out := &result.Baseline{
		PowerW: float64(b.Power), Method: b.Method, DurationSeconds: b.Duration.Seconds(),
		MeasuredAt: b.MeasuredAt, AgeSeconds: b.Age.Seconds(), Cached: b.Cached,
		Contaminated: b.Contaminated, Processes: x.processes(b.Processes),
	}
	for _, w := range b.PerGPU {
		out.PerGPUW = append(out.PerGPUW, float64(w))
	}
	return out
}

func (x *run) mapWindowEnergy(r *result.Record, en *result.Energy, fig load.Figures) {
	samples := x.recorder.Samples()
	from := x.work.t0.Sub(x.recorder.Epoch())
	to := from + x.work.window
	per := measure.EnergyBetween(samples, len(x.devices), from, to)
	x.warnings = append(x.warnings, measure.GPUWarnings(measure.GPUFacts{
		Devices: x.devices, Samples: samples, Energies: per,
		DriftThreshold: measure.Celsius(x.exp.Measurement.ThermalDriftThresholdC),
	})...)
	for i, g := range per {
		en.PerGPU = append(en.PerGPU, x.gpuEnergy(i, g))
	}
	en.PeakPowerW = peak(samples, len(x.devices), from, to)
	en.CrossChecks = crossChecks(per)
	total := measure.Total(per)
	if total == nil {
		const why = "a GPU gave neither an energy counter nor power in the window"
		x.warn("energy_unavailable", why)
		en.Valid, en.Reasons = false, []string{why}
		return
	}
	en.Method = commonMethod(per)
	seconds := x.work.window.Seconds()
	t := float64(*total)
	r.EnergyTotalJ = ptr(t)
	en.MeanPowerW = ptr(t / seconds)
	en.PerRequestJ = per1(t, int64(fig.Completed))
	en.PerTotalTokenJ = per1(t, fig.InputTokens+fig.OutputTokens)
	r.EnergyPerOutputToken = per1(t, fig.OutputTokens)
	var adjusted *measure.Joules
	if x.baseline != nil {
		a := *total - measure.Joules(float64(x.baseline.Power)*seconds)
		adjusted = &a
		r.EnergyAdjustedJ = ptr(float64(a))
	}
	x.warnings = append(x.warnings, measure.BaselineWarnings(x.baseline, adjusted)...)
	en.Steady = x.steady(samples, from)
}

func (x *run) gpuEnergy(i int, g measure.DeviceEnergy) result.GPUEnergy {
	return result.GPUEnergy{
		Index: x.devices[i].Index, UUID: x.devices[i].UUID, EnergyJ: joules(g.Energy), Method: g.Method,
		CounterJ: joules(g.Counter), PowerIntegralJ: joules(g.Integral), Samples: g.Samples,
		MeanPowerW: watts(g.Mean), PeakPowerW: watts(g.Peak),
	}
}

// steady is the slice in which the concurrency was full, for a closed loop.
func (x *run) steady(samples []measure.Sample, from time.Duration) *result.Steady {
	l := x.exp.Workload.Load
	full := l.Concurrency
	if l.Pattern != "closed" {
		full = l.MaxInFlight
	}
	if full == 0 {
		return nil
	}
	start, end, tokens, ok := load.Steady(x.work.traces, full)
	if !ok || end <= start {
		return nil
	}
	s := &result.Steady{StartSeconds: start.Seconds(), Seconds: (end - start).Seconds(), OutputTokens: tokens}
	// Inside the window there are no edges, so the slice is the integral's.
	var sum float64
	for g := range x.devices {
		j := measure.Integrate(samples, int32(g), from+start, from+end)
		if j == nil {
			return s
		}
		sum += float64(*j)
	}
	s.EnergyJ, s.JoulesPerToken = &sum, per1(sum, int64(tokens))
	return s
}

// crossChecks is the sum of the integral where the counter gave the figure.
func crossChecks(per []measure.DeviceEnergy) []result.CrossCheck {
	var counter, integral float64
	for _, g := range per {
		if g.Counter == nil || g.Integral == nil {
			return []result.CrossCheck{}
		}
		counter, integral = counter+float64(*g.Counter), integral+float64(*g.Integral)
	}
	return []result.CrossCheck{{Method: measure.MethodIntegral, EnergyJ: integral, DifferenceJ: integral - counter}}
}

// commonMethod is the method of all GPUs, or both names where they differ.
func commonMethod(per []measure.DeviceEnergy) string {
	m := per[0].Method
	for _, g := range per {
		if g.Method != m {
			return measure.MethodCounter + "+" + measure.MethodIntegral
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

// runWarnings are those that concern the run as a whole.
func (x *run) runWarnings(fig load.Figures) {
	if x.exp.Quick {
		x.warn("quick_mode", "this run used --quick: a short baseline, no thermal floor, few prompts")
	}
	if x.noEnergy != "" && x.exp.Energy.Backend != "none" {
		x.warn("energy_unavailable", "%s", x.noEnergy)
	}
	if x.work == nil {
		return
	}
	x.warn("single_run", "one run has no spread of its own")
	if w, ok := measure.ShortWindow(x.work.window); ok {
		x.warnings = append(x.warnings, w)
	}
	if x.exp.Workload.Source == "synthetic" {
		x.warn("synthetic_prompts", "the prompts are random tokens")
	}
	if x.eng.Name() == "reference" {
		x.warn("dummy_weights", "the reference engine draws its weights from a seed")
	}
	if !x.exp.Workload.Sampling.IgnoreEOS {
		x.warn("output_length_not_controlled", "the engine may end an answer early")
	}
	x.clientWarnings(fig)
	x.countWarnings(fig)
	if x.recorder == nil || x.exp.Energy.Backend == "none" {
		return
	}
	if failed, dropped, last := x.recorder.Trouble(); failed+dropped > 0 {
		x.warn("readings_lost", "%d readings failed (last: %v), %d found no room", failed, last, dropped)
	}
}

// A client that takes most of a core, or sends late, measures itself.
const (
	clientCPUShare = 0.8                   // of one core
	clientLag      = 10 * time.Millisecond // at the 99th percentile, open loop
)

func (x *run) clientWarnings(fig load.Figures) {
	share := x.work.cpu.Seconds() / x.work.window.Seconds()
	if share > clientCPUShare {
		x.warn("client_bound", "the client used %.0f %% of a core", share*100)
		return
	}
	if fig.Lag != nil && x.exp.Workload.Load.Pattern != "closed" && fig.Lag.P99 > clientLag.Seconds()*1000 {
		x.warn("client_bound", "requests left %.1f ms late at the 99th percentile", fig.Lag.P99)
	}
}

// countWarnings holds the responses' token counts against the server's own.
func (x *run) countWarnings(fig load.Figures) {
	w := x.work
	if w.before == nil || w.after == nil || fig.Failed > 0 {
		return
	}
	for _, c := range []struct {
		what   string
		ours   int64
		theirs *int64
	}{
		{"input", fig.InputTokens, difference(w.before.PromptTokens, w.after.PromptTokens)},
		{"output", fig.OutputTokens, difference(w.before.OutputTokens, w.after.OutputTokens)},
	} {
		if c.theirs == nil {
			continue
		}
		if warning, ok := measure.CountMismatch(c.what, c.ours, *c.theirs); ok {
			x.warnings = append(x.warnings, warning)
		}
	}
}

// mapWarnings writes the warnings, each text once, and what they mean for the
// energy figure.
func (x *run) mapWarnings(r *result.Record) {
	r.MeasurementWarnings, r.WarningSeverities = []string{}, map[string]string{}
	seen := map[string]bool{}
	for _, w := range x.warnings {
		if text := w.String(); !seen[text] {
			seen[text] = true
			r.MeasurementWarnings = append(r.MeasurementWarnings, text)
			r.WarningSeverities[w.Code] = string(w.Severity)
			if w.Severity == measure.Invalid && w.Code != "energy_unavailable" {
				r.Energy.Valid = false
				r.Energy.Reasons = append(r.Energy.Reasons, w.Code)
			}
		}
	}
}

func ptr[T any](v T) *T { return &v }

func joules(j *measure.Joules) *float64 {
	if j == nil {
		return nil
	}
	return ptr(float64(*j))
}

func watts(w *measure.Watts) *float64 {
	if w == nil {
		return nil
	}
	return ptr(float64(*w))
}

// per1 is total for each of n; nil for none.
func per1(total float64, n int64) *float64 {
	if n <= 0 {
		return nil
	}
	return ptr(total / float64(n))
}

func textOrNil(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func countOrNil(n int64) *int64 {
	if n <= 0 {
		return nil
	}
	return &n
}

func orText(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

func summary(s *stats.Summary) *result.Summary {
	if s == nil {
		return nil
	}
	return &result.Summary{N: s.N, Mean: s.Mean, P50: s.P50, P90: s.P90, P95: s.P95, P99: s.P99, Max: s.Max}
}
