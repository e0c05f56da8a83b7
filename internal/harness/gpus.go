package harness

import (
	"context"
	"errors"

	"github.com/llenergymeasure/llem/internal/device"
	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/lease"
	"github.com/llenergymeasure/llem/internal/measure"
	"github.com/llenergymeasure/llem/internal/meter/card"
	"github.com/llenergymeasure/llem/internal/study"
)

// hold makes the lease that the run holds GPUs by: the study's, or its own.
func (x *run) hold() {
	if x.place != nil {
		x.lease = x.place.pool.lease
	} else {
		x.lease = lease.New(x.id, x.Log)
	}
	x.held.Store(x.lease)
}

// PutBack puts every GPU back as it was before its run. It may be called at any time; a
// GPU that cannot be put back is left to `llem clean`.
func (r *Runner) PutBack() { r.held.Load().PutBack() }

// tune sets what gpu_settings asks for, on GPUs that no other process uses.
func (x *run) tune(ctx context.Context) error {
	want := x.job.Experiment.GPUSettings
	if want == (study.GPUSettings{}) {
		return nil
	}
	if len(x.job.GPUs) == 0 {
		return launch.Faultf(launch.ConfigFault, "gpu_settings cannot be set: %s", x.obs.Host.NoEnergy)
	}
	devices, err := x.lease.Tune(ctx, x.gpus, x.job.GPUs, x.id, lease.Tuning(want))
	switch {
	case err != nil && x.place != nil && errors.Is(err, device.ErrBeyond): // this point's fault, and not that of the others
		return &launch.Fault{Kind: launch.ConfigFault, Err: err}
	case err != nil:
		return err
	}
	x.job.GPUs = devices
	return nil
}

// strangers lists the processes on the run's GPUs that are not its own, until the
// function that it returns is called, which warns of them: see [lease.Strangers].
func (x *run) strangers(ctx context.Context, own func(pid int) (bool, error)) (stop func()) {
	if x.watcher == nil || x.job.Experiment.Energy.Backend == "none" {
		return func() {}
	}
	end := lease.Strangers(ctx, x.watcher, x.obs.Host.Foreign, own)
	return func() {
		found, warnings := end()
		x.obs.Host.Foreign, x.obs.Warnings = append(x.obs.Host.Foreign, found...), append(x.obs.Warnings, warnings...)
	}
}

// newcomers warns of processes that came while the baseline was measured.
func (x *run) newcomers(list []device.Process) {
	if found := lease.Newcomers(x.obs.Host.Foreign, list); len(found) > 0 {
		x.obs.Host.Foreign = append(x.obs.Host.Foreign, found...)
		x.warn("gpu_not_exclusive", "%s on the GPU while the baseline was measured", measure.Describe(found))
	}
}

// sensors is what is known of each GPU's power sensor.
func (x *run) sensors() []device.Sensor {
	return card.SensorsOf(x.job.GPUs, x.obs.Host.Refresh, x.obs.Host.Jitter)
}

// noGPU says whether err only means that the host has no GPU to measure.
func noGPU(err error) bool { return errors.Is(err, ErrNoGPU) }
