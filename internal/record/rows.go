package record

import (
	"cmp"
	"iter"
	"math"
	"time"

	"github.com/llenergymeasure/llem/internal/device"
	"github.com/llenergymeasure/llem/internal/load"
	"github.com/llenergymeasure/llem/internal/measure"
	"github.com/llenergymeasure/llem/internal/result"
)

// Requests are the rows of the requests, each good until the next.
func (o *Observation) Requests() iter.Seq[result.RequestRow] {
	return func(yield func(result.RequestRow) bool) {
		if o.Window == nil || o.Window.Timings == nil {
			return
		}
		planned := o.Job.Prompts.Planned(o.Job.Experiment)
		for i, t := range o.Window.Timings.All() {
			row := requestRow(t, planned(i))
			row.ExperimentID = o.Run.ID
			if row.Error != "" {
				row.Error = o.Job.Experiment.Hide(row.Error)
			}
			if !yield(row) {
				return
			}
		}
	}
}

// requestRow is what happened to a request, and what was planned for it.
func requestRow(t *load.Timing, planned load.Request) result.RequestRow {
	row := result.RequestRow{
		ID: int64(t.ID), ScheduledNS: int64(t.Scheduled), SentNS: stamp(t.Sent), FirstByteNS: stamp(t.FirstByte),
		FirstTokenNS: stamp(t.FirstToken), LastTokenNS: stamp(t.LastToken), EndNS: stamp(t.End),
		InputTokens: tokens(t.InputTokens), OutputTokens: tokens(t.OutputTokens), ReasoningTokens: reasoning(t), UsageRefused: textOrNil(t.Refused),
		Status: t.Status, HTTPStatus: int32(t.HTTPStatus), Error: t.Error, FinishReason: t.FinishReason, PromptHash: t.PromptHash, Model: textOrNil(t.Model),
		OutputTokensBy: textOrNil(t.UsageSource), PlannedInputTokens: tokens(planned.InputTokens), PlannedOutputTokens: tokens(planned.MaxOutputTokens),
	}
	if row.InputTokens != nil {
		row.InputTokensBy = new(cmp.Or(t.InputSource, "server"))
	}
	if t.CachedTokens != nil {
		row.CachedTokens = new(int32(min(*t.CachedTokens, math.MaxInt32)))
	}
	prev := t.Sent
	for _, c := range t.Chunks {
		row.ChunkDeltaNS = append(row.ChunkDeltaNS, int64(c.At()-prev))
		row.ChunkTokens = append(row.ChunkTokens, int32(c.Tokens()))
		prev = c.At()
	}
	return row
}

// tokens is nil for a count that is not known, which 0 is.
func tokens(n int) *int32 {
	if n == 0 {
		return nil
	}
	return new(int32(min(n, math.MaxInt32)))
}

func reasoning(t *load.Timing) *int32 {
	if t.Reasoning == load.Unknown || t.OutputTokens == 0 {
		return nil
	}
	return new(int32(min(t.Reasoning, math.MaxInt32)))
}

// stamp is nil for what never happened.
func stamp(d time.Duration) *int64 {
	if d < 0 {
		return nil
	}
	return new(int64(d))
}

// Timeseries averages the window's readings per GPU and second; throttle bits
// are OR-ed. Seconds count from t0.
func (o *Observation) Timeseries() []result.TimeseriesRow {
	if o.Window == nil || len(o.Host.Devices) == 0 {
		return nil
	}
	t0 := o.utc(o.Window.T0)
	seconds := int(math.Ceil(o.Window.Length.Seconds()))
	cells := make([]cell, seconds*len(o.Host.Devices))
	for i := range o.Readings.Samples {
		s := &o.Readings.Samples[i]
		at := s.At - o.Readings.From
		if at < 0 || at > o.Window.Length || seconds == 0 {
			continue
		}
		second := min(int(at/time.Second), seconds-1)
		cells[second*len(o.Host.Devices)+int(s.GPU)].add(s)
	}
	id := textOrNil(o.Run.ID)
	var rows []result.TimeseriesRow
	for i := range cells {
		if cells[i].n > 0 {
			d, second := o.Host.Devices[i%len(o.Host.Devices)], i/len(o.Host.Devices)
			row := cells[i].row(float64(second), int32(d.Index))
			row.GPUUUID, row.UTCNS = d.UUID, t0.Add(time.Duration(second)*time.Second).UnixNano()
			row.ExperimentID = id
			rows = append(rows, row)
		}
	}
	return rows
}

// cell is one GPU's second.
type cell struct {
	n                              int
	power, temp, used, total, util mean
	throttle                       int64
	throttled                      bool
}

func (c *cell) add(s *device.Sample) {
	c.n++
	if p, ok := s.Power(); ok {
		c.power.add(float64(p))
	}
	if s.Has&device.HasTemperature != 0 {
		c.temp.add(float64(s.TemperatureC))
	}
	if s.Has&device.HasMemory != 0 {
		c.used.add(float64(s.MemUsed) / (1 << 20))
		c.total.add(float64(s.MemTotal) / (1 << 20))
	}
	if s.Has&device.HasUtilisation != 0 {
		c.util.add(float64(s.SMUtil))
	}
	if s.Has&device.HasThrottle != 0 {
		c.throttled = true
		c.throttle |= int64(s.Throttle)
	}
}

func (c *cell) row(second float64, gpu int32) result.TimeseriesRow {
	row := result.TimeseriesRow{
		TimestampS: second, GPUIndex: gpu, PowerW: c.power.value(), TemperatureC: c.temp.value(),
		MemoryUsedMB: c.used.value(), MemoryTotalMB: c.total.value(), SMUtilisationPct: c.util.value(),
	}
	if c.throttled {
		row.ThrottleReasons = &c.throttle
	}
	return row
}

// mean of what was read; its value is nil when nothing was.
type mean struct {
	sum float64
	n   int
}

func (m *mean) add(v float64) { m.sum += v; m.n++ }

func (m *mean) value() *float32 {
	if m.n == 0 {
		return nil
	}
	return new(float32(m.sum / float64(m.n)))
}

// Samples are the rows of all readings, those of preflight first.
func (o *Observation) Samples() iter.Seq[result.SampleRow] {
	return func(yield func(result.SampleRow) bool) {
		for _, list := range [][]device.Sample{o.Readings.Polls, o.Readings.Samples} {
			for i := range list {
				if !yield(o.sampleRow(&list[i])) {
					return
				}
			}
		}
	}
}

func (o *Observation) sampleRow(s *device.Sample) result.SampleRow {
	at := o.Readings.Epoch.Add(s.At)
	row := result.SampleRow{
		Phase: measure.Phase(s.Phase).String(), Edge: s.Edge, Source: o.Readings.Meter, ExperimentID: o.Run.ID,
		GPUUUID: o.Host.Devices[s.GPU].UUID, GPUIndex: int32(o.Host.Devices[s.GPU].Index),
		MonotonicNS: int64(s.At), UTCNS: at.UnixNano(), ReadTookNS: int64(s.Took),
	}
	if o.Window != nil && o.Window.Length > 0 {
		row.WindowNS = new(int64(at.Sub(o.Window.T0)))
	}
	set := func(f device.Field, put func()) {
		if s.Has&f != 0 {
			put()
		}
	}
	set(device.HasEnergy, func() {
		row.EnergyMJ = new(int64(s.EnergyMJ))
		if s.EnergyUS != 0 {
			row.EnergyDeviceUS = new(s.EnergyUS)
		}
	})
	set(device.HasPowerInstant, func() { row.PowerInstantMW = new(int32(s.PowerInstMW)) })
	set(device.HasPowerAverage, func() { row.PowerAverageMW = new(int32(s.PowerAvgMW)) })
	set(device.HasPowerUsage, func() { row.PowerUsageMW = new(int32(s.PowerUsageMW)) })
	set(device.HasTemperature, func() { row.TemperatureC = new(s.TemperatureC) })
	set(device.HasMemory, func() {
		row.MemoryUsedBytes, row.MemoryTotalBytes = new(int64(s.MemUsed)), new(int64(s.MemTotal))
	})
	set(device.HasUtilisation, func() { row.SMUtilisationPct = new(int32(s.SMUtil)) })
	set(device.HasThrottle, func() { row.ThrottleReasons = new(int64(s.Throttle)) })
	for k, to := range throttled(&row) {
		set(device.HasThrottled<<k, func() { *to = new(int64(s.Throttled[k])) })
	}
	return row
}

// throttled are a row's times of throttling, in the order of a sample's.
func throttled(row *result.SampleRow) [device.ThrottleTimes]**int64 {
	return [...]**int64{&row.SWPowerCapNS, &row.ThermalNS, &row.SWThermalNS, &row.HWThermalNS, &row.HWPowerBrakeNS}
}
