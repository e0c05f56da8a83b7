package harness

import (
	"fmt"
	"math"
	"path/filepath"
	"time"

	"github.com/llenergymeasure/llem/internal/measure"
	"github.com/llenergymeasure/llem/internal/result"
)

// Finding is one thing that Verify looked at.
type Finding struct {
	What string
	OK   bool
	Seen string
}

// Verify computes a record's joules again from its raw samples and its files'
// checksums from the files.
func Verify(r *result.Record, dir string) []Finding {
	var out []Finding
	for _, f := range r.Files {
		diff := f.Check(dir)
		out = append(out, Finding{f.Name, diff == "", orText(diff, "as it was written")})
	}
	if len(r.Files) == 0 {
		out = append(out, Finding{"files", false, "the record has no checksums: its run was cut off before they were taken"})
	}
	return append(out, verifyEnergy(r, dir)...)
}

func verifyEnergy(r *result.Record, dir string) []Finding {
	switch {
	case r.Energy.Scope == "host":
		return []Finding{{"energy_total_j", true, "it is CodeCarbon's of the host: there is nothing to compute it from"}}
	case r.EnergyTotalJ == nil && len(r.Energy.CrossChecks) == 0:
		return []Finding{{"energy_total_j", true, "there is no energy figure to compute again"}}
	case r.SamplesFile == "":
		return []Finding{{"energy_total_j", false, "output.raw_samples was false: there is nothing to compute it from"}}
	}
	rows, err := result.ReadSamples(filepath.Join(dir, filepath.Base(r.SamplesFile)))
	if err != nil {
		return []Finding{{"energy_total_j", false, err.Error()}}
	}
	samples, from, ok := readings(rows, r.Environment.GPUs)
	if !ok || r.WindowSeconds == nil {
		return []Finding{{"energy_total_j", false, "the samples are not those of this record's GPUs and window"}}
	}
	to := from + time.Duration(math.Round(*r.WindowSeconds*1e9))
	per := measure.WindowEnergy(samples, sensorsOf(r.Environment.GPUs), from, to)
	u, _ := measure.TotalU(per)
	if r.Energy.Backend != "nvml" {
		return append(verifyCheck(r, per, u), verifyBaseline(r, samples)...)
	}
	out := []Finding{same("energy_total_j", "J", r.EnergyTotalJ, joules(measure.Total(per))), same("u_repeatability_j", "J", r.Energy.URepeatabilityJ, joules(u))}
	for i, g := range r.Energy.PerGPU {
		if i < len(per) && len(per) > 1 {
			out = append(out, same(fmt.Sprintf("GPU %d energy_j", g.Index), "J", g.EnergyJ, joules(per[i].Energy)))
		}
	}
	return append(out, verifyBaseline(r, samples)...)
}

// verifyCheck computes NVML's figure again where it is another instrument's check.
func verifyCheck(r *result.Record, per []measure.DeviceEnergy, u *measure.Joules) []Finding {
	out := []Finding{{"energy_total_j", true, "it is " + r.Energy.Backend + "'s own: its check is computed again"}}
	method := commonMethod(per)
	for _, c := range r.Energy.CrossChecks {
		if c.Method == method {
			return append(out, same(method, "J", &c.EnergyJ, joules(measure.Total(per))), same("u of "+method, "J", c.UJ, joules(u)))
		}
	}
	return append(out, Finding{method, false, "the record has no such cross-check"})
}

// verifyBaseline computes a baseline again that was measured in this run.
func verifyBaseline(r *result.Record, samples []measure.Sample) []Finding {
	if r.BaselinePowerW == nil || r.Energy.Baseline == nil {
		return nil
	}
	var out []Finding
	if r.Energy.Baseline.Cached {
		out = append(out, Finding{"baseline_power_w", true, "it came from an earlier run: there is nothing to compute it from"})
	} else {
		b, err := measure.RecomputeBaseline(samples, sensorsOf(r.Environment.GPUs))
		if err != nil {
			return []Finding{{"baseline_power_w", false, err.Error()}}
		}
		out = append(out, same("baseline_power_w", "W", r.BaselinePowerW, ptr(float64(b.Power))))
	}
	if r.EnergyTotalJ == nil {
		return out
	}
	adjusted := float64(measure.Joules(*r.EnergyTotalJ) - measure.Joules(*r.BaselinePowerW**r.WindowSeconds))
	return append(out, same("energy_adjusted_j", "J", r.EnergyAdjustedJ, &adjusted))
}

// same compares to the last digit.
func same(what, unit string, recorded, again *float64) Finding {
	text := func(v *float64) string {
		if v == nil {
			return "null"
		}
		return fmt.Sprintf("%v %s", *v, unit)
	}
	if (recorded == nil) == (again == nil) && (recorded == nil || *recorded == *again) {
		return Finding{what, true, text(recorded) + ", computed again"}
	}
	return Finding{what, false, fmt.Sprintf("the record says %s, its samples %s", text(recorded), text(again))}
}

func sensorsOf(gpus []result.GPU) []measure.Sensor {
	out := make([]measure.Sensor, len(gpus))
	for i, g := range gpus {
		var refresh time.Duration
		if g.CounterRefreshMS != nil {
			refresh = time.Duration(math.Round(*g.CounterRefreshMS * 1e6))
		}
		out[i] = measure.SensorOf(refresh, g.ComputeCapability)
		if g.CounterJitterMS != nil {
			out[i].Jitter = time.Duration(math.Round(*g.CounterJitterMS * 1e6))
		}
	}
	return out
}

// readings turns rows back into samples; from is where the window began on
// their clock. ok is false for rows of other GPUs, or without a window.
func readings(rows []result.SampleRow, gpus []result.GPU) (out []measure.Sample, from time.Duration, ok bool) {
	position := map[string]int32{}
	for i, g := range gpus {
		position[g.UUID] = int32(i)
	}
	phases := map[string]measure.Phase{}
	for p := measure.Preflight; p <= measure.After; p++ {
		phases[p.String()] = p
	}
	for i := range rows {
		row := &rows[i]
		g, known := position[row.GPUUUID]
		phase, named := phases[row.Phase]
		if !known || !named {
			return nil, 0, false
		}
		if row.WindowNS != nil && !ok {
			from, ok = time.Duration(row.MonotonicNS-*row.WindowNS), true
		}
		out = append(out, readingOf(row, g, phase))
	}
	return out, from, ok
}

// readingOf is the inverse of sampleRow, of what energy is computed from.
func readingOf(row *result.SampleRow, gpu int32, phase measure.Phase) measure.Sample {
	s := measure.Sample{GPU: gpu, Phase: phase, Edge: row.Edge, At: time.Duration(row.MonotonicNS), Took: time.Duration(row.ReadTookNS)}
	if row.EnergyMJ != nil {
		s.Has, s.EnergyMJ = s.Has|measure.HasEnergy, uint64(*row.EnergyMJ)
	}
	if row.PowerInstantMW != nil {
		s.Has, s.PowerInstMW = s.Has|measure.HasPowerInstant, uint32(*row.PowerInstantMW)
	}
	if row.PowerUsageMW != nil {
		s.Has, s.PowerUsageMW = s.Has|measure.HasPowerUsage, uint32(*row.PowerUsageMW)
	}
	return s
}
