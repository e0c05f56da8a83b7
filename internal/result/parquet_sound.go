package result

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// Rows that no run can have left. Figures of them would be nonsense, and their
// arithmetic may divide by 0 or never end.
const (
	longest    = int64(366 * 24 * time.Hour) // ns
	mostTokens = 1 << 22                     // of a request
	mostPower  = 1 << 28                     // mW
)

// within says that a figure lies between bounds; nil is unknown, which is sound.
func within[N int32 | int64](v *N, low, high int64) bool {
	return v == nil || int64(*v) >= low && int64(*v) <= high
}

// entry is a column and its value; nil is unknown.
type entry struct {
	name  string
	value *int64
}

func soundRequests(rows []RequestRow) error {
	for i := range rows {
		if err := rows[i].sound(); err != nil {
			return fmt.Errorf("request in row %d: %w", i+1, err)
		}
	}
	return nil
}

func (r *RequestRow) sound() error {
	for _, m := range [...]entry{
		{"scheduled_ns", &r.ScheduledNS}, {"sent_ns", r.SentNS}, {"first_byte_ns", r.FirstByteNS},
		{"first_token_ns", r.FirstTokenNS}, {"last_token_ns", r.LastTokenNS}, {"end_ns", r.EndNS},
	} {
		if !within(m.value, 0, longest) {
			return fmt.Errorf("%s is %d", m.name, *m.value)
		}
	}
	switch {
	case r.ID < 0:
		return fmt.Errorf("id is %d", r.ID)
	case !within(r.InputTokens, 0, math.MaxInt32) || !within(r.OutputTokens, 0, math.MaxInt32) || !within(r.ReasoningTokens, 0, math.MaxInt32),
		!within(r.CachedTokens, 0, math.MaxInt32) || !within(r.PlannedInputTokens, 0, math.MaxInt32) || !within(r.PlannedOutputTokens, 0, math.MaxInt32):
		return errors.New("it has a number of tokens below 0")
	case len(r.ChunkDeltaNS) != len(r.ChunkTokens):
		return fmt.Errorf("it has stamps of %d chunks and tokens of %d", len(r.ChunkDeltaNS), len(r.ChunkTokens))
	case len(r.ChunkDeltaNS) > 0 && r.SentNS == nil:
		return errors.New("it was answered and never sent")
	case r.SentNS != nil && r.EndNS != nil && *r.EndNS < *r.SentNS:
		return fmt.Errorf("it ended at %d ns, before it was sent at %d", *r.EndNS, *r.SentNS)
	}
	return r.soundChunks()
}

func (r *RequestRow) soundChunks() error {
	var at, tokens int64
	for i, delta := range r.ChunkDeltaNS {
		if at += delta; !within(&delta, -longest, longest) || !within(&at, -longest, longest) {
			return fmt.Errorf("chunk %d came %d ns after the one before", i+1, delta)
		}
		if tokens += int64(r.ChunkTokens[i]); r.ChunkTokens[i] < 0 || tokens > mostTokens {
			return fmt.Errorf("chunk %d has %d tokens", i+1, r.ChunkTokens[i])
		}
	}
	return nil
}

func soundSamples(rows []SampleRow) error {
	type place struct{ gpu, phase string }
	before := map[place]int64{}
	for i := range rows {
		r := &rows[i]
		if err := r.sound(); err != nil {
			return fmt.Errorf("reading in row %d: %w", i+1, err)
		}
		at := place{r.GPUUUID, r.Phase}
		if last, any := before[at]; any && r.MonotonicNS < last {
			return fmt.Errorf("reading in row %d: it was taken at %d ns, before the one ahead of it at %d", i+1, r.MonotonicNS, last)
		}
		before[at] = r.MonotonicNS
	}
	return nil
}

func (r *SampleRow) sound() error {
	switch {
	case r.GPUIndex < 0:
		return fmt.Errorf("gpu_index is %d", r.GPUIndex)
	case !within(&r.MonotonicNS, 0, longest) || !within(r.WindowNS, -longest, longest) || !within(&r.ReadTookNS, 0, longest):
		return fmt.Errorf("it was taken at %d ns and took %d ns", r.MonotonicNS, r.ReadTookNS)
	case !within(r.PowerInstantMW, 0, mostPower) || !within(r.PowerAverageMW, 0, mostPower) || !within(r.PowerUsageMW, 0, mostPower):
		return errors.New("its power cannot be")
	}
	for _, v := range [...]entry{
		{"energy_mj", r.EnergyMJ}, {"memory_used_bytes", r.MemoryUsedBytes}, {"memory_total_bytes", r.MemoryTotalBytes},
		{"throttled_sw_power_cap_ns", r.SWPowerCapNS}, {"throttled_thermal_ns", r.ThermalNS}, {"throttled_sw_thermal_ns", r.SWThermalNS},
		{"throttled_hw_thermal_ns", r.HWThermalNS}, {"throttled_hw_power_brake_ns", r.HWPowerBrakeNS},
	} {
		if v.value != nil && *v.value < 0 {
			return fmt.Errorf("%s is %d", v.name, *v.value)
		}
	}
	return nil
}
