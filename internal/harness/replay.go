package harness

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
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
	if x.exp, err = configOf(dir); err != nil {
		return nil, err
	}
	for _, g := range r.Environment.GPUs {
		x.devices = append(x.devices, deviceOf(g))
	}
	return x, nil
}

// rebuild fills in what the run had found out by its end. It returns the samples without
// the polls of preflight.
func (x *run) rebuild(r *result.Record, rows []result.RequestRow, samples []measure.Sample, from time.Duration) ([]measure.Sample, error) {
	read := len(samples) > 0
	samples = x.refreshAgain(r.Environment.GPUs, samples)
	err := x.serverAgain(r)
	if err != nil && !r.Older() {
		return nil, err
	}
	x.promptsAgain(r, rows)
	if r.WindowSeconds != nil {
		x.work = workOf(r, rows, x.epoch.Add(from), read)
	}
	x.noEnergy = x.whyNoEnergy(r)
	if err := x.warmAgain(r); err != nil {
		return nil, err
	}
	if x.baseline, err = x.baselineOf(r, samples); err != nil {
		return nil, err
	}
	x.idle = measure.FloorPower(samples, len(x.devices))
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

// serverAgain is what the server said, and by what it was asked.
func (x *run) serverAgain(r *result.Record) (err error) {
	if r.Engine.Name != "" {
		x.eng, err = engine.Lookup(r.Engine.Name)
	}
	text := func(s *string) string {
		if s == nil {
			return ""
		}
		return *s
	}
	x.info.Model, x.served.ID, x.served.Loaded, x.served.By = text(r.Engine.ServedModel), text(r.Engine.ServedModel), text(r.Engine.Loaded), text(r.Engine.ServedBy)
	x.sent.from = text(r.Engine.AuthorizedBy)
	x.info.ContextLength = int(orZero(r.Engine.ContextLength))
	if r.Study != nil {
		x.place = &place{StudyRun: *r.Study, cycles: 2}
	}
	return err
}

// promptsAgain is what is known of the prompts, which are not kept.
func (x *run) promptsAgain(r *result.Record, rows []result.RequestRow) {
	p, q := &x.prompts, r.Requests
	p.plan.Trace.Digest, p.plan.Trace.Unit, p.plan.Lengths = q.TraceSHA256, q.TraceTimeUnit, q.LengthsSHA256
	p.digest, p.left, p.template, p.notSent = q.SourceSHA256, q.LeftOut, q.PromptTemplate, q.ColumnsNotSent
	if q.SourceCommit != nil {
		p.commit = *q.SourceCommit
	}
	if q.LengthsBy != "server" {
		p.counted = q.LengthsBy
		if x.exp.Workload.Source == "synthetic" {
			p.vocabulary.Source = q.LengthsBy
		}
	}
	if q.HeadTokens > 0 && q.HeadTokens <= mostHead {
		p.vocabulary.Head = make([]int, q.HeadTokens)
	}
	for i := range rows {
		p.measured = append(p.measured, load.Request{ID: int(rows[i].ID), InputTokens: orNone(rows[i].PlannedInputTokens), MaxOutputTokens: orNone(rows[i].PlannedOutputTokens), Hash: rows[i].PromptHash})
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
	case len(x.devices) > 0 && x.exp.Energy.Backend == "none":
		return noBackend
	case len(x.devices) > 0:
		return ""
	case x.exp.GPUs.Mode == "none":
		return noGPUsAsked
	case len(r.Energy.Reasons) > 0 && r.Energy.Backend == "none":
		return r.Energy.Reasons[0]
	}
	return "no GPU was measured"
}

// warmAgain warms up again by the latencies that the warmup had.
func (x *run) warmAgain(r *result.Record) error {
	x.floor = 0
	if x.reached(measure.ThermalFloorPhase) {
		x.floor = study.Seconds(x.exp.Warmup.ThermalFloorSeconds)
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

// refreshAgain tells how often the counters move from the polls of preflight, which
// come first among the samples, and returns the others. A record from before they
// were kept has none, and is believed.
func (x *run) refreshAgain(gpus []result.GPU, samples []measure.Sample) []measure.Sample {
	for n := 0; n < len(samples) && samples[n].Phase == measure.Preflight; n++ {
		x.polls = samples[:n+1]
	}
	if len(x.polls) > 0 {
		x.refresh, x.jitter = measure.Refresh(x.polls, len(gpus))
		return samples[len(x.polls):]
	}
	of := func(ms *float64) time.Duration {
		if ms == nil {
			return 0
		}
		return milliseconds(*ms)
	}
	for _, g := range gpus {
		x.refresh, x.jitter = append(x.refresh, of(g.CounterRefreshMS)), append(x.jitter, of(g.CounterJitterMS))
	}
	return samples
}

// traceOf is the inverse of requestRow, of what figures are computed from.
func traceOf(row *result.RequestRow, source string) load.Trace {
	at := func(ns *int64) time.Duration {
		if ns == nil {
			return -1
		}
		return time.Duration(*ns)
	}
	t := load.Trace{
		ID: int(row.ID), Scheduled: time.Duration(row.ScheduledNS), Sent: at(row.SentNS), FirstByte: at(row.FirstByteNS),
		FirstToken: at(row.FirstTokenNS), LastToken: at(row.LastTokenNS), End: at(row.EndNS), UsageSource: source,
		InputTokens: orNone(row.InputTokens), OutputTokens: orNone(row.OutputTokens), Reasoning: load.Unknown, Status: row.Status,
		HTTPStatus: int(row.HTTPStatus), Error: row.Error, FinishReason: row.FinishReason, PromptHash: row.PromptHash,
	}
	if row.OutputTokensBy != nil {
		t.UsageSource = *row.OutputTokensBy
	}
	if row.InputTokensBy != nil && *row.InputTokensBy != "server" {
		t.InputSource = *row.InputTokensBy
	}
	if row.UsageRefused != nil {
		t.Refused = *row.UsageRefused
	}
	if row.Model != nil {
		t.Model = *row.Model
	}
	if row.CachedTokens != nil {
		t.CachedTokens = ptr(int(*row.CachedTokens))
	}
	if row.ReasoningTokens != nil {
		t.Reasoning = int(*row.ReasoningTokens)
	}
	prev := t.Sent
	for i := range min(len(row.ChunkDeltaNS), len(row.ChunkTokens)) {
		prev += time.Duration(row.ChunkDeltaNS[i])
		t.Chunks = append(t.Chunks, load.NewChunk(prev, int(row.ChunkTokens[i])))
	}
	return t
}

func orNone(n *int32) int {
	if n == nil {
		return 0
	}
	return int(*n)
}

// olderTotals are what records said before they knew unknown tokens: those of failed
// requests counted, 0 was a number, and a chunk a token.
func olderTotals(fig load.Figures, traces load.Traces) load.Figures {
	var in, out, thought int64
	for _, t := range traces.All() {
		in, out, thought = in+int64(t.InputTokens), out+int64(t.OutputTokens), thought+int64(max(0, t.Reasoning))
	}
	fig.InputTokens, fig.OutputTokens, fig.ReasoningTokens = &in, &out, &thought
	return fig
}

// baselineOf is the baseline: from its readings, or as an earlier run gave it. One that
// the record does not have was not measured, unless its readings are there.
func (x *run) baselineOf(r *result.Record, samples []measure.Sample) (*measure.Baseline, error) {
	was := r.Energy.Baseline
	if was == nil || !was.Cached {
		b, err := measure.RecomputeBaseline(samples, x.sensors())
		if err != nil && was == nil || was == nil && (r.Older() || lostReadings(r)) {
			return nil, nil
		}
		if was != nil {
			b.Contaminated, b.Processes = was.Contaminated, x.processesOf(was.Processes)
		}
		return &b, err
	}
	b := &measure.Baseline{Power: measure.Watts(was.PowerW), Method: was.Method, Components: map[string]measure.Watts{}, Contaminated: was.Contaminated, Processes: x.processesOf(was.Processes)}
	if was.UW != nil {
		u := measure.Watts(*was.UW)
		b.U = &u
	}
	for _, w := range was.PerGPUW {
		b.PerGPU = append(b.PerGPU, measure.Watts(w))
	}
	for name, c := range was.Components {
		b.Components[name] = measure.Watts(c)
	}
	b.Aged(milliseconds(was.AgeSeconds * 1000))
	return b, nil
}

// lostReadings says that readings failed: one at the end of a baseline, of which there is
// then none, may be among them.
func lostReadings(r *result.Record) bool { return r.WarningSeverities["readings_lost"] != "" }

// processesOf is the inverse of processes.
func (x *run) processesOf(list []result.Process) (out []measure.Process) {
	for _, p := range list {
		at := slices.IndexFunc(x.devices, func(d measure.Device) bool { return d.UUID == p.GPU })
		if at >= 0 {
			out = append(out, measure.Process{PID: p.PID, Name: p.Name, Device: at, MemoryUsed: uint64(p.MemoryMB * (1 << 20))})
		}
	}
	return out
}

// named is an instrument that is no longer there.
type named struct {
	Instrument
	name string
}

func (n named) Name() string                { return n.name }
func (n named) Versions() map[string]string { return nil }

// instrumentOf is an instrument with what the record tells that it read.
func (x *run) instrumentOf(r *result.Record, was *result.Instrument) *instrument {
	i := &instrument{Instrument: named{name: was.Name}}
	switch {
	case was.Error != nil:
		i.err = errors.New(*was.Error)
		return i
	case was.EarlyMS == nil || was.LateMS == nil:
		i.err = errors.New("it gave nothing")
		return i
	}
	i.began = x.work.t0.Add(-milliseconds(*was.EarlyMS))
	i.ended = x.work.t0.Add(x.work.window + milliseconds(*was.LateMS))
	sum := measure.Joules(0)
	for _, g := range r.Energy.PerGPU {
		if g.Method == was.Name && g.EnergyJ != nil {
			i.reading.PerGPU = append(i.reading.PerGPU, measure.Joules(*g.EnergyJ))
			sum += measure.Joules(*g.EnergyJ)
		}
	}
	if len(i.reading.PerGPU) > 0 {
		i.reading.GPU = &sum
	}
	for _, c := range r.Energy.CrossChecks {
		if c.Method == was.Name {
			i.reading.GPU = ptr(measure.Joules(c.EnergyJ))
		}
	}
	if c := r.Energy.CodeCarbon; c != nil && was.Name == "codecarbon" {
		i.reading.CPU, i.reading.RAM = measure.Joules(c.CPUJ), measure.Joules(c.RAMJ)
		if c.GPUJ != nil {
			i.reading.GPU = ptr(measure.Joules(*c.GPUJ))
		}
	}
	return i
}

// milliseconds is exact for what was a whole number of nanoseconds.
func milliseconds(ms float64) time.Duration { return time.Duration(math.Round(ms * 1e6)) }

// differences are the figures in which two records differ, by path.
func differences(was, again *result.Record) (paths []string, of func(path string) (was, again string), err error) {
	a, err := was.Leaves()
	if err != nil {
		return nil, nil, err
	}
	b, err := again.Leaves()
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
