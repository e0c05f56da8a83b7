package measure

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Units. No bare float64 of these kinds crosses a package.
type (
	// Joules of energy.
	Joules float64
	// Watts of power.
	Watts float64
	// Celsius of temperature.
	Celsius float64
)

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

// ErrBeyond is a setting that a GPU cannot take.
var ErrBeyond = errors.New("beyond what the GPU can")

// Phase of an experiment, in protocol order.
type Phase uint8

// The phases of an experiment, protocol section 1.
const (
	Preflight Phase = iota
	Gap             // of a study, where no container is started
	BaselinePhase
	Launch
	WarmupPhase
	ThermalFloorPhase
	WindowPhase
	Record
	After
)

var phaseNames = [...]string{"preflight", "gap", "baseline", "launch", "warmup", "thermal_floor", "window", "record", "after"}

func (p Phase) String() string { return phaseNames[p] }

// Sample is one reading of one GPU.
type Sample struct {
	GPU          int32 // position in the sampler's device list
	Phase        Phase // set by the recorder
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

// Sampler reads every device once and appends, one Sample a device, in order.
// At is left as time since epoch. A device that cannot be read is left out;
// the error says why, and what was appended stands.
type Sampler interface {
	Sample(epoch time.Time, dst []Sample) ([]Sample, error)
}

// Process is a process seen on a GPU.
type Process struct {
	PID        int
	Name       string
	Device     int // position in the device list
	MemoryUsed uint64
}

// Device is what is known of one GPU; nil is unknown.
type Device struct {
	Index              int // the driver's
	UUID               string
	Name               string
	MemoryBytes        uint64
	Driver             string
	CUDA               string // version that the driver brings; empty for a driver that has none
	VBIOS              string
	ComputeCapability  string // the vendor's word for the generation, by which package card knows the sensor
	PowerLimitW        *float64
	PowerLimitDefaultW *float64
	PowerLimitMinW     *float64 // that can be set
	PowerLimitMaxW     *float64
	SMClockMHz         *int
	SMClockMaxMHz      *int
	MemClockMHz        *int
	Persistence        *bool
	MIG                *bool
	PCIBusID           string
	PCIeGen            *int
	PCIeWidth          *int
}

// Beyond says, as ErrBeyond, why the GPU cannot take a power limit in watts or an SM
// clock in MHz; 0 asks for none. nil: it can, as far as it tells.
func (d Device) Beyond(limitW float64, clockMHz int) error {
	low, high := d.PowerLimitMinW, d.PowerLimitMaxW
	switch {
	case limitW > 0 && low != nil && high != nil && (limitW < *low || limitW > *high):
		return fmt.Errorf("set the power limit of GPU %d to %g W: %w: it takes %g to %g W", d.Index, limitW, ErrBeyond, *low, *high)
	case clockMHz > 0 && d.SMClockMaxMHz != nil && clockMHz > *d.SMClockMaxMHz:
		return fmt.Errorf("lock the SM clock of GPU %d at %d MHz: %w: it has %d MHz at most", d.Index, clockMHz, ErrBeyond, *d.SMClockMaxMHz)
	}
	return nil
}

// Processes lists what runs on the devices now.
type Processes interface {
	Processes(context.Context) ([]Process, error)
}

// GPUs is a session with the driver of GPUs. Close it.
type GPUs interface {
	Devices(ctx context.Context) ([]Device, error)
	// Select resolves the driver's indices and UUIDs, in the order given.
	Select(ctx context.Context, ids []string) ([]Device, error)
	Watch(devices []Device) (Watcher, error)
	Tuner
	Close() error
}

// Tuner changes what only an administrator may change of a GPU.
type Tuner interface {
	PowerLimit(Device) (watts float64, err error)
	SetPowerLimit(d Device, watts float64) error
	LockSMClock(d Device, mhz int) error // 0 sets it free
}

// Watcher reads a fixed list of devices.
type Watcher interface {
	Sampler
	Processes
	// PollCounters reads the energy counters until it is known how often they move,
	// some seconds at most; a GPU without one gives no readings.
	PollCounters(ctx context.Context, epoch time.Time) ([]Sample, error)
}

// Severity of a warning.
type Severity string

// Severities, protocol section 6.
const (
	Note    Severity = "note"
	Doubt   Severity = "doubt"
	Invalid Severity = "invalid"
)

// Warning is a reason to doubt a number. It never stops a run.
type Warning struct {
	Code     string
	Severity Severity
	Message  string // what was seen; what to do
}

func (w Warning) String() string { return w.Code + ": " + w.Message }
