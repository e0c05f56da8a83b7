package harness

import (
	"context"
	"io"
	"os"
	"slices"
	"time"

	"github.com/llenergymeasure/llem/internal/device"
	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/lease"
	"github.com/llenergymeasure/llem/internal/measure"
	"github.com/llenergymeasure/llem/internal/record"
	"github.com/llenergymeasure/llem/internal/result"
	"github.com/llenergymeasure/llem/internal/stats"
)

// Command is a program whose energy is measured, in place of an experiment.
type Command struct {
	Args    []string
	GPUs    []string // NVML indices and UUIDs; empty: what CUDA_VISIBLE_DEVICES or Slurm grants, else all
	Repeats int      // at least 1

	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Signals        <-chan os.Signal     // passed on to the program
	Sent           func(os.Signal) bool // says that the program has a signal already; nil: none
}

// idleBefore is how long the GPUs are read before the program starts: the power
// that the opening edge is carried with.
const idleBefore = 2200 * time.Millisecond

// sampleEvery is the interval of readings while a program runs.
const sampleEvery = 100 * time.Millisecond

// Measure runs a program and measures the GPUs while it does. What was measured
// comes back beside an error. The context ends what comes before the program, and
// further repeats: the program itself is only sent the signals. It needs OpenGPUs
// and Log of the runner.
func (r *Runner) Measure(ctx context.Context, c Command) (*result.Command, []result.TimeseriesRow, error) {
	x := &run{Runner: r, id: lease.NewID()}
	x.hold()
	defer x.release()
	out := &result.Command{
		SchemaVersion: result.SchemaVersion, LlemVersion: r.Version, Command: c.Args,
		Host: describeHost(), GPUsLeftOut: []int{}, Runs: []result.CommandRun{},
	}
	if err := x.claimFor(ctx, c.GPUs, out); err != nil {
		return nil, nil, err
	}
	seen := x.observe(nil)
	out.GPUs = seen.Host.GPUs()
	var series []result.TimeseriesRow
	var err error
	for err == nil && len(out.Runs) < c.Repeats {
		if n := len(out.Runs); n > 0 && ctx.Err() != nil {
			err = launch.Faultf(launch.InterruptFault, "interrupted after %d of %d runs", n, c.Repeats)
			break
		}
		var code int
		if code, err = x.commandRun(ctx, c); err == nil {
			seen := x.observe(nil)
			out.Runs, series = append(out.Runs, seen.Command(code)), seen.Timeseries()
		}
	}
	mapMean(out)
	return out, series, err
}

// mapMean adds the mean over the runs, where each has a figure.
func mapMean(out *result.Command) {
	var energies []float64
	for _, one := range out.Runs {
		if one.EnergyTotalJ != nil {
			energies = append(energies, *one.EnergyTotalJ)
		}
	}
	if mean, half, ok := stats.Interval(energies); ok && len(energies) == len(out.Runs) {
		out.EnergyMeanJ, out.EnergyInterval95J = &mean, &half
	}
}

// claimFor opens, locks and prepares to read the GPUs of a command; out says how
// they were chosen.
func (x *run) claimFor(ctx context.Context, ids []string, out *result.Command) (err error) {
	if err := x.findHost(ctx, "auto"); err != nil {
		return err
	}
	if x.gpus, err = x.OpenGPUs(ctx); err != nil {
		x.gpus = nil
		if len(ids) > 0 {
			return launch.Faultf(launch.HostFault, "there is no GPU to measure: %w; `llem doctor` says what is missing", err)
		}
		x.obs.Host.NoEnergy = err.Error()
	} else if err := x.choose(ctx, ids, out); err != nil {
		return err
	}
	if x.obs.Host.NoEnergy != "" { // the command's time and the host's energy are known all the same
		out.NoGPUEnergy = &x.obs.Host.NoEnergy
		return nil
	}
	if err := x.lease.Lock(x.job.GPUs); err != nil {
		return launch.Faultf(launch.HostFault, "%w", err)
	}
	if err := lease.Untouched(x.job.GPUs); err != nil {
		return err
	}
	if x.watcher, err = x.gpus.Watch(x.job.GPUs); err != nil {
		return launch.Faultf(launch.HostFault, "read GPUs: %w", err)
	}
	polls, err := x.watcher.PollCounters(ctx, time.Now())
	if err != nil {
		return launch.Faultf(launch.InterruptFault, "measure the counter's refresh: %w", err)
	}
	x.obs.Host.Refresh, x.obs.Host.Jitter = measure.Refresh(polls, len(x.job.GPUs))
	return nil
}

// choose selects the GPUs that are named, else granted, else all that are whole.
// Where there is none of these, noEnergy says why.
func (x *run) choose(ctx context.Context, ids []string, out *result.Command) (err error) {
	if len(ids) == 0 {
		granted, ok, err := lease.Granted(ctx, x.gpus)
		if err != nil {
			return err
		}
		if ids = granted; ok && len(ids) == 0 {
			x.obs.Host.NoEnergy = "CUDA_VISIBLE_DEVICES grants no GPU: name some with --gpus"
			return nil
		}
	}
	if len(ids) > 0 {
		x.job.GPUs, err = x.gpus.Select(ctx, ids)
	} else {
		x.job.GPUs, err = x.gpus.Devices(ctx)
		// Energy is only known of whole GPUs.
		x.job.GPUs = slices.DeleteFunc(x.job.GPUs, func(d device.Device) bool {
			mig := d.MIG != nil && *d.MIG
			if mig {
				out.GPUsLeftOut = append(out.GPUsLeftOut, d.Index)
			}
			return mig
		})
		out.GPUsByDefault = true
	}
	switch {
	case err != nil:
		return launch.Faultf(launch.ConfigFault, "select GPUs: %w", err)
	case len(x.job.GPUs) == 0:
		x.obs.Host.NoEnergy = "every GPU of this host is in MIG mode, and energy is only known of whole ones: sudo nvidia-smi -mig 0"
	}
	return nil
}

// commandRun is one run: idle, edge, program, edge. The error says that the
// program could not be started or the user stopped before it; a program that
// fails is a result, by its exit code.
func (x *run) commandRun(ctx context.Context, c Command) (code int, err error) {
	x.obs.Warnings, x.obs.Host.Foreign = nil, nil
	if x.watcher == nil {
		if ctx.Err() != nil {
			return 0, errBefore
		}
		return x.execute(ctx, c)
	}
	x.look(ctx)
	x.recorder = measure.NewRecorder(x.watcher, len(x.job.GPUs), sampleEvery)
	x.recorder.SetPhase(measure.ThermalFloorPhase, 0)
	x.recorder.Start()
	defer x.recorder.Stop()
	if err := measure.Sleep(ctx, idleBefore); err != nil {
		return 0, errBefore
	}
	x.recorder.SetPhase(measure.WindowPhase, 10*time.Minute)
	// An interrupt goes to the program: it is watched, and the edge read, to its end.
	kept := context.WithoutCancel(ctx)
	watched, ended := context.WithCancel(kept)
	defer ended()
	unwatch := x.strangers(watched, lease.Descends)
	if err := x.recorder.Settle(ctx, x.obs.Host.Refresh); ctx.Err() != nil {
		unwatch()
		return 0, errBefore
	} else if err != nil {
		x.Log.Warn("read GPUs before the command", "error", err)
	}
	code, err = x.execute(ctx, c)
	ended() // what it leaves behind is nobody's child from here on
	if err != nil {
		unwatch()
		return 0, err
	}
	if err := x.recorder.Unwind(kept, x.obs.Host.Refresh); err != nil {
		x.Log.Warn("read GPUs after the command", "error", err)
	}
	unwatch()
	x.recorder.SetPhase(measure.Record, 0)
	return code, nil
}

var errBefore = launch.Faultf(launch.InterruptFault, "interrupted before the command")

// look warns of who is on the GPUs before the program.
func (x *run) look(ctx context.Context) {
	var err error
	if x.obs.Host.Foreign, err = x.watcher.Processes(ctx); err != nil {
		x.warn("exclusivity_unknown", "processes on the GPU could not be listed before the command: %v", err)
	}
	if len(x.obs.Host.Foreign) > 0 {
		x.warn("gpu_not_exclusive", "%s on the GPU before the command", measure.Describe(x.obs.Host.Foreign))
	}
}

// execute runs the program in a window of its own.
func (x *run) execute(ctx context.Context, c Command) (code int, err error) {
	host := x.startHost(ctx)
	start := time.Now()
	code, err = execute(c)
	x.obs.Window = &record.Window{T0: start, Length: time.Since(start), Host: host()}
	if err != nil {
		return 0, launch.Faultf(launch.ConfigFault, "%w", err)
	}
	return code, nil
}
