package harness

import (
	"context"
	"errors"

	"github.com/llenergymeasure/llem/internal/device"
	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/lease"
	"github.com/llenergymeasure/llem/internal/study"
)

// PutBack puts every GPU back as it was before its run. It may be called at any time; a
// GPU that cannot be put back is left to `llem clean`.
func (r *Runner) PutBack() {
	if held := r.held.Load(); held != nil { // else nothing was run yet
		held.PutBack()
	}
}

// tune sets what gpu_settings asks for, on GPUs that no other process uses.
func (u *setup) tune(ctx context.Context) error {
	want := u.job.Experiment.GPUSettings
	if want == (study.GPUSettings{}) {
		return nil
	}
	gpus := u.meters.gpus
	if len(gpus.devices) == 0 {
		return launch.Faultf(launch.ConfigFault, "gpu_settings cannot be set: %s", gpus.noEnergy)
	}
	devices, err := u.place.pool.lease.Tune(ctx, u.session, gpus.devices, u.job.Run.ID, lease.Tuning(want))
	switch {
	case err != nil && !u.place.alone && errors.Is(err, device.ErrBeyond): // this point's fault, and not that of the others
		return &launch.Fault{Kind: launch.ConfigFault, Err: err}
	case err != nil:
		return err
	}
	u.job.GPUs, gpus.devices = devices, devices
	return nil
}

// noGPU says whether err only means that the host has no GPU to measure.
func noGPU(err error) bool { return errors.Is(err, ErrNoGPU) }
