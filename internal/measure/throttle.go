package measure

import (
	"fmt"
	"strings"
	"time"
)

// Throttle reasons, nvml.h nvmlClocksEventReasons.
const (
	throttlePowerCap = 0x4
	throttleBad      = 0x8 | 0x20 | 0x40 | 0x80
)

var throttleNames = []struct {
	bit  uint64
	name string
}{
	{0x4, "software power cap"}, {0x8, "hardware slowdown"}, {0x20, "software thermal slowdown"},
	{0x40, "hardware thermal slowdown"}, {0x80, "hardware power brake"},
}

// ThrottleNames spells the bits that matter out.
func ThrottleNames(bits uint64) string {
	var names []string
	for _, t := range throttleNames {
		if bits&t.bit != 0 {
			names = append(names, t.name)
		}
	}
	return strings.Join(names, ", ")
}

// throttleTimes are the reasons that the driver counts the time of, in
// nanoseconds, by the field of nvml.h. What a sampled bit misses between two
// readings is in them. Field 75 is the older name of all that is thermal.
var throttleTimes = [...]struct {
	field uint32
	key   string // in records
	name  string
	bits  uint64
}{
	{74, "sw_power_cap", "software power cap", throttlePowerCap},
	{75, "thermal", "thermal slowdown", 0x20 | 0x40},
	{269, "sw_thermal", "software thermal slowdown", 0x20},
	{270, "hw_thermal", "hardware thermal slowdown", 0x40},
	{271, "hw_power_brake", "hardware power brake", 0x80},
}

// ThrottleField is the NVML field that counts the time of reason k, in ns.
func ThrottleField(k int) uint32 { return throttleTimes[k].field }

// ThrottleKey is the name of reason k in records.
func ThrottleKey(k int) string { return throttleTimes[k].key }

// ThrottledTimes is how long each reason held between from and to (since the
// recorder's epoch), to the readings next to them; nil where the GPU does not
// count it.
func ThrottledTimes(samples []Sample, gpu int32, from, to time.Duration) (out [ThrottleTimes]*time.Duration) {
	for k := range out {
		var first, last *Sample
		for i := range samples {
			s := &samples[i]
			if s.GPU != gpu || s.Has&(HasThrottled<<k) == 0 {
				continue
			}
			if first == nil || s.At <= from {
				first = s
			}
			last = s
			if s.At >= to {
				break
			}
		}
		if first == last || last.Throttled[k] < first.Throttled[k] {
			continue
		}
		d := last.Throttled[k] - first.Throttled[k]
		out[k] = &d
	}
	return out
}

// throttling says what held the clocks of GPU g down in the window: the reasons
// whose counters moved, with their time, and those that were only seen.
func (f GPUFacts) throttling(g int32, of uint64) string {
	bits := f.throttle(g) & of
	times := ThrottledTimes(f.Samples, g, f.From, f.To)
	held := func(k int) bool { return times[k] != nil && *times[k] > 0 && throttleTimes[k].bits&of != 0 }
	var texts []string
	for k, t := range throttleTimes {
		if !held(k) || t.field == 75 && (held(2) || held(3)) { // which says it more finely
			continue
		}
		bits &^= t.bits
		texts = append(texts, fmt.Sprintf("%s for %.2f s", t.name, times[k].Seconds()))
	}
	if bits != 0 {
		texts = append(texts, ThrottleNames(bits))
	}
	return strings.Join(texts, ", ")
}
