package harness

import (
	"context"
	"errors"
	"time"

	"github.com/llenergymeasure/llem/internal/device"
	"github.com/llenergymeasure/llem/internal/measure"
)

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
	Devices []device.Device
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
