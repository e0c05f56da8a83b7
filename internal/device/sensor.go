package device

import "time"

// Sensor is what is known of a GPU's power sensor. The zero value knows nothing, but
// that the driver's power figure is no mean.
type Sensor struct {
	Refresh time.Duration // from tick to tick of the energy counter, measured; 0: it has no counter
	Jitter  time.Duration // standard deviation of the ticks about their grid, measured
	// Duty is the least share of each refresh that the sensor may see: 1 for one that
	// is known to look all the time. 0 is not known, and is taken for LeastDuty. Where
	// in the refresh it looks is never known.
	Duty float64
	// MeanUsage says that Sample.PowerUsageMW is, or may be, a running mean of one second.
	MeanUsage bool
	LimitW    float64 // the GPU's power limit; 0: not known
}

// LeastDuty is the duty of an unknown card: the least that was found on any
// (arXiv 2312.02741).
const LeastDuty = 0.25

// Averages says whether the power in x is a running mean of a second, or may be.
func (s Sensor) Averages(x *Sample) bool {
	_, ok := x.Power()
	return ok && s.MeanUsage && x.Has&HasPowerInstant == 0
}
