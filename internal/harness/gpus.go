package harness

import (
	"context"
	"errors"

	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/measure"
	"github.com/llenergymeasure/llem/internal/meter/card"
	"github.com/llenergymeasure/llem/internal/study"
)

// claim resolves the GPUs of an experiment and locks them. Without a GPU, or
// with gpus: none, it returns no devices; why says so when that is no choice.
func claim(ctx context.Context, gpus GPUs, e study.Experiment, lock func(uuids []string) (*Locks, error)) (devices []measure.Device, locks *Locks, why string, err error) {
	if e.GPUs.Mode == "none" {
		return nil, nil, "gpus: none was asked for", nil
	}
	ids := e.GPUs.IDs
	if e.GPUs.Mode == "auto" {
		granted, ok, err := grantedGPUs(ctx, gpus)
		if err != nil {
			return nil, nil, "", err
		}
		if ok {
			if ids = granted; len(ids) == 0 {
				return nil, nil, "CUDA_VISIBLE_DEVICES grants no GPU", nil
			}
		}
	}
	if len(ids) == 0 && e.Engine.Endpoint != "" {
		if devices, err = served(ctx, gpus, e.Parallel.Size()); err != nil {
			return nil, nil, "", err
		}
		ids = uuids(devices)
	}
	if len(ids) == 0 {
		return firstFree(ctx, gpus, e.Parallel.Size(), lock)
	}
	if want := e.Parallel.Size(); e.GPUs.Mode == "auto" && len(ids) > want {
		ids = ids[:want]
	}
	if len(ids) != e.Parallel.Size() {
		return nil, nil, "", launch.Faultf(launch.ConfigFault, "parallel asks for %d GPUs (tensor × pipeline × data) and %d are given: make them equal", e.Parallel.Size(), len(ids))
	}
	devices, err = gpus.Select(ctx, ids)
	if err != nil {
		return nil, nil, "", launch.Faultf(launch.ConfigFault, "select GPUs: %w", err)
	}
	locks, err = lock(uuids(devices))
	if err != nil {
		return nil, nil, "", launch.Faultf(launch.HostFault, "%w", err)
	}
	return devices, locks, "", nil
}

// errBusy is a GPU that somebody else has now, and may not have later.
var errBusy = errors.New("GPU in use")

// firstFree locks the first n GPUs that no other llem holds and nobody uses.
func firstFree(ctx context.Context, gpus GPUs, n int, lock func(uuids []string) (*Locks, error)) ([]measure.Device, *Locks, string, error) {
	all, err := gpus.Devices(ctx)
	if err != nil {
		return nil, nil, "", launch.Faultf(launch.HostFault, "list GPUs: %w", err)
	}
	if len(all) == 0 {
		return nil, nil, "NVML lists no GPU", nil
	}
	if len(all) < n {
		return nil, nil, "", launch.Faultf(launch.ConfigFault, "parallel asks for %d GPUs, this host has %d", n, len(all))
	}
	busy := busyGPUs(ctx, gpus, all)
	var picked []measure.Device
	var held *Locks
	var last error
	for _, d := range all {
		if len(picked) == n {
			break
		}
		if busy[d.UUID] || (d.MIG != nil && *d.MIG) {
			continue
		}
		one, err := lock([]string{d.UUID})
		if err != nil {
			last = err
			continue
		}
		held = held.join(one)
		picked = append(picked, d)
	}
	if len(picked) < n {
		held.Release()
		if last != nil {
			return nil, nil, "", launch.Faultf(launch.HostFault, "%d of %d GPUs are free and %d are needed: %w", len(picked), len(all), n, last)
		}
		return nil, nil, "", launch.Faultf(launch.HostFault, "%w: %d of %d are free and %d are needed: others are in use or in MIG mode; --wait-gpu waits for them, naming GPUs with --gpus measures beside other processes", errBusy, len(picked), len(all), n)
	}
	return picked, held, "", nil
}

func busyGPUs(ctx context.Context, gpus GPUs, all []measure.Device) map[string]bool {
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

// sensors is what is known of each GPU's power sensor.
func (x *run) sensors() []measure.Sensor {
	return card.SensorsOf(x.devices, x.refresh, x.jitter)
}

func uuids(devices []measure.Device) []string {
	out := make([]string, len(devices))
	for i, d := range devices {
		out[i] = d.UUID
	}
	return out
}

// noGPU says whether err only means that the host has no GPU to measure.
func noGPU(err error) bool { return errors.Is(err, ErrNoGPU) }
