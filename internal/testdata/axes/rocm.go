package meter

import (
	"context"
	"errors"
	"time"

	"github.com/llenergymeasure/llem/internal/device"
)

var rocmRow = Row{Name: "rocm", Open: func(o Options) (device.Session, error) {
	return &rocm{load: o.Load, begun: time.Now()}, nil
}}

// rocm is one card of another vendor: a counter in units of 15.3 µJ that moves each 20 ms, the
// power of that time, and reasons of throttling by its bits.
type rocm struct {
	load  *Load
	begun time.Time
}

var (
	errNotSet    = errors.New("this driver sets nothing")
	rocmThrottle = map[int]device.Throttle{9: device.SoftwarePowerCap, 12: device.HardwareThermal}
)

func (r *rocm) Devices(context.Context) ([]device.Device, error) {
	limit := 750.0
	return []device.Device{{UUID: "GPU-a3d0", Name: "AMD Instinct MI300X", Driver: "6.10", ComputeCapability: "gfx942", PowerLimitW: &limit}}, nil
}

func (r *rocm) Select(ctx context.Context, ids []string) ([]device.Device, error) {
	all, _ := r.Devices(ctx)
	return choose(all, ids, func(id string) error { return errors.New("there is no GPU " + id) })
}

func (r *rocm) Name() string                                        { return "rocm" }
func (r *rocm) Watch([]device.Device) (device.Watcher, error)       { return r, nil }
func (r *rocm) PowerLimit(device.Device) (float64, error)           { return 750, nil }
func (r *rocm) SetPowerLimit(device.Device, float64) error          { return errNotSet }
func (r *rocm) LockSMClock(device.Device, int) error                { return errNotSet }
func (r *rocm) Close() error                                        { return nil }
func (r *rocm) Processes(context.Context) ([]device.Process, error) { return nil, nil }

func (r *rocm) used(t time.Time) float64 {
	return 140*t.Sub(r.begun).Seconds() + 500*r.load.until(t)
}

func (r *rocm) Sample(epoch time.Time, dst []device.Sample) ([]device.Sample, error) {
	const refresh, unit = 20 * time.Millisecond, 15.3e-6
	now := time.Now()
	tick := r.begun.Add(now.Sub(r.begun).Truncate(refresh))
	count := uint64(r.used(tick) / unit)
	m := device.Sample{At: now.Sub(epoch), Has: device.HasEnergy | device.HasPowerInstant | device.HasThrottle, EnergyMJ: uint64(float64(count) * unit * 1000)}
	m.PowerInstMW = uint32(1000 * (r.used(tick) - r.used(tick.Add(-refresh))) / refresh.Seconds())
	if r.load.now() > 0 {
		m.Throttle = rocmThrottle[9]
	}
	return append(dst, m), nil
}

func (r *rocm) PollCounters(ctx context.Context, epoch time.Time) ([]device.Sample, error) {
	return pollCounters(ctx, 1, func(int) (device.Sample, bool) {
		list, _ := r.Sample(epoch, nil)
		return list[0], true
	})
}
