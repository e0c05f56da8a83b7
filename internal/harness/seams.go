package harness

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/llenergymeasure/llem/internal/launch"
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

// Kind of a fault; it decides the exit code.
type Kind int

// The kinds of faults.
const (
	ExperimentFault Kind = iota // the experiment ran and failed
	ConfigFault                 // what was asked for cannot be
	HostFault                   // the host is not ready for it
	InterruptFault              // the user stopped it
)

// Fault is an error with its kind.
type Fault struct {
	Kind Kind
	Err  error
}

func (f *Fault) Error() string { return f.Err.Error() }
func (f *Fault) Unwrap() error { return f.Err }

func fault(k Kind, format string, args ...any) error {
	return &Fault{Kind: k, Err: fmt.Errorf(format, args...)}
}

// KindOf is the kind of err; an error of no known kind is the experiment's.
func KindOf(err error) Kind {
	var f *Fault
	switch {
	case errors.As(err, &f):
		return f.Kind
	case errors.Is(err, context.Canceled):
		return InterruptFault
	case errors.Is(err, launch.ErrAway):
		return HostFault
	}
	return ExperimentFault
}

// ErrNoGPU is returned by an opener of GPUs on a host that has none.
var ErrNoGPU = errors.New("no NVIDIA GPU on this host")
