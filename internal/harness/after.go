package harness

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/measure"
	"github.com/llenergymeasure/llem/internal/record"
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

// after ends what the run started, and measures what is to be measured then. It runs
// whether or not the experiment did, and when it was interrupted.
func after(ctx context.Context, u *setup, t *timeline, o *record.Observation, completed bool) error {
	var failed error
	if u.server != nil && u.origin != foundRunning {
		failed = t.phase(measure.After, "", func() (string, error) { return finishServer(ctx, u, o, completed) })
	}
	e := o.Job.Experiment.Baseline
	if !e.After || o.Idle.Baseline == nil || u.place.pool.kept != nil {
		return failed
	}
	return errors.Join(failed, t.phase(measure.After, "bare idle GPUs again", func() (string, error) {
		if completed {
			o.Idle.After = baselineAfter(ctx, u.meters.gpus, study.Seconds(e.DurationSeconds))
		}
		return "", nil
	}))
}

// finishServer fetches the log, removes the container and sees the GPU's memory
// released. A second interrupt kills the container.
func finishServer(ctx context.Context, u *setup, o *record.Observation, completed bool) (string, error) {
	s, hurry := u.server, u.runner.Hurry
	ctx, cancel := unhurried(ctx, hurry)
	defer cancel()
	var from time.Time
	if u.origin == fromBefore { // what it said before is of another run
		from = o.Run.Started
	}
	logCtx, done := context.WithTimeout(ctx, logDeadline)
	err := u.saver.store.Put(result.LogFile, func(w io.Writer) error {
		h := &hiding{to: w, hide: u.job.Experiment.Hide}
		return errors.Join(s.process.Log(logCtx, h, from), h.flush())
	})
	done()
	if err != nil {
		s.log.Warn("fetch the engine's log", "error", err)
	}
	if u.handOver(ctx, completed) {
		return "container left running for the next run, which takes it if it starts the same one", nil
	}
	if err := stop(ctx, hurry, s.process); err != nil {
		u.place.pool.left = append(u.place.pool.left, s.process)
		return "", u.away(ctx, launch.Faultf(launch.HostFault, "stop container: %w; `llem clean` removes it", err))
	}
	note, doubts := u.meters.gpus.released(ctx, s.container.memBefore)
	o.Warnings = append(o.Warnings, doubts...)
	return note, nil
}

// baselineAfter measures the bare idle GPUs once more.
func baselineAfter(ctx context.Context, g *reader, d time.Duration) *measure.Baseline {
	b, err := measure.MeasureBaseline(ctx, g.recorder, g.watcher, g.sensors(), d)
	if err != nil {
		g.log.Warn("baseline after", "error", err)
		return nil
	}
	return &b
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
