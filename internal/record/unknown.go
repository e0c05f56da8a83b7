package record

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/llenergymeasure/llem/internal/engine"
	"github.com/llenergymeasure/llem/internal/job"
	"github.com/llenergymeasure/llem/internal/load"
	"github.com/llenergymeasure/llem/internal/measure"
	"github.com/llenergymeasure/llem/internal/result"
)

// mapUnknown says why figures are null. A run that did not reach its window has its error
// for all of them.
func mapUnknown(r *result.Record, fig load.Figures) {
	in := whyNull(fig.InputTokens, fig.Lacking.InputWhy(fig.Completed))
	out := whyNull(fig.OutputTokens, fig.Lacking.OutputWhy(fig.Completed))
	energy := ""
	if r.EnergyTotalJ == nil {
		energy = cmp.Or(strings.Join(r.Energy.Reasons, "; "), "there is no energy figure")
	}
	u := unknown{}
	u.note("tokens.input", r.Tokens.Input == nil, in)
	u.note("tokens.output", r.Tokens.Output == nil, out)
	u.note("tokens.reasoning", r.Tokens.Reasoning == nil, cmp.Or(out, "the server does not count it, and its chunks are not of one token each"))
	u.note("tokens.cached", r.Tokens.Cached == nil, cmp.Or(in, "the server's usage does not say"))
	u.note("requests.multi_token_chunks", r.Requests.MultiTokenChunks == nil, cmp.Or(out, "the server did not say how many tokens each chunk carried"))
	u.note("tokens_per_second", r.TokensPerSecond == nil, cmp.Or(out, "the window has no length"))
	u.note("tokens_per_second_per_gpu", r.TokensPerSecondPerGPU == nil, cmp.Or(out, "no GPU was measured"))
	none := ""
	if r.Tokens.Output != nil && *r.Tokens.Output == 0 {
		none = "no token came"
	}
	u.note("energy_per_output_token", r.EnergyPerOutputToken == nil, cmp.Or(energy, out, none))
	u.note("energy.per_total_token_j", r.Energy.PerTotalTokenJ == nil, cmp.Or(energy, out, in, none))
	if s := r.Energy.Steady; s != nil {
		u.note("energy.steady.output_tokens", s.OutputTokens == nil, out)
		u.note("energy.steady.u_j", s.EnergyJ != nil && s.UJ == nil, tooShort)
	}
	if e := r.Engine; e.StartupEnergyJ != nil {
		u.note("engine.u_startup_energy_j", e.UStartupEnergyJ == nil, tooShort)
	}
	u.latency(r.Latency, fig, out)
	if s := r.SLO; s != nil {
		u.note("slo.requests_good", s.RequestsGood == nil, cmp.Or(out, "an answer without text cannot be held to limits of time"))
		u.note("slo.output_tokens_good", s.OutputTokensGood == nil, cmp.Or(out, "an answer without text cannot be held to limits of time"))
	}
	if f := r.FLOPs; f != nil {
		u.note("flops.value", f.Value == nil, strings.Join(f.Notes, "; "))
	}
	u.note("engine.counters", r.Engine.Counters == nil, "the server has no counters that llem reads")
	if len(u) > 0 {
		r.Unknown = u
	}
}

// tooShort is why the energy of a part of a run has no uncertainty.
const tooShort = "it is of fewer than 20 refreshes of the sensor, or too few readings bear on it"

// unknown is why figures are null, by path.
type unknown map[string]string

func (u unknown) note(path string, null bool, why string) {
	if null {
		u[path] = why
	}
}

// latency says why summaries of times are null.
func (u unknown) latency(l result.Latency, fig load.Figures, out string) {
	first, apart := "", ""
	switch n := fig.Lacking.Text; {
	case fig.Completed == 0:
		first = "no request completed"
	case n == fig.Completed:
		first = "the server counted tokens, and no chunk carried text"
	}
	if with := fig.Completed - fig.Lacking.Text; with > 0 && fig.Lacking.Apart == with {
		apart = "all text of each answer came at once"
	}
	single := "no answer has two tokens"
	u.note("latency.ttft_ms", l.TTFT == nil, first)
	u.note("latency.e2e_ms", l.E2E == nil, first)
	u.note("latency.tpot_ms", l.TPOT == nil, cmp.Or(first, out, apart, single))
	u.note("latency.itl_ms", l.ITL == nil, cmp.Or(first, apart, single))
}

// whyNull is why n is null; empty where it is not.
func whyNull(n *int64, why string) string {
	if n != nil {
		return ""
	}
	return why
}

// tokenWarnings doubt what the server counted, and what it did not.
func (w *Window) tokenWarnings(j *job.Job, s *Server, fig load.Figures) []measure.Warning {
	out := w.otherModels(j, s, fig.Completed)
	l := fig.Lacking
	for _, why := range slices.Sorted(maps.Keys(l.Refused)) {
		out = append(out, measure.Warn("usage_not_taken", "the usage of %d of %d answers cannot be: %s", l.Refused[why], fig.Completed+fig.Failed, why))
	}
	if fig.Completed == 0 {
		return out
	}
	if fig.OutputTokens == nil {
		out = append(out, measure.Warn("token_count_unknown", "the tokens of %d of %d answers are unknown: %s; J/token, tokens/s, TPOT and FLOPs are left out, since a chunk is not a token", l.Output, fig.Completed, l.OutputWhy(fig.Completed)))
	}
	if fig.InputTokens == nil {
		out = append(out, measure.Warn("input_tokens_unknown", "the tokens of %d of %d prompts are unknown: %s; energy per total token and FLOPs are left out", l.Input, fig.Completed, l.InputWhy(fig.Completed)))
	}
	if n := w.endless(); n > 0 && (n < fig.Completed || fig.OutputTokens == nil) {
		out = append(out, measure.Warn("answers_not_ended", "%d of %d completed answers ended without a finish reason: they may have been cut", n, fig.Completed))
	}
	if source := fig.InputSource; source != "server" && source != "none" {
		out = append(out, measure.Warn("input_tokens_counted", "the server did not count every prompt: the missing counts are those by %s", j.CountedBy()))
	}
	switch with := fig.Completed - l.Text; {
	case l.Text > 0:
		out = append(out, measure.Warn("latency_unknown", "%d of %d answers carried no text, though the server counted their tokens: %s", l.Text, fig.Completed, which(with)))
	case l.Apart == with && fig.OutputTokens != nil && *fig.OutputTokens > int64(with):
		out = append(out, measure.Warn("latency_unknown", "all text of each answer came at once, so that TPOT and ITL are unknown"))
	}
	return out
}

// otherModels doubts answers that name a model which was not asked for. Where only some do,
// the figures are of no one model.
func (w *Window) otherModels(j *job.Job, s *Server, completed int) (out []measure.Warning) {
	asked := engine.Match{ID: s.Info.Model, Loaded: j.Served.Loaded}
	named, all := map[string]int{}, 0
	for _, t := range w.Timings.All() {
		if t.Status == load.StatusOK && t.Model != "" && !asked.Names(t.Model) {
			named[t.Model]++
			all++
		}
	}
	for _, name := range slices.Sorted(maps.Keys(named)) {
		one := measure.Warn("other_model_answered", "%d of %d answers name the model %s, and %s was asked for", named[name], completed, name, s.Info.Model)
		if len(named) > 1 || all < completed {
			one.Severity = measure.Invalid
		}
		out = append(out, one)
	}
	return out
}

// endless is how many completed answers have no finish reason.
func (w *Window) endless() (n int) {
	for _, t := range w.Timings.All() {
		if t.Status == load.StatusOK && t.FinishReason == "" {
			n++
		}
	}
	return n
}

// which says of what latencies are, of so many answers with text.
func which(with int) string {
	if with == 0 {
		return "latencies are unknown"
	}
	return fmt.Sprintf("latencies are of the other %d", with)
}
