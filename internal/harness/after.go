package harness

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
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

// save writes everything measured, before anything else can fail. What the
// output folder does not take goes under the temporary one.
func (x *run) save(r *result.Record, seen record.Observation) error {
	cause := x.write(r, seen)
	if cause == nil {
		return nil
	}
	full := x.store.Dir()
	dir, err := os.MkdirTemp("", "llem-results-")
	if err == nil {
		x.store, err = result.Create(dir, x.job.Experiment.Name, x.obs.Run.Started)
	}
	if err == nil {
		err = x.write(r, seen)
	}
	if err != nil {
		return launch.Faultf(launch.HostFault, "write the result: %w; under the temporary folder: %w; make room and measure again", cause, err)
	}
	if err := os.RemoveAll(full); err != nil {
		x.Log.Warn("remove what was half written", "error", err)
	}
	return launch.Faultf(launch.HostFault, "write the result: %w; it is kept in %s", cause, x.store.Dir())
}

// write tries every file, whatever happens to the others.
func (x *run) write(r *result.Record, seen record.Observation) error {
	r.Timeseries, r.RequestsFile = result.TimeseriesFile, result.RequestsFile
	err := errors.Join(
		x.store.PutFile(result.ConfigFile, x.job.Experiment.EffectiveYAML()),
		x.store.PutTimeseries(seen.Timeseries()),
		x.store.PutRequests(seen.Requests()),
	)
	if len(x.Input) > 0 {
		err = errors.Join(err, x.store.PutFile(result.InputFile, x.Input))
	}
	if x.job.Experiment.Output.SaveResponses && x.obs.Window != nil {
		err = errors.Join(err, x.store.Put(result.ResponsesFile, x.writeResponses))
	}
	if x.job.Experiment.Output.RawSamples {
		r.SamplesFile = result.SamplesFile
		err = errors.Join(err, x.store.PutSamples(seen.Samples()))
	}
	return errors.Join(err, x.store.PutRecord(r))
}

// response is one line of responses.jsonl.
type response struct {
	ID   int    `json:"id"`
	Text string `json:"text"`
}

func (x *run) writeResponses(w io.Writer) error {
	enc := json.NewEncoder(w)
	for _, t := range x.obs.Window.Timings.All() {
		if err := enc.Encode(response{t.ID, x.job.Experiment.Hide(string(t.Text))}); err != nil {
			return err
		}
	}
	return nil
}

// rewrite puts the record again with what came after, raw samples included.
func (x *run) rewrite(r *result.Record, seen record.Observation) error {
	var err error
	if x.recorder != nil && x.job.Experiment.Output.RawSamples {
		err = x.store.PutSamples(seen.Samples())
	}
	files, ferr := result.Files(x.store.Dir())
	err, r.Files = errors.Join(err, ferr), files
	if err := errors.Join(err, x.store.PutRecord(r)); err != nil {
		return launch.Faultf(launch.HostFault, "write what came after the window: %w; %s has the rest", err, x.store.Dir())
	}
	return nil
}

// after fetches the log, removes the container and sees the GPU's memory
// released. It runs whether or not the experiment did, and when it was
// interrupted; a second interrupt kills the container.
func (x *run) after(ctx context.Context, r *result.Record) error {
	if x.server == nil || x.job.Running() {
		return nil
	}
	return x.phase(measure.After, "", func() (string, error) {
		ctx, cancel := unhurried(ctx, x.Hurry)
		defer cancel()
		logCtx, done := context.WithTimeout(ctx, logDeadline)
		err := x.store.Put(result.LogFile, func(w io.Writer) error {
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
	d := study.Seconds(x.job.Experiment.Baseline.DurationSeconds)
	b, err := measure.MeasureBaseline(ctx, x.recorder, x.watcher, x.sensors(), d)
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

// released waits until the GPUs hold no more memory than before the launch,
// within a tolerance for the driver's own.
func (x *run) released(ctx context.Context) string {
	if len(x.memBefore) == 0 {
		return "container removed"
	}
	const tolerance = 64 << 20
	deadline := time.Now().Add(memoryDeadline)
	for {
		now := x.memoryUsed()
		if now == nil {
			return "container removed, GPU memory cannot be read"
		}
		var kept []int
		for g, used := range now {
			if used > x.memBefore[g]+tolerance {
				kept = append(kept, g)
			}
		}
		if len(kept) == 0 {
			return "container removed, GPU memory released"
		}
		if time.Now().After(deadline) || measure.Sleep(ctx, 200*time.Millisecond) != nil {
			for _, g := range kept {
				x.warn("gpu_memory_not_released", "GPU %d: %d MiB more in use after the container was removed than before it", x.job.GPUs[g].Index, (now[g]-x.memBefore[g])>>20)
			}
			return "container removed, GPU memory still in use"
		}
	}
}
