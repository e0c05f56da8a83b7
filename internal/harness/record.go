package harness

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/load"
	"github.com/llenergymeasure/llem/internal/measure"
	"github.com/llenergymeasure/llem/internal/result"
	"github.com/llenergymeasure/llem/internal/stats"
)

// This file and its record_*.go are the only ones that know both the run and
// the record.

// record maps everything that was reached into the record; cause is why the
// run did not complete, or nil.
func (x *run) record(cause error) *result.Record {
	e := x.job.Experiment
	r := &result.Record{
		SchemaVersion: result.SchemaVersion, ExperimentID: x.id,
		ConfigHash: e.ConfigHash(), WorkloadHash: e.WorkloadHash(x.job.Prompts.File()),
		Name: e.Name, LlemVersion: x.Version, Status: result.Completed,
		StartedAt: x.utc(x.started), EndedAt: x.utc(time.Now()), Phases: x.phaseRecords(),
		Gap:    x.gap,
		Config: e.Redacted(),
	}
	if cause != nil {
		r.Status, r.Error = result.Failed, cause.Error()
		if launch.KindOf(cause) == launch.InterruptFault || errors.Is(cause, launch.ErrAway) {
			r.Status = result.Interrupted
		}
	}
	if x.place != nil {
		r.Study = ptr(x.place.StudyRun)
	}
	r.Engine, r.Model = x.engineRecord(), x.modelRecord()
	r.Environment = x.environment()
	x.mapWarmup(r)
	var fig load.Figures
	if x.work != nil {
		fig = x.mapWork(r)
	}
	samples, from := x.readings()
	if x.startup != nil {
		x.mapStartup(r, samples)
	}
	x.mapEnergy(r, fig, samples, from)
	r.FLOPs = x.flops(r, fig)
	x.runWarnings(fig)
	x.mapUnknown(r, fig)
	x.mapWarnings(r)
	return r
}

// utc places a moment of the run on one clock with all its readings: that of the
// recorder's epoch, which no adjustment of the host's clock reaches.
func (x *run) utc(t time.Time) time.Time {
	epoch := x.started
	if x.recorder != nil {
		epoch = x.recorder.Epoch()
	}
	if epoch.IsZero() || t.IsZero() {
		return t.UTC()
	}
	return epoch.Add(t.Sub(epoch)).UTC()
}

// phaseRecords are the phases so far, each placed on the clock of the window too.
func (x *run) phaseRecords() []result.Phase {
	out := slices.Clone(x.phases)
	for i := range out {
		if x.work != nil {
			out[i].WindowSeconds = ptr(out[i].Start.Sub(x.work.t0).Seconds())
		}
		out[i].Start = x.utc(out[i].Start)
	}
	return out
}

func (x *run) engineRecord() result.Engine {
	out := result.Engine{
		Version: textOrNil(x.job.Experiment.Hide(x.info.Version)), ContextLength: countOrNil(int64(x.info.ContextLength)), Image: orText(x.job.Image.Ref, x.job.Experiment.Engine.Image),
		ImageDigest: textOrNil(x.job.Image.Digest), ImageID: x.job.Image.ID, Command: []string{}, Kept: x.keptRecord(),
	}
	if x.job.Engine != nil {
		out.Name, out.ToldBy = x.job.Engine.Name(), x.toldBy()
	}
	if x.server != nil {
		info := x.server.Info()
		out.Command, out.ContainerID, out.Route = x.hideAll(info.Command), info.ID, info.Route
		out.CompileCache = textOrNil(info.CompileCache)
	}
	if x.startup != nil {
		out.StartupSeconds = ptr(x.startup.took.Seconds())
	}
	x.servedRecord(&out)
	out.Endpoint, out.Counters = textOrNil(x.job.Experiment.Hide(x.job.Experiment.Engine.Endpoint)), x.accountRecord()
	return out
}

// mostServed is how many of a server's models are recorded.
const mostServed = 100

// servedRecord maps what the server calls the model, and what it was asked with.
func (x *run) servedRecord(out *result.Engine) {
	out.ServedModel, out.ServedBy, out.Loaded = textOrNil(x.job.Served.ID), textOrNil(x.job.Served.By), textOrNil(x.job.Served.Loaded)
	if x.info.Model != "" { // TGI's requests say tgi whatever it serves
		out.ServedModel = &x.info.Model
	}
	for _, m := range x.job.Listed[:min(len(x.job.Listed), mostServed)] {
		out.Served = append(out.Served, m.ID)
	}
	out.AuthorizedBy = textOrNil(x.job.Credentials.From)
	out.HeaderNames = slices.Sorted(maps.Keys(x.job.Credentials.Header))
}

func (x *run) environment() result.Environment {
	d := x.job.Daemon
	env := result.Environment{
		GPUs: []result.GPU{}, Host: describeHost(),
		Docker:       result.Docker{Version: d.Version, APIVersion: d.APIVersion, Runtimes: d.Runtimes, Elsewhere: textOrNil(d.Elsewhere)},
		GPUProcesses: x.processes(x.foreign), GPUSettings: settingsRecord(x.lease.Settings(x.id)),
	}
	for i, d := range x.job.GPUs {
		g := result.GPU{
			Index: d.Index, UUID: d.UUID, Name: d.Name, MemoryMB: float64(d.MemoryBytes) / (1 << 20),
			Driver: d.Driver, CUDA: d.CUDA, VBIOS: d.VBIOS, ComputeCapability: d.ComputeCapability,
			PowerLimitW: d.PowerLimitW, PowerLimitDefaultW: d.PowerLimitDefaultW, PowerLimitMinW: d.PowerLimitMinW, PowerLimitMaxW: d.PowerLimitMaxW,
			SMClockMHz: d.SMClockMHz, SMClockMaxMHz: d.SMClockMaxMHz, MemClockMHz: d.MemClockMHz,
			Persistence: d.Persistence, MIG: d.MIG, PCIBusID: d.PCIBusID,
			PCIeGeneration: d.PCIeGen, PCIeWidth: d.PCIeWidth,
		}
		x.mapRefresh(&g, i)
		env.GPUs = append(env.GPUs, g)
	}
	return env
}

// mapRefresh maps how often the counter of GPU i moves.
func (x *run) mapRefresh(g *result.GPU, i int) {
	g.CounterRefreshMS, g.CounterJitterMS = nil, nil
	if i < len(x.refresh) && x.refresh[i] > 0 {
		g.CounterRefreshMS = ptr(x.refresh[i].Seconds() * 1000)
		g.CounterJitterMS = ptr(x.jitter[i].Seconds() * 1000)
	}
}

func (x *run) processes(list []measure.Process) []result.Process {
	out := make([]result.Process, 0, len(list))
	for _, p := range list {
		out = append(out, result.Process{PID: p.PID, Name: p.Name, GPU: x.job.GPUs[p.Device].UUID, MemoryMB: float64(p.MemoryUsed) / (1 << 20)})
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
	w, p := x.work, &x.job.Prompts
	open := x.job.Experiment.Workload.Load.Open()
	fig := load.Summarise(w.traces, open)
	seconds := w.window.Seconds()
	r.WindowSeconds = ptr(seconds)
	r.WindowStart = ptr(x.utc(w.t0))
	r.Tokens = result.Tokens{Input: fig.InputTokens, Cached: fig.CachedTokens, Output: fig.OutputTokens, Reasoning: fig.ReasoningTokens, Source: fig.TokenSource, InputSource: fig.InputSource}
	r.Requests = result.Requests{
		Completed: fig.Completed, Failed: fig.Failed,
		PromptChecksum: load.Checksum(p.First(x.job.Experiment, w.traces.Len())), SharedTokens: x.sharedPrefix(), HeadTokens: x.headTokens(), MultiTokenChunks: fig.MultiTokenChunks,
		TraceSHA256: p.Plan.Trace.Digest, TraceTimeUnit: p.Plan.Trace.Unit, LengthsSHA256: p.Plan.Lengths, LengthsBy: cmp.Or(p.Vocabulary.Source, p.Counted, "server"),
		SourceSHA256: p.Digest, SourceCommit: textOrNil(p.Commit), LeftOut: p.LeftOut, PromptTemplate: p.Template, ColumnsNotSent: p.NotSent,
	}
	if seconds > 0 {
		r.TokensPerSecond = over(fig.OutputTokens, seconds)
		if n := len(x.job.GPUs); n > 0 && r.TokensPerSecond != nil {
			r.TokensPerSecondPerGPU = ptr(*r.TokensPerSecond / float64(n))
		}
	}
	r.Latency = result.Latency{TTFT: summary(fig.TTFT), TPOT: summary(fig.TPOT), ITL: summary(fig.ITL), E2E: summary(fig.E2E)}
	if open {
		r.Latency.TTFTScheduled, r.Latency.E2EScheduled = summary(fig.TTFTScheduled), summary(fig.E2EScheduled)
	}
	r.SLO = goodput(w.traces, x.job.Experiment.SLO, seconds, open, false)
	r.Client = result.Client{
		CPUSeconds: ptr(w.audit.CPU.Seconds()), CPUShare: ptr(w.audit.CPUShare()),
		SendLagMS: summary(fig.Lag), ReadLagMS: summary(w.readLag), GCPausesMS: summary(w.audit.GC),
	}
	return fig
}

// mapWarnings writes the warnings, each text once, and what they mean for the
// energy figure.
func (x *run) mapWarnings(r *result.Record) {
	r.MeasurementWarnings, r.WarningSeverities = []string{}, map[string]string{}
	seen := map[string]bool{}
	for _, w := range x.warnings {
		if text := x.job.Experiment.Hide(w.String()); !seen[text] {
			seen[text] = true
			r.MeasurementWarnings = append(r.MeasurementWarnings, text)
			r.WarningSeverities[w.Code] = string(w.Severity)
			if w.Severity == measure.Invalid && w.Code != "energy_unavailable" {
				r.Energy.Valid = false
				if !slices.Contains(r.Energy.Reasons, w.Code) {
					r.Energy.Reasons = append(r.Energy.Reasons, w.Code)
				}
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

// per1 is total for each of n; nil for none, or an unknown number.
func per1(total float64, n *int64) *float64 {
	if n == nil || *n <= 0 {
		return nil
	}
	return ptr(total / float64(*n))
}

// over is n in each of so many seconds; nil for an unknown number.
func over(n *int64, seconds float64) *float64 {
	if n == nil {
		return nil
	}
	return ptr(float64(*n) / seconds)
}

// plus is the sum of numbers; nil where one is unknown.
func plus(a, b *int64) *int64 {
	if a == nil || b == nil {
		return nil
	}
	return ptr(*a + *b)
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
