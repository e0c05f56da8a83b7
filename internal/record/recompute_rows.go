package record

import (
	"errors"
	"time"

	"github.com/llenergymeasure/llem/internal/device"
	"github.com/llenergymeasure/llem/internal/load"
	"github.com/llenergymeasure/llem/internal/measure"
	"github.com/llenergymeasure/llem/internal/result"
)

// readings turns rows back into readings. An error says that they are not the record's.
func readings(rows []result.SampleRow, r *result.Record) (out Readings, err error) {
	position := map[string]int32{}
	for i, g := range r.Environment.GPUs {
		position[g.UUID] = int32(i)
	}
	phases := map[string]measure.Phase{}
	for p := measure.Preflight; p <= measure.After; p++ {
		phases[p.String()] = p
	}
	bad := errors.New("the samples are not those of this record's GPUs and window")
	for i := range rows {
		row := &rows[i]
		g, known := position[row.GPUUUID]
		phase, named := phases[row.Phase]
		if !known || !named || !r.Older() && int(row.GPUIndex) != r.Environment.GPUs[g].Index {
			return Readings{}, bad
		}
		began, windowed := time.Duration(0), row.WindowNS != nil
		if windowed {
			began = time.Duration(row.MonotonicNS - *row.WindowNS)
		}
		at := time.Unix(0, row.UTCNS-row.MonotonicNS).UTC()
		if i == 0 {
			out.From, out.Epoch, out.Meter = began, at, row.Source
		}
		if row.Source != out.Meter || windowed != (r.WindowSeconds != nil && *r.WindowSeconds > 0) || began != out.From || !at.Equal(out.Epoch) && !r.Older() {
			return Readings{}, bad
		}
		out.Samples = append(out.Samples, readingOf(row, g, phase))
	}
	if len(rows) == 0 && len(r.Environment.GPUs) > 0 && r.SamplesFile != "" && r.EnergyTotalJ != nil {
		return Readings{}, bad
	}
	return out, nil
}

// readingOf is the inverse of sampleRow, of what energy is computed from.
func readingOf(row *result.SampleRow, gpu int32, phase measure.Phase) device.Sample {
	s := device.Sample{GPU: gpu, Phase: uint8(phase), Edge: row.Edge, At: time.Duration(row.MonotonicNS), Took: time.Duration(row.ReadTookNS)}
	if row.EnergyMJ != nil {
		s.Has, s.EnergyMJ = s.Has|device.HasEnergy, uint64(*row.EnergyMJ)
		if row.EnergyDeviceUS != nil {
			s.EnergyUS = *row.EnergyDeviceUS
		}
	}
	if row.PowerInstantMW != nil {
		s.Has, s.PowerInstMW = s.Has|device.HasPowerInstant, uint32(*row.PowerInstantMW)
	}
	if row.PowerUsageMW != nil {
		s.Has, s.PowerUsageMW = s.Has|device.HasPowerUsage, uint32(*row.PowerUsageMW)
	}
	if row.PowerAverageMW != nil {
		s.Has, s.PowerAvgMW = s.Has|device.HasPowerAverage, uint32(*row.PowerAverageMW)
	}
	if row.TemperatureC != nil {
		s.Has, s.TemperatureC = s.Has|device.HasTemperature, *row.TemperatureC
	}
	if row.MemoryUsedBytes != nil && row.MemoryTotalBytes != nil {
		s.Has, s.MemUsed, s.MemTotal = s.Has|device.HasMemory, uint64(*row.MemoryUsedBytes), uint64(*row.MemoryTotalBytes)
	}
	if row.SMUtilisationPct != nil {
		s.Has, s.SMUtil = s.Has|device.HasUtilisation, uint32(*row.SMUtilisationPct)
	}
	if row.ThrottleReasons != nil {
		s.Has, s.Throttle = s.Has|device.HasThrottle, device.Throttle(*row.ThrottleReasons)
	}
	for k, ns := range throttled(row) {
		if *ns != nil {
			s.Has, s.Throttled[k] = s.Has|device.HasThrottled<<k, time.Duration(**ns)
		}
	}
	return s
}

// timingOf is the inverse of requestRow, of what figures are computed from.
func timingOf(row *result.RequestRow, source string) load.Timing {
	at := func(ns *int64) time.Duration {
		if ns == nil {
			return -1
		}
		return time.Duration(*ns)
	}
	t := load.Timing{
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
		t.CachedTokens = new(int(*row.CachedTokens))
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
func olderTotals(fig load.Figures, timings load.Timings) load.Figures {
	var in, out, thought int64
	for _, t := range timings.All() {
		in, out, thought = in+int64(t.InputTokens), out+int64(t.OutputTokens), thought+int64(max(0, t.Reasoning))
	}
	fig.InputTokens, fig.OutputTokens, fig.ReasoningTokens = &in, &out, &thought
	return fig
}
