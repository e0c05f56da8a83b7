package harness

import (
	"context"
	"fmt"
	"runtime"

	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/load"
	"github.com/llenergymeasure/llem/internal/measure"
	"github.com/llenergymeasure/llem/internal/record"
)

// window is the measurement: the span opens, the load runs, everything is
// drained, the span closes. Nothing in it logs, draws or writes.
func window(ctx context.Context, s *server, m *meters, o *record.Observation) (string, error) {
	ctx, cancel := s.alive(ctx)
	defer cancel()
	spare(s.job, o.Warmup)
	if rest := m.gpus.rest(); rest > 0 { // less where there was a thermal floor
		if err := measure.Sleep(ctx, max(0, rest-o.Floor)); err != nil {
			return "", err
		}
	}
	before, doubts := s.idle(ctx)
	o.Warnings = append(o.Warnings, doubts...)
	client := s.client()
	defer closeClient(client)
	if c, ok := client.(interface {
		Prepare(context.Context, []load.Request) error
	}); ok { // last, since servers close connections that idle
		if err := c.Prepare(ctx, s.job.Prompts.Measured); err != nil {
			return "", fmt.Errorf("open connections: %w", err)
		}
	}
	w := &record.Window{Before: before, Timings: load.List{}}
	o.Window = w
	m.gpus.recorder.SetPhase(measure.WindowPhase, expect(s.job, o.Warmup))
	runtime.GC() // so that the window does not pay for what came before

	unwatch := m.gpus.strangers(ctx, s.process.Owns)
	m.begin(ctx)
	host := startHost(ctx, m.host, m.gpus.log)
	audit := load.StartAudit()
	done, err := load.Drive(ctx, sends(s.job, client))
	w.Audit, w.ReadLag = audit.Stop(), done.ReadLag
	w.Timings, w.T0, w.Length, w.Out, w.Unmade = done.Timings, done.T0, done.End, done.Out, done.Unmade
	s.close(ctx, w)
	w.Host = host()
	m.end(ctx)
	o.Warnings = append(o.Warnings, unwatch()...)
	m.gpus.recorder.SetPhase(measure.Record, 0)
	o.Warnings = append(o.Warnings, s.quiesced(ctx, w)...)
	o.Warnings = append(o.Warnings, doubtCounters(w)...)
	load.Settle(w.Timings, s.job.Prompts.Planned(s.job.Experiment), s.job.CountedBy())
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d requests in %.1f s", done.Timings.Len(), w.Length.Seconds()), nil
}

// judge decides whether the experiment completed. A server that died is looked
// for even where all requests were answered: one that is stopped may end its answers
// as if they were whole.
func judge(ctx context.Context, s *server, o *record.Observation) error {
	ok, failed, first := o.Window.Failures(o.Job.Experiment, o.Job.Credentials.From)
	if died := s.death(ctx, failed > 0 || s.silent); died != nil {
		return died
	}
	if ok == 0 {
		return launch.Faultf(launch.ExperimentFault, "no request completed (%d failed); the first said: %s", failed, first)
	}
	return nil
}
