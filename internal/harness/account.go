package harness

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/llenergymeasure/llem/internal/engine"
	"github.com/llenergymeasure/llem/internal/measure"
	"github.com/llenergymeasure/llem/internal/record"
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

// idle reads the server's counters once it says that nothing runs and nothing waits.
func (s *server) idle(ctx context.Context) (engine.Counters, []measure.Warning) {
	for end := time.Now().Add(settleLimit); ; {
		c := s.counters(ctx)
		if c[engine.Running] == 0 && c[engine.Waiting] == 0 || ctx.Err() != nil {
			return c, nil
		}
		if time.Now().After(end) {
			return c, []measure.Warning{measure.Warn("window_not_quiesced", "before the window, %s after the last response, the server still had %.0f requests running and %.0f waiting", settleLimit, c[engine.Running], c[engine.Waiting])}
		}
		_ = measure.Sleep(ctx, pollServer) // an interrupt is seen above
	}
}

// quiesced reads the server's own account after the window.
func (s *server) quiesced(ctx context.Context, window *record.Window) []measure.Warning {
	idle := false
	var running, waiting float64
	for end := time.Now().Add(idleLimit); ; {
		window.After = s.counters(ctx)
		if window.Before != nil && window.After == nil {
			s.silent = true
		}
		var r, w bool
		running, r = window.After[engine.Running]
		waiting, w = window.After[engine.Waiting]
		if !r || !w {
			return nil
		}
		if idle = running == 0 && waiting == 0; idle || time.Now().After(end) || measure.Sleep(ctx, pollServer) != nil {
			break
		}
	}
	window.Idle = &idle
	if idle {
		return nil
	}
	return []measure.Warning{measure.Warn("window_not_quiesced", "the server still had %.0f requests running and %.0f waiting after the last response", running, waiting)}
}

// counters are the server's totals; nil where it has none.
func (s *server) counters(ctx context.Context) engine.Counters {
	if ctx.Err() != nil {
		return nil
	}
	got, err := s.job.Engine.Counters(ctx, s.at())
	if err != nil {
		s.log.Warn("read the server's counters", "error", hidden(s.job.Experiment.Hide, err))
		return nil
	}
	return got
}

// doubtCounters warns of totals that cannot be, which the record leaves out.
func doubtCounters(w *record.Window) (doubts []measure.Warning) {
	began, known := w.Before[engine.Started]
	if again, ok := w.After[engine.Started]; known && ok && again != began {
		w.Restarted = true
		return []measure.Warning{measure.Warn("engine_counters_unknown", "the server's process restarted within the window (process_start_time_seconds %.0f, then %.0f)", began, again)}
	}
	for _, q := range slices.Sorted(maps.Keys(w.After)) {
		if q == engine.Running || q == engine.Waiting || q == engine.Started || w.Before == nil || w.Grown(q) != nil {
			continue
		}
		doubts = append(doubts, measure.Warn("engine_counters_unknown", "the server's own count of %s went from %g to %g over the window", q, w.Before[q], w.After[q]))
	}
	return doubts
}
