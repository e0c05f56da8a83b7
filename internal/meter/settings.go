//go:build linux && cgo

package meter

import (
	"fmt"
	"math"

	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"github.com/llenergymeasure/llem/internal/device"
)

// PowerLimit is the limit that is set on a GPU, in watts. What the GPU keeps to
// may be lower (Device.PowerLimitW).
func (n *nvmlSession) PowerLimit(d device.Device) (float64, error) {
	dev, err := n.handle(d)
	if err != nil {
		return 0, err
	}
	mw, ok := ask(n, "nvmlDeviceGetPowerManagementLimit", dev.GetPowerManagementLimit)
	if !ok {
		return 0, fmt.Errorf("GPU %d does not tell its power limit", d.Index)
	}
	return float64(mw) / 1000, nil
}

// SetPowerLimit sets the limit, in watts, and reads it back. It needs root.
func (n *nvmlSession) SetPowerLimit(d device.Device, watts float64) error {
	what := fmt.Sprintf("set the power limit of GPU %d to %g W", d.Index, watts)
	dev, err := n.handle(d)
	if err != nil {
		return err
	}
	if !n.has("nvmlDeviceSetPowerManagementLimit") {
		return fmt.Errorf("%s: the driver's library cannot", what)
	}
	mw := uint32(math.Round(watts * 1000))
	if err := d.Beyond(watts, 0); err != nil {
		return err
	}
	if err := n.did(what, dev.SetPowerManagementLimit(mw)); err != nil {
		return err
	}
	if now, err := n.PowerLimit(d); err != nil || math.Abs(now-watts) > 1 {
		return fmt.Errorf("%s: the driver has %g W now", what, now)
	}
	return nil
}

// LockSMClock locks the SM clock of a GPU, in MHz, as near as the GPU has it; 0
// sets it free. It needs root. NVML does not tell a lock, so that nothing is read
// back.
func (n *nvmlSession) LockSMClock(d device.Device, mhz int) error {
	dev, err := n.handle(d)
	if err != nil {
		return err
	}
	what := fmt.Sprintf("lock the SM clock of GPU %d at %d MHz", d.Index, mhz)
	switch {
	case !n.has("nvmlDeviceSetGpuLockedClocks") || !n.has("nvmlDeviceResetGpuLockedClocks"):
		return fmt.Errorf("%s: the driver's library cannot", what)
	case mhz == 0:
		return n.did(fmt.Sprintf("set the SM clock of GPU %d free", d.Index), dev.ResetGpuLockedClocks())
	}
	if err := d.Beyond(0, mhz); err != nil {
		return err
	}
	return n.did(what, dev.SetGpuLockedClocks(uint32(mhz), uint32(mhz)))
}

func (n *nvmlSession) handle(d device.Device) (nvml.Device, error) {
	dev, ret := n.lib.DeviceGetHandleByIndex(d.Index)
	if ret != nvml.SUCCESS {
		return nil, fmt.Errorf("open GPU %d: %s", d.Index, n.lib.ErrorString(ret))
	}
	return dev, nil
}

// did is nil where NVML did it.
func (n *nvmlSession) did(what string, ret nvml.Return) error {
	switch ret {
	case nvml.SUCCESS:
		return nil
	case nvml.ERROR_NO_PERMISSION:
		return fmt.Errorf("%s: the driver lets only root do so: run llem as root, or leave gpu_settings out", what)
	case nvml.ERROR_NOT_SUPPORTED:
		return fmt.Errorf("%s: this GPU does not support it: leave gpu_settings out", what)
	}
	return fmt.Errorf("%s: %s", what, n.lib.ErrorString(ret))
}
