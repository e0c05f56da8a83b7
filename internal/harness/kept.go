package harness

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/llenergymeasure/llem/internal/device"
	"github.com/llenergymeasure/llem/internal/engine"
	"github.com/llenergymeasure/llem/internal/job"
	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/load"
	"github.com/llenergymeasure/llem/internal/measure"
	"github.com/llenergymeasure/llem/internal/result"
	"github.com/llenergymeasure/llem/internal/study"
)

// container is one that llem started, and what a later run of the study is to know of it.
type container struct {
	process   launch.Server
	spec      launch.Spec
	served    string            // the model's name there, where llem gave it to the engine
	by        string            // the run that it was started for
	runs      int               // that it has served
	memBefore map[string]uint64 // bytes in use by UUID; nil: not known
	baseline  *measure.Baseline // of the GPUs before it existed
	result.Kept
}

// same compares what two containers are started with; their names are each run's
// own.
func same(a, b launch.Spec) bool {
	for _, s := range []*launch.Spec{&a, &b} {
		s.Run, s.Lock, s.Experiment, s.Name, s.PID = "", "", "", "", 0
	}
	return reflect.DeepEqual(a, b)
}

// takeKept takes the server of the run before, where this one's container would be
// the same and its caches are proven empty; else that container is removed, so that
// the GPUs are bare.
func (u *setup) takeKept(ctx context.Context) (doubts []measure.Warning, err error) {
	p := u.place.pool
	c := p.kept
	if c == nil {
		if p.keeps && u.origin != foundRunning && !u.job.Keeping() {
			u.removed = fmt.Sprintf("the prefix cache of %s cannot be emptied and proven empty", u.job.Engine.Name())
		}
		return nil, nil
	}
	u.removed = unlike(c, u.job)
	if u.removed == "" {
		u.server = u.runner.newServer(c.process, u.job, c)
		doubts, u.removed = u.server.prove(ctx)
	}
	if u.removed == "" {
		u.origin = fromBefore
		return doubts, nil
	}
	u.server, u.removed = nil, u.job.Experiment.Hide(u.removed) // it may quote what was sent
	u.runner.Observer.Say("the container of the run before is removed, and this run starts its own: " + u.removed)
	if err := p.drop(ctx); err != nil {
		return doubts, launch.Faultf(launch.HostFault, "stop container: %w; `llem clean` removes it", err)
	}
	_, more := u.meters.gpus.released(ctx, c.memBefore)
	return append(doubts, more...), ctx.Err()
}

// unlike says why a kept container is not that of a job; empty: it is.
func unlike(c *container, j *job.Job) (why string) {
	switch {
	case j.Running():
		return "the next run is of a server that already runs"
	case c.process.Err() != nil:
		return "it died: " + c.process.Err().Error()
	case !same(j.Spec, c.spec):
		return "the next run's container is started with something else"
	}
	return ""
}

// coldTimeout bounds the requests that prove a cache empty.
const coldTimeout = 2 * time.Minute

// proofBatch numbers the prompt of the proof among those of warmups, of which no
// experiment has so many.
const proofBatch = 1 << 20

// prove empties the prefix cache of a kept server and proves it: a new prompt is
// sent twice, and again after the reset, when nothing of it may be found. It says why the
// server is not fit; empty: it is.
func (s *server) prove(ctx context.Context) (doubts []measure.Warning, why string) {
	ctx, cancel := s.alive(ctx)
	defer cancel()
	ctx, done := context.WithTimeout(ctx, coldTimeout)
	defer done()
	c := s.container
	doubts, err := s.identify(ctx, c.served)
	if err == nil {
		err = s.draw(ctx)
	}
	if err != nil {
		return doubts, err.Error()
	}
	before, _, err := s.found(ctx, 2)
	if err != nil {
		return doubts, err.Error()
	}
	how, err := s.job.Engine.ResetCache(ctx, s.at())
	if err != nil {
		return doubts, "its prefix cache could not be emptied: " + err.Error()
	}
	if c.served, err = s.load(ctx, coldTimeout); err != nil {
		return doubts, err.Error()
	}
	after, by, err := s.found(ctx, 1)
	switch {
	case err != nil:
		return doubts, err.Error()
	case by == "":
		return doubts, "neither its answers nor its metrics say how much of a prompt it found in its prefix cache, so that the cache cannot be proven empty"
	case before == 0 && how != engine.KeepsNone && s.job.Engine.CachesPrompts(s.job.Experiment):
		return doubts, "a prompt that was sent twice was not found in its prefix cache, so that emptying it (" + how + ") proves nothing"
	case after > 0:
		return doubts, fmt.Sprintf("after its prefix cache was emptied (%s) it still found %d tokens of a prompt in it", how, after)
	}
	c.Kept = result.Kept{StartedFor: c.by, Runs: c.runs, CacheReset: how, CachedBefore: before, CachedAfter: after, CachedBy: by}
	return doubts, ""
}

// found sends the proof's prompt n times and says how many of its tokens were found
// in the prefix cache the last time, and who counted them; empty: they were not counted.
func (s *server) found(ctx context.Context, n int) (tokens int64, by string, err error) {
	reqs, err := proof(s.job, s.info.ContextLength)
	if err != nil {
		return 0, "", err
	}
	client := s.client()
	defer closeClient(client)
	for range n {
		before := s.counters(ctx)
		done, err := load.Drive(ctx, load.Config{Client: client, Requests: reqs, Pattern: load.Closed(1)})
		if err != nil {
			return 0, "", err
		}
		t := done.Timings.At(0)
		if t.Status != load.StatusOK {
			return 0, "", errors.New(t.Error)
		}
		tokens, by = 0, ""
		if t.CachedTokens != nil {
			tokens, by = int64(*t.CachedTokens), "usage"
		} else if after, ok := s.counters(ctx)[engine.CachedTokens]; ok {
			tokens, by = int64(after-before[engine.CachedTokens]), "metrics"
		}
	}
	return tokens, by, nil
}

// proofTokens is the length of the proof's prompt where the context has room for it:
// caches that work by blocks find no shorter ones.
const proofTokens = 512

// proof is a request with a new prompt; context is the server's, 0: unknown.
func proof(j *job.Job, context int) ([]load.Request, error) {
	e := j.Experiment
	if context > 0 && e.Workload.Source == "synthetic" {
		e.Workload.MaxInputTokens = min(max(e.Workload.MaxInputTokens, proofTokens), context-1)
	}
	e.Workload.Prefix = study.Prefix{}
	plain := job.Prompts{Vocabulary: j.Prompts.Vocabulary, Measured: j.Prompts.Measured}
	reqs, err := plain.Warmup(e, proofBatch, 1)
	if err == nil {
		reqs[0].MaxOutputTokens = 1
	}
	return reqs, err
}

// notKept leaves out the processes of the kept container, which are the campaign's own.
func (p *Pool) notKept(list []device.Process) (out []device.Process) {
	if p.kept == nil {
		return list
	}
	for _, one := range list {
		if mine, err := p.kept.process.Owns(one.PID); err != nil || !mine {
			out = append(out, one)
		}
	}
	return out
}

// handOver keeps the container for the runs to come, where it has served this one
// well.
func (u *setup) handOver(ctx context.Context, completed bool) bool {
	p := u.place.pool
	p.kept = nil
	if u.place.Last || !u.job.Keeping() || !completed || ctx.Err() != nil || u.server.process.Err() != nil {
		return false
	}
	p.kept = u.server.container
	p.kept.runs++
	return true
}

// drop stops the kept container; there may be none.
func (p *Pool) drop(ctx context.Context) error {
	c := p.kept
	if c == nil {
		return nil
	}
	p.kept = nil
	ctx, cancel := unhurried(ctx, p.runner.Hurry)
	defer cancel()
	err := stop(ctx, p.runner.Hurry, c.process)
	if err != nil {
		p.left = append(p.left, c.process)
	}
	return err
}

// baselineNow is the one that was measured before the container existed, which is older by
// now, and less well known; nil: it was not measured.
func (c *container) baselineNow() *measure.Baseline {
	if c.baseline == nil {
		return nil
	}
	b := *c.baseline
	b.Aged(time.Since(b.MeasuredAt))
	return &b
}

func (c *container) proof() string {
	return fmt.Sprintf("its prefix cache proven empty (%s: %d tokens found before, %d after)", c.CacheReset, c.CachedBefore, c.CachedAfter)
}
