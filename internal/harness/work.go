package harness

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/llenergymeasure/llem/internal/engine"
	"github.com/llenergymeasure/llem/internal/job"
	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/load"
	"github.com/llenergymeasure/llem/internal/measure"
	"github.com/llenergymeasure/llem/internal/record"
	"github.com/llenergymeasure/llem/internal/study"
)

// syncTimeout bounds the wait for a server's sync route after the last byte.
const syncTimeout = 30 * time.Second

// client speaks the engine's dialect to the server that was launched.
func (x *run) client() load.Client {
	w := x.job.Experiment.Workload
	model := x.obs.Server.Info.Model
	if model == "" {
		model = x.job.Experiment.Model
	}
	return x.job.Engine.Client(x.at(), engine.ClientOptions{
		API: w.API, Model: model, Seed: x.job.Experiment.Seed, Temperature: w.Sampling.Temperature,
		IgnoreEOS: w.Sampling.IgnoreEOS, ExtraBody: w.ExtraBody,
		Timeout: study.Seconds(w.RequestTimeoutSeconds), KeepText: x.job.Experiment.Output.SaveResponses,
		Connections: connections(w), Bounded: !w.Load.Open() || w.Load.MaxInFlight > 0, H2C: w.HTTP == study.H2C,
	})
}

// warm runs the warmup: full batches like the measured ones, never the same
// text, counted in nothing.
func (x *run) warm(ctx context.Context) (string, error) {
	cfg := record.WarmupConfig(x.job.Experiment.Warmup)
	ctx, cancel := x.alive(ctx)
	defer cancel()
	if err := x.draw(ctx); ctx.Err() != nil {
		return "", ctx.Err()
	} else if err != nil {
		return "", &launch.Fault{Kind: launch.ConfigFault, Err: err}
	}
	client := x.client()
	defer closeClient(client)
	n := batch(&x.job)
	res, err := measure.Warmup(ctx, cfg, func(ctx context.Context, i int) (time.Duration, error) {
		x.Observer.Progress(int64(i), int64(cfg.AtMost()))
		reqs, err := x.job.Prompts.Warmup(x.job.Experiment, i, n)
		if err != nil {
			return 0, &launch.Fault{Kind: launch.ConfigFault, Err: err}
		}
		return x.iterate(ctx, client, reqs)
	})
	x.obs.Warmup = &res
	if err != nil {
		return "", err
	}
	if w, ok := measure.WarmupWarning(cfg, res); ok {
		x.obs.Warnings = append(x.obs.Warnings, w)
	}
	if cfg.AtMost() == 0 {
		return "cold start", nil
	}
	return fmt.Sprintf("%d × %d requests", res.Iterations, n), nil
}

// draw makes synthetic prompts, or has those of a file counted, and sees that they
// fit.
func (x *run) draw(ctx context.Context) error {
	if x.job.Experiment.Workload.Source != "synthetic" {
		return x.countPrompts(ctx)
	}
	if err := x.job.Fits("the engine's context", x.obs.Server.Info.ContextLength); err != nil {
		return err
	}
	v, err := x.wordsOf()
	if err != nil {
		return err
	}
	return x.job.Prompts.Draw(x.job.Experiment, v)
}

// wordsOf is the vocabulary of synthetic prompts: the model's own, else the bytes
// that the server takes as tokens.
func (x *run) wordsOf() (load.Vocabulary, error) {
	if i := x.obs.Server.Info; i.TextHigh > 0 {
		return load.Bytes(i.TextLow, i.TextHigh, i.ByteLevel), nil
	}
	if x.job.Model.Vocabulary == nil {
		return load.Vocabulary{}, job.NoWords(x.job.Experiment.Model, errors.New("neither its server nor a file on this host tells them"))
	}
	return *x.job.Model.Vocabulary, nil
}

// iterate sends one batch at once and returns its mean end-to-end latency.
func (x *run) iterate(ctx context.Context, client load.Client, reqs []load.Request) (time.Duration, error) {
	done, err := load.Drive(ctx, load.Config{Client: client, Requests: reqs, Pattern: load.Closed(len(reqs))})
	if err != nil {
		return 0, err
	}
	var sum time.Duration
	for _, t := range done.Timings.All() {
		if t.Status != load.StatusOK {
			return 0, fmt.Errorf("request %d: %s%s", t.ID, t.Error, engine.StatusHint(x.job.Experiment, t.HTTPStatus, x.job.Credentials.From))
		}
		ended := t.LastToken
		if ended < 0 { // no token of it reads as text
			ended = t.End
		}
		sum += ended - t.Sent
	}
	return sum / time.Duration(done.Timings.Len()), nil
}

// window is the measurement: the span opens, the load runs, everything is
// drained, the span closes. Nothing in it logs, draws or writes.
func (x *run) window(ctx context.Context) (string, error) {
	ctx, cancel := x.alive(ctx)
	defer cancel()
	spare(&x.job, x.obs.Warmup)
	if rest := x.meters.gpus.rest(); rest > 0 { // less where there was a thermal floor
		if err := measure.Sleep(ctx, max(0, rest-x.obs.Floor)); err != nil {
			return "", err
		}
	}
	before := x.idleServer(ctx)
	client := x.client()
	defer closeClient(client)
	if o, ok := client.(interface {
		Prepare(context.Context, []load.Request) error
	}); ok { // last, since servers close connections that idle
		if err := o.Prepare(ctx, x.job.Prompts.Measured); err != nil {
			return "", fmt.Errorf("open connections: %w", err)
		}
	}
	x.obs.Window = &record.Window{Before: before, Timings: load.List{}}
	x.meters.gpus.recorder.SetPhase(measure.WindowPhase, expect(&x.job, x.obs.Warmup))
	runtime.GC() // so that the window does not pay for what came before

	unwatch := x.meters.gpus.strangers(ctx, x.server.Owns)
	x.meters.begin(ctx)
	host := startHost(ctx, x.meters.host, x.Log)
	audit := load.StartAudit()
	done, err := load.Drive(ctx, sends(&x.job, client))
	x.obs.Window.Audit, x.obs.Window.ReadLag = audit.Stop(), done.ReadLag
	x.close(ctx, done)
	x.obs.Window.Host = host()
	x.meters.end(ctx)
	x.obs.Warnings = append(x.obs.Warnings, unwatch()...)
	x.meters.gpus.recorder.SetPhase(measure.Record, 0)
	x.quiesced(ctx)
	x.doubtCounters()
	load.Settle(x.obs.Window.Timings, x.job.Prompts.Planned(x.job.Experiment), x.job.CountedBy())
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d requests in %.1f s", done.Timings.Len(), x.obs.Window.Length.Seconds()), nil
}

// close sets the window's end: the last response byte, or the return of the
// server's sync route, whichever is later.
func (x *run) close(ctx context.Context, done load.Run) {
	x.obs.Window.Timings, x.obs.Window.T0, x.obs.Window.Length, x.obs.Window.Out, x.obs.Window.Unmade = done.Timings, done.T0, done.End, done.Out, done.Unmade
	x.obs.Window.ClosedBy = "responses_drained"
	if !x.obs.Server.Info.SyncRoute || ctx.Err() != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, syncTimeout)
	defer cancel()
	if x.job.Engine.Sync(ctx, x.at()) != nil {
		x.silent = true
		return
	}
	x.obs.Window.ClosedBy = "sync_route"
	x.obs.Window.Length = max(x.obs.Window.Length, time.Since(done.T0))
}

// judge decides whether the experiment completed. A server that died is looked
// for whatever became of the requests: one that is stopped may end its answers
// as if they were whole.
func (x *run) judge(ctx context.Context) error {
	ok, failed, first := x.obs.Window.Failures(x.job.Experiment, x.job.Credentials.From)
	if died := x.death(ctx, failed > 0 || x.silent); died != nil {
		return died
	}
	if ok == 0 {
		return launch.Faultf(launch.ExperimentFault, "no request completed (%d failed); the first said: %s", failed, first)
	}
	return nil
}

// deathNotice is how long the daemon may take to say that a container died.
const deathNotice = 5 * time.Second

// death is how the server died; nil when it lives or was stopped by us. Where
// something that failed raises the question, the daemon gets time for its word:
// broken connections are seen before it tells of the end.
func (x *run) death(ctx context.Context, suspected bool) error {
	wait := time.Duration(0)
	if suspected {
		wait = deathNotice
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-x.server.Done():
	case <-ctx.Done():
	case <-timer.C:
	}
	if died := x.server.Err(); died != nil {
		return &launch.Fault{Kind: launch.ExperimentFault, Err: died}
	}
	return nil
}

func closeClient(c load.Client) {
	if c, ok := c.(interface{ Close() }); ok {
		c.Close()
	}
}
