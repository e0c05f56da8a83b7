package harness

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"time"

	"github.com/llenergymeasure/llem/internal/hub"
	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/lease"
	"github.com/llenergymeasure/llem/internal/measure"
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
	if free, ok := FreeSpace(x.store.Dir()); ok && free < minSpace {
		return "", launch.Faultf(launch.HostFault, "%s has %.1f MB free and a result may need %d MB: make room, or choose another folder with --output", x.exp.Output.Dir, float64(free)/(1<<20), minSpace>>20)
	}
	if err := x.openPrompts(ctx); err != nil {
		return "", err
	}
	if err := findModel(ctx, x.exp); err != nil {
		return "", &launch.Fault{Kind: launch.ConfigFault, Err: err}
	}
	if err := x.files(); err != nil {
		return "", err
	}
	if err := x.findDaemon(ctx); err != nil {
		return "", err
	}
	if err := x.findGPUs(ctx); err != nil {
		return "", err
	}
	if err := x.findHost(ctx, x.exp.Energy.Host); err != nil {
		return "", err
	}
	if err := x.findInstruments(ctx, x.exp.Energy); err != nil {
		return "", err
	}
	if err := x.findServer(ctx); err != nil {
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

// create makes the folder of the result, and shows others before that the run is
// alive; in a study that is the study's mark.
func (x *run) create() (err error) {
	if x.place != nil {
		x.store, err = result.CreateAt(x.place.folder)
		return err
	}
	if err := x.lease.LockRun(x.id, ""); err != nil {
		return err
	}
	x.store, err = result.CreateNoted(x.exp.Output.Dir, x.exp.Name, x.started, x.lease.Run().Note)
	return err
}

func (x *run) preflightNote() string {
	gpus := "no energy figure: " + x.noEnergy
	if x.hostScope() {
		gpus = "no GPU: the host's energy by CodeCarbon"
	}
	if x.noEnergy == "" {
		names := make([]string, len(x.devices))
		for i, d := range x.devices {
			names[i] = fmt.Sprintf("GPU %d %s", d.Index, d.Name)
		}
		gpus = strings.Join(names, ", ")
	}
	return x.identityNote() + ", " + gpus
}

// findModel refuses a local model that is not there. A model that the engine
// knows by name is the engine's to find, and one of a server that already runs need
// not be here.
func findModel(ctx context.Context, e study.Experiment) error {
	if e.Engine.Endpoint != "" || !hub.IsPath(e.Model) {
		return nil
	}
	_, err := hub.Find(ctx, hub.Options{Model: e.Model, Revision: e.Revision})
	return err
}

// findGPUs opens NVML once for the run, claims GPUs and prepares to read them.
func (x *run) findGPUs(ctx context.Context) error {
	backend := x.exp.Energy.Backend
	if x.exp.GPUs.Mode != "none" {
		if err := x.openGPUs(ctx); err != nil {
			return err
		}
	} else {
		x.noEnergy = noGPUsAsked
	}
	if backend == "nvml" && len(x.devices) == 0 {
		return launch.Faultf(launch.ConfigFault, "energy.backend nvml is not available: %s; install the NVIDIA driver, or set energy.backend: none", x.noEnergy)
	}
	if len(x.devices) == 0 {
		return nil
	}
	return x.watch(ctx)
}

// Why a run has no energy figure that was asked for none.
const (
	noGPUsAsked = "gpus: none was asked for"
	noBackend   = "energy.backend: none was asked for"
)

func (x *run) openGPUs(ctx context.Context) error {
	gpus, err := x.OpenGPUs(ctx)
	switch {
	case noGPU(err) && x.exp.GPUs.Mode == "auto" && x.exp.Parallel.Size() == 1:
		x.noEnergy = err.Error()
		return nil
	case noGPU(err):
		return launch.Faultf(launch.HostFault, "GPUs are asked for: %w", err)
	case err != nil && x.exp.GPUs.Mode == "auto" && x.exp.Energy.Backend != "nvml":
		x.noEnergy = err.Error()
		return nil
	case err != nil:
		return launch.Faultf(launch.HostFault, "open NVML: %w", err)
	}
	x.gpus = gpus
	return x.claim(ctx)
}

// watch prepares to read the claimed GPUs, lists who else is on them and
// measures how often their counters move.
func (x *run) watch(ctx context.Context) error {
	err := lease.Untouched(x.devices)
	if err != nil {
		return err
	}
	if x.watcher, err = x.gpus.Watch(x.devices); err != nil {
		return launch.Faultf(launch.HostFault, "read GPUs: %w", err)
	}
	if x.exp.Energy.Backend == "none" {
		x.noEnergy = noBackend
	}
	if x.foreign, err = x.watcher.Processes(ctx); err != nil {
		x.Log.Warn("list processes on the GPUs", "error", err)
	}
	x.foreign = x.notKept(x.foreign)
	if x.exp.Energy.Backend != "none" && len(x.foreign) > 0 && !x.running() { // those of a server that was there are its own
		x.warn("gpu_not_exclusive", "%s on the GPU before the run", measure.Describe(x.foreign))
	}
	interval := time.Duration(x.exp.Measurement.SampleIntervalMS) * time.Millisecond
	x.recorder = measure.NewRecorder(x.watcher, len(x.devices), interval)
	if x.polls, err = x.watcher.PollCounters(ctx, x.recorder.Epoch()); err != nil {
		x.Log.Warn("measure the counter's refresh", "error", err)
	}
	x.refresh, x.jitter = measure.Refresh(x.polls, len(x.devices))
	return nil
}

// findHost opens the counters of the host's own energy: those that are there, or
// with "rapl" an error where there are none.
func (x *run) findHost(ctx context.Context, want string) (err error) {
	if want == "none" || x.OpenHost == nil || x.daemon.Elsewhere != "" {
		return nil
	}
	if x.host, err = x.OpenHost(); err != nil {
		x.host = nil
		if want == "rapl" {
			return launch.Faultf(launch.ConfigFault, "energy.host rapl is not available: %w", err)
		}
		level := slog.LevelDebug // most hosts have none, which doctor tells
		if errors.Is(err, fs.ErrPermission) {
			level = slog.LevelInfo
		}
		x.Log.Log(ctx, level, "no energy of the host", "reason", err)
	}
	return nil
}

// startHost opens a span of the host's energy; the function ends it.
func (x *run) startHost(ctx context.Context) (stop func() []measure.HostEnergy) {
	if x.host != nil {
		span, err := measure.StartHost(ctx, x.host)
		if err == nil {
			return span.Stop
		}
		x.Log.Warn("energy of the host", "error", err)
	}
	return func() []measure.HostEnergy { return nil }
}
