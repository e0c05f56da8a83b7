package measure

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/llenergymeasure/llem/internal/device"
)

const throttleBad = device.HardwareSlowdown | device.SoftwareThermal | device.HardwareThermal | device.HardwarePowerBrake

var throttleNames = [...]struct {
	bit  device.Throttle
	name string
}{
	{device.SoftwarePowerCap, "software power cap"}, {device.HardwareSlowdown, "hardware slowdown"}, {device.SoftwareThermal, "software thermal slowdown"},
	{device.HardwareThermal, "hardware thermal slowdown"}, {device.HardwarePowerBrake, "hardware power brake"},
}

var throttleTimes = [device.ThrottleTimes]struct {
	key  string // in records
	name string
	bits device.Throttle
}{
	device.PowerCapTime:        {"sw_power_cap", "software power cap", device.SoftwarePowerCap},
	device.ThermalTime:         {"thermal", "thermal slowdown", device.SoftwareThermal | device.HardwareThermal},
	device.SoftwareThermalTime: {"sw_thermal", "software thermal slowdown", device.SoftwareThermal},
	device.HardwareThermalTime: {"hw_thermal", "hardware thermal slowdown", device.HardwareThermal},
	device.PowerBrakeTime:      {"hw_power_brake", "hardware power brake", device.HardwarePowerBrake},
}

// ThrottleKey is the name of reason k in records.
func ThrottleKey(k int) string { return throttleTimes[k].key }

// ThrottledTimes is how long each reason held between from and to (since the
// recorder's epoch); between two readings around either, it is taken to have held
// evenly. Nil where the GPU does not count it.
func ThrottledTimes(samples []device.Sample, gpu int32, from, to time.Duration) (out [device.ThrottleTimes]*time.Duration) {
	for k := range out {
		var prev *device.Sample
		var sum float64
		counted := false
		for i := range samples {
			s := &samples[i]
			if s.GPU != gpu || s.Has&(device.HasThrottled<<k) == 0 {
				continue
			}
			if prev != nil && s.At > from && prev.At < to {
				held := s.Throttled[k] - prev.Throttled[k]
				if held < 0 { // the driver was loaded again
					counted = false
					break
				}
				inside := min(s.At, to) - max(prev.At, from)
				sum, counted = sum+float64(held)*float64(inside)/float64(s.At-prev.At), true
			}
			prev = s
		}
		if counted {
			d := time.Duration(math.Round(sum))
			out[k] = &d
		}
	}
	return out
}

// throttledShare is the least share of a window that a reason must have held for
// to be warned of. Assumed: about as much as an energy is known to at best. The record
// has less.
const throttledShare = 1e-3

// throttling says what held the clocks of GPU g down in the window: the reasons
// whose counters moved, with their time, and those that were only seen. It is
// empty where all of them together held for less than throttledShare.
func (f GPUFacts) throttling(g int32, of device.Throttle) string {
	window := (f.To - f.From).Seconds()
	seen, readings := f.throttle(g)
	times := ThrottledTimes(f.Samples, g, f.From, f.To)
	moved := func(k int) bool { return times[k] != nil && *times[k] > 0 && throttleTimes[k].bits&of != 0 }
	var texts []string
	var counted device.Throttle
	var share float64
	for k, t := range throttleTimes {
		if !moved(k) || k == device.ThermalTime && (moved(device.SoftwareThermalTime) || moved(device.HardwareThermalTime)) { // which say it more finely
			continue
		}
		counted |= t.bits
		s := times[k].Seconds()
		share += s / window
		texts = append(texts, fmt.Sprintf("%s for %.3f s (%.2f %%)", t.name, s, 100*s/window))
	}
	for i, t := range throttleNames {
		if n := seen[i]; n > 0 && t.bit&of&^counted != 0 {
			share += float64(n) / float64(readings)
			texts = append(texts, fmt.Sprintf("%s in %d of %d readings", t.name, n, readings))
		}
	}
	if share < throttledShare {
		return ""
	}
	return strings.Join(texts, ", ")
}

// throttle is in how many readings within the window each bit of throttleNames was
// seen, and of how many.
func (f GPUFacts) throttle(g int32) (seen [len(throttleNames)]int, readings int) {
	for i := range f.Samples {
		s := &f.Samples[i]
		if s.GPU != g || s.Has&device.HasThrottle == 0 || s.At < f.From || s.At > f.To {
			continue
		}
		readings++
		for k, t := range throttleNames {
			if s.Throttle&t.bit != 0 {
				seen[k]++
			}
		}
	}
	return seen, readings
}
