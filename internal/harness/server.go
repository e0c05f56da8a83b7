package harness

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/llenergymeasure/llem/internal/engine"
	"github.com/llenergymeasure/llem/internal/job"
	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/load"
	"github.com/llenergymeasure/llem/internal/measure"
	"github.com/llenergymeasure/llem/internal/record"
	"github.com/llenergymeasure/llem/internal/study"
)

// server is the one that is measured, from when it is there to the end of the run.
type server struct {
	process  launch.Server
	job      *job.Job
	log      *slog.Logger
	progress func(done, total int64)

	container *container     // that it runs in; empty where it was found running
	info      engine.Info    // what it says it is
	startup   *time.Duration // until it took requests; nil: it has not yet, or was there before
	silent    bool           // it did not answer after the requests
}

// newServer is the server of a job.
func (r *Runner) newServer(process launch.Server, j *job.Job, c *container) *server {
	return &server{process: process, job: j, log: r.Log, progress: r.Observer.Progress, container: c}
}

// at is its address.
func (s *server) at() engine.Address { return s.job.At(s.process.URL()) }

// called is the engine and its version, where that is known.
func (s *server) called() string {
	return strings.TrimSpace(s.job.Engine.Name() + " " + s.info.Version)
}

// alive is a context that also ends when the server dies.
func (s *server) alive(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		select {
		case <-s.process.Done():
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(); <-gone }
}

// deathNotice is how long the daemon may take to say that a container died.
const deathNotice = 5 * time.Second

// death is how the server died; nil when it lives or was stopped by us. Where
// something that failed raises the question, the daemon gets time for its word:
// broken connections are seen before it tells of the end.
func (s *server) death(ctx context.Context, suspected bool) error {
	wait := time.Duration(0)
	if suspected {
		wait = deathNotice
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-s.process.Done():
	case <-ctx.Done():
	case <-timer.C:
	}
	if died := s.process.Err(); died != nil {
		return &launch.Fault{Kind: launch.ExperimentFault, Err: died}
	}
	return nil
}

// load has a server take its model that is up before it has it. served is the model's
// name there; empty: the server tells.
func (s *server) load(ctx context.Context, limit time.Duration) (served string, err error) {
	ctx, cancel := s.alive(ctx)
	defer cancel()
	ctx, done := context.WithTimeout(ctx, limit)
	defer done()
	if served, err = s.job.Engine.Load(ctx, s.at(), s.job.Experiment, s.job.Host()); err != nil {
		return "", fmt.Errorf("have the server load %s: %w", s.job.Experiment.Model, err)
	}
	return served, nil
}

// identify asks the server what it is. One that says it is another engine would
// be spoken to in the wrong dialect.
func (s *server) identify(ctx context.Context, served string) (doubts []measure.Warning, err error) {
	if s.job.Running() {
		served = s.job.Served.ID // found in the preflight
	} else if served, doubts, err = s.confirm(ctx, served); err != nil {
		return doubts, err
	}
	if s.info, err = s.job.Engine.Probe(ctx, s.at(), served); err != nil {
		return doubts, fmt.Errorf("ask the server what it is: %w", err)
	}
	if s.info.Model == "" {
		s.info.Model = served
	}
	if err := engine.Confirm(s.job.Engine.Name(), s.job.ToldBy, s.info); err != nil {
		return doubts, &launch.Fault{Kind: launch.ConfigFault, Err: err}
	}
	return doubts, nil
}

// confirm looks at a server that llem started, and finds its model there. One that
// shows nothing of its engine is doubted.
func (s *server) confirm(ctx context.Context, served string) (string, []measure.Warning, error) {
	seen, err := engine.Look(ctx, s.at(), true)
	if err != nil {
		return "", nil, fmt.Errorf("ask the server what it is: %w", err)
	}
	var doubts []measure.Warning
	if !seen.Strong(s.job.Engine) {
		doubts = append(doubts, measure.Warn("engine_not_confirmed", "%s", seen.Doubt(s.job.Engine)))
	}
	if served != "" { // by which it was loaded
		s.job.Listed, s.job.Served = seen.Models, engine.Match{ID: served, By: engine.ByLaunch}
		return served, doubts, nil
	}
	err = s.job.Pick(seen)
	doubts = append(doubts, takeWarnings(s.job)...)
	if err != nil {
		return "", doubts, &launch.Fault{Kind: launch.ConfigFault, Err: err}
	}
	return s.job.Served.ID, doubts, nil
}

// client speaks the engine's dialect to the server.
func (s *server) client() load.Client {
	e := s.job.Experiment
	w, model := e.Workload, s.info.Model
	if model == "" {
		model = e.Model
	}
	return s.job.Engine.Client(s.at(), engine.ClientOptions{
		API: w.API, Model: model, Seed: e.Seed, Temperature: w.Sampling.Temperature,
		IgnoreEOS: w.Sampling.IgnoreEOS, ExtraBody: w.ExtraBody,
		Timeout: study.Seconds(w.RequestTimeoutSeconds), KeepText: e.Output.SaveResponses,
		Connections: connections(w), Bounded: !w.Load.Open() || w.Load.MaxInFlight > 0, H2C: w.HTTP == study.H2C,
	})
}

func closeClient(c load.Client) {
	if c, ok := c.(interface{ Close() }); ok {
		c.Close()
	}
}

// draw makes synthetic prompts, or has those of a file counted, and sees that they
// fit.
func (s *server) draw(ctx context.Context) error {
	if s.job.Experiment.Workload.Source != "synthetic" {
		return s.count(ctx)
	}
	if err := s.job.Fits("the engine's context", s.info.ContextLength); err != nil {
		return err
	}
	v, err := wordsFor(s.job, s.info)
	if err != nil {
		return err
	}
	return s.job.Prompts.Draw(s.job.Experiment, v)
}

// wordsFor is the vocabulary of synthetic prompts: the bytes that the server takes as
// tokens, else the model's own.
func wordsFor(j *job.Job, i engine.Info) (load.Vocabulary, error) {
	if i.TextHigh > 0 {
		return load.Bytes(i.TextLow, i.TextHigh, i.ByteLevel), nil
	}
	if j.Model.Vocabulary == nil {
		return load.Vocabulary{}, job.NoWords(j.Experiment.Model, errors.New("neither its server nor a file on this host tells them"))
	}
	return *j.Model.Vocabulary, nil
}

// syncTimeout bounds the wait for a server's sync route after the last byte.
const syncTimeout = 30 * time.Second

// close sets the window's end: the last response byte, or the return of the
// server's sync route, whichever is later.
func (s *server) close(ctx context.Context, w *record.Window) {
	w.ClosedBy = "responses_drained"
	if !s.info.SyncRoute || ctx.Err() != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, syncTimeout)
	defer cancel()
	if s.job.Engine.Sync(ctx, s.at()) != nil {
		s.silent = true
		return
	}
	w.ClosedBy = "sync_route"
	w.Length = max(w.Length, time.Since(w.T0))
}

// observe is what it said.
func (s *server) observe() record.Server {
	return record.Server{Container: new(s.process.Info()), Startup: s.startup, Info: s.info}
}
