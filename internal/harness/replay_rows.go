package harness

import (
	"errors"
	"time"

	"github.com/llenergymeasure/llem/internal/measure"
	"github.com/llenergymeasure/llem/internal/result"
)

// readings turns rows back into samples. from is where the window began on their clock,
// and epoch where that clock did. An error says that they are not the record's.
func readings(rows []result.SampleRow, r *result.Record) (out []measure.Sample, from time.Duration, epoch time.Time, err error) {
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
			return nil, 0, epoch, bad
		}
		began, windowed := time.Duration(0), row.WindowNS != nil
		if windowed {
			began = time.Duration(row.MonotonicNS - *row.WindowNS)
		}
		at := time.Unix(0, row.UTCNS-row.MonotonicNS).UTC()
		if i == 0 {
			from, epoch = began, at
		}
		if windowed != (r.WindowSeconds != nil && *r.WindowSeconds > 0) || began != from || !at.Equal(epoch) && !r.Older() {
			return nil, 0, epoch, bad
		}
		out = append(out, readingOf(row, g, phase))
	}
	if len(rows) == 0 && len(r.Environment.GPUs) > 0 && r.SamplesFile != "" && r.EnergyTotalJ != nil {
		return nil, 0, epoch, bad
	}
	return out, from, epoch, nil
}

// readingOf is the inverse of sampleRow, of what energy is computed from.
func readingOf(row *result.SampleRow, gpu int32, phase measure.Phase) measure.Sample {
	s := measure.Sample{GPU: gpu, Phase: phase, Edge: row.Edge, At: time.Duration(row.MonotonicNS), Took: time.Duration(row.ReadTookNS)}
	if row.EnergyMJ != nil {
		s.Has, s.EnergyMJ = s.Has|measure.HasEnergy, uint64(*row.EnergyMJ)
		if row.EnergyDeviceUS != nil {
			s.EnergyUS = *row.EnergyDeviceUS
		}
	}
	if row.PowerInstantMW != nil {
		s.Has, s.PowerInstMW = s.Has|measure.HasPowerInstant, uint32(*row.PowerInstantMW)
	}
	if row.PowerUsageMW != nil {
		s.Has, s.PowerUsageMW = s.Has|measure.HasPowerUsage, uint32(*row.PowerUsageMW)
	}
	if row.PowerAverageMW != nil {
		s.Has, s.PowerAvgMW = s.Has|measure.HasPowerAverage, uint32(*row.PowerAverageMW)
	}
	if row.TemperatureC != nil {
		s.Has, s.TemperatureC = s.Has|measure.HasTemperature, *row.TemperatureC
	}
	if row.MemoryUsedBytes != nil && row.MemoryTotalBytes != nil {
		s.Has, s.MemUsed, s.MemTotal = s.Has|measure.HasMemory, uint64(*row.MemoryUsedBytes), uint64(*row.MemoryTotalBytes)
	}
	if row.SMUtilisationPct != nil {
		s.Has, s.SMUtil = s.Has|measure.HasUtilisation, uint32(*row.SMUtilisationPct)
	}
	if row.ThrottleReasons != nil {
		s.Has, s.Throttle = s.Has|measure.HasThrottle, uint64(*row.ThrottleReasons)
	}
	for k, ns := range throttled(row) {
		if *ns != nil {
			s.Has, s.Throttled[k] = s.Has|measure.HasThrottled<<k, time.Duration(**ns)
		}
	}
	return s
}
