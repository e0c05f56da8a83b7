package lease

import (
	"context"
	"errors"
	"time"

	"github.com/llenergymeasure/llem/internal/device"
	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/measure"
)

// Want is which GPUs a claim is for.
type Want struct {
	IDs  []string // NVML indices and UUIDs
	Auto bool     // no IDs: those that are held, else granted by the environment, else the first that are free
	N    int      // how many
	// Serves says that a server that already runs is on them: its processes do not make
	// them busy, and Auto finds them by it.
	Serves bool
	// Waiting is called once with the reason before a claim waits for GPUs that are in
	// use; nil: a claim does not wait.
	Waiting func(why error)
}

// ErrBusy is a GPU that another process has now, and may not have later.
var ErrBusy = errors.New("GPU in use")

// waitEvery is how often a GPU that is awaited is looked at.
const waitEvery = 2 * time.Second

// Claim finds the GPUs that w asks for and locks them, or none of them. It returns no
// devices, and why, where the host or the environment offers none. An error is a
// [launch.Fault]; that of GPUs in use is an [ErrBusy], too.
func (l *Lease) Claim(ctx context.Context, gpus device.Session, w Want) (devices []device.Device, why string, err error) {
	for said := false; ; said = true {
		devices, why, err := l.claim(ctx, gpus, w)
		if w.Waiting == nil || l.looks || !errors.Is(err, ErrBusy) {
			return devices, why, err
		}
		if !said {
			w.Waiting(err)
		}
		if measure.Sleep(ctx, waitEvery) != nil {
			return nil, "", launch.Faultf(launch.InterruptFault, "interrupted while waiting for a GPU")
		}
	}
}

// claim is one try. Where GPUs are awaited, the process of another on one that was not
// held before is a reason to wait, too.
func (l *Lease) claim(ctx context.Context, gpus device.Session, w Want) (devices []device.Device, why string, err error) {
	before := len(l.Devices())
	devices, why, err = l.choose(ctx, gpus, w)
	if err == nil && w.Waiting != nil && !w.Serves && len(l.Devices()) > before {
		busy := busyGPUs(ctx, gpus, devices)
		for _, d := range devices {
			if busy[d.UUID] {
				err = launch.Faultf(launch.HostFault, "%w: a process runs on GPU %d (%s)", ErrBusy, d.Index, d.UUID)
				break
			}
		}
	}
	if err != nil {
		l.giveBack(before)
	}
	return devices, why, err
}

// choose resolves the GPUs and locks them one way or the other.
func (l *Lease) choose(ctx context.Context, gpus device.Session, w Want) (devices []device.Device, why string, err error) {
	ids := w.IDs
	switch mine := l.Devices(); {
	case !w.Auto:
	case !w.Serves && len(mine) >= w.N: // all runs of a campaign are on the same GPUs
		ids = device.UUIDs(mine[:w.N])
	default:
		granted, ok, err := Granted(ctx, gpus)
		if err != nil {
			return nil, "", err
		}
		if ids = granted; ok && len(ids) == 0 {
			return nil, "CUDA_VISIBLE_DEVICES grants no GPU", nil
		}
		ids = ids[:min(w.N, len(ids))]
	}
	if len(ids) == 0 && w.Serves {
		if devices, err = served(ctx, gpus, w.N); err != nil {
			return nil, "", err
		}
		ids = device.UUIDs(devices)
	}
	if len(ids) == 0 {
		return l.firstFree(ctx, gpus, w.N)
	}
	if len(ids) != w.N {
		return nil, "", launch.Faultf(launch.ConfigFault, "parallel asks for %d GPUs (tensor × pipeline × data) and %d are given: make them equal", w.N, len(ids))
	}
	if devices, err = gpus.Select(ctx, ids); err != nil {
		return nil, "", launch.Faultf(launch.ConfigFault, "select GPUs: %w", err)
	}
	if err := l.Lock(devices); err != nil {
		return nil, "", launch.Faultf(launch.HostFault, "%w", err)
	}
	return devices, "", nil
}

// firstFree locks the first n GPUs that no other llem holds and no process uses.
func (l *Lease) firstFree(ctx context.Context, gpus device.Session, n int) ([]device.Device, string, error) {
	all, err := gpus.Devices(ctx)
	if err != nil {
		return nil, "", launch.Faultf(launch.HostFault, "list GPUs: %w", err)
	}
	if len(all) == 0 {
		return nil, "NVML lists no GPU", nil
	}
	if len(all) < n {
		return nil, "", launch.Faultf(launch.ConfigFault, "parallel asks for %d GPUs, this host has %d", n, len(all))
	}
	busy := busyGPUs(ctx, gpus, all)
	var picked []device.Device
	var last error
	for _, d := range all {
		if len(picked) == n {
			break
		}
		if busy[d.UUID] || (d.MIG != nil && *d.MIG) {
			continue
		}
		if err := l.Lock([]device.Device{d}); err != nil {
			last = err
			continue
		}
		picked = append(picked, d)
	}
	switch {
	case len(picked) == n:
		return picked, "", nil
	case last != nil:
		return nil, "", launch.Faultf(launch.HostFault, "%d of %d GPUs are free and %d are needed: %w", len(picked), len(all), n, last)
	}
	return nil, "", launch.Faultf(launch.HostFault, "%w: %d of %d are free and %d are needed: others are in use or in MIG mode; --wait-gpu waits for them, naming GPUs with --gpus measures beside other processes", ErrBusy, len(picked), len(all), n)
}

// served are the GPUs of a server that already runs: the host's only one, else those
// that have processes.
func served(ctx context.Context, gpus device.Session, want int) ([]device.Device, error) {
	all, err := gpus.Devices(ctx)
	if err != nil {
		return nil, launch.Faultf(launch.HostFault, "list GPUs: %w", err)
	}
	if len(all) == 1 && want == 1 {
		return all, nil
	}
	busy := busyGPUs(ctx, gpus, all)
	var out []device.Device
	for _, d := range all {
		if busy[d.UUID] {
			out = append(out, d)
		}
	}
	if len(out) != want {
		return nil, launch.Faultf(launch.ConfigFault, "this host has %d GPUs, processes are on %d, and parallel asks for %d: name those that the server at engine.endpoint uses, with --gpus", len(all), len(out), want)
	}
	return out, nil
}

// busyGPUs are those that have processes, by UUID; empty where that is unknown.
func busyGPUs(ctx context.Context, gpus device.Session, all []device.Device) map[string]bool {
	busy := map[string]bool{}
	w, err := gpus.Watch(all)
	if err != nil {
		return busy
	}
	list, err := w.Processes(ctx)
	if err != nil {
		return busy
	}
	for _, p := range list {
		busy[all[p.Device].UUID] = true
	}
	return busy
}
