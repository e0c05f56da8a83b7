package harness

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/llenergymeasure/llem/internal/device"
	"github.com/llenergymeasure/llem/internal/job"
	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/lease"
	"github.com/llenergymeasure/llem/internal/measure"
	"github.com/llenergymeasure/llem/internal/record"
	"github.com/llenergymeasure/llem/internal/result"
	"github.com/llenergymeasure/llem/internal/study"
)

// minSpace is what a result may take on disk: an hour's samples of 8 GPUs and
// 64 MiB of log.
const minSpace = 128 << 20

// preflight makes sure that what was asked for can be, before anything is
// measured: output folder, prompts, GPUs and their locks, image, engine.
func (x *run) preflight(ctx context.Context) (string, error) {
	if err := x.create(); err != nil {
		return "", launch.Faultf(launch.HostFault, "%w", err)
	}
	if free, ok := FreeSpace(x.saver.store.Dir()); ok && free < minSpace {
		return "", launch.Faultf(launch.HostFault, "%s has %.1f MB free and a result may need %d MB: make room, or choose another folder with --output", x.job.Experiment.Output.Dir, float64(free)/(1<<20), minSpace>>20)
	}
	if err := x.makeJob(ctx); err != nil {
		return "", err
	}
	if err := x.takeKept(ctx); err != nil {
		return "", err
	}
	if err := x.tune(ctx); err != nil { // last: nothing that fails above has changed a GPU
		return "", err
	}
	x.sayDifferences()
	return x.preflightNote(), nil
}

// makeJob makes the job. The GPUs are claimed, and what reads them is opened, before image
// and model are downloaded.
func (x *run) makeJob(ctx context.Context) error {
	var p *Pool
	if x.place != nil {
		p = x.place.pool
	}
	x.job.Run = job.Run{ID: x.id, Lock: x.lease.Run().Path(), PID: os.Getpid(), Keeps: p != nil && p.keeps, HFToken: x.HFToken}
	f := x.finder(x.job.Experiment, p)
	if err := f.Prompts(ctx, &x.job); err != nil {
		return err
	}
	if err := job.LocalModel(ctx, x.job.Experiment); err != nil {
		return err
	}
	if err := enoughFiles(x.job.Experiment.Workload); err != nil {
		return err
	}
	if err := f.Daemon(ctx, &x.job); err != nil {
		return err
	}
	if err := x.findGPUs(ctx); err != nil {
		return err
	}
	if err := x.findMeters(ctx); err != nil {
		return err
	}
	err := f.Server(ctx, &x.job)
	f.Count(ctx, &x.job)
	x.takeWarnings()
	return err
}

// create makes the folder of the result, and shows others before that the run is
// alive; in a study that is the study's mark.
func (x *run) create() (err error) {
	if x.place != nil {
		x.saver.store, err = result.CreateAt(x.place.Folder)
		return err
	}
	if err := x.lease.LockRun(x.id, ""); err != nil {
		return err
	}
	x.saver.store, err = result.CreateNoted(x.job.Experiment.Output.Dir, x.job.Experiment.Name, x.obs.Run.Started, x.lease.Run().Note)
	return err
}

func (x *run) preflightNote() string {
	gpus := "no energy figure: " + x.meters.gpus.noEnergy
	if x.meters.hostScope() {
		gpus = "no GPU: the host's energy by CodeCarbon"
	}
	if x.meters.gpus.noEnergy == "" {
		names := make([]string, len(x.job.GPUs))
		for i, d := range x.job.GPUs {
			names[i] = fmt.Sprintf("GPU %d %s", d.Index, d.Name)
		}
		gpus = strings.Join(names, ", ")
	}
	return x.identityNote() + ", " + gpus
}

// findMeters opens what measures beside the GPUs.
func (x *run) findMeters(ctx context.Context) (err error) {
	if x.job.Daemon.Elsewhere == "" {
		if x.meters.host, err = x.openHost(ctx, x.job.Experiment.Energy.Host); err != nil {
			return err
		}
	}
	x.meters.others, err = x.openInstruments(ctx, x.job.Experiment.Energy, x.meters.gpus)
	return err
}

// findGPUs opens NVML once for the run, claims GPUs and prepares to read them.
func (x *run) findGPUs(ctx context.Context) (err error) {
	var why string
	x.session, x.job.GPUs, why, err = x.openGPUs(ctx, x.job.Experiment, x.lease)
	x.meters.gpus.devices, x.meters.gpus.noEnergy = x.job.GPUs, why
	if err == nil {
		err = measurable(x.job.Experiment, x.job.GPUs, why)
	}
	if err != nil || len(x.job.GPUs) == 0 {
		return err
	}
	return x.watch(ctx)
}

// openGPUs opens NVML and claims the GPUs of e by l; where l is nil, it only looks and
// does not wait. It returns no devices, and why, where there need be none. gpus, nil
// where there is no NVML, must be closed, after an error too.
func (r *Runner) openGPUs(ctx context.Context, e study.Experiment, l *lease.Lease) (gpus device.Session, devices []device.Device, why string, err error) {
	if e.GPUs.Mode == "none" {
		return nil, nil, record.NoGPUs, nil
	}
	if gpus, err = r.OpenGPUs(ctx); err != nil {
		why, err = withoutGPUs(e, err)
		return nil, nil, why, err
	}
	w := lease.Want{IDs: e.GPUs.IDs, Auto: e.GPUs.Mode == "auto", N: e.Parallel.Size(), Serves: e.Engine.Endpoint != ""}
	if r.WaitGPU && l != nil {
		w.Waiting = func(why error) { r.Observer.Say("waiting for a GPU: " + why.Error()) }
	}
	devices, why, err = l.Claim(ctx, gpus, w)
	return gpus, devices, why, err
}

// measurable refuses GPUs that e cannot be measured with: none, and why, though it asks
// for NVML, and those that a killed run has left changed.
func measurable(e study.Experiment, devices []device.Device, why string) error {
	if e.Energy.Backend == "nvml" && len(devices) == 0 {
		return launch.Faultf(launch.ConfigFault, "energy.backend nvml is not available: %s; install the NVIDIA driver, or set energy.backend: none", why)
	}
	return lease.Untouched(devices)
}

// withoutGPUs says why e is run without the GPUs of a host whose NVML cannot be opened,
// or that it cannot be.
func withoutGPUs(e study.Experiment, err error) (why string, _ error) {
	auto := e.GPUs.Mode == "auto"
	switch {
	case noGPU(err) && auto && e.Parallel.Size() == 1, !noGPU(err) && auto && e.Energy.Backend != "nvml":
		return err.Error(), nil
	case noGPU(err):
		return "", launch.Faultf(launch.HostFault, "GPUs are asked for: %w", err)
	}
	return "", launch.Faultf(launch.HostFault, "open NVML: %w", err)
}

// watch prepares to read the claimed GPUs, lists who else is on them and
// measures how often their counters move.
func (x *run) watch(ctx context.Context) error {
	e := x.job.Experiment
	gpus, err := newReader(x.session, x.job.GPUs, time.Duration(e.Measurement.SampleIntervalMS)*time.Millisecond, x.Log)
	if err != nil {
		return err
	}
	x.meters.gpus = gpus
	if e.Energy.Backend == "none" {
		gpus.noEnergy = record.NoBackend
	}
	list, err := gpus.watcher.Processes(ctx)
	if err != nil {
		x.Log.Warn("list processes on the GPUs", "error", err)
	}
	gpus.foreign = x.notKept(list)
	if e.Energy.Backend != "none" && len(gpus.foreign) > 0 && !x.job.Running() { // those of a server that was there are its own
		x.warn("gpu_not_exclusive", "%s on the GPU before the run", measure.Describe(gpus.foreign))
	}
	if err := gpus.poll(ctx); err != nil {
		x.Log.Warn("measure the counter's refresh", "error", err)
	}
	return nil
}
