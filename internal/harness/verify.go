package harness

import (
	"fmt"
	"slices"
	"strings"
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

// Verify computes a record's figures again from its raw samples and requests, and
// the checksums of its files and of the record from what lies in dir.
func Verify(r *result.Record, dir string) []Finding {
	seen, ok := result.CheckRecord(dir)
	out := []Finding{{result.RecordFile, ok, seen}}
	for _, f := range r.Files {
		diff := f.Check(dir)
		out = append(out, Finding{f.Name, diff == "", orText(diff, "as it was written")})
	}
	if len(r.Files) == 0 {
		out = append(out, Finding{"files", false, "the record has no checksums: its run was cut off before they were taken"})
	}
	return append(out, verifyFigures(r, dir)...)
}

func verifyFigures(r *result.Record, dir string) []Finding {
	const what = "energy_total_j"
	if r.WindowSeconds == nil || r.EnergyTotalJ == nil && len(r.Energy.CrossChecks) == 0 {
		return []Finding{{what, true, "there is no energy figure to compute again"}}
	}
	var samples []measure.Sample
	var from time.Duration
	if r.Energy.Scope != "host" {
		if r.SamplesFile == "" {
			return []Finding{{what, false, "output.raw_samples was false: there is nothing to compute it from"}}
		}
		rows, err := r.ReadSamples(dir)
		if err != nil {
			return []Finding{{what, false, err.Error()}}
		}
		var ok bool
		if samples, from, ok = readings(rows, r.Environment.GPUs); !ok || len(r.Environment.GPUs) == 0 {
			return []Finding{{what, false, "the samples are not those of this record's GPUs and window"}}
		}
	}
	again, err := replayed(r, dir, samples, from)
	if err != nil {
		return []Finding{{what, false, "it cannot be computed again: " + err.Error()}}
	}
	return compare(r, again)
}

// replayed is replay of a record that may hold anything: figures that no run leaves
// may end the arithmetic, and that is an error of this record.
func replayed(r *result.Record, dir string, samples []measure.Sample, from time.Duration) (again *result.Record, err error) {
	defer func() {
		if p := recover(); p != nil {
			again, err = nil, fmt.Errorf("the record or its rows hold what no run leaves (%v)", p)
		}
	}()
	return replay(r, dir, samples, from)
}

// headline are the figures that are named also when they agree.
var headline = []string{
	"energy_total_j", "energy.u_repeatability_j", "energy_per_output_token", "baseline_power_w",
	"energy_adjusted_j", "energy.u_adjusted_j", "energy.engine_idle_power_w", "engine.startup_energy_j", "energy.steady.energy_j", "flops.flops_per_joule",
}

// compare holds all figures against each other, to the last digit.
func compare(r, again *result.Record) []Finding {
	paths, of, err := differences(r, again)
	if err != nil {
		return []Finding{{"energy", false, err.Error()}}
	}
	var out []Finding
	for _, path := range headline {
		if was, now := of(path); was == now && was != "nothing" && was != "null" {
			out = append(out, Finding{path, true, was + ", " + source(r, path)})
		}
	}
	for _, c := range r.Energy.CrossChecks {
		if !slices.ContainsFunc(paths, func(p string) bool { return strings.HasPrefix(p, "energy.cross_checks") }) {
			out = append(out, Finding{"check " + c.Method, true, fmt.Sprintf("%v, %s", c.EnergyJ, checkSource(r, c.Method))})
		}
	}
	if len(paths) == 0 {
		return append(out, Finding{"energy", true, "all its other figures too"})
	}
	slices.Sort(paths)
	for _, path := range paths {
		was, now := of(path)
		out = append(out, Finding{path, false, fmt.Sprintf("the record says %s, its samples %s", was, now)})
	}
	return out
}

// source is what a figure was held against.
func source(r *result.Record, path string) string {
	b := r.Energy.Baseline
	switch {
	case path == "energy_total_j" && r.Energy.Backend != "nvml":
		return "as " + r.Energy.Method + " gave it"
	case path == "baseline_power_w" && b != nil && b.Cached:
		return "as an earlier run gave it"
	}
	return "computed again"
}

func checkSource(r *result.Record, method string) string {
	for _, i := range r.Energy.Instruments {
		if i.Name == method {
			return "as " + method + " gave it; its difference and uncertainty computed again"
		}
	}
	return "computed again"
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
	for k, ns := range throttled(row) {
		if *ns != nil {
			s.Has, s.Throttled[k] = s.Has|measure.HasThrottled<<k, time.Duration(**ns)
		}
	}
	return s
}
