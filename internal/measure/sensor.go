package measure

import (
	"strconv"
	"strings"
	"time"
)

// Sensor is what is known of a GPU's power sensor. The zero value knows nothing.
type Sensor struct {
	Refresh time.Duration // from tick to tick of the energy counter, measured; 0: there is none
	Jitter  time.Duration // standard deviation of the ticks about their grid, measured
	// Duty is the least share of each refresh that the sensor may see: 1 for one that
	// is known to look all the time. 0 is not known, and is taken for leastDuty. Where
	// in the refresh it looks is never known.
	Duty float64
	// MeanUsage says that nvmlDeviceGetPowerUsage is, or may be, a running mean of one
	// second.
	MeanUsage bool
	LimitW    float64 // the GPU's power limit; 0: not known
}

// duties are the shares of a refresh that sensors were found to see, by compute
// capability: arXiv 2312.02741 and its raw data. Pascal and Volta see 10 of 20 ms,
// Turing 100 of 100, GA100 and GH100 25 of 100, the other Ampere and Ada boards 100 of
// 100. A card that is not listed is unknown.
var duties = map[string]float64{
	"6.0": 0.5, "6.1": 0.5, "7.0": 0.5, "7.5": 1, "8.0": 0.25, "8.6": 1, "8.9": 1, "9.0": 0.25,
}

// leastDuty is that of an unknown card: the least that was found on any (the same).
const leastDuty = 0.25

// SensorOf is the sensor of a GPU by its compute capability ("8.0"; "" is one
// that is not known) and the refresh of its counter, 0 where it has none.
func SensorOf(refresh time.Duration, computeCapability string) Sensor {
	s := Sensor{Refresh: refresh, Duty: leastDuty, MeanUsage: true}
	if duty, listed := duties[computeCapability]; listed {
		s.Duty = duty
	}
	// nvml.h: a mean of one second on Ampere, except GA100, and newer.
	major, _, _ := strings.Cut(computeCapability, ".")
	if n, err := strconv.Atoi(major); err == nil && n < 8 || computeCapability == "8.0" {
		s.MeanUsage = false
	}
	return s
}

// averages says whether the power in x is a running mean of a second, or may be.
func (s Sensor) averages(x *Sample) bool {
	_, ok := x.Power()
	return ok && s.MeanUsage && x.Has&HasPowerInstant == 0
}
