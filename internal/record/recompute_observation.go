package record

import (
	"cmp"
	"fmt"
	"math"
	"time"

	"github.com/llenergymeasure/llem/internal/device"
	"github.com/llenergymeasure/llem/internal/engine"
	"github.com/llenergymeasure/llem/internal/load"
	"github.com/llenergymeasure/llem/internal/measure"
	"github.com/llenergymeasure/llem/internal/meter/card"
	"github.com/llenergymeasure/llem/internal/result"
	"github.com/llenergymeasure/llem/internal/stats"
	"github.com/llenergymeasure/llem/internal/study"
)

// Recomputed is the observation that a record is of, as far as its rows and what it says of
// the rest tell. Records of older llems lack some of it.
type Recomputed struct {
	Observation
	of    *result.Record
	epoch time.Time // when the clock of the samples began
}

// Recompute makes the observation of r again: e is its configuration, rows and raw are its
// requests and samples. An error says why these cannot be r's.
func Recompute(r *result.Record, e study.Experiment, rows []result.RequestRow, raw []result.SampleRow) (*Recomputed, error) {
	read, err := readings(raw, r)
	if err != nil {
		return nil, err
	}
	return recompute(r, e, rows, read)
}

func recompute(r *result.Record, e study.Experiment, rows []result.RequestRow, read Readings) (*Recomputed, error) {
	p := &Recomputed{of: r, epoch: read.Epoch}
	p.Job.Experiment = e
	p.Run = Run{ID: r.ExperimentID, Version: r.LlemVersion, Started: r.StartedAt, Gap: r.Gap, Phases: r.Phases, Study: r.Study, Cycles: 2}
	p.Readings.From, p.Readings.Meter = read.From, cmp.Or(read.Meter, unopened)
	for _, g := range r.Environment.GPUs {
		p.Host.Devices = append(p.Host.Devices, deviceOf(g))
	}
	if len(p.Host.Devices) > 0 && (r.Energy.Gain != nil || !r.Older()) {
		p.Host.Gain = new(card.GainOf(p.Host.Devices))
	}
	p.splitPolls(read.Samples)
	err := p.restoreServer()
	if err != nil && !r.Older() {
		return nil, err
	}
	p.restorePrompts(rows)
	if r.WindowSeconds != nil {
		p.Window = windowOf(r, rows, read.Epoch.Add(read.From), len(read.Samples) > 0)
	}
	p.Host.NoEnergy = p.whyNoEnergy()
	if err := p.recomputeWarmup(); err != nil {
		return nil, err
	}
	if p.Idle.Baseline, err = p.baselineOf(); err != nil {
		return nil, err
	}
	p.Idle.Engine = measure.FloorPower(p.Readings.Samples, len(p.Host.Devices))
	for i := range r.Energy.Instruments {
		p.Instruments = append(p.Instruments, p.instrumentOf(&r.Energy.Instruments[i]))
	}
	return p, nil
}

// deviceOf is a GPU as far as figures and warnings ask for it.
func deviceOf(g result.GPU) device.Device {
	return device.Device{
		Index: g.Index, UUID: g.UUID, Name: g.Name, MemoryBytes: uint64(g.MemoryMB * (1 << 20)), Driver: g.Driver, ComputeCapability: g.ComputeCapability,
		PowerLimitW: g.PowerLimitW, PowerLimitDefaultW: g.PowerLimitDefaultW, PowerLimitMinW: g.PowerLimitMinW, PowerLimitMaxW: g.PowerLimitMaxW,
		SMClockMHz: g.SMClockMHz, SMClockMaxMHz: g.SMClockMaxMHz, MemClockMHz: g.MemClockMHz, Persistence: g.Persistence, MIG: g.MIG,
	}
}

// restoreServer is what the server said, and by what it was asked.
func (p *Recomputed) restoreServer() (err error) {
	was := p.of.Engine
	if was.Name != "" {
		p.Job.Engine, err = engine.Lookup(was.Name)
	}
	text := func(s *string) string {
		if s == nil {
			return ""
		}
		return *s
	}
	p.Job.Served = engine.Match{ID: text(was.ServedModel), Loaded: text(was.Loaded), By: text(was.ServedBy)}
	p.Server.Info = engine.Info{Model: text(was.ServedModel), ContextLength: int(orZero(was.ContextLength))}
	p.Job.Credentials.From = text(was.AuthorizedBy)
	return err
}

// restorePrompts is what is known of the prompts, which are not kept.
func (p *Recomputed) restorePrompts(rows []result.RequestRow) {
	q, to := p.of.Requests, &p.Job.Prompts
	to.Schedule.Trace.Digest, to.Schedule.Trace.Unit, to.Schedule.Lengths = q.TraceSHA256, q.TraceTimeUnit, q.LengthsSHA256
	to.Digest, to.LeftOut, to.Template, to.NotSent = q.SourceSHA256, q.LeftOut, q.PromptTemplate, q.ColumnsNotSent
	if q.SourceCommit != nil {
		to.Commit = *q.SourceCommit
	}
	if q.LengthsBy != "server" {
		to.Counted = q.LengthsBy
		if p.Job.Experiment.Workload.Source == "synthetic" {
			to.Vocabulary.Source = q.LengthsBy
		}
	}
	if q.HeadTokens > 0 && q.HeadTokens <= mostHead {
		to.Vocabulary.Head = make([]int, q.HeadTokens)
	}
	for i := range rows {
		to.Measured = append(to.Measured, load.Request{ID: int(rows[i].ID), InputTokens: orNone(rows[i].PlannedInputTokens), MaxOutputTokens: orNone(rows[i].PlannedOutputTokens), Hash: rows[i].PromptHash})
	}
}

// mostHead bounds the tokens with which prompts begin alike.
const mostHead = 1 << 20

// windowOf is the window. With readings it began where they say, on their clock.
func windowOf(r *result.Record, rows []result.RequestRow, began time.Time, read bool) *Window {
	w := &Window{Length: milliseconds(*r.WindowSeconds * 1000), ClosedBy: r.Energy.WindowClosedBy, Idle: r.Energy.EngineIdleConfirmed, ReadLag: summaryOf(r.Client.ReadLagMS)}
	if r.WindowStart != nil {
		w.T0 = *r.WindowStart
	}
	if read && !r.Older() && *r.WindowSeconds > 0 { // else no reading is placed in it
		w.T0 = began
	}
	timings := make(load.List, 0, len(rows))
	for i := range rows {
		timings = append(timings, timingOf(&rows[i], r.Tokens.Source))
	}
	w.Timings = timings
	if c := r.Client; c.CPUSeconds != nil && c.CPUShare != nil && *c.CPUShare > 0 {
		w.Audit.CPU = milliseconds(*c.CPUSeconds * 1000)
		w.Audit.Took = milliseconds(*c.CPUSeconds / *c.CPUShare * 1000)
	}
	if c := r.Engine.Counters; c != nil {
		w.Before, w.After = engine.Counters{}, engine.Counters{}
		for q, n := range map[engine.Quantity]*int64{engine.PromptTokens: c.PromptTokens, engine.OutputTokens: c.OutputTokens, engine.CachedTokens: c.CachedTokens} {
			if n != nil {
				w.After[q] = float64(*n)
			}
		}
	}
	return w
}

func summaryOf(s *result.Summary) *stats.Summary {
	if s == nil {
		return nil
	}
	return &stats.Summary{N: s.N, Mean: s.Mean, P50: s.P50, P90: s.P90, P95: s.P95, P99: s.P99, Max: s.Max}
}

// whyNoEnergy is why the run had no energy figure; empty: it had GPUs to read.
func (p *Recomputed) whyNoEnergy() string {
	e, was := p.Job.Experiment, p.of.Energy
	switch {
	case len(p.Host.Devices) > 0 && e.Energy.Backend == "none":
		return NoBackend
	case len(p.Host.Devices) > 0:
		return ""
	case e.GPUs.Mode == "none":
		return NoGPUs
	case len(was.Reasons) > 0 && was.Backend == "none":
		return was.Reasons[0]
	}
	return "no GPU was measured"
}

// recomputeWarmup warms up again by the latencies that the warmup had.
func (p *Recomputed) recomputeWarmup() error {
	if p.reached(measure.ThermalFloorPhase) {
		p.Floor = study.Seconds(p.Job.Experiment.Warmup.ThermalFloorSeconds)
	}
	w := p.of.Warmup
	if w == nil {
		return nil
	}
	cfg := WarmupConfig(p.Job.Experiment.Warmup)
	if len(w.LatenciesMS) > cfg.AtMost() {
		return fmt.Errorf("warmup: %d latencies of at most %d iterations", len(w.LatenciesMS), cfg.AtMost())
	}
	latencies := make([]time.Duration, len(w.LatenciesMS))
	for i, ms := range w.LatenciesMS {
		latencies[i] = milliseconds(ms)
	}
	res := measure.RecomputeWarmup(cfg, latencies)
	res.Duration = milliseconds(w.DurationSeconds * 1000)
	p.Warmup = &res
	return nil
}

// milliseconds is exact for what was a whole number of nanoseconds.
func milliseconds(ms float64) time.Duration { return time.Duration(math.Round(ms * 1e6)) }
