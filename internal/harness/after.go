package harness

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/measure"
	"github.com/llenergymeasure/llem/internal/result"
	"github.com/llenergymeasure/llem/internal/study"
)

// Deadlines of what happens after the window.
const (
	logDeadline    = 30 * time.Second
	stopDeadline   = 15 * time.Second
	removeDeadline = 60 * time.Second
	memoryDeadline = 10 * time.Second
)

// after fetches the log, removes the container and sees the GPU's memory
// released. It runs whether or not the experiment did, and when it was
// interrupted; a second interrupt kills the container.
func (x *run) after(ctx context.Context, r *result.Record) error {
	if x.server == nil || x.job.Running() {
		return nil
	}
	return x.times.phase(measure.After, "", func() (string, error) {
		ctx, cancel := unhurried(ctx, x.Hurry)
		defer cancel()
		logCtx, done := context.WithTimeout(ctx, logDeadline)
		err := x.saver.store.Put(result.LogFile, func(w io.Writer) error {
			h := &hiding{to: w, hide: x.job.Experiment.Hide}
			return errors.Join(x.server.Log(logCtx, h, x.logFrom()), h.flush())
		})
		done()
		if err != nil {
			x.Log.Warn("fetch the engine's log", "error", err)
		}
		if x.handOver(ctx, r) {
			return "container left running for the next run, which takes it if it starts the same one", nil
		}
		if err := stop(ctx, x.Hurry, x.server); err != nil {
			x.leave(x.server)
			return "", x.away(ctx, launch.Faultf(launch.HostFault, "stop container: %w; `llem clean` removes it", err))
		}
		return x.released(ctx), nil
	})
}

// baselineAfter measures the bare idle GPUs once more, where that was asked for and
// the experiment completed; cause is why it did not.
func (x *run) baselineAfter(ctx context.Context, cause error) {
	if cause != nil {
		return
	}
	g, d := x.meters.gpus, study.Seconds(x.job.Experiment.Baseline.DurationSeconds)
	b, err := measure.MeasureBaseline(ctx, g.recorder, g.watcher, g.sensors(), d)
	if err != nil {
		x.Log.Warn("baseline after", "error", err)
		return
	}
	x.obs.Idle.After = &b
}

// unhurried outlives an interrupt but not a second one, which hurry tells.
func unhurried(ctx context.Context, hurry <-chan struct{}) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		select {
		case <-hurry:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(); <-gone }
}

// hurryDeadline is what the removal of a container is given after a second
// interrupt: a daemon that hangs is not waited for.
const hurryDeadline = 3 * time.Second

// removing is a context for the removal of a container: it outlives interrupts, and
// ends at removeDeadline, or hurryDeadline after the second one.
func removing(ctx context.Context, hurry <-chan struct{}) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeDeadline)
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		select {
		case <-hurry:
			if measure.Sleep(ctx, hurryDeadline) == nil {
				cancel()
			}
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(); <-gone }
}

// stop ends and removes a server's container, by force where it does not go.
func stop(ctx context.Context, hurry <-chan struct{}, s launch.Server) error {
	stopCtx, cancel := context.WithTimeout(ctx, stopDeadline)
	defer cancel()
	err := s.Stop(stopCtx)
	if err == nil {
		return nil
	}
	killCtx, cancel := removing(ctx, hurry)
	defer cancel()
	return s.Kill(killCtx)
}

// released waits until the GPUs have the memory that they had before the launch.
func (x *run) released(ctx context.Context) string {
	note, doubts := x.meters.gpus.released(ctx, x.memBefore)
	x.obs.Warnings = append(x.obs.Warnings, doubts...)
	return note
}
