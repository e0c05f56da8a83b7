package harness

import (
	"context"
	"errors"
	"time"

	"github.com/llenergymeasure/llem/internal/measure"
)

// GPUs is what the harness needs of NVML: one session for the whole run.
type GPUs interface {
	Devices(ctx context.Context) ([]measure.Device, error)
	// Select resolves NVML indices and UUIDs, in the order given.
	Select(ctx context.Context, ids []string) ([]measure.Device, error)
	Watch(devices []measure.Device) (Watcher, error)
	Tuner
	Close() error
}

// Tuner changes what only an administrator may change of a GPU.
type Tuner interface {
	PowerLimit(measure.Device) (watts float64, err error)
	SetPowerLimit(d measure.Device, watts float64) error
	LockSMClock(d measure.Device, mhz int) error // 0 sets it free
}

// Watcher reads a fixed list of devices.
type Watcher interface {
	measure.Sampler
	measure.Processes
	// PollCounters reads the energy counters until it is known how often they move,
	// some seconds at most; a GPU without one gives no readings.
	PollCounters(ctx context.Context, epoch time.Time) ([]measure.Sample, error)
}

// Instrument is another's meter, which is opened and closed with the window.
type Instrument interface {
	Name() string // zeusd, zeus, codecarbon
	Versions() map[string]string
	Begin(context.Context) error
	// End gives what was measured since Begin, GPUs in the order of the devices.
	End(context.Context) (measure.Reading, error)
	Close() error
}

// InstrumentOptions are what an instrument is opened with.
type InstrumentOptions struct {
	Devices []measure.Device
	Python  string // empty: the host's choice
	Country string
}

// Observer is told how a run goes, for people. Nothing is called between the
// window's Begin and End.
type Observer interface {
	Begin(phase, note string)
	End(phase string, took time.Duration, note string)
	Progress(done, total int64)
	Say(note string)
}

// ErrNoGPU is returned by an opener of GPUs on a host that has none.
var ErrNoGPU = errors.New("no NVIDIA GPU on this host")
