package harness

import (
	"context"
	"errors"

	"github.com/llenergymeasure/llem/internal/device"
	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/lease"
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
		return launch.Faultf(launch.ConfigFault, "gpu_settings cannot be set: %s", x.meters.gpus.noEnergy)
	}
	devices, err := x.lease.Tune(ctx, x.session, x.job.GPUs, x.id, lease.Tuning(want))
	switch {
	case err != nil && x.place != nil && errors.Is(err, device.ErrBeyond): // this point's fault, and not that of the others
		return &launch.Fault{Kind: launch.ConfigFault, Err: err}
	case err != nil:
		return err
	}
	x.job.GPUs, x.meters.gpus.devices = devices, devices
	return nil
}

// noGPU says whether err only means that the host has no GPU to measure.
func noGPU(err error) bool { return errors.Is(err, ErrNoGPU) }
