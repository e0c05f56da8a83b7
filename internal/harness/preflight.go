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

// setup is what a run is measured with. Preflight makes it, the launch adds the server,
// and release gives it back.
type setup struct {
	runner *Runner
	place  *place
	job    *job.Job

	session device.Session
	meters  meters
	saver   saver

	origin  origin
	server  *server // nil: none is there yet
	removed string  // why the container of the run before was; empty: it was not
}

// origin is where the server of a run comes from.
type origin int

const (
	startedHere  origin = iota // for this run
	fromBefore                 // it was kept for this run
	foundRunning               // it is not llem's
)

// preflight makes sure that what was asked for can be, before anything is
// measured: output folder, prompts, GPUs and their locks, image, engine.
func (u *setup) preflight(ctx context.Context, o *record.Observation) (string, error) {
	if err := u.create(o.Run.Started); err != nil {
		return "", launch.Faultf(launch.HostFault, "%w", err)
	}
	if free, ok := FreeSpace(u.saver.store.Dir()); ok && free < minSpace {
		return "", launch.Faultf(launch.HostFault, "%s has %.1f MB free and a result may need %d MB: make room, or choose another folder with --output", u.job.Experiment.Output.Dir, float64(free)/(1<<20), minSpace>>20)
	}
	if err := u.makeJob(ctx, o); err != nil {
		return "", err
	}
	doubts, err := u.takeKept(ctx)
	o.Warnings = append(o.Warnings, doubts...)
	if err != nil {
		return "", err
	}
	if err := u.tune(ctx); err != nil { // last: nothing that fails above has changed a GPU
		return "", err
	}
	if was := u.runner.From; was != nil {
		sayDifferences(u.runner.Observer.Say, differences(was, record.Of(u.observe(*o, nil)), titleOf(u.runner.Launcher)))
	}
	return u.note(), nil
}

// create makes the folder of the result, and shows others before that the run is
// alive; in a study that is the study's mark.
func (u *setup) create(now time.Time) (err error) {
	if !u.place.alone {
		u.saver.store, err = result.CreateAt(u.place.Folder)
		return err
	}
	held := u.place.pool.lease
	if err := held.LockRun(u.job.Run.ID, ""); err != nil {
		return err
	}
	u.saver.store, err = result.CreateNoted(u.job.Experiment.Output.Dir, u.job.Experiment.Name, now, held.Run().Note)
	return err
}

// makeJob makes the job. The GPUs are claimed, and what reads them is opened, before image
// and model are downloaded.
func (u *setup) makeJob(ctx context.Context, o *record.Observation) error {
	j, p := u.job, u.place.pool
	j.Run = job.Run{ID: j.Run.ID, Lock: p.lease.Run().Path(), PID: os.Getpid(), Keeps: p.keeps, HFToken: u.runner.HFToken}
	if j.Running() {
		u.origin = foundRunning
	}
	f := u.runner.finder(j.Experiment)
	if !u.place.alone {
		p.pin(f, j.Experiment)
	}
	if err := f.Prompts(ctx, j); err != nil {
		return err
	}
	if err := job.LocalModel(ctx, j.Experiment); err != nil {
		return err
	}
	if err := enoughFiles(j.Experiment.Workload); err != nil {
		return err
	}
	if err := f.Daemon(ctx, j); err != nil {
		return err
	}
	doubts, err := u.findGPUs(ctx)
	o.Warnings = append(o.Warnings, doubts...)
	if err != nil {
		return err
	}
	if err := u.findMeters(ctx); err != nil {
		return err
	}
	err = f.Server(ctx, j)
	f.Count(ctx, j)
	o.Warnings = append(o.Warnings, takeWarnings(j)...)
	return err
}

// findMeters opens the host's counters and the other instruments.
func (u *setup) findMeters(ctx context.Context) (err error) {
	e := u.job.Experiment.Energy
	if u.job.Daemon.Elsewhere == "" {
		if u.meters.host, err = u.runner.openHost(ctx, e.Host); err != nil {
			return err
		}
	}
	u.meters.others, err = u.runner.openInstruments(ctx, e, u.meters.gpus)
	return err
}

// findGPUs opens NVML once for the run, claims GPUs and prepares to read them.
func (u *setup) findGPUs(ctx context.Context) (doubts []measure.Warning, err error) {
	var why string
	u.session, u.job.GPUs, why, err = u.runner.openGPUs(ctx, u.job.Experiment, u.place.pool.lease)
	u.meters.gpus.devices, u.meters.gpus.noEnergy = u.job.GPUs, why
	if err == nil {
		err = measurable(u.job.Experiment, u.job.GPUs, why)
	}
	if err != nil || len(u.job.GPUs) == 0 {
		return nil, err
	}
	return u.watch(ctx)
}

// watch prepares to read the claimed GPUs, lists who else is on them and
// measures how often their counters move.
func (u *setup) watch(ctx context.Context) (doubts []measure.Warning, err error) {
	e := u.job.Experiment
	gpus, err := newReader(u.session, u.job.GPUs, time.Duration(e.Measurement.SampleIntervalMS)*time.Millisecond, u.runner.Log)
	if err != nil {
		return nil, err
	}
	u.meters.gpus = gpus
	if e.Energy.Backend == "none" {
		gpus.noEnergy = record.NoBackend
	}
	list, err := gpus.watcher.Processes(ctx)
	if err != nil {
		gpus.log.Warn("list processes on the GPUs", "error", err)
	}
	gpus.foreign = u.place.pool.notKept(list)
	if gpus.noEnergy == "" && len(gpus.foreign) > 0 && !u.job.Running() { // those of a server that was there are its own
		doubts = append(doubts, measure.Warn("gpu_not_exclusive", "%s on the GPU before the run", measure.Describe(gpus.foreign)))
	}
	if err := gpus.poll(ctx); err != nil {
		gpus.log.Warn("measure the counter's refresh", "error", err)
	}
	return doubts, nil
}

// note is how the preflight ends: what is measured, and on what.
func (u *setup) note() string {
	of, gpus := u.job.Experiment.Engine.Image, "no energy figure: "+u.meters.gpus.noEnergy
	if u.origin == foundRunning {
		of = u.job.Experiment.Engine.Endpoint
	}
	if u.meters.hostScope() {
		gpus = "no GPU: the host's energy by CodeCarbon"
	}
	if u.meters.gpus.noEnergy == "" {
		names := make([]string, len(u.job.GPUs))
		for i, d := range u.job.GPUs {
			names[i] = fmt.Sprintf("GPU %d %s", d.Index, d.Name)
		}
		gpus = strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s (%s), %s", of, u.job.Engine.Name(), gpus)
}

// release gives back what the run held on the host.
func (u *setup) release() {
	held := u.place.pool.lease
	held.PutBack() // first: instruments may take their time
	u.meters.others.close(u.runner.Log)
	held.Forget()      // before the session is closed
	if u.place.alone { // else they are the campaign's
		u.place.pool.release()
		held.Run().Release()
	}
	u.runner.closeGPUs(u.session)
}

// askedMeter is the meter that energy.backend can ask for by its name.
const askedMeter = "nvml"

// openGPUs opens the driver of GPUs and claims the GPUs of e by l. It returns no devices,
// and why, where e can do without. gpus, nil where there is no driver, must be closed, after an error too.
func (r *Runner) openGPUs(ctx context.Context, e study.Experiment, l *lease.Lease) (gpus device.Session, devices []device.Device, why string, err error) {
	if e.GPUs.Mode == "none" {
		return nil, nil, record.NoGPUs, nil
	}
	if gpus, err = r.OpenGPUs(ctx); err != nil {
		why, err = withoutGPUs(e, err)
		return nil, nil, why, err
	}
	if e.Energy.Backend == askedMeter && gpus.Name() != askedMeter {
		return gpus, nil, "", launch.Faultf(launch.ConfigFault, "energy.backend %s is not available: the GPUs of this host are read by %s; leave it at auto", askedMeter, gpus.Name())
	}
	w := lease.Want{IDs: e.GPUs.IDs, Auto: e.GPUs.Mode == "auto", N: e.Parallel.Size(), Serves: e.Engine.Endpoint != ""}
	if r.WaitGPU {
		w.Waiting = func(why error) { r.Observer.Say("waiting for a GPU: " + why.Error()) }
	}
	devices, why, err = l.Claim(ctx, gpus, w)
	return gpus, devices, why, err
}

// measurable refuses GPUs that e cannot be measured with: none, and why, though it asks
// for NVML, and those that a killed run has left changed.
func measurable(e study.Experiment, devices []device.Device, why string) error {
	if e.Energy.Backend == askedMeter && len(devices) == 0 {
		return launch.Faultf(launch.ConfigFault, "energy.backend nvml is not available: %s; install the NVIDIA driver, or set energy.backend: none", why)
	}
	return lease.Untouched(devices)
}

// withoutGPUs says why e is run without the GPUs of a host whose NVML cannot be opened,
// or that it cannot be.
func withoutGPUs(e study.Experiment, err error) (why string, _ error) {
	auto := e.GPUs.Mode == "auto"
	switch {
	case noGPU(err) && auto && e.Parallel.Size() == 1, !noGPU(err) && auto && e.Energy.Backend != askedMeter:
		return err.Error(), nil
	case noGPU(err):
		return "", launch.Faultf(launch.HostFault, "GPUs are asked for: %w", err)
	}
	return "", launch.Faultf(launch.HostFault, "open NVML: %w", err)
}
