package record

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"github.com/llenergymeasure/llem/internal/device"
	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/load"
	"github.com/llenergymeasure/llem/internal/measure"
	"github.com/llenergymeasure/llem/internal/result"
	"github.com/llenergymeasure/llem/internal/stats"
	"github.com/llenergymeasure/llem/internal/study"
)

// Of is the record of a run, as far as it came.
func Of(o Observation) *result.Record {
	o.Warnings = slices.Clip(o.Warnings) // what is added here is the record's
	e := o.Job.Experiment
	r := &result.Record{
		SchemaVersion: result.SchemaVersion, ExperimentID: o.Run.ID,
		ConfigHash: e.ConfigHash(), WorkloadHash: e.WorkloadHash(o.Job.Prompts.File()),
		Name: e.Name, LlemVersion: o.Run.Version, Status: result.Completed,
		StartedAt: o.utc(o.Run.Started), EndedAt: o.utc(o.Run.Ended), Phases: o.phases(),
		Gap: o.Run.Gap, Study: o.Run.Study, Config: e.Redacted(),
	}
	if err := o.Run.Err; err != nil {
		r.Status, r.Error = result.Failed, err.Error()
		if launch.KindOf(err) == launch.InterruptFault || errors.Is(err, launch.ErrAway) {
			r.Status = result.Interrupted
		}
	}
	p, why := o.parameters()
	r.Engine, r.Model = o.Server.record(&o.Job, o.Window), modelOf(&o.Job, p)
	r.Environment = o.Host.environment(o.Job.Daemon)
	r.Warmup = warmupOf(o.Warmup, o.Floor)
	var fig load.Figures
	if w := o.Window; w != nil {
		if r.Status == result.Completed {
			o.Warnings = append(o.Warnings, w.failureWarnings(e, o.Job.Credentials.From)...)
		}
		fig = o.mapWork(r)
	}
	if o.Server.Startup != nil {
		o.mapStartup(r)
	}
	o.mapEnergy(r, fig)
	o.runWarnings(fig)
	if w := o.Window; w != nil {
		r.FLOPs = w.flopsOf(r, fig, p, why)
		o.Warnings = append(o.Warnings, w.tokenWarnings(&o.Job, &o.Server, fig)...)
		mapUnknown(r, fig)
	}
	mapWarnings(r, e, o.Warnings)
	return r
}

// Finish adds to r, which an earlier observation of the run gave, what came after it.
func Finish(r *result.Record, o Observation) {
	mapWarnings(r, o.Job.Experiment, o.Warnings)
	if b := o.Idle.After; b != nil {
		r.Energy.BaselineAfter = o.Host.baseline(b)
		widenByDrift(r)
		if w, ok := measure.BaselineDrift(*o.Idle.Baseline, *b); ok {
			mapWarnings(r, o.Job.Experiment, []measure.Warning{w})
		}
	}
	r.Environment.GPUSettings = settingsOf(o.Host.Settings)
	r.EndedAt, r.Phases = o.utc(o.Run.Ended), o.phases()
}

// phases are the phases so far, each placed on the clock of the window too.
func (o *Observation) phases() []result.Phase {
	out := slices.Clone(o.Run.Phases)
	for i := range out {
		if o.Window != nil {
			out[i].WindowSeconds = new(out[i].Start.Sub(o.Window.T0).Seconds())
		}
		out[i].Start = o.utc(out[i].Start)
	}
	return out
}

func warmupOf(w *measure.WarmupResult, floor time.Duration) *result.Warmup {
	if w == nil {
		return nil
	}
	out := &result.Warmup{
		Converged: w.Converged, FinalCV: w.FinalCV, IterationsCompleted: w.Iterations,
		TargetCV: w.TargetCV, MaxPrompts: w.Max, LatenciesMS: []float64{},
		DurationSeconds: w.Duration.Seconds(), ThermalFloorSeconds: floor.Seconds(),
	}
	for _, l := range w.Latencies {
		out.LatenciesMS = append(out.LatenciesMS, l.Seconds()*1000)
	}
	return out
}

// mapWork maps the window's requests, tokens and latencies.
func (o *Observation) mapWork(r *result.Record) load.Figures {
	w, p := o.Window, &o.Job.Prompts
	open := o.Job.Experiment.Workload.Load.Open()
	fig := load.Summarise(w.Timings, open)
	seconds := w.Length.Seconds()
	r.WindowSeconds = new(seconds)
	r.WindowStart = new(o.utc(w.T0))
	r.Tokens = result.Tokens{Input: fig.InputTokens, Cached: fig.CachedTokens, Output: fig.OutputTokens, Reasoning: fig.ReasoningTokens, Source: fig.TokenSource, InputSource: fig.InputSource}
	r.Requests = result.Requests{
		Completed: fig.Completed, Failed: fig.Failed,
		PromptChecksum: load.Checksum(p.First(o.Job.Experiment, w.Timings.Len())), SharedTokens: w.shared(o.Job.Experiment.Workload.Prefix), HeadTokens: head(p), MultiTokenChunks: fig.MultiTokenChunks,
		TraceSHA256: p.Schedule.Trace.Digest, TraceTimeUnit: p.Schedule.Trace.Unit, LengthsSHA256: p.Schedule.Lengths, LengthsBy: cmp.Or(p.Vocabulary.Source, p.Counted, "server"),
		SourceSHA256: p.Digest, SourceCommit: textOrNil(p.Commit), LeftOut: p.LeftOut, PromptTemplate: p.Template, ColumnsNotSent: p.NotSent,
	}
	if seconds > 0 {
		r.TokensPerSecond = over(fig.OutputTokens, seconds)
		if n := len(o.Host.Devices); n > 0 && r.TokensPerSecond != nil {
			r.TokensPerSecondPerGPU = new(*r.TokensPerSecond / float64(n))
		}
	}
	r.Latency = result.Latency{TTFT: summary(fig.TTFT), TPOT: summary(fig.TPOT), ITL: summary(fig.ITL), E2E: summary(fig.E2E)}
	if open {
		r.Latency.TTFTScheduled, r.Latency.E2EScheduled = summary(fig.TTFTScheduled), summary(fig.E2EScheduled)
	}
	r.SLO = goodput(w.Timings, o.Job.Experiment.SLO, seconds, open, false)
	r.Client = result.Client{
		CPUSeconds: new(w.Audit.CPU.Seconds()), CPUShare: new(w.Audit.CPUShare()),
		SendLagMS: summary(fig.Lag), ReadLagMS: summary(w.ReadLag), GCPausesMS: summary(w.Audit.GC),
	}
	return fig
}

// mapWarnings adds warnings, each text once, and what they mean for the energy figure.
func mapWarnings(r *result.Record, e study.Experiment, list []measure.Warning) {
	if r.MeasurementWarnings == nil {
		r.MeasurementWarnings, r.WarningSeverities = []string{}, map[string]string{}
	}
	seen := map[string]bool{}
	for _, text := range r.MeasurementWarnings {
		seen[text] = true
	}
	for _, w := range list {
		if text := e.Hide(w.String()); !seen[text] {
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

func joules(j *measure.Joules) *float64 {
	if j == nil {
		return nil
	}
	return new(float64(*j))
}

func watts(w *device.Watts) *float64 {
	if w == nil {
		return nil
	}
	return new(float64(*w))
}

// per1 is total for each of n; nil for none, or an unknown number.
func per1(total float64, n *int64) *float64 {
	if n == nil || *n <= 0 {
		return nil
	}
	return new(total / float64(*n))
}

// over is n in each of so many seconds; nil for an unknown number.
func over(n *int64, seconds float64) *float64 {
	if n == nil {
		return nil
	}
	return new(float64(*n) / seconds)
}

// plus is the sum of numbers; nil where one is unknown.
func plus(a, b *int64) *int64 {
	if a == nil || b == nil {
		return nil
	}
	return new(*a + *b)
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

func summary(s *stats.Summary) *result.Summary {
	if s == nil {
		return nil
	}
	return &result.Summary{N: s.N, Mean: s.Mean, P50: s.P50, P90: s.P90, P95: s.P95, P99: s.P99, Max: s.Max}
}
