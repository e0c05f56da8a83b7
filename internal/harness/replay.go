package harness

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/llenergymeasure/llem/internal/engine"
	"github.com/llenergymeasure/llem/internal/load"
	"github.com/llenergymeasure/llem/internal/measure"
	"github.com/llenergymeasure/llem/internal/result"
	"github.com/llenergymeasure/llem/internal/stats"
	"github.com/llenergymeasure/llem/internal/study"
)

// replay is the run that r is of, as far as the rows in its folder and the facts in r
// that only the run saw tell: what is mapped of it is mapped by the very functions that
// mapped r.
func replay(r *result.Record, dir string, rows []result.RequestRow, raw []result.SampleRow) (x *run, samples []measure.Sample, from time.Duration, err error) {
	if x, err = replayed(r, dir); err != nil {
		return nil, nil, 0, err
	}
	if samples, from, x.epoch, err = readings(raw, r); err != nil {
		return nil, nil, 0, err
	}
	samples, err = x.rebuild(r, rows, samples, from)
	return x, samples, from, err
}

// replayed is the run of r before anything of it is rebuilt.
func replayed(r *result.Record, dir string) (x *run, err error) {
	x = &run{Runner: &Runner{Version: r.LlemVersion}, id: r.ExperimentID, older: r.Older() && r.Tokens.InputSource == "", olderGain: r.Energy.Gain == nil && r.Older(), started: r.StartedAt, gap: r.Gap, phases: r.Phases, store: result.Open(dir)}
	if x.job.Experiment, err = configOf(dir); err != nil {
		return nil, err
	}
	for _, g := range r.Environment.GPUs {
		x.job.GPUs = append(x.job.GPUs, deviceOf(g))
	}
	return x, nil
}

// rebuild fills in what the run had found out by its end. It returns the samples without
// the polls of preflight.
func (x *run) rebuild(r *result.Record, rows []result.RequestRow, samples []measure.Sample, from time.Duration) ([]measure.Sample, error) {
	read := len(samples) > 0
	samples = x.recomputeRefresh(r, samples)
	err := x.restoreServer(r)
	if err != nil && !r.Older() {
		return nil, err
	}
	x.restorePrompts(r, rows)
	if r.WindowSeconds != nil {
		x.work = workOf(r, rows, x.epoch.Add(from), read)
	}
	x.noEnergy = x.whyNoEnergy(r)
	if err := x.recomputeWarmup(r); err != nil {
		return nil, err
	}
	if x.baseline, err = x.baselineOf(r, samples); err != nil {
		return nil, err
	}
	x.idle = measure.FloorPower(samples, len(x.job.GPUs))
	for i := range r.Energy.Instruments {
		x.others = append(x.others, x.instrumentOf(r, &r.Energy.Instruments[i]))
	}
	return samples, nil
}

// configOf is the configuration in the record of dir.
func configOf(dir string) (e study.Experiment, err error) {
	text, err := result.ReadConfig(dir)
	if err != nil {
		return e, err
	}
	if e, err = study.FromJSON(text); err != nil {
		return e, fmt.Errorf("config: %w", err)
	}
	return e, nil
}

// deviceOf is a GPU as far as figures and warnings ask for it.
func deviceOf(g result.GPU) measure.Device {
	return measure.Device{
		Index: g.Index, UUID: g.UUID, Name: g.Name, MemoryBytes: uint64(g.MemoryMB * (1 << 20)), Driver: g.Driver, ComputeCapability: g.ComputeCapability,
		PowerLimitW: g.PowerLimitW, PowerLimitDefaultW: g.PowerLimitDefaultW, PowerLimitMinW: g.PowerLimitMinW, PowerLimitMaxW: g.PowerLimitMaxW,
		SMClockMHz: g.SMClockMHz, SMClockMaxMHz: g.SMClockMaxMHz, MemClockMHz: g.MemClockMHz, Persistence: g.Persistence, MIG: g.MIG,
	}
}

// restoreServer is what the server said, and by what it was asked.
func (x *run) restoreServer(r *result.Record) (err error) {
	if r.Engine.Name != "" {
		x.job.Engine, err = engine.Lookup(r.Engine.Name)
	}
	text := func(s *string) string {
		if s == nil {
			return ""
		}
		return *s
	}
	x.info.Model, x.job.Served.ID, x.job.Served.Loaded, x.job.Served.By = text(r.Engine.ServedModel), text(r.Engine.ServedModel), text(r.Engine.Loaded), text(r.Engine.ServedBy)
	x.job.Credentials.From = text(r.Engine.AuthorizedBy)
	x.info.ContextLength = int(orZero(r.Engine.ContextLength))
	if r.Study != nil {
		x.place = &place{StudyRun: *r.Study, cycles: 2}
	}
	return err
}

// restorePrompts is what is known of the prompts, which are not kept.
func (x *run) restorePrompts(r *result.Record, rows []result.RequestRow) {
	p, q := &x.job.Prompts, r.Requests
	p.Plan.Trace.Digest, p.Plan.Trace.Unit, p.Plan.Lengths = q.TraceSHA256, q.TraceTimeUnit, q.LengthsSHA256
	p.Digest, p.LeftOut, p.Template, p.NotSent = q.SourceSHA256, q.LeftOut, q.PromptTemplate, q.ColumnsNotSent
	if q.SourceCommit != nil {
		p.Commit = *q.SourceCommit
	}
	if q.LengthsBy != "server" {
		p.Counted = q.LengthsBy
		if x.job.Experiment.Workload.Source == "synthetic" {
			p.Vocabulary.Source = q.LengthsBy
		}
	}
	if q.HeadTokens > 0 && q.HeadTokens <= mostHead {
		p.Vocabulary.Head = make([]int, q.HeadTokens)
	}
	for i := range rows {
		p.Measured = append(p.Measured, load.Request{ID: int(rows[i].ID), InputTokens: orNone(rows[i].PlannedInputTokens), MaxOutputTokens: orNone(rows[i].PlannedOutputTokens), Hash: rows[i].PromptHash})
	}
}

// mostHead bounds the tokens with which prompts begin alike.
const mostHead = 1 << 20

// workOf is the window. With readings it began where they say, on their clock.
func workOf(r *result.Record, rows []result.RequestRow, began time.Time, read bool) *work {
	w := &work{window: milliseconds(*r.WindowSeconds * 1000), closedBy: r.Energy.WindowClosedBy, idle: r.Energy.EngineIdleConfirmed, readLag: summaryOf(r.Client.ReadLagMS)}
	if r.WindowStart != nil {
		w.t0 = *r.WindowStart
	}
	if read && !r.Older() {
		w.t0 = began
	}
	traces := make(load.List, 0, len(rows))
	for i := range rows {
		traces = append(traces, traceOf(&rows[i], r.Tokens.Source))
	}
	w.traces = traces
	if c := r.Client; c.CPUSeconds != nil && c.CPUShare != nil && *c.CPUShare > 0 {
		w.audit.CPU = milliseconds(*c.CPUSeconds * 1000)
		w.audit.Took = milliseconds(*c.CPUSeconds / *c.CPUShare * 1000)
	}
	if c := r.Engine.Counters; c != nil {
		w.before, w.after = engine.Counters{}, engine.Counters{}
		for q, n := range map[engine.Quantity]*int64{engine.PromptTokens: c.PromptTokens, engine.OutputTokens: c.OutputTokens, engine.CachedTokens: c.CachedTokens} {
			if n != nil {
				w.after[q] = float64(*n)
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
func (x *run) whyNoEnergy(r *result.Record) string {
	switch {
	case len(x.job.GPUs) > 0 && x.job.Experiment.Energy.Backend == "none":
		return noBackend
	case len(x.job.GPUs) > 0:
		return ""
	case x.job.Experiment.GPUs.Mode == "none":
		return noGPUsAsked
	case len(r.Energy.Reasons) > 0 && r.Energy.Backend == "none":
		return r.Energy.Reasons[0]
	}
	return "no GPU was measured"
}

// recomputeWarmup warms up again by the latencies that the warmup had.
func (x *run) recomputeWarmup(r *result.Record) error {
	x.floor = 0
	if x.reached(measure.ThermalFloorPhase) {
		x.floor = study.Seconds(x.job.Experiment.Warmup.ThermalFloorSeconds)
	}
	w := r.Warmup
	if w == nil {
		return nil
	}
	if len(w.LatenciesMS) > x.warmupConfig().AtMost() {
		return fmt.Errorf("warmup: %d latencies of at most %d iterations", len(w.LatenciesMS), x.warmupConfig().AtMost())
	}
	res, _ := measure.Warmup(context.Background(), x.warmupConfig(), func(_ context.Context, i int) (time.Duration, error) {
		if i >= len(w.LatenciesMS) {
			return 0, errCutOff
		}
		return milliseconds(w.LatenciesMS[i]), nil
	})
	res.Duration = milliseconds(w.DurationSeconds * 1000)
	x.warmup = &res
	return nil
}

var errCutOff = errors.New("the warmup was cut off")

// milliseconds is exact for what was a whole number of nanoseconds.
func milliseconds(ms float64) time.Duration { return time.Duration(math.Round(ms * 1e6)) }

// differences are the figures in which two records differ, by path.
func differences(was, recomputed *result.Record) (paths []string, of func(path string) (was, again string), err error) {
	a, err := was.Leaves()
	if err != nil {
		return nil, nil, err
	}
	b, err := recomputed.Leaves()
	if err != nil {
		return nil, nil, err
	}
	all := map[string]bool{}
	for path := range a {
		all[path] = true
	}
	for path := range b {
		all[path] = true
	}
	for path := range all {
		if a[path] != b[path] {
			paths = append(paths, path)
		}
	}
	return paths, func(path string) (string, string) {
		return cmp.Or(a[path], "nothing"), cmp.Or(b[path], "nothing")
	}, nil
}
