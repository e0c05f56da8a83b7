package harness

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/llenergymeasure/llem/internal/dataset"
	"github.com/llenergymeasure/llem/internal/engine"
	"github.com/llenergymeasure/llem/internal/load"
	"github.com/llenergymeasure/llem/internal/measure"
)

// runWarnings are those that concern the run as a whole.
func (x *run) runWarnings(fig load.Figures) {
	if x.job.Experiment.Quick {
		x.warn("quick_mode", "this run used --quick: a short baseline, no thermal floor, few prompts")
	}
	if x.noEnergy != "" && !x.hostScope() && x.job.Experiment.Energy.Backend != "none" {
		x.warn("energy_unavailable", "%s", x.noEnergy)
	}
	if x.work == nil {
		return
	}
	if x.place == nil || x.place.cycles < 2 {
		x.warn("single_run", "one run has no spread of its own")
	}
	if w, ok := measure.ShortWindow(x.work.window); ok {
		x.warnings = append(x.warnings, w)
	}
	if x.job.Experiment.Workload.Source == "synthetic" {
		x.warn("synthetic_prompts", "the prompts are random tokens")
	}
	switch {
	case x.work.unmade != nil:
		x.warn("prompts_exhausted", "no request was sent after %.1f s, when %d had been: %v", x.work.out.Seconds(), x.work.traces.Len(), x.work.unmade)
	case x.work.out > 0:
		x.warn("prompts_exhausted", "all %d prompts had been sent after %.1f s, before workload.min_seconds %g", x.work.traces.Len(), x.work.out.Seconds(), x.job.Experiment.Workload.MinSeconds)
	}
	if words := dataset.LeftOut(x.job.Prompts.LeftOut); words != "" {
		x.warn("prompts_left_out", "%s prompts of %s were left out", words, x.job.Experiment.Workload.Source)
	}
	if gap, after := x.job.Prompts.Plan.Gap(); x.job.Experiment.Workload.Load.Recorded() && gap > longGap {
		t := x.job.Prompts.Plan.Trace
		x.warn("trace_gap", "%.0f s pass without a request after that of %s:%d", gap.Seconds(), filepath.Base(t.Path), t.Arrivals[after].Line)
	}
	if why, ok := x.job.Engine.Draws(x.job.Experiment.Engine.Args); ok {
		x.warn("dummy_weights", "%s", why)
	}
	if len(x.job.Spec.Overridden) > 0 {
		x.warn("engine_args_override", "engine.args set --%s, which llem sets itself", strings.Join(x.job.Spec.Overridden, ", --"))
	}
	if len(x.job.Spec.LeftOut) > 0 {
		x.warn("engine_args_override", "engine.args take out --%s (null), which llem sets itself", strings.Join(x.job.Spec.LeftOut, ", --"))
	}
	x.lengthWarnings()
	x.cacheWarning(fig)
	x.clientWarnings(fig)
	x.countWarnings(fig)
	if x.recorder == nil || x.job.Experiment.Energy.Backend == "none" {
		return
	}
	if failed, dropped, last := x.recorder.Trouble(); failed+dropped > 0 {
		x.warn("readings_lost", "%d readings failed (last: %v), %d found no room", failed, last, dropped)
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

func (x *run) clientWarnings(fig load.Figures) {
	share := x.work.audit.CPUShare()
	stamped, name := fig.ITL, "inter-token latencies"
	if stamped == nil {
		stamped, name = fig.TTFT, "times to first token"
	}
	lag := x.work.readLag
	if lag == nil && stamped != nil {
		x.warn("receipts_unknown", "the kernel did not say when answers came")
	}
	switch {
	case share > load.MostCPUShare:
		x.warn("client_bound", "the client used %.0f %% of a core", share*100)
	// Where a request waits for a place it is the server that is late.
	case fig.Lag != nil && x.job.Experiment.Workload.Load.Open() && x.job.Experiment.Workload.Load.MaxInFlight == 0 && fig.Lag.P99 > clientLagMS:
		x.warn("client_bound", "requests left %.1f ms late at the 99th percentile", fig.Lag.P99)
	case lag != nil && stamped != nil && lag.P99 > max(load.MostReadLagMS, clientReadShare*stamped.P99):
		x.warn("reads_late", "answers were read %.1f ms late at the 99th percentile, of %s of %.1f ms", lag.P99, name, stamped.P99)
	}
}

// lengthWarnings hold each request to the lengths that were planned for it, as
// far as the server counted them. Prompts of a chat are longer than planned by
// its template, and are not judged.
func (x *run) lengthWarnings() {
	w := x.job.Experiment.Workload
	planned := x.job.Prompts.Planned(x.job.Experiment)
	counted, full := 0, 0
	var prompts, answers strayed
	for i, t := range x.work.traces.All() {
		if t.Status != load.StatusOK || t.UsageSource != "server" {
			continue
		}
		counted++
		if c := x.info.ContextLength; c > 0 && t.InputTokens >= c {
			full++
		}
		if want := planned(i).InputTokens; want > 0 && t.InputTokens > 0 && w.API == "completions" {
			prompts.look(t.InputTokens, want)
		}
		answers.look(t.OutputTokens, planned(i).MaxOutputTokens)
	}
	if full > 0 {
		x.warn("token_count_mismatch", "%d of %d prompts fill the engine's whole context of %d tokens: it will have cut them", full, counted, x.info.ContextLength)
	}
	if prompts.n > 0 {
		x.warn("token_count_mismatch", "%d of %d prompts had another length than planned: the server counted %d tokens, planned were %d", prompts.n, counted, prompts.first, prompts.want)
	}
	switch {
	case !w.Sampling.IgnoreEOS:
		x.warn("output_length_not_controlled", "the engine may end an answer early")
	case !x.job.Engine.Traits().IgnoreEOS:
		x.warn("output_length_not_controlled", "%s cannot be told to ignore the model's end of answer: %d of %d answers had another length than asked for", x.job.Engine.Name(), answers.n, counted)
		x.doubted(answers.n > 0)
	case answers.n > 0:
		x.warn("output_length_not_controlled", "%d of %d answers had another length than asked for: the first %d tokens, asked for were %d", answers.n, counted, answers.first, answers.want)
		x.doubted(true)
	}
}

// doubted makes a doubt of the last warning, where it is one: equal work was asked
// for and not done.
func (x *run) doubted(is bool) {
	if is {
		x.warnings[len(x.warnings)-1].Severity = measure.Doubt
	}
}

// cacheWarning tells of prompt tokens that were not computed but found: by the
// answers' own word, else by the server's counter.
func (x *run) cacheWarning(fig load.Figures) {
	hits := fig.CachedTokens
	if hits == nil {
		hits = x.counted(engine.CachedTokens)
	}
	if hits != nil && *hits > int64(fig.Completed+fig.Failed)*int64(x.headTokens())+orZero(x.sharedPrefix()) {
		x.warn("prefix_cache_hits", "%d of %s prompt tokens were found in the engine's prefix cache", *hits, numberOr(fig.InputTokens, "an unknown number of"))
	}
}

// sharedPrefix is how many tokens of the prompts that were sent an earlier one of
// their group began with; nil where they share nothing by design.
func (x *run) sharedPrefix() *int64 {
	p := x.job.Experiment.Workload.Prefix
	if p.Length == 0 {
		return nil
	}
	repeats := max(0, x.work.traces.Len()-p.Groups)
	return ptr(int64(repeats) * int64(p.Length))
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

// headTokens is how many tokens all prompts begin with alike, also where their texts differ: the
// mark that begins a text. Engines whose cache works by single tokens find it each time.
func (x *run) headTokens() int { return max(1, len(x.job.Prompts.Vocabulary.Head)) }

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
func (x *run) countWarnings(fig load.Figures) {
	if x.work.before == nil || x.work.after == nil || fig.Failed > 0 {
		return
	}
	for _, c := range []struct {
		what   string
		ours   *int64
		theirs *int64
	}{
		{"input", fig.InputTokens, x.counted(engine.PromptTokens)},
		{"output", fig.OutputTokens, x.counted(engine.OutputTokens)},
	} {
		if c.ours == nil || c.theirs == nil {
			continue
		}
		if warning, ok := measure.CountMismatch(c.what, *c.ours, *c.theirs); ok {
			x.warnings = append(x.warnings, warning)
		}
	}
}
