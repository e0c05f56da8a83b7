package record

import (
	"slices"
	"strings"
	"time"

	"github.com/llenergymeasure/llem/internal/device"
	"github.com/llenergymeasure/llem/internal/load"
	"github.com/llenergymeasure/llem/internal/measure"
	"github.com/llenergymeasure/llem/internal/result"
)

// Record is the record with every figure mapped again that can be, by the
// functions that mapped it.
func (p Recomputed) Record() *result.Record {
	r, e := p.of, p.Job.Experiment
	out := &result.Record{
		SchemaVersion: r.SchemaVersion, ExperimentID: r.ExperimentID, Name: e.Name, LlemVersion: r.LlemVersion, Status: r.Status, Error: r.Error,
		ConfigHash: e.ConfigHash(), WorkloadHash: e.WorkloadHash(p.Job.Prompts.File()),
		StartedAt: r.StartedAt, EndedAt: r.EndedAt, Phases: p.phases(), Gap: r.Gap, Study: r.Study,
		Engine: r.Engine, Model: r.Model, Config: r.Config, Environment: r.Environment, Warmup: warmupOf(p.Warmup, p.Floor),
		Timeseries: result.TimeseriesFile, RequestsFile: result.RequestsFile, Files: r.Files, RecordSHA256: r.RecordSHA256,
	}
	if e.Output.RawSamples {
		out.SamplesFile = result.SamplesFile
	}
	out.Environment.GPUs = slices.Clone(r.Environment.GPUs)
	for i := range out.Environment.GPUs {
		p.Host.mapRefresh(&out.Environment.GPUs[i], i)
	}
	p.mapStartup(out)
	fig := load.Figures{}
	if w := p.Window; w != nil {
		fig = p.mapWork(out)
		if r.Older() && r.Tokens.InputSource == "" { // from before tokens could be unknown
			fig = olderTotals(fig, w.Timings)
			out.Tokens.Input, out.Tokens.Output, out.Tokens.Reasoning = fig.InputTokens, fig.OutputTokens, fig.ReasoningTokens
			out.SLO = goodput(w.Timings, e.SLO, w.Length.Seconds(), e.Workload.Load.Open(), true)
		}
	}
	p.mapEnergy(out, fig)
	en, was := &out.Energy, &r.Energy // of which only the run saw some
	en.Host, en.Instruments, en.CodeCarbon = was.Host, was.Instruments, was.CodeCarbon
	keepCircumstances(en.Baseline, was.Baseline)
	p.recomputeAfter(out)
	p.recomputeFLOPs(out, fig)
	if p.Job.Engine != nil {
		p.recomputeWarnings(fig)
		if p.Window != nil {
			mapUnknown(out, fig)
		}
	}
	p.accept()
	mapWarnings(out, e, p.Warnings)
	return out
}

// keepCircumstances leaves of a baseline what is computed, and takes the rest.
func keepCircumstances(b, was *result.Baseline) {
	if b == nil || was == nil {
		return
	}
	b.DurationSeconds, b.MeasuredAt, b.AgeSeconds, b.Cached, b.Contaminated, b.Processes = was.DurationSeconds, was.MeasuredAt, was.AgeSeconds, was.Cached, was.Contaminated, was.Processes
}

// recomputeAfter is the idle power after the run, from the readings of that phase.
func (p *Recomputed) recomputeAfter(out *result.Record) {
	was := p.of.Energy.BaselineAfter
	if was == nil || p.Idle.Baseline == nil {
		return
	}
	out.Energy.BaselineAfter = was
	if own := p.lastPhase(measure.After); own != nil {
		b, err := measure.RecomputeBaseline(own, p.Host.sensors())
		if err != nil {
			out.Energy.BaselineAfter = nil
			return
		}
		out.Energy.BaselineAfter = p.Host.baseline(&b)
		keepCircumstances(out.Energy.BaselineAfter, was)
		if w, ok := measure.BaselineDrift(*p.Idle.Baseline, b); ok {
			p.Warnings = append(p.Warnings, w)
		}
	}
	widenByDrift(out)
}

// lastPhase are the readings of the last phase of a name, as those of a baseline; nil:
// there was none.
func (p *Recomputed) lastPhase(of measure.Phase) (out []device.Sample) {
	var start time.Time
	for _, phase := range p.Run.Phases {
		if phase.Name == of.String() {
			start = phase.Start
		}
	}
	for _, s := range p.Readings.Samples {
		if measure.Phase(s.Phase) == of && !p.epoch.Add(s.At).Before(start) {
			s.Phase = uint8(measure.BaselinePhase)
			out = append(out, s)
		}
	}
	return out
}

// recomputeFLOPs maps FLOPs and the model's sizes by those that the record has. An older
// record has none, and only rates are computed.
func (p *Recomputed) recomputeFLOPs(out *result.Record, fig load.Figures) {
	switch f := p.of.FLOPs; {
	case f == nil || p.Window == nil:
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
		sizes, why := sizesOf(f.Parameters, confidence)
		out.FLOPs = p.Window.flopsOf(out, fig, sizes, why)
		mapSizes(&out.Model, sizes)
	}
}

// recomputeWarnings makes the warnings again that are not made with the figures they are of.
func (p *Recomputed) recomputeWarnings(fig load.Figures) {
	if p.Warmup != nil && p.reached(measure.ThermalFloorPhase) {
		if w, ok := measure.WarmupWarning(WarmupConfig(p.Job.Experiment.Warmup), *p.Warmup); ok {
			p.Warnings = append(p.Warnings, w)
		}
	}
	w := p.Window
	if w != nil && p.of.Status == result.Completed {
		p.Warnings = append(p.Warnings, w.failureWarnings(p.Job.Experiment, p.Job.Credentials.From)...)
	}
	p.runWarnings(fig)
	if w != nil {
		p.Warnings = append(p.Warnings, w.tokenWarnings(&p.Job, &p.Server, fig)...)
	}
}

// reached says whether a phase began.
func (p *Recomputed) reached(of measure.Phase) bool {
	return slices.ContainsFunc(p.Run.Phases, func(phase result.Phase) bool { return phase.Name == of.String() })
}

// accept takes the record's warnings about what only the run saw. Their severity is that
// of their code; that of [engine.ByRoot] is a note.
func (p *Recomputed) accept() {
	made := map[string]bool{}
	for _, w := range p.Warnings {
		made[p.Job.Experiment.Hide(w.String())] = true
	}
	for _, text := range p.of.MeasurementWarnings {
		code, message, _ := strings.Cut(text, ": ")
		kind, ok := measure.KindOf(code)
		if !ok || made[text] || !p.mayObserve(kind) {
			continue
		}
		w := measure.Warning{Code: code, Severity: kind.Severity, Message: message}
		if code == "model_not_confirmed" && p.of.WarningSeverities[code] == string(measure.Note) {
			w.Severity = measure.Note
		}
		p.Warnings = append(p.Warnings, w)
	}
}

// mayObserve says whether only the run saw what a warning of a kind says.
func (p *Recomputed) mayObserve(k measure.Kind) bool {
	switch k.Code {
	case "single_run": // a record does not say how many cycles its study has
		return p.of.Study != nil
	case "requests_failed", "cold_start", "warmup_not_converged": // of a run that was cut off
		return p.of.Status != result.Completed && p.Window == nil
	}
	return k.Observed
}
