package harness

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"slices"
	"sync/atomic"
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

// Runner holds what experiments share. Launcher, OpenGPUs, Observer and Log are
// required.
type Runner struct {
	Launcher launch.Launcher
	OpenGPUs func(context.Context) (device.Session, error) // ErrNoGPU when the host has none
	OpenHost func() (measure.HostReader, error)            // of the host's own energy; nil: the host has no meter
	// OpenInstrument opens another's meter by its name: zeusd, zeus, codecarbon.
	OpenInstrument func(ctx context.Context, name string, opt InstrumentOptions) (Instrument, error)
	Observer       Observer
	Log            *slog.Logger
	Version        string
	CacheDir       string // of baselines
	HFToken        bool   // the launcher holds a Hugging Face token to mount
	APIKey         string // of the variable LLEM_API_KEY; stands above engine.api_key_file
	Headers        string // of LLEM_HEADERS, in the same way
	WaitGPU        bool   // wait until GPUs are free instead of refusing

	// From is the record of a run that is done again: what differs from it is said.
	From *result.Record
	// SameImage takes From's very image, and not what engine.image names by now.
	SameImage bool

	Input   []byte          // the experiment file as given, secrets redacted
	Timeout time.Duration   // counted from ready; 0: none
	Hurry   <-chan struct{} // closed when the container is to be killed, not stopped, and the daemon is hardly waited for

	held atomic.Pointer[lease.Lease] // of the run or the study under way
}

// Outcome is what an experiment left behind. Record and Dir are empty when it
// ended before anything was measured.
type Outcome struct {
	Record *result.Record
	Dir    string
}

// Execute runs one experiment. The error says why it did not complete; the
// outcome is returned with it.
func (r *Runner) Execute(ctx context.Context, e study.Experiment) (Outcome, error) {
	id := lease.NewID()
	return r.execute(ctx, id, r.alone(id, e))
}

// execute is the run id of an experiment at its place.
func (r *Runner) execute(ctx context.Context, id string, at *place) (Outcome, error) {
	o := &record.Observation{
		Run: record.Run{ID: id, Version: r.Version, Started: time.Now()},
		Job: job.Job{Experiment: at.Experiment, Run: job.Run{ID: id}}, Warnings: slices.Clone(at.Doubts),
	}
	if !at.alone {
		o.Run.Study, o.Run.Cycles = new(at.Study), at.Cycles
	}
	u := &setup{runner: r, place: at, job: &o.Job, meters: meters{gpus: readerOfNone("", r.Log)}, saver: saver{input: r.Input, log: r.Log}}
	t := &timeline{
		observer: r.Observer, hide: func(s string) string { return o.Job.Experiment.Hide(s) },
		mark: func(p measure.Phase) { u.meters.gpus.recorder.SetPhase(p, 0) }, noted: &o.Run.Phases,
	}
	r.held.Store(at.pool.lease)
	defer u.release()
	err := t.phase(measure.Preflight, "", func() (string, error) { return u.preflight(ctx, o) })
	if err == nil {
		err = at.pause(ctx, t, u.origin, u.removed, &o.Run)
	}
	if err != nil && ctx.Err() != nil { // the interrupt may have made anything fail
		err = u.explain(ctx, ctx.Err())
	} else if err != nil && u.origin == fromBefore {
		err = u.explain(ctx, err)
	}
	if err != nil {
		return unmeasured(ctx, u, o, hidden(o.Job.Experiment.Hide, err))
	}
	u.meters.gpus.recorder.Start()
	err = hidden(o.Job.Experiment.Hide, measurePhases(ctx, u, t, o))
	var seen record.Observation
	var rec *result.Record
	keep := t.phase(measure.Record, "", func() (string, error) {
		seen = u.observe(*o, err) // in its phase: no reading of those before is missing, or comes later
		rec = record.Of(seen)
		err := u.saver.save(rec, seen)
		return u.saver.store.Dir(), err
	})
	seen.Readings.Samples = nil // the next observation copies them again
	after := after(ctx, u, t, o, err == nil)
	u.meters.gpus.recorder.Stop()
	at.pool.lease.PutBack()
	seen = u.observe(*o, err)
	record.Finish(rec, seen)
	keep = errors.Join(keep, u.saver.rewrite(rec, seen))
	out := Outcome{Record: rec, Dir: u.saver.store.Dir()}
	switch {
	case err != nil:
		return out, errors.Join(err, keep, after)
	case keep != nil:
		return out, keep
	}
	return out, after
}

// measurePhases runs the phases that lead to figures.
func measurePhases(ctx context.Context, u *setup, t *timeline, o *record.Observation) error {
	steps := []struct {
		phase measure.Phase
		note  string
		do    func(context.Context) (string, error)
	}{
		{measure.BaselinePhase, "bare idle GPUs", func(ctx context.Context) (string, error) { return baseline(ctx, u, o) }},
		{measure.Launch, o.Job.Image.Ref, func(ctx context.Context) (string, error) { return launchServer(ctx, u, o) }},
		{measure.WarmupPhase, "", func(ctx context.Context) (string, error) { return warmUp(ctx, u.server, o) }},
		{measure.ThermalFloorPhase, "", func(ctx context.Context) (string, error) { return thermalFloor(ctx, u, o) }},
		{measure.WindowPhase, "", func(ctx context.Context) (string, error) { return window(ctx, u.server, &u.meters, o) }},
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	for _, s := range steps {
		if err := t.phase(s.phase, s.note, func() (string, error) { return s.do(ctx) }); err != nil {
			return u.explain(ctx, err)
		}
		if limit := u.place.pool.limit; s.phase == measure.Launch && limit > 0 {
			timer := time.AfterFunc(limit, func() { cancel(errTimeout) })
			defer timer.Stop()
		}
	}
	return u.away(ctx, judge(ctx, u.server, o))
}

// unmeasured ends a run of which nothing was measured. What only this experiment
// is to blame for is a record in a study, since the study goes on.
func unmeasured(ctx context.Context, u *setup, o *record.Observation, err error) (Outcome, error) {
	if u.saver.store == nil {
		return Outcome{}, err
	}
	kind := launch.KindOf(err)
	if u.place.alone || ctx.Err() != nil || kind == launch.HostFault || kind == launch.InterruptFault || errors.Is(err, launch.ErrAway) {
		os.Remove(u.saver.store.Dir()) // empty
		return Outcome{}, err
	}
	u.place.pool.lease.PutBack()
	seen := u.observe(*o, err)
	rec := record.Of(seen)
	failed := u.saver.save(rec, seen)
	return Outcome{Record: rec, Dir: u.saver.store.Dir()}, errors.Join(err, failed, u.saver.rewrite(rec, seen))
}

// closeGPUs ends the use of NVML; nil: it was not open.
func (r *Runner) closeGPUs(gpus device.Session) {
	if gpus == nil {
		return
	}
	if err := gpus.Close(); err != nil {
		r.Log.Warn("close NVML", "error", err)
	}
}
