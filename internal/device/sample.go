package device

import "time"

// Watts of power.
type Watts float64

// Sample is one reading of one GPU.
type Sample struct {
	GPU          int32 // position in the sampler's device list
	Phase        uint8 // a [measure.Phase], set by its recorder
	Edge         bool  // taken to open or close a span, not by the interval. Set by the recorder
	Has          Field
	At           time.Duration // monotonic, since the recorder's epoch; the middle of the read
	Took         time.Duration // how long the read took
	EnergyMJ     uint64        // driver's counter, millijoules since the driver loaded
	EnergyUS     int64         // the driver's own stamp of the counter, µs since 1970; 0: none
	PowerInstMW  uint32        // at the instant of the sensor's last refresh, milliwatts
	PowerAvgMW   uint32        // averaged by the driver
	PowerUsageMW uint32        // the driver's only power figure where it has no instant one; see Sensor.MeanUsage
	TemperatureC int32
	MemUsed      uint64   // bytes
	MemTotal     uint64   // bytes
	SMUtil       uint32   // percent
	Throttle     Throttle // protocol section 3
	// Throttled are counters of the time that each reason held, by PowerCapTime and so on.
	Throttled [ThrottleTimes]time.Duration
}

// Power is the best instantaneous power of the sample: the instant one, else the
// driver's figure; ok is false where there is neither.
func (s *Sample) Power() (Watts, bool) {
	switch {
	case s.Has&HasPowerInstant != 0:
		return Watts(s.PowerInstMW) / 1000, true
	case s.Has&HasPowerUsage != 0:
		return Watts(s.PowerUsageMW) / 1000, true
	}
	return 0, false
}

// Field is a set of what a Sample holds.
type Field uint16

// The fields of a Sample; one that was not read is unset, never 0.
const (
	HasEnergy Field = 1 << iota
	HasPowerInstant
	HasPowerAverage
	HasPowerUsage
	HasTemperature
	HasMemory
	HasUtilisation
	HasThrottle
	// HasThrottled is set for the first of Sample.Throttled, its successors for
	// the others: HasThrottled<<k.
	HasThrottled
)

// Sampler reads every device once and appends, one Sample a device, in order.
// At is left as time since epoch. A device that cannot be read is left out;
// the error says why, and what was appended is kept.
type Sampler interface {
	Sample(epoch time.Time, dst []Sample) ([]Sample, error)
}

// Throttle is a set of reasons for which a GPU's clocks are held down. Its numbers are
// those in samples.parquet. A bit that has no name here is recorded and not judged.
type Throttle uint64

// The reasons that are judged.
const (
	SoftwarePowerCap   Throttle = 1 << 2
	HardwareSlowdown   Throttle = 1 << 3
	SoftwareThermal    Throttle = 1 << 5
	HardwareThermal    Throttle = 1 << 6
	HardwarePowerBrake Throttle = 1 << 7
)

// The places in Sample.Throttled: reasons that a driver may count the time of. What a
// sampled bit misses between two readings is in them.
const (
	PowerCapTime = iota
	ThermalTime  // all that is thermal, in a driver that does not tell the next two apart
	SoftwareThermalTime
	HardwareThermalTime
	PowerBrakeTime
	ThrottleTimes // how many they are
)
