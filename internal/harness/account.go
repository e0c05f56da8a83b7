package harness

import (
	"context"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/llenergymeasure/llem/internal/engine"
	"github.com/llenergymeasure/llem/internal/measure"
	"github.com/llenergymeasure/llem/internal/result"
)

// This file is about the server's own account of its work: read before the
// window and after it, never between.

// settleLimit bounds the wait for a server that still has requests, though all of
// the warmup's have been answered.
const settleLimit = 10 * time.Second

// idleLimit is how long a server's gauges may take after the last byte until they
// say so: they follow its steps, not the connection.
const idleLimit = 2 * time.Second

// pollServer is how often it is asked meanwhile.
const pollServer = 100 * time.Millisecond

// idleServer reads the server's counters once it says that nothing runs and
// nothing waits.
func (x *run) idleServer(ctx context.Context) engine.Counters {
	for end := time.Now().Add(settleLimit); ; {
		c := x.counters(ctx)
		if c[engine.Running] == 0 && c[engine.Waiting] == 0 || ctx.Err() != nil {
			return c
		}
		if time.Now().After(end) {
			x.warn("window_not_quiesced", "before the window, %s after the last response, the server still had %.0f requests running and %.0f waiting", settleLimit, c[engine.Running], c[engine.Waiting])
			return c
		}
		_ = measure.Sleep(ctx, pollServer) // an interrupt is seen above
	}
}

// quiesced reads the server's own account after the window.
func (x *run) quiesced(ctx context.Context) {
	idle := false
	var running, waiting float64
	for end := time.Now().Add(idleLimit); ; {
		x.work.after = x.counters(ctx)
		if x.work.before != nil && x.work.after == nil {
			x.work.silent = true
		}
		var r, w bool
		running, r = x.work.after[engine.Running]
		waiting, w = x.work.after[engine.Waiting]
		if !r || !w {
			return
		}
		if idle = running == 0 && waiting == 0; idle || time.Now().After(end) || measure.Sleep(ctx, pollServer) != nil {
			break
		}
	}
	x.work.idle = &idle
	if !idle {
		x.warn("window_not_quiesced", "the server still had %.0f requests running and %.0f waiting after the last response", running, waiting)
	}
}

// counters are the server's totals; nil where it has none.
func (x *run) counters(ctx context.Context) engine.Counters {
	if ctx.Err() != nil {
		return nil
	}
	got, err := x.job.Engine.Counters(ctx, x.at())
	if err != nil {
		x.Log.Warn("read the server's counters", "error", x.hidden(err))
		return nil
	}
	return got
}

// accountRecord is what the server counted over the window; nil where it counts
// nothing.
func (x *run) accountRecord() *result.EngineCounters {
	w := x.work
	if w == nil || !counts(w.before) || !counts(w.after) {
		return nil
	}
	out := &result.EngineCounters{
		PromptTokens: x.counted(engine.PromptTokens), OutputTokens: x.counted(engine.OutputTokens),
		CachedTokens: x.counted(engine.CachedTokens), MultiplyAdds: x.counted(engine.MultiplyAdds), Preemptions: x.counted(engine.Preemptions),
		QueueSeconds: x.grown(engine.QueueSeconds), PrefillSeconds: x.grown(engine.PrefillSeconds), DecodeSeconds: x.grown(engine.DecodeSeconds),
	}
	drafts, accepted := x.grown(engine.Drafts), x.grown(engine.AcceptedTokens)
	if drafts != nil && accepted != nil && *drafts > 0 {
		out.AcceptanceLength = ptr(1 + *accepted / *drafts)
	}
	return out
}

// counts says that there is more than when the server began.
func counts(c engine.Counters) bool {
	_, began := c[engine.Started]
	return len(c) > 1 || len(c) == 1 && !began
}

// mostCountable bounds a total that can be counted one by one: from there on a float
// does not hold each number.
const mostCountable = 1 << 53

// grown is by how much the server's own total grew over the window; nil where it
// has none, or one that cannot be.
func (x *run) grown(q engine.Quantity) *float64 {
	after, ok := x.work.after[q]
	if !ok || x.work.before == nil || x.work.restarted {
		return nil
	}
	before := x.work.before[q] // one that appears with its first count began at 0
	if before < 0 || after < before || after > mostCountable {
		return nil
	}
	return ptr(after - before)
}

func (x *run) counted(q engine.Quantity) *int64 {
	g := x.grown(q)
	if g == nil {
		return nil
	}
	return ptr(int64(math.Round(*g)))
}

// doubtCounters warns of totals that cannot be, which the record leaves out.
func (x *run) doubtCounters() {
	w := x.work
	began, known := w.before[engine.Started]
	if again, ok := w.after[engine.Started]; known && ok && again != began {
		w.restarted = true
		x.warn("engine_counters_unknown", "the server's process restarted within the window (process_start_time_seconds %.0f, then %.0f)", began, again)
		return
	}
	for _, q := range slices.Sorted(maps.Keys(w.after)) {
		if q == engine.Running || q == engine.Waiting || q == engine.Started || w.before == nil || x.grown(q) != nil {
			continue
		}
		x.warn("engine_counters_unknown", "the server's own count of %s went from %g to %g over the window", q, w.before[q], w.after[q])
	}
}
