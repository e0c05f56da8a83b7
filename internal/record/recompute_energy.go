package record

import (
	"errors"
	"slices"
	"time"

	"github.com/llenergymeasure/llem/internal/device"
	"github.com/llenergymeasure/llem/internal/measure"
	"github.com/llenergymeasure/llem/internal/result"
)

// splitPolls tells how often the counters move from the polls of preflight, which come
// first among the samples and are no edges: a run that removes the container of the run
// before waits for its memory then, and takes edges. An older record may be from before
// polls were kept, and is believed.
func (p *Recomputed) splitPolls(samples []device.Sample) {
	gpus := p.of.Environment.GPUs
	n := 0
	for n < len(samples) && measure.Phase(samples[n].Phase) == measure.Preflight && !samples[n].Edge {
		n++
	}
	p.Readings.Polls, p.Readings.Samples = samples[:n], samples[n:]
	if n > 0 || !p.of.Older() {
		p.Host.Refresh, p.Host.Jitter = measure.Refresh(p.Readings.Polls, len(gpus))
		return
	}
	of := func(ms *float64) time.Duration {
		if ms == nil {
			return 0
		}
		return milliseconds(*ms)
	}
	for _, g := range gpus {
		p.Host.Refresh, p.Host.Jitter = append(p.Host.Refresh, of(g.CounterRefreshMS)), append(p.Host.Jitter, of(g.CounterJitterMS))
	}
}

// baselineOf is the baseline: from its readings, or as an earlier run gave it. One that
// the record does not have was not measured, unless its readings are there.
func (p *Recomputed) baselineOf() (*measure.Baseline, error) {
	r := p.of
	was := r.Energy.Baseline
	if was == nil || !was.Cached {
		b, err := measure.RecomputeBaseline(p.Readings.Samples, p.Host.sensors())
		if err != nil && was == nil || was == nil && (r.Older() || lostReadings(r) || endedInBaseline(r)) {
			return nil, nil
		}
		if was != nil {
			b.Contaminated, b.Processes = was.Contaminated, p.processesOf(was.Processes)
		}
		return &b, err
	}
	b := &measure.Baseline{Power: device.Watts(was.PowerW), Method: was.Method, Components: map[string]device.Watts{}, Contaminated: was.Contaminated, Processes: p.processesOf(was.Processes)}
	if was.UW != nil {
		b.U = new(device.Watts(*was.UW))
	}
	for _, w := range was.PerGPUW {
		b.PerGPU = append(b.PerGPU, device.Watts(w))
	}
	for name, c := range was.Components {
		b.Components[name] = device.Watts(c)
	}
	b.Aged(milliseconds(was.AgeSeconds * 1000))
	return b, nil
}

// endedInBaseline says that the run was interrupted in its baseline, whose readings up to
// then are no figure.
func endedInBaseline(r *result.Record) bool {
	return r.Status == result.Interrupted && !slices.ContainsFunc(r.Phases, func(p result.Phase) bool { return p.Name == measure.Launch.String() })
}

// lostReadings says that readings failed: one at the end of a baseline, of which there is
// then none, may be among them.
func lostReadings(r *result.Record) bool { return r.WarningSeverities["readings_lost"] != "" }

// processesOf is the inverse of processes.
func (p *Recomputed) processesOf(list []result.Process) (out []device.Process) {
	for _, one := range list {
		at := slices.IndexFunc(p.Host.Devices, func(d device.Device) bool { return d.UUID == one.GPU })
		if at >= 0 {
			out = append(out, device.Process{PID: one.PID, Name: one.Name, Device: at, MemoryUsed: uint64(one.MemoryMB * (1 << 20))})
		}
	}
	return out
}

// instrumentOf is an instrument with what the record tells that it read.
func (p *Recomputed) instrumentOf(was *result.Instrument) Instrument {
	i := Instrument{Name: was.Name}
	switch {
	case was.Error != nil:
		i.Err = errors.New(*was.Error)
		return i
	case was.EarlyMS == nil || was.LateMS == nil:
		i.Err = errors.New("it gave nothing")
		return i
	}
	i.Began = p.Window.T0.Add(-milliseconds(*was.EarlyMS))
	i.Ended = p.Window.T0.Add(p.Window.Length + milliseconds(*was.LateMS))
	en := &p.of.Energy
	sum := measure.Joules(0)
	for _, g := range en.PerGPU {
		if g.Method == was.Name && g.EnergyJ != nil {
			i.Reading.PerGPU = append(i.Reading.PerGPU, measure.Joules(*g.EnergyJ))
			sum += measure.Joules(*g.EnergyJ)
		}
	}
	if len(i.Reading.PerGPU) > 0 {
		i.Reading.GPU = &sum
	}
	for _, c := range en.CrossChecks {
		if c.Method == was.Name {
			i.Reading.GPU = new(measure.Joules(c.EnergyJ))
		}
	}
	if c := en.CodeCarbon; c != nil && was.Name == "codecarbon" {
		i.Reading.CPU, i.Reading.RAM = measure.Joules(c.CPUJ), measure.Joules(c.RAMJ)
		i.Reading.CPUMethod, i.Reading.CPUMeasured = c.CPUMethod, c.CPUMeasured
		if c.GPUJ != nil {
			i.Reading.GPU = new(measure.Joules(*c.GPUJ))
		}
	}
	return i
}
