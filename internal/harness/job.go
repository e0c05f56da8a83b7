package harness

import (
	"context"
	"errors"

	"github.com/llenergymeasure/llem/internal/device"
	"github.com/llenergymeasure/llem/internal/job"
	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/lease"
	"github.com/llenergymeasure/llem/internal/measure"
	"github.com/llenergymeasure/llem/internal/result"
	"github.com/llenergymeasure/llem/internal/study"
)

// finder finds what the job of e is made of.
func (r *Runner) finder(e study.Experiment) *job.Finder {
	f := &job.Finder{
		Launcher: r.Launcher, Progress: r.Observer.Progress, Say: r.Observer.Say, Log: r.Log,
		APIKey: r.APIKey, Headers: r.Headers, Pins: pinsOf(r.From, e),
	}
	if r.SameImage {
		was := r.From.Engine
		f.Pins.Again = &launch.Image{Ref: was.Image, ID: was.ImageID}
		if was.ImageDigest != nil {
			f.Pins.Again.Digest = *was.ImageDigest
		}
	}
	return f
}

// pinsOf are the commits of the run of a record that e does again; r may be nil.
func pinsOf(r *result.Record, e study.Experiment) (p job.Pins) {
	if r == nil {
		return p
	}
	config, _ := r.Config.(map[string]any)
	workload, _ := config["workload"].(map[string]any)
	if c := r.Model.Revision; c != nil && r.Model.ID == e.Model && text(config["revision"]) == e.Revision {
		p.Revision = *c
	}
	if c := r.Requests.SourceCommit; c != nil && text(workload["source"]) == e.Workload.Source {
		p.Dataset = *c
	}
	return p
}

// text is a value of a configuration; empty: it is no text.
func text(v any) string {
	s, _ := v.(string)
	return s
}

// takeWarnings takes over what was to be said of the job.
func takeWarnings(j *job.Job) []measure.Warning {
	list := j.Warnings
	j.Warnings = nil
	return list
}

// DryRun says what Execute would start and send for e. It looks at the image and the
// GPUs, and starts, pulls, locks and writes nothing.
func (r *Runner) DryRun(ctx context.Context, e study.Experiment) (job.DryRun, error) {
	d, err := r.finder(e).DryRun(ctx, e, job.Run{HFToken: r.HFToken}, func(ctx context.Context) (devices []device.Device, busy string, err error) {
		gpus, devices, why, err := r.openGPUs(ctx, e, lease.Looking(r.Log))
		r.closeGPUs(gpus)
		if err == nil {
			err = measurable(e, devices, why)
		}
		if errors.Is(err, lease.ErrBusy) || noGPU(err) {
			return nil, err.Error(), nil
		}
		return devices, "", err
	})
	return d, hidden(d.Job.Experiment.Hide, err)
}

// Pull brings an experiment's image and model onto this host, before time on its
// GPUs is taken. With pull: never it only looks whether they are here.
func (r *Runner) Pull(ctx context.Context, e study.Experiment) (job.Pulled, error) {
	return r.finder(e).Pull(ctx, e, r.lookForGPUs(ctx, e))
}

// lookForGPUs lists this host's GPUs, as far as they matter to the image of e. None are
// taken.
func (r *Runner) lookForGPUs(ctx context.Context, e study.Experiment) (devices []device.Device) {
	if e.GPUs.Mode == "none" || e.Engine.Endpoint != "" {
		return nil
	}
	gpus, err := r.OpenGPUs(ctx)
	if err == nil {
		defer gpus.Close()
		devices, err = gpus.Devices(ctx)
	}
	if err != nil {
		r.Log.Debug("look for GPUs", "error", err)
	}
	return devices
}
