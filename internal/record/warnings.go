package record

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/llenergymeasure/llem/internal/dataset"
	"github.com/llenergymeasure/llem/internal/engine"
	"github.com/llenergymeasure/llem/internal/job"
	"github.com/llenergymeasure/llem/internal/load"
	"github.com/llenergymeasure/llem/internal/measure"
	"github.com/llenergymeasure/llem/internal/study"
)

// runWarnings are those that concern the run as a whole.
func (o *Observation) runWarnings(fig load.Figures) {
	if o.Job.Experiment.Quick {
		o.warn("quick_mode", "this run used --quick: a short baseline, no thermal floor, few prompts")
	}
	if o.Host.NoEnergy != "" && !o.hostScope() && o.Job.Experiment.Energy.Backend != "none" {
		o.warn("energy_unavailable", "%s", o.Host.NoEnergy)
	}
	if o.Window == nil {
		return
	}
	w, of := o.Window, o.Job.Experiment.Workload
	if o.Run.Study == nil || o.Run.Cycles < 2 {
		o.warn("single_run", "one run has no spread of its own")
	}
	if short, ok := measure.ShortWindow(w.Length); ok {
		o.Warnings = append(o.Warnings, short)
	}
	if of.Source == "synthetic" {
		o.warn("synthetic_prompts", "the prompts are random tokens")
	}
	switch {
	case w.Unmade != nil:
		o.warn("prompts_exhausted", "no request was sent after %.1f s, when %d had been: %v", w.Out.Seconds(), w.Timings.Len(), w.Unmade)
	case w.Out > 0:
		o.warn("prompts_exhausted", "all %d prompts had been sent after %.1f s, before workload.min_seconds %g", w.Timings.Len(), w.Out.Seconds(), of.MinSeconds)
	}
	if words := dataset.LeftOut(o.Job.Prompts.LeftOut); words != "" {
		o.warn("prompts_left_out", "%s prompts of %s were left out", words, of.Source)
	}
	if gap, after := o.Job.Prompts.Schedule.Gap(); of.Load.Recorded() && gap > longGap {
		t := o.Job.Prompts.Schedule.Trace
		o.warn("trace_gap", "%.0f s pass without a request after that of %s:%d", gap.Seconds(), filepath.Base(t.Path), t.Arrivals[after].Line)
	}
	if why, ok := o.Job.Engine.Draws(o.Job.Experiment.Engine.Args); ok {
		o.warn("dummy_weights", "%s", why)
	}
	if len(o.Job.Spec.Overridden) > 0 {
		o.warn("engine_args_override", "engine.args set --%s, which llem sets itself", strings.Join(o.Job.Spec.Overridden, ", --"))
	}
	if len(o.Job.Spec.LeftOut) > 0 {
		o.warn("engine_args_override", "engine.args take out --%s (null), which llem sets itself", strings.Join(o.Job.Spec.LeftOut, ", --"))
	}
	o.Warnings = slices.Concat(o.Warnings, w.lengthWarnings(&o.Job, o.Server.Info.ContextLength), w.cacheWarnings(&o.Job, fig), w.clientWarnings(of, fig), w.countWarnings(fig))
	if o.Job.Experiment.Energy.Backend != "none" {
		o.Warnings = append(o.Warnings, o.Readings.warnings()...)
	}
}

// longGap is a pause in a trace in which GPUs cool and lower their clocks, so that
// idling has a part in every figure.
const longGap = time.Minute

// A client that takes most of a core or sends late measures itself; one that reads
// late blurs its latencies alone.
const (
	clientLagMS     = 10  // at the 99th percentile, open loop
	clientReadShare = 0.1 // of the 99th percentile of what is stamped: less is not what the figure shows
)

func (w *Window) clientWarnings(of study.Workload, fig load.Figures) (out []measure.Warning) {
	share := w.Audit.CPUShare()
	stamped, name := fig.ITL, "inter-token latencies"
	if stamped == nil {
		stamped, name = fig.TTFT, "times to first token"
	}
	lag := w.ReadLag
	if lag == nil && stamped != nil {
		out = append(out, measure.Warn("receipts_unknown", "the kernel did not say when answers came"))
	}
	switch {
	case share > load.MostCPUShare:
		out = append(out, measure.Warn("client_bound", "the client used %.0f %% of a core", share*100))
	// Where a request waits for a place it is the server that is late.
	case fig.Lag != nil && of.Load.Open() && of.Load.MaxInFlight == 0 && fig.Lag.P99 > clientLagMS:
		out = append(out, measure.Warn("client_bound", "requests left %.1f ms late at the 99th percentile", fig.Lag.P99))
	case lag != nil && stamped != nil && lag.P99 > max(load.MostReadLagMS, clientReadShare*stamped.P99):
		out = append(out, measure.Warn("reads_late", "answers were read %.1f ms late at the 99th percentile, of %s of %.1f ms", lag.P99, name, stamped.P99))
	}
	return out
}

// lengthWarnings hold each request to the lengths that were planned for it, as
// far as the server counted them. Prompts of a chat are longer than planned by
// its template, and are not judged.
func (w *Window) lengthWarnings(j *job.Job, context int) (out []measure.Warning) {
	of, planned := j.Experiment.Workload, j.Prompts.Planned(j.Experiment)
	counted, full := 0, 0
	var prompts, answers strayed
	for i, t := range w.Timings.All() {
		if t.Status != load.StatusOK || t.UsageSource != "server" {
			continue
		}
		counted++
		if context > 0 && t.InputTokens >= context {
			full++
		}
		if want := planned(i).InputTokens; want > 0 && t.InputTokens > 0 && of.API == "completions" {
			prompts.look(t.InputTokens, want)
		}
		answers.look(t.OutputTokens, planned(i).MaxOutputTokens)
	}
	if full > 0 {
		out = append(out, measure.Warn("token_count_mismatch", "%d of %d prompts fill the engine's whole context of %d tokens: it will have cut them", full, counted, context))
	}
	if prompts.n > 0 {
		out = append(out, measure.Warn("token_count_mismatch", "%d of %d prompts had another length than planned: the server counted %d tokens, planned were %d", prompts.n, counted, prompts.first, prompts.want))
	}
	doubt := false // equal work was asked for and not done
	switch {
	case !of.Sampling.IgnoreEOS:
		out = append(out, measure.Warn("output_length_not_controlled", "the engine may end an answer early"))
	case !j.Engine.Traits().IgnoreEOS:
		out = append(out, measure.Warn("output_length_not_controlled", "%s cannot be told to ignore the model's end of answer: %d of %d answers had another length than asked for", j.Engine.Name(), answers.n, counted))
		doubt = answers.n > 0
	case answers.n > 0:
		out = append(out, measure.Warn("output_length_not_controlled", "%d of %d answers had another length than asked for: the first %d tokens, asked for were %d", answers.n, counted, answers.first, answers.want))
		doubt = true
	}
	if doubt {
		out[len(out)-1].Severity = measure.Doubt
	}
	return out
}

// cacheWarnings tell of prompt tokens that were not computed but found: by the
// answers' own word, else by the server's counter.
func (w *Window) cacheWarnings(j *job.Job, fig load.Figures) []measure.Warning {
	hits := fig.CachedTokens
	if hits == nil {
		hits = w.counted(engine.CachedTokens)
	}
	if hits == nil || *hits <= int64(fig.Completed+fig.Failed)*int64(head(&j.Prompts))+orZero(w.shared(j.Experiment.Workload.Prefix)) {
		return nil
	}
	return []measure.Warning{measure.Warn("prefix_cache_hits", "%d of %s prompt tokens were found in the engine's prefix cache", *hits, numberOr(fig.InputTokens, "an unknown number of"))}
}

// shared is how many tokens of the prompts that were sent an earlier one of
// their group began with; nil where they share nothing by design.
func (w *Window) shared(p study.Prefix) *int64 {
	if p.Length == 0 {
		return nil
	}
	repeats := max(0, w.Timings.Len()-p.Groups)
	return new(int64(repeats) * int64(p.Length))
}

func numberOr(n *int64, other string) string {
	if n == nil {
		return other
	}
	return fmt.Sprint(*n)
}

func orZero(n *int64) int64 {
	if n == nil {
		return 0
	}
	return *n
}

// head is how many tokens all prompts begin with alike, also where their texts differ: the
// mark that begins a text. Engines whose cache works by single tokens find it each time.
func head(p *job.Prompts) int { return max(1, len(p.Vocabulary.Head)) }

// strayed counts lengths that are not the wanted one.
type strayed struct{ n, first, want int }

func (o *strayed) look(got, want int) {
	if got == want {
		return
	}
	if o.n++; o.n == 1 {
		o.first, o.want = got, want
	}
}

// countWarnings holds the responses' token counts against the server's own.
func (w *Window) countWarnings(fig load.Figures) (out []measure.Warning) {
	if w.Before == nil || w.After == nil || fig.Failed > 0 {
		return nil
	}
	for _, c := range []struct {
		what   string
		ours   *int64
		theirs *int64
	}{
		{"input", fig.InputTokens, w.counted(engine.PromptTokens)},
		{"output", fig.OutputTokens, w.counted(engine.OutputTokens)},
	} {
		if c.ours == nil || c.theirs == nil {
			continue
		}
		if warning, ok := measure.CountMismatch(c.what, *c.ours, *c.theirs); ok {
			out = append(out, warning)
		}
	}
	return out
}

// warnings say which readings there are none of.
func (r *Readings) warnings() []measure.Warning {
	if r.Failed+r.Dropped == 0 {
		return nil
	}
	return []measure.Warning{measure.Warn("readings_lost", "%d readings failed (last: %v), %d found no room", r.Failed, r.Lost, r.Dropped)}
}

// failureWarnings say how many requests failed, and what the first of these said.
func (w *Window) failureWarnings(e study.Experiment, keyFrom string) []measure.Warning {
	ok, failed, first := w.Failures(e, keyFrom)
	if failed == 0 {
		return nil
	}
	return []measure.Warning{measure.Warn("requests_failed", "%d of %d requests failed; the first said: %s", failed, ok+failed, first)}
}

// Failures counts the requests that completed and those that did not, and says what the
// first of these said. keyFrom is that of the [Server].
func (w *Window) Failures(e study.Experiment, keyFrom string) (ok, failed int, first string) {
	for _, t := range w.Timings.All() {
		if t.Status == load.StatusOK {
			ok++
		} else if failed++; first == "" {
			first = t.Error + engine.StatusHint(e, t.HTTPStatus, keyFrom)
		}
	}
	return ok, failed, first
}
