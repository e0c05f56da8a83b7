//go:build linux && cgo

package meter

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"github.com/llenergymeasure/llem/internal/device"
)

// nvmlSession is the process's session with the driver.
type nvmlSession struct {
	lib          nvml.Interface
	driver, cuda string
}

var (
	_ device.Session = (*nvmlSession)(nil)
	_ device.Watcher = (*nvmlSampler)(nil)
)

// openNVML starts the session. Sessions in one process share the library, and keeping one
// open keeps the energy counters running.
func openNVML() (device.Session, error) {
	n, err := open(nvml.New())
	if err != nil {
		return nil, err
	}
	return n, nil
}

func open(lib nvml.Interface) (*nvmlSession, error) {
	switch ret := lib.Init(); ret {
	case nvml.SUCCESS:
	case nvml.ERROR_LIBRARY_NOT_FOUND:
		return nil, noLibrary(lookAround("/", os.Getenv))
	default:
		said := lib.ErrorString(ret)
		return nil, fmt.Errorf("%w: %s: %s", ErrInit, said, lookAround("/", os.Getenv).refused(said))
	}
	n := &nvmlSession{lib: lib}
	for _, name := range []string{"nvmlDeviceGetCount_v2", "nvmlDeviceGetHandleByIndex_v2", "nvmlDeviceGetUUID"} {
		if !n.has(name) {
			driver, _ := ask(n, "nvmlSystemGetDriverVersion", lib.SystemGetDriverVersion)
			_ = lib.Shutdown()
			return nil, fmt.Errorf("%w: the driver%s is too old: its library lacks %s; update the driver", ErrInit, spaced(driver), name)
		}
	}
	n.driver, _ = ask(n, "nvmlSystemGetDriverVersion", lib.SystemGetDriverVersion)
	cuda, ok := ask(n, "nvmlSystemGetCudaDriverVersion_v2", lib.SystemGetCudaDriverVersion_v2)
	if !ok {
		cuda, ok = ask(n, "nvmlSystemGetCudaDriverVersion", lib.SystemGetCudaDriverVersion)
	}
	if ok {
		n.cuda = fmt.Sprintf("%d.%d", cuda/1000, cuda%1000/10)
	}
	return n, nil
}

// Name is that of the row.
func (n *nvmlSession) Name() string { return nvmlRow.Name }

// Close ends the session. No Sampler of it may be used afterwards.
func (n *nvmlSession) Close() error {
	if ret := n.lib.Shutdown(); ret != nvml.SUCCESS {
		return fmt.Errorf("close NVML: %s", n.lib.ErrorString(ret))
	}
	return nil
}

// has says whether the driver's library exports a symbol. Calling one that it
// lacks ends the process.
func (n *nvmlSession) has(symbol string) bool { return n.lib.Extensions().LookupSymbol(symbol) == nil }

// ask makes a call if its symbol is there; ok is false, and v zero, where there is no answer.
func ask[T any](n *nvmlSession, symbol string, call func() (T, nvml.Return)) (v T, ok bool) {
	if !n.has(symbol) {
		return v, false
	}
	if v, ret := call(); ret == nvml.SUCCESS {
		return v, true
	}
	return v, false
}

// Devices describes every GPU of the host that answers, in NVML's order. One
// that is lost or has no name is left out and keeps nobody from the others; it
// is an error only if none is left of those that NVML counts.
func (n *nvmlSession) Devices(ctx context.Context) ([]device.Device, error) {
	count, ret := n.lib.DeviceGetCount()
	if ret != nvml.SUCCESS {
		return nil, fmt.Errorf("count GPUs: %s", n.lib.ErrorString(ret))
	}
	var devices []device.Device
	var last error
	for i := range count {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		d, err := n.device(i)
		if err != nil {
			last = err
			continue
		}
		devices = append(devices, d)
	}
	if len(devices) == 0 && last != nil {
		return nil, last
	}
	return devices, nil
}

func (n *nvmlSession) device(i int) (device.Device, error) {
	dev, ret := n.lib.DeviceGetHandleByIndex(i)
	if ret != nvml.SUCCESS {
		return device.Device{}, fmt.Errorf("open GPU %d: %s", i, n.lib.ErrorString(ret))
	}
	uuid, ret := dev.GetUUID()
	if ret != nvml.SUCCESS {
		return device.Device{}, fmt.Errorf("read the UUID of GPU %d: %s", i, n.lib.ErrorString(ret))
	}
	d := n.describe(dev)
	d.Index, d.UUID = i, uuid
	return d, nil
}

// Select describes the GPUs that ids name, as choose does.
func (n *nvmlSession) Select(ctx context.Context, ids []string) ([]device.Device, error) {
	all, err := n.Devices(ctx)
	if err != nil {
		return nil, err
	}
	return choose(all, ids, func(id string) error { return n.missing(id, all) })
}

// missing says why id is none of all, and what there is.
func (n *nvmlSession) missing(id string, all []device.Device) error {
	if i, err := strconv.Atoi(id); err == nil && i >= 0 {
		if count, ret := n.lib.DeviceGetCount(); ret == nvml.SUCCESS && i < count {
			if _, err := n.device(i); err != nil {
				return fmt.Errorf("%w; choose another GPU, or reset this one", err)
			}
		}
	}
	if len(all) == 0 {
		return errors.New("there is no GPU " + id + ": NVML finds none on this host")
	}
	there := make([]string, len(all))
	for i, d := range all {
		there[i] = fmt.Sprintf("%d (%s)", d.Index, d.UUID)
	}
	return fmt.Errorf("there is no GPU %s: this host has %s", id, strings.Join(there, ", "))
}
