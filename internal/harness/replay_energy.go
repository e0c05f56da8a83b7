package harness

import (
	"errors"
	"slices"
	"time"

	"github.com/llenergymeasure/llem/internal/measure"
	"github.com/llenergymeasure/llem/internal/result"
)

// recomputeRefresh tells how often the counters move from the polls of preflight, which
// come first among the samples, and returns the others. An older record may be from
// before they were kept, and is believed.
func (x *run) recomputeRefresh(r *result.Record, samples []measure.Sample) []measure.Sample {
	gpus := r.Environment.GPUs
	for n := 0; n < len(samples) && samples[n].Phase == measure.Preflight; n++ {
		x.polls = samples[:n+1]
	}
	if len(x.polls) > 0 || !r.Older() {
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
		at := slices.IndexFunc(x.job.GPUs, func(d measure.Device) bool { return d.UUID == p.GPU })
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
		i.reading.CPUMethod, i.reading.CPUMeasured = c.CPUMethod, c.CPUMeasured
		if c.GPUJ != nil {
			i.reading.GPU = ptr(measure.Joules(*c.GPUJ))
		}
	}
	return i
}
