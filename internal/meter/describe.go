//go:build linux && cgo

package meter

import (
	"fmt"

	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"github.com/llenergymeasure/llem/internal/device"
)

// describe is all that is known of a GPU but its index and UUID.
func (n *nvmlSession) describe(dev nvml.Device) device.Device {
	d := device.Device{Driver: n.driver, CUDA: n.cuda}
	d.Name, _ = ask(n, "nvmlDeviceGetName", dev.GetName)
	d.VBIOS, _ = ask(n, "nvmlDeviceGetVbiosVersion", dev.GetVbiosVersion)
	if m, ok := ask(n, "nvmlDeviceGetMemoryInfo", dev.GetMemoryInfo); ok {
		d.MemoryBytes = m.Total
	}
	if n.has("nvmlDeviceGetCudaComputeCapability") {
		if major, minor, ret := dev.GetCudaComputeCapability(); ret == nvml.SUCCESS {
			d.ComputeCapability = fmt.Sprintf("%d.%d", major, minor)
		}
	}
	if n.has("nvmlDeviceGetPciInfo_v3") || n.has("nvmlDeviceGetPciInfo_v2") {
		if pci, ret := dev.GetPciInfo(); ret == nvml.SUCCESS {
			d.PCIBusID = cString(pci.BusId[:])
		}
	}
	// The widest link that GPU and slot can have; the present one sleeps when idle.
	d.PCIeGen = known(ask(n, "nvmlDeviceGetMaxPcieLinkGeneration", dev.GetMaxPcieLinkGeneration))
	d.PCIeWidth = known(ask(n, "nvmlDeviceGetMaxPcieLinkWidth", dev.GetMaxPcieLinkWidth))
	n.describeSettings(dev, &d)
	return d
}

// describeSettings fills in what an administrator may change.
func (n *nvmlSession) describeSettings(dev nvml.Device, d *device.Device) {
	limit, ok := ask(n, "nvmlDeviceGetEnforcedPowerLimit", dev.GetEnforcedPowerLimit)
	if !ok {
		limit, ok = ask(n, "nvmlDeviceGetPowerManagementLimit", dev.GetPowerManagementLimit)
	}
	d.PowerLimitW = known(float64(limit)/1000, ok)
	limit, ok = ask(n, "nvmlDeviceGetPowerManagementDefaultLimit", dev.GetPowerManagementDefaultLimit)
	d.PowerLimitDefaultW = known(float64(limit)/1000, ok)
	if n.has("nvmlDeviceGetPowerManagementLimitConstraints") {
		low, high, ret := dev.GetPowerManagementLimitConstraints()
		d.PowerLimitMinW, d.PowerLimitMaxW = known(float64(low)/1000, ret == nvml.SUCCESS), known(float64(high)/1000, ret == nvml.SUCCESS)
	}

	clock := func(symbol string, call func(nvml.ClockType) (uint32, nvml.Return), c nvml.ClockType) *int {
		mhz, ok := ask(n, symbol, func() (uint32, nvml.Return) { return call(c) })
		return known(int(mhz), ok)
	}
	d.SMClockMHz = clock("nvmlDeviceGetClockInfo", dev.GetClockInfo, nvml.CLOCK_SM)
	d.SMClockMaxMHz = clock("nvmlDeviceGetMaxClockInfo", dev.GetMaxClockInfo, nvml.CLOCK_SM)
	d.MemClockMHz = clock("nvmlDeviceGetClockInfo", dev.GetClockInfo, nvml.CLOCK_MEM)

	mode, ok := ask(n, "nvmlDeviceGetPersistenceMode", dev.GetPersistenceMode)
	d.Persistence = known(mode == nvml.FEATURE_ENABLED, ok)
	if n.has("nvmlDeviceGetMigMode") {
		// A card that cannot have MIG answers that it does not know the question.
		mig, _, ret := dev.GetMigMode()
		d.MIG = known(mig == nvml.DEVICE_MIG_ENABLE && ret == nvml.SUCCESS, ret == nvml.SUCCESS || ret == nvml.ERROR_NOT_SUPPORTED)
	}
}

func known[T any](v T, ok bool) *T {
	if !ok {
		return nil
	}
	return &v
}

func cString[T ~int8 | ~uint8](b []T) string {
	var s []byte
	for _, c := range b {
		if c == 0 {
			break
		}
		s = append(s, byte(c))
	}
	return string(s)
}
