package harness

import (
	"context"
	"io"
	"log/slog"
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
	out := &result.Command{
		SchemaVersion: result.SchemaVersion, LlemVersion: r.Version, Command: c.Args,
		Host: describeHost(), GPUsLeftOut: []int{}, Runs: []result.CommandRun{},
	}
	host, err := r.openHost(ctx, "auto")
	if err != nil {
		return nil, nil, err
	}
	session, missing := r.OpenGPUs(ctx)
	if missing == nil {
		defer r.closeGPUs(session)
	} else if len(c.GPUs) > 0 {
		return nil, nil, launch.Faultf(launch.HostFault, "there is no GPU to measure: %w; `llem doctor` says what is missing", missing)
	}
	held := lease.New(lease.NewID(), r.Log)
	defer held.Release()
	gpus := readerOfNone("", r.Log)
	if missing != nil {
		gpus.noEnergy = missing.Error()
	} else if gpus, err = claimFor(ctx, session, held, c.GPUs, out, r.Log); err != nil {
		return nil, nil, err
	}
	if gpus.noEnergy != "" { // the command's time and the host's energy are known all the same
		out.NoGPUEnergy = &gpus.noEnergy
	}
	about := gpus.host()
	out.GPUs = about.GPUs()
	var series []result.TimeseriesRow
	for err == nil && len(out.Runs) < c.Repeats {
		if n := len(out.Runs); n > 0 && ctx.Err() != nil {
			err = launch.Faultf(launch.InterruptFault, "interrupted after %d of %d runs", n, c.Repeats)
			break
		}
		var seen record.Observation
		var code int
		if seen, code, err = commandRun(ctx, c, gpus, host); err == nil {
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

// claimFor chooses and locks the GPUs of a command, and prepares to read them; out says
// how they were chosen.
func claimFor(ctx context.Context, session device.Session, held *lease.Lease, ids []string, out *result.Command, log *slog.Logger) (*reader, error) {
	devices, why, err := choose(ctx, session, ids, out)
	if err != nil {
		return nil, err
	}
	if why != "" {
		return readerOfNone(why, log), nil
	}
	if err := held.Lock(devices); err != nil {
		return nil, launch.Faultf(launch.HostFault, "%w", err)
	}
	if err := lease.Untouched(devices); err != nil {
		return nil, err
	}
	gpus, err := newReader(session, devices, sampleEvery, log)
	if err != nil {
		return nil, err
	}
	if err := gpus.poll(ctx); err != nil {
		return nil, launch.Faultf(launch.InterruptFault, "measure the counter's refresh: %w", err)
	}
	gpus.polls = nil // of another epoch than the readings of a run
	return gpus, nil
}

// choose selects the GPUs that are named, else granted, else all that are whole. Where
// no GPU is left, it says why.
func choose(ctx context.Context, session device.Session, ids []string, out *result.Command) (devices []device.Device, why string, err error) {
	if len(ids) == 0 {
		granted, ok, err := lease.Granted(ctx, session)
		if err != nil {
			return nil, "", err
		}
		if ids = granted; ok && len(ids) == 0 {
			return nil, "CUDA_VISIBLE_DEVICES grants no GPU: name some with --gpus", nil
		}
	}
	if len(ids) > 0 {
		devices, err = session.Select(ctx, ids)
	} else {
		devices, err = session.Devices(ctx)
		// Energy is only known of whole GPUs.
		devices = slices.DeleteFunc(devices, func(d device.Device) bool {
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
		return nil, "", launch.Faultf(launch.ConfigFault, "select GPUs: %w", err)
	case len(devices) == 0:
		return nil, "every GPU of this host is in MIG mode, and energy is only known of whole ones: sudo nvidia-smi -mig 0", nil
	}
	return devices, "", nil
}

// commandRun is one run: idle, edge, program, edge. The error says that the
// program could not be started or the user stopped before it; a program that
// fails is a result, by its exit code.
func commandRun(ctx context.Context, c Command, gpus *reader, host measure.HostReader) (seen record.Observation, code int, err error) {
	if gpus.noEnergy != "" {
		if ctx.Err() != nil {
			return seen, 0, errBefore
		}
		seen.Host = gpus.host()
		seen.Window, code, err = commandWindow(ctx, c, host, gpus.log)
		return seen, code, err
	}
	seen.Warnings = gpus.look(ctx)
	gpus.recorder = measure.NewRecorder(gpus.watcher, len(gpus.devices), sampleEvery)
	gpus.recorder.SetPhase(measure.ThermalFloorPhase, 0)
	gpus.recorder.Start()
	defer gpus.recorder.Stop()
	if err := measure.Sleep(ctx, idleBefore); err != nil {
		return seen, 0, errBefore
	}
	gpus.recorder.SetPhase(measure.WindowPhase, 10*time.Minute)
	// An interrupt goes to the program: it is watched, and the edge read, to its end.
	kept := context.WithoutCancel(ctx)
	watched, ended := context.WithCancel(kept)
	defer ended()
	unwatch := gpus.strangers(watched, lease.Descends)
	if err := gpus.recorder.Settle(ctx, gpus.refresh); ctx.Err() != nil {
		unwatch()
		return seen, 0, errBefore
	} else if err != nil {
		gpus.log.Warn("read GPUs before the command", "error", err)
	}
	seen.Window, code, err = commandWindow(ctx, c, host, gpus.log)
	ended() // from here on what it leaves behind has no parent
	if err != nil {
		unwatch()
		return seen, 0, err
	}
	if err := gpus.recorder.Unwind(kept, gpus.refresh); err != nil {
		gpus.log.Warn("read GPUs after the command", "error", err)
	}
	seen.Warnings = append(seen.Warnings, unwatch()...)
	gpus.recorder.SetPhase(measure.Record, 0)
	seen.Host, seen.Readings = gpus.host(), gpus.readings(seen.Window)
	return seen, code, nil
}

var errBefore = launch.Faultf(launch.InterruptFault, "interrupted before the command")

// look lists who is on the GPUs before a program, and warns of them.
func (g *reader) look(ctx context.Context) (doubts []measure.Warning) {
	var err error
	if g.foreign, err = g.watcher.Processes(ctx); err != nil {
		doubts = append(doubts, measure.Warn("exclusivity_unknown", "processes on the GPU could not be listed before the command: %v", err))
	}
	if len(g.foreign) > 0 {
		doubts = append(doubts, measure.Warn("gpu_not_exclusive", "%s on the GPU before the command", measure.Describe(g.foreign)))
	}
	return doubts
}

// commandWindow runs the program in a window.
func commandWindow(ctx context.Context, c Command, host measure.HostReader, log *slog.Logger) (*record.Window, int, error) {
	stop := startHost(ctx, host, log)
	start := time.Now()
	code, err := execute(c)
	w := &record.Window{T0: start, Length: time.Since(start), Host: stop()}
	if err != nil {
		return nil, 0, launch.Faultf(launch.ConfigFault, "%w", err)
	}
	return w, code, nil
}
