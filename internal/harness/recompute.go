package harness

import (
	"slices"
	"time"

	"github.com/llenergymeasure/llem/internal/load"
	"github.com/llenergymeasure/llem/internal/measure"
	"github.com/llenergymeasure/llem/internal/result"
)

// recompute is r with every figure mapped again that can be, by the functions that mapped
// it, from the run that [replay] made of it.
func (x *run) recompute(r *result.Record, samples []measure.Sample, from time.Duration) *result.Record {
	out := &result.Record{
		SchemaVersion: r.SchemaVersion, ExperimentID: r.ExperimentID, Name: x.job.Experiment.Name, LlemVersion: r.LlemVersion, Status: r.Status, Error: r.Error,
		ConfigHash: x.job.Experiment.ConfigHash(), WorkloadHash: x.job.Experiment.WorkloadHash(x.job.Prompts.File()),
		StartedAt: r.StartedAt, EndedAt: r.EndedAt, Phases: x.phaseRecords(), Gap: r.Gap, Study: r.Study,
		Engine: r.Engine, Model: r.Model, Config: r.Config, Environment: r.Environment,
		Timeseries: result.TimeseriesFile, RequestsFile: result.RequestsFile, Files: r.Files, RecordSHA256: r.RecordSHA256,
	}
	if x.job.Experiment.Output.RawSamples {
		out.SamplesFile = result.SamplesFile
	}
	out.Environment.GPUs = slices.Clone(r.Environment.GPUs)
	for i := range out.Environment.GPUs {
		x.mapRefresh(&out.Environment.GPUs[i], i)
	}
	x.mapStartup(out, samples)
	x.mapWarmup(out)
	fig := load.Figures{}
	if x.work != nil {
		fig = x.mapWork(out)
		if x.older {
			fig = olderTotals(fig, x.work.traces)
			out.Tokens.Input, out.Tokens.Output, out.Tokens.Reasoning = fig.InputTokens, fig.OutputTokens, fig.ReasoningTokens
			out.SLO = goodput(x.work.traces, x.job.Experiment.SLO, x.work.window.Seconds(), x.job.Experiment.Workload.Load.Open(), true)
		}
	}
	x.mapEnergy(out, fig, samples, from)
	x.circumstances(out, r)
	x.recomputeAfter(out, r, samples)
	x.recomputeFLOPs(out, r, fig)
	if x.job.Engine != nil {
		x.recomputeWarnings(r, fig)
		x.mapUnknown(out, fig)
	}
	x.accept(r)
	x.mapWarnings(out)
	return out
}

// circumstances are what of the energy only the run saw.
func (x *run) circumstances(out, r *result.Record) {
	en, was := &out.Energy, &r.Energy
	en.Host, en.Instruments, en.CodeCarbon = was.Host, was.Instruments, was.CodeCarbon
	keepCircumstances(en.Baseline, was.Baseline)
}

// keepCircumstances leaves of a baseline what is computed, and takes the rest.
func keepCircumstances(b, was *result.Baseline) {
	if b == nil || was == nil {
		return
	}
	b.DurationSeconds, b.MeasuredAt, b.AgeSeconds, b.Cached, b.Contaminated, b.Processes = was.DurationSeconds, was.MeasuredAt, was.AgeSeconds, was.Cached, was.Contaminated, was.Processes
}

// recomputeAfter is the idle power after the run, from the readings of that phase.
func (x *run) recomputeAfter(out, r *result.Record, samples []measure.Sample) {
	if r.Energy.BaselineAfter == nil || x.baseline == nil {
		return
	}
	out.Energy.BaselineAfter = r.Energy.BaselineAfter
	if own := x.lastPhase(samples, measure.After); own != nil {
		b, err := measure.RecomputeBaseline(own, x.sensors())
		if err != nil {
			out.Energy.BaselineAfter = nil
			return
		}
		out.Energy.BaselineAfter = x.baselineRecord(&b)
		keepCircumstances(out.Energy.BaselineAfter, r.Energy.BaselineAfter)
		if w, ok := measure.BaselineDrift(*x.baseline, b); ok {
			x.warnings = append(x.warnings, w)
		}
	}
	widenByDrift(out)
}

// lastPhase are the readings of the last phase of a name, as those of a baseline; nil:
// there was none.
func (x *run) lastPhase(samples []measure.Sample, p measure.Phase) (out []measure.Sample) {
	var start time.Time
	for _, phase := range x.phases {
		if phase.Name == p.String() {
			start = phase.Start
		}
	}
	for _, s := range samples {
		if s.Phase == p && !x.epoch.Add(s.At).Before(start) {
			s.Phase = measure.BaselinePhase
			out = append(out, s)
		}
	}
	return out
}

// recomputeFLOPs maps FLOPs and the model's sizes by those that the record has. An older
// record has none, and only rates are computed.
func (x *run) recomputeFLOPs(out, r *result.Record, fig load.Figures) {
	switch f := r.FLOPs; {
	case f == nil || x.work == nil:
	case f.Parameters == nil:
		rates := *f
		rates.FLOPsPerSecond, rates.FLOPsPerJoule, rates.UFLOPsPerJoule, rates.UFLOPsPerJouleAbsolute = nil, nil, nil, nil
		mapRates(out, &rates)
		out.FLOPs = &rates
	default:
		confidence := ""
		if f.Confidence != nil {
			confidence = *f.Confidence
		}
		p, why := sizesOf(f.Parameters, confidence)
		out.FLOPs = x.flopsBy(out, fig, p, why)
		mapSizes(&out.Model, p)
	}
}

// recomputeWarnings makes the warnings again that are not made with the figures they are of.
func (x *run) recomputeWarnings(r *result.Record, fig load.Figures) {
	if x.warmup != nil && x.reached(measure.ThermalFloorPhase) {
		x.warmupWarnings()
	}
	if r.Status == result.Completed && x.work != nil {
		x.failureWarning()
	}
	x.runWarnings(fig)
}

// reached says whether a phase began.
func (x *run) reached(p measure.Phase) bool {
	return slices.ContainsFunc(x.phases, func(phase result.Phase) bool { return phase.Name == p.String() })
}

// accept takes the record's warnings about what only the run saw. Their severity is that
// of their code; that of [engine.ByRoot] is a note.
func (x *run) accept(r *result.Record) {
	made := map[string]bool{}
	for _, w := range x.warnings {
		made[x.job.Experiment.Hide(w.String())] = true
	}
	for _, text := range r.MeasurementWarnings {
		code, message := splitWarning(text)
		kind, ok := measure.KindOf(code)
		if !ok || made[text] || !x.mayObserve(r, code) {
			continue
		}
		w := measure.Warning{Code: code, Severity: kind.Severity, Message: message}
		if code == "model_not_confirmed" && r.WarningSeverities[code] == string(measure.Note) {
			w.Severity = measure.Note
		}
		x.warnings = append(x.warnings, w)
	}
}

// mayObserve says whether only the run saw what a warning of a code says.
func (x *run) mayObserve(r *result.Record, code string) bool {
	switch code {
	case "single_run": // a record does not say how many cycles its study has
		return r.Study != nil
	case "requests_failed", "cold_start", "warmup_not_converged": // of a run that was cut off
		return r.Status != result.Completed && x.work == nil
	}
	kind, _ := measure.KindOf(code)
	return kind.Observed
}
