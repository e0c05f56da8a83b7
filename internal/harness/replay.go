package harness

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/llenergymeasure/llem/internal/load"
	"github.com/llenergymeasure/llem/internal/measure"
	"github.com/llenergymeasure/llem/internal/result"
	"github.com/llenergymeasure/llem/internal/study"
)

// replay maps r's figures again, by the very functions that made them, from the
// readings and requests in dir and from what instruments and earlier runs gave.
// What nothing is left of to compute it from stands as it was recorded.
func replay(r *result.Record, dir string, samples []measure.Sample, from time.Duration) (*result.Record, error) {
	rows, err := r.ReadRequests(dir)
	if err != nil {
		return nil, err
	}
	x := &run{Runner: &Runner{}, older: r.Tokens.InputSource == "", olderGain: r.Energy.Gain == nil && r.Older(), work: &work{window: milliseconds(*r.WindowSeconds * 1000)}}
	if x.exp.Workload.Load, err = loadOf(r.Config); err != nil {
		return nil, err
	}
	traces := make(load.List, 0, len(rows))
	for i := range rows {
		traces = append(traces, traceOf(&rows[i], r.Tokens.Source))
	}
	x.work.traces = traces
	for _, g := range r.Environment.GPUs {
		x.devices = append(x.devices, measure.Device{Index: g.Index, UUID: g.UUID, Name: g.Name, ComputeCapability: g.ComputeCapability})
	}
	samples = x.refreshAgain(r.Environment.GPUs, samples)
	if x.baseline, err = x.baselineOf(r, samples); err != nil {
		return nil, err
	}
	x.idle = measure.FloorPower(samples, len(x.devices))
	for i := range r.Energy.Instruments {
		x.others = append(x.others, x.instrumentOf(r, &r.Energy.Instruments[i]))
	}
	return x.again(r, samples, from), nil
}

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

// again is r with its figures mapped anew.
func (x *run) again(r *result.Record, samples []measure.Sample, from time.Duration) *result.Record {
	open := x.exp.Workload.Load.Open()
	fig := load.Summarise(x.work.traces, open)
	if x.older {
		fig = olderTotals(fig, x.work.traces)
	}
	out := *r
	out.SLO = goodput(x.work.traces, sloOf(r.SLO), *r.WindowSeconds, open, x.older)
	out.EnergyTotalJ, out.EnergyAdjustedJ, out.BaselinePowerW, out.EnergyPerOutputToken = nil, nil, nil, nil
	out.Tokens.Input, out.Tokens.Output, out.Tokens.Reasoning = fig.InputTokens, fig.OutputTokens, fig.ReasoningTokens
	out.Requests.Completed, out.Requests.Failed = fig.Completed, fig.Failed
	out.Environment.GPUs = slices.Clone(r.Environment.GPUs)
	for i := range out.Environment.GPUs {
		x.mapRefresh(&out.Environment.GPUs[i], i)
	}
	x.mapEnergy(&out, fig, samples, from)
	energy, u := measure.LaunchEnergy(samples, x.sensors())
	out.Engine.StartupEnergyJ, out.Engine.UStartupEnergyJ = joules(energy), joules(u)
	en, was := &out.Energy, &r.Energy
	en.Valid, en.Reasons, en.Host, en.BaselineAfter = was.Valid, was.Reasons, was.Host, was.BaselineAfter
	en.Instruments, en.CodeCarbon = was.Instruments, was.CodeCarbon
	en.WindowClosedBy, en.EngineIdleConfirmed = was.WindowClosedBy, was.EngineIdleConfirmed
	if en.Baseline != nil && was.Baseline != nil { // its circumstances
		b := *was.Baseline
		b.PowerW, b.UW, b.PerGPUW, b.Method = en.Baseline.PowerW, en.Baseline.UW, en.Baseline.PerGPUW, en.Baseline.Method
		b.Components = en.Baseline.Components
		en.Baseline = &b
	}
	widenByDrift(&out)
	if r.FLOPs != nil {
		f := *r.FLOPs
		f.FLOPsPerSecond, f.FLOPsPerJoule, f.UFLOPsPerJoule, f.UFLOPsPerJouleAbsolute = nil, nil, nil, nil
		mapRates(&out, &f)
		out.FLOPs = &f
	}
	return &out
}

// loadOf is the load in a record's configuration.
func loadOf(config any) (study.Load, error) {
	var c struct {
		Workload struct {
			Load study.Load `json:"load"`
		} `json:"workload"`
	}
	data, err := json.Marshal(config)
	if err == nil {
		err = json.Unmarshal(data, &c)
	}
	if err != nil {
		return study.Load{}, fmt.Errorf("config.workload.load: %w", err)
	}
	return c.Workload.Load, nil
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

// baselineOf is the baseline: from its readings, or as an earlier run gave it.
func (x *run) baselineOf(r *result.Record, samples []measure.Sample) (*measure.Baseline, error) {
	was := r.Energy.Baseline
	switch {
	case was == nil:
		return nil, nil
	case !was.Cached:
		b, err := measure.RecomputeBaseline(samples, x.sensors())
		return &b, err
	}
	b := &measure.Baseline{Power: measure.Watts(was.PowerW), Method: was.Method, Components: map[string]measure.Watts{}}
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
	if was.Error != nil || was.EarlyMS == nil || was.LateMS == nil {
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
