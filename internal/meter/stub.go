//go:build !linux || !cgo

package meter

import (
	"context"
	"time"

	"github.com/llenergymeasure/llem/internal/measure"
)

// NVML is what [Open] would return in a build that has NVML.
type NVML struct{}

// Open fails with ErrUnavailable.
func Open() (*NVML, error) { return nil, ErrUnavailable }

// Devices fails with ErrUnavailable.
func (n *NVML) Devices(context.Context) ([]measure.Device, error) { return nil, ErrUnavailable }

// Select fails with ErrUnavailable.
func (n *NVML) Select(context.Context, []string) ([]measure.Device, error) {
	return nil, ErrUnavailable
}

// Watch fails with ErrUnavailable.
func (n *NVML) Watch([]measure.Device) (*Sampler, error) { return nil, ErrUnavailable }

// PowerLimit fails with ErrUnavailable.
func (n *NVML) PowerLimit(measure.Device) (float64, error) { return 0, ErrUnavailable }

// SetPowerLimit fails with ErrUnavailable.
func (n *NVML) SetPowerLimit(measure.Device, float64) error { return ErrUnavailable }

// LockSMClock fails with ErrUnavailable.
func (n *NVML) LockSMClock(measure.Device, int) error { return ErrUnavailable }

// Close does nothing.
func (n *NVML) Close() error { return nil }

// Sampler is what Watch would return in a build that has NVML.
type Sampler struct{}

// Sample fails with ErrUnavailable.
func (s *Sampler) Sample(_ time.Time, dst []measure.Sample) ([]measure.Sample, error) {
	return dst, ErrUnavailable
}

// Processes fails with ErrUnavailable.
func (s *Sampler) Processes(context.Context) ([]measure.Process, error) {
	return nil, ErrUnavailable
}

// PollCounters fails with ErrUnavailable.
func (s *Sampler) PollCounters(context.Context, time.Time) ([]measure.Sample, error) {
	return nil, ErrUnavailable
}
