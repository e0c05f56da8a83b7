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
	"github.com/llenergymeasure/llem/internal/stats"
	"github.com/llenergymeasure/llem/internal/study"
)

// kept is a container that serves more than one run of a study.
type kept struct {
	server    launch.Server
	spec      launch.Spec
	served    string // the model's name there, where the engine was told it
	by        string // the run that it was started for
	runs      int    // that it has served
	memBefore []uint64
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
func (x *run) takeKept(ctx context.Context) error {
	if x.place == nil || x.place.pool.kept == nil {
		if x.place != nil && x.place.pool.keeps && !x.job.Running() && !x.job.Keeping() {
			x.anew = fmt.Sprintf("the prefix cache of %s cannot be emptied and proven empty", x.job.Engine.Name())
		}
		return nil
	}
	p := x.place.pool
	why := x.unlike(p.kept)
	if why == "" {
		why = x.prove(ctx, p.kept)
	}
	if why == "" {
		x.kept, x.memBefore = p.kept, p.kept.memBefore
		return nil
	}
	x.server, x.obs.Server.Info, x.anew = nil, engine.Info{}, why
	x.Observer.Say("the container of the run before is removed, and this run starts its own: " + why)
	x.memBefore = p.kept.memBefore
	if err := p.drop(ctx); err != nil {
		return launch.Faultf(launch.HostFault, "stop container: %w; `llem clean` removes it", err)
	}
	x.released(ctx)
	x.memBefore = nil
	return ctx.Err()
}

// unlike says why the kept server is not this run's; empty: it is.
func (x *run) unlike(k *kept) (why string) {
	if x.job.Running() {
		return "the next run is of a server that already runs"
	}
	switch {
	case k.server.Err() != nil:
		return "it died: " + k.server.Err().Error()
	case !same(x.job.Spec, k.spec):
		return "the next run's container is started with something else"
	}
	return ""
}

// coldTimeout bounds the requests that prove a cache empty.
const coldTimeout = 2 * time.Minute

// proofBatch numbers the prompt of the proof among those of warmups, of which no
// experiment has so many.
const proofBatch = 1 << 20

// prove empties the server's prefix cache and proves it: a prompt of its own is sent
// twice, and again after the reset, when nothing of it may be found. It says why the
// server is not fit; empty: it is.
func (x *run) prove(ctx context.Context, k *kept) (why string) {
	x.server = k.server
	ctx, cancel := x.alive(ctx)
	defer cancel()
	ctx, done := context.WithTimeout(ctx, coldTimeout)
	defer done()
	err := x.identify(ctx, k.served)
	if err == nil {
		err = x.draw(ctx)
	}
	if err != nil {
		return err.Error()
	}
	before, _, err := x.found(ctx, 2)
	if err != nil {
		return err.Error()
	}
	how, err := x.job.Engine.ResetCache(ctx, x.at())
	if err != nil {
		return "its prefix cache could not be emptied: " + err.Error()
	}
	if k.served, err = x.loadModel(ctx, coldTimeout); err != nil {
		return err.Error()
	}
	after, by, err := x.found(ctx, 1)
	switch {
	case err != nil:
		return err.Error()
	case by == "":
		return "nobody tells how much of a prompt it finds in its prefix cache, so that it cannot be proven cold"
	case before == 0 && how != engine.KeepsNone && x.job.Engine.CachesPrompts(x.job.Experiment):
		return "a prompt that was sent twice was not found in its prefix cache, so that emptying it (" + how + ") proves nothing"
	case after > 0:
		return fmt.Sprintf("after its prefix cache was emptied (%s) it still found %d tokens of a prompt in it", how, after)
	}
	k.Kept = result.Kept{StartedFor: k.by, Runs: k.runs, CacheReset: how, CachedBefore: before, CachedAfter: after, CachedBy: by}
	return ""
}

// found sends the proof's prompt n times and says how many of its tokens were found
// in the prefix cache the last time, and who counted them: empty where nobody does.
func (x *run) found(ctx context.Context, n int) (tokens int64, by string, err error) {
	reqs, err := x.proof()
	if err != nil {
		return 0, "", err
	}
	client := x.client()
	defer closeClient(client)
	for range n {
		before := x.counters(ctx)
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
		} else if after, ok := x.counters(ctx)[engine.CachedTokens]; ok {
			tokens, by = int64(after-before[engine.CachedTokens]), "metrics"
		}
	}
	return tokens, by, nil
}

// proofTokens is the length of the proof's prompt where the context has room for it:
// caches that work by blocks find no shorter ones.
const proofTokens = 512

// proof is a request with a prompt of its own.
func (x *run) proof() ([]load.Request, error) {
	e := x.job.Experiment
	if c := x.obs.Server.Info.ContextLength; c > 0 && e.Workload.Source == "synthetic" {
		e.Workload.MaxInputTokens = min(max(e.Workload.MaxInputTokens, proofTokens), c-1)
	}
	e.Workload.Prefix = study.Prefix{}
	plain := job.Prompts{Vocabulary: x.job.Prompts.Vocabulary, Measured: x.job.Prompts.Measured}
	reqs, err := plain.Warmup(e, proofBatch, 1)
	if err == nil {
		reqs[0].MaxOutputTokens = 1
	}
	return reqs, err
}

// notKept leaves out the processes of the kept container, which are the study's own.
func (x *run) notKept(list []device.Process) (out []device.Process) {
	if x.place == nil || x.place.pool.kept == nil {
		return list
	}
	own := x.place.pool.kept.server.Owns
	for _, p := range list {
		if mine, err := own(p.PID); err != nil || !mine {
			out = append(out, p)
		}
	}
	return out
}

// resident says that the container stays on the GPUs after the run.
func (x *run) resident() bool { return x.place != nil && x.place.pool.kept != nil }

// handOver keeps the container for the runs to come, where it has served this one
// well.
func (x *run) handOver(ctx context.Context, r *result.Record) bool {
	if x.place == nil {
		return false
	}
	p := x.place.pool
	p.kept = nil
	if x.place.Last || !x.job.Keeping() || r.Status != result.Completed || ctx.Err() != nil || x.server.Err() != nil {
		return false
	}
	k := x.kept
	if k == nil {
		k = &kept{server: x.server, spec: x.job.Spec, served: x.obs.Server.Info.Model, by: x.id, memBefore: x.memBefore, baseline: x.obs.Idle.Baseline}
	}
	k.runs++
	p.kept = k
	return true
}

// drop stops the kept container; there may be none.
func (p *Pool) drop(ctx context.Context) error {
	k := p.kept
	if k == nil {
		return nil
	}
	p.kept = nil
	ctx, cancel := unhurried(ctx, p.runner.Hurry)
	defer cancel()
	err := stop(ctx, p.runner.Hurry, k.server)
	if err != nil {
		p.left = append(p.left, k.server)
	}
	return err
}

// keptBaseline is the one that was measured before the container existed. It is
// older by now, and less well known.
func (x *run) keptBaseline() string {
	if x.kept.baseline == nil {
		return "skipped: the container is kept, and there is no baseline from before it"
	}
	b := *x.kept.baseline
	b.Aged(time.Since(b.MeasuredAt))
	x.obs.Idle.Baseline = &b
	return fmt.Sprintf("%s W, from before the container was started, %s ago", stats.Fixed(float64(b.Power), 1), b.Age.Round(time.Second))
}

// logFrom is when the run's own part of the container's log begins.
func (x *run) logFrom() time.Time {
	if x.kept == nil {
		return time.Time{}
	}
	return x.obs.Run.Started
}

func (k *kept) proof() string {
	return fmt.Sprintf("its prefix cache proven empty (%s: %d tokens found before, %d after)", k.CacheReset, k.CachedBefore, k.CachedAfter)
}
