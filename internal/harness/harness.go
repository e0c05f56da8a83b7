package harness

import (
	"context"
	"errors"
	"log/slog"
	"os"
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

// run is one experiment under way. Each phase fills what the later ones and
// the record need; what a phase did not reach stays nil.
type run struct {
	*Runner
	id    string
	job   job.Job
	place *place // in a study; nil of one by itself
	kept  *kept  // the server of an earlier run of the study, which serves this one too
	anew  string // why a server that was kept is not used any more; empty: there was none

	session device.Session
	lease   *lease.Lease
	meters  meters

	times     timeline
	saver     saver
	obs       record.Observation // what the phases fill in; observe adds the rest
	memBefore []uint64
	server    launch.Server
	silent    bool // the server did not answer after the requests
}

// Execute runs one experiment. The error says why it did not complete; the
// outcome stands beside it.
func (r *Runner) Execute(ctx context.Context, e study.Experiment) (Outcome, error) {
	return r.execute(ctx, e, nil)
}

// execute runs one experiment at its place in a study, or by itself.
func (r *Runner) execute(ctx context.Context, e study.Experiment, at *place) (Outcome, error) {
	x := &run{Runner: r, id: lease.NewID(), job: job.Job{Experiment: e}, place: at}
	x.obs.Run.Started = time.Now()
	x.meters.gpus, x.saver = readerOfNone("", r.Log), saver{input: r.Input, log: r.Log}
	x.times = timeline{
		observer: r.Observer, hide: func(s string) string { return x.job.Experiment.Hide(s) },
		mark: func(p measure.Phase) { x.meters.gpus.recorder.SetPhase(p, 0) },
	}
	x.hold()
	defer x.release()
	if at != nil {
		x.obs.Warnings = append(x.obs.Warnings, at.Doubts...)
	}
	err := x.times.phase(measure.Preflight, "", func() (string, error) { return x.preflight(ctx) })
	if err == nil {
		err = x.pause(ctx)
	}
	if err != nil && ctx.Err() != nil { // whatever the interrupt made fail
		err = x.explain(ctx, ctx.Err())
	} else if err != nil && x.kept != nil {
		err = x.explain(ctx, err)
	}
	if err != nil {
		return x.unmeasured(ctx, err)
	}
	x.meters.gpus.recorder.Start()
	err = x.hidden(x.measured(ctx))
	seen := x.observe(err)
	rec := record.Of(seen)
	keep := x.times.phase(measure.Record, "", func() (string, error) {
		err := x.saver.save(rec, seen)
		return x.saver.store.Dir(), err
	})
	seen.Readings.Samples = nil // the next observation copies them again
	after := x.after(ctx, rec)
	if x.job.Experiment.Baseline.After && x.obs.Idle.Baseline != nil && !x.resident() {
		after = errors.Join(after, x.times.phase(measure.After, "bare idle GPUs again", func() (string, error) {
			x.baselineAfter(ctx, err)
			return "", nil
		}))
	}
	x.meters.gpus.recorder.Stop()
	x.lease.PutBack()
	seen = x.observe(err)
	record.Finish(rec, seen)
	keep = errors.Join(keep, x.saver.rewrite(rec, seen))
	out := Outcome{Record: rec, Dir: x.saver.store.Dir()}
	switch {
	case err != nil:
		return out, errors.Join(err, keep, after)
	case keep != nil:
		return out, keep
	}
	return out, after
}

// measured runs the phases that lead to figures.
func (x *run) measured(ctx context.Context) error {
	steps := []struct {
		phase measure.Phase
		note  string
		do    func(context.Context) (string, error)
	}{
		{measure.BaselinePhase, "bare idle GPUs", x.measureBaseline},
		{measure.Launch, x.job.Image.Ref, x.launch},
		{measure.WarmupPhase, "", x.warm},
		{measure.ThermalFloorPhase, "", x.thermalFloor},
		{measure.WindowPhase, "", x.window},
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	for _, s := range steps {
		if err := x.times.phase(s.phase, s.note, func() (string, error) { return s.do(ctx) }); err != nil {
			return x.explain(ctx, err)
		}
		if s.phase == measure.Launch && x.Timeout > 0 {
			timer := time.AfterFunc(x.Timeout, func() { cancel(errTimeout) })
			defer timer.Stop()
		}
	}
	return x.away(ctx, x.judge(ctx))
}

// Times in which a daemon that ends goes after its containers have: it stops them
// first, one that was told to within seconds.
const (
	daemonGoes  = 3 * time.Second
	daemonStops = 10 * time.Second // after a container was stopped, not by this llem
	daemonPoll  = 200 * time.Millisecond
)

// away blames the daemon, where it does not answer any more, for what its
// containers did. One that ends stops its containers first, and is given the time
// to go; a study also waits where an engine crashed or never came up, since it
// would run into the same again.
func (x *run) away(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil || x.job.Running() {
		return err
	}
	patience := time.Duration(0)
	var died *launch.Exited
	switch stopped := errors.As(err, &died) && died.Stopped(); {
	case stopped:
		patience = daemonStops
	case x.place == nil:
	case died != nil || x.obs.Server.Startup == nil && x.kept == nil && launch.KindOf(err) != launch.ConfigFault: // it never came up
		patience = daemonGoes
	}
	for end := time.Now().Add(patience); ; {
		if _, gone := x.Launcher.Describe(ctx); gone != nil {
			return launch.Faultf(launch.HostFault, "%w any more (%w); start it, then run this again", x.Launcher.Words().Away(), err)
		}
		if time.Now().After(end) || measure.Sleep(ctx, daemonPoll) != nil {
			return err
		}
	}
}

var errTimeout = errors.New("the experiment took longer after its server was ready than --timeout or execution.experiment_timeout_seconds allows")

// unmeasured ends a run of which nothing was measured. What only this experiment
// is to blame for is a record in a study, since the study goes on.
func (x *run) unmeasured(ctx context.Context, err error) (Outcome, error) {
	err = x.hidden(err)
	kind := launch.KindOf(err)
	if x.saver.store == nil {
		return Outcome{}, err
	}
	if x.place == nil || ctx.Err() != nil || kind == launch.HostFault || kind == launch.InterruptFault || errors.Is(err, launch.ErrAway) {
		os.Remove(x.saver.store.Dir()) // empty
		return Outcome{}, err
	}
	x.lease.PutBack()
	seen := x.observe(err)
	rec := record.Of(seen)
	keep := x.saver.save(rec, seen)
	return Outcome{Record: rec, Dir: x.saver.store.Dir()}, errors.Join(err, keep, x.saver.rewrite(rec, seen))
}

// explain turns what a phase saw, a broken connection or the end of a context,
// into what caused it.
func (x *run) explain(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if x.server != nil {
		if died := x.death(ctx, launch.KindOf(err) != launch.ConfigFault); died != nil {
			return x.away(ctx, died)
		}
	}
	if ctx.Err() == nil {
		return x.away(ctx, err)
	}
	if errors.Is(context.Cause(ctx), errTimeout) {
		return &launch.Fault{Kind: launch.ExperimentFault, Err: errTimeout}
	}
	return &launch.Fault{Kind: launch.InterruptFault, Err: errors.New("interrupted")}
}

// release gives back what the run held on the host.
func (x *run) release() {
	x.lease.PutBack() // first: instruments may take their time
	x.meters.others.close(x.Log)
	x.lease.Forget()    // before the session is closed
	if x.place == nil { // else they are the study's
		x.lease.Release()
		x.lease.Run().Release()
	}
	x.closeGPUs(x.session)
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

func (x *run) warn(code, seen string, args ...any) {
	x.obs.Warnings = append(x.obs.Warnings, measure.Warn(code, seen, args...))
}
