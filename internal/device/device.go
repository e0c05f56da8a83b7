package device

import (
	"context"
	"errors"
	"fmt"
	"time"
)

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

// UUIDs are those of devices, in their order.
func UUIDs(devices []Device) []string {
	out := make([]string, len(devices))
	for i, d := range devices {
		out[i] = d.UUID
	}
	return out
}

// ErrBeyond is a setting that a GPU cannot take.
var ErrBeyond = errors.New("beyond what the GPU can")

// Session is one with the driver of GPUs. Close it.
type Session interface {
	Name() string // of the meter, as records have it
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

// Processes lists what runs on the devices now.
type Processes interface {
	Processes(context.Context) ([]Process, error)
}

// Process is a process seen on a GPU.
type Process struct {
	PID        int
	Name       string
	Device     int // position in the device list
	MemoryUsed uint64
}
