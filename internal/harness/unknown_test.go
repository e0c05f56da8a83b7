package harness

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/llenergymeasure/llem/internal/result"
)

const chunkOfText = "data: {\"choices\":[{\"text\":\"x\"}]}\n\n"

// say writes so many chunks with text, a read apart, and an end with that usage.
func say(w io.Writer, chunks int, usage string) bool {
	for i := range chunks {
		if fmt.Fprint(w, chunkOfText); i == 0 {
			w.(interface{ Flush() }).Flush()
			time.Sleep(2 * time.Millisecond) // so that first and last token have two times
		}
	}
	if usage != "" {
		usage = `,"usage":` + usage
	}
	fmt.Fprintf(w, "data: {\"choices\":[{\"text\":\"\",\"finish_reason\":\"length\"}]%s}\n\ndata: [DONE]\n\n", usage)
	return true
}

// cut answers with chunks, and ends without a finish reason.
func cut(w io.Writer, chunks int, usage string) bool { return say(unended{w}, chunks, usage) }

// unended passes an answer on without its finish reason.
type unended struct{ io.Writer }

func (u unended) Write(p []byte) (int, error) {
	_, err := io.WriteString(u.Writer, strings.Replace(string(p), `"length"`, "null", 1))
	return len(p), err
}

func (u unended) Flush() { u.Writer.(interface{ Flush() }).Flush() }

// renamed has some answers name another model than was asked for.
type renamed struct {
	io.Writer
	other int // 0: none
}

func (n renamed) Write(p []byte) (int, error) {
	if n.other > 0 {
		_, err := io.WriteString(n.Writer, strings.Replace(string(p), `{"choices"`, `{"model":"cheap","choices"`, 1))
		return len(p), err
	}
	return n.Writer.Write(p)
}

func (n renamed) Flush() { n.Writer.(interface{ Flush() }).Flush() }

// nulls are the record's figures that rest on tokens or text, and whether each is null.
func nulls(r *result.Record) map[string]bool {
	return map[string]bool{
		"tokens.input": r.Tokens.Input == nil, "tokens.output": r.Tokens.Output == nil, "tokens.reasoning": r.Tokens.Reasoning == nil, "tokens.cached": r.Tokens.Cached == nil,
		"tokens_per_second": r.TokensPerSecond == nil, "energy_per_output_token": r.EnergyPerOutputToken == nil, "energy.per_total_token_j": r.Energy.PerTotalTokenJ == nil,
		"latency.ttft_ms": r.Latency.TTFT == nil, "latency.tpot_ms": r.Latency.TPOT == nil, "latency.itl_ms": r.Latency.ITL == nil, "latency.e2e_ms": r.Latency.E2E == nil,
		"flops.value": r.FLOPs.Value == nil, "requests.multi_token_chunks": r.Requests.MultiTokenChunks == nil, "engine.counters": r.Engine.Counters == nil,
	}
}

// What a server does not say, or says as it cannot be, is null in the record, and the
// record says why; what it says stays.
func TestUnknownTokensAreNullWithTheirReason(t *testing.T) {
	t.Parallel()
	usage := func(in, out int) string { return fmt.Sprintf(`{"prompt_tokens":%d,"completion_tokens":%d}`, in, out) }
	const (
		input  = "tokens.input tokens.cached energy.per_total_token_j flops.value"
		output = "tokens.output tokens.reasoning tokens_per_second energy.per_total_token_j latency.tpot_ms flops.value requests.multi_token_chunks"
	)
	for name, c := range map[string]struct {
		odd   func(w io.Writer, n, in, out int) bool
		null  string // beside energy_per_output_token, since there is no GPU
		codes string
	}{
		"all said":                     {func(w io.Writer, _, in, out int) bool { return say(w, out, usage(in, out)) }, "tokens.cached", ""},
		"no usage":                     {func(w io.Writer, _, _, out int) bool { return say(w, out, "") }, input + " " + output, "token_count_unknown input_tokens_unknown"},
		"a usage of zeros":             {func(w io.Writer, _, _, out int) bool { return say(w, out, usage(0, 0)) }, input + " " + output, "token_count_unknown input_tokens_unknown"},
		"no usage of one of four":      {func(w io.Writer, n, in, out int) bool { return n%4 == 0 && say(w, out, "") }, input + " " + output, "token_count_unknown input_tokens_unknown"},
		"a prompt of 0":                {func(w io.Writer, _, _, out int) bool { return say(w, out, usage(0, out)) }, input, "usage_not_taken input_tokens_unknown"},
		"a prompt of -1":               {func(w io.Writer, _, _, out int) bool { return say(w, out, usage(-1, out)) }, input, "usage_not_taken input_tokens_unknown"},
		"an answer over max_tokens":    {func(w io.Writer, _, in, out int) bool { return say(w, out, usage(in, out+1)) }, output + " tokens.cached", "usage_not_taken token_count_unknown"},
		"an answer of fewer than came": {func(w io.Writer, _, in, out int) bool { return say(w, out, usage(in, 1)) }, output + " tokens.cached", "usage_not_taken token_count_unknown"},
		"an answer that adds up":       {func(w io.Writer, n, in, out int) bool { return say(w, out, usage(in, n*out)) }, output + " tokens.cached", "usage_not_taken token_count_unknown"},
		"a total of something else": {func(w io.Writer, _, in, out int) bool {
			return say(w, out, strings.Replace(usage(in, out), "}", `,"total_tokens":9999}`, 1))
		}, input + " " + output, "usage_not_taken token_count_unknown input_tokens_unknown"},
		"tokens without text":               {func(w io.Writer, _, in, out int) bool { return say(w, 0, usage(in, out)) }, "tokens.cached tokens.reasoning requests.multi_token_chunks latency.ttft_ms latency.tpot_ms latency.itl_ms latency.e2e_ms", "latency_unknown"},
		"a fallback of half":                {func(w io.Writer, n, in, out int) bool { return say(renamed{w, n % 2}, out, usage(in, out)) }, "tokens.cached", "other_model_answered"},
		"another model's name on all":       {func(w io.Writer, _, in, out int) bool { return say(renamed{w, 1}, out, usage(in, out)) }, "tokens.cached", "other_model_answered"},
		"half of the answers cut":           {func(w io.Writer, n, in, out int) bool { return n%2 == 0 && cut(w, out/2, usage(in, out/2)) }, "", "answers_not_ended"},
		"no finish reason and no usage":     {func(w io.Writer, _, _, out int) bool { return cut(w, out, "") }, input + " " + output, "token_count_unknown input_tokens_unknown answers_not_ended"},
		"no finish reason of any, counted":  {func(w io.Writer, _, in, out int) bool { return cut(w, out, usage(in, out)) }, "tokens.cached", ""},
		"all text at once, of three tokens": {func(w io.Writer, _, in, out int) bool { return say(w, 1, usage(in, out)) }, "tokens.cached latency.tpot_ms latency.itl_ms", "latency_unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, _, err := (&fake{odd: c.odd}).executed(t, "workload: {api: chat, source: synthetic, prompts: 8, max_input_tokens: 8, max_output_tokens: 12, load: {concurrency: 1}}\n", nil)
			if err != nil {
				t.Fatal(err)
			}
			r := out.Record
			for path, null := range nulls(r) {
				want := strings.Contains(" "+c.null+" energy_per_output_token energy.per_total_token_j flops.value ", " "+path+" ")
				if path != "flops.value" && null != want {
					t.Errorf("%s is null: %v, want %v", path, null, want)
				}
				if why := r.Unknown[path]; null != (why != "") {
					t.Errorf("%s is null: %v, because %q", path, null, why)
				}
			}
			for _, code := range []string{"token_count_unknown", "input_tokens_unknown", "usage_not_taken", "latency_unknown", "answers_not_ended", "other_model_answered"} {
				if has := r.WarningSeverities[code] != ""; has != strings.Contains(c.codes, code) {
					t.Errorf("warned of %s: %v\n%v", code, has, r.MeasurementWarnings)
				}
			}
			if s := r.WarningSeverities["other_model_answered"]; s != "" && (s == "invalid") != (name == "a fallback of half") {
				t.Errorf("another model on some or all answers is %s", s)
			}
			if bad := strings.Contains(c.codes, "token_count_unknown"); bad != (r.WarningSeverities["token_count_unknown"] == "invalid") || bad && r.Energy.Valid {
				t.Errorf("severities %v, valid %v", r.WarningSeverities, r.Energy.Valid)
			}
			if r.Requests.Completed != 8 {
				t.Errorf("%+v", r.Requests)
			}
		})
	}
}

// Token ids that were sent are counted; where the server does not count them, the
// record names what did. Of a chat, to whose prompts a template adds, nothing did.
func TestPromptsThatWereCountedKeepTheirCount(t *testing.T) {
	t.Parallel()
	for api, want := range map[string]any{"completions": int64(4 * 8), "chat": nil} {
		f := &fake{odd: func(w io.Writer, _, _, out int) bool {
			return say(w, out, fmt.Sprintf(`{"prompt_tokens":0,"completion_tokens":%d}`, out))
		}}
		out, _, err := f.executed(t, "workload: {api: "+api+", source: synthetic, prompts: 4, max_input_tokens: 8, max_output_tokens: 4}\n", nil)
		if err != nil {
			t.Fatal(err)
		}
		r := out.Record
		got := any(nil)
		if r.Tokens.Input != nil {
			got = *r.Tokens.Input
		}
		if got != want || (r.Tokens.InputSource == "engine") != (want != nil) || (r.WarningSeverities["input_tokens_counted"] == "note") != (want != nil) {
			t.Errorf("%s: %v tokens by %s, want %v; %v", api, got, r.Tokens.InputSource, want, r.MeasurementWarnings)
		}
	}
}

// Totals of a server that fell or began anew are no account of the window.
func TestCountersThatCannotBeAreLeftOut(t *testing.T) {
	t.Parallel()
	const in = "llem_reference_prompt_tokens_total"
	for name, c := range map[string]struct {
		began func(n int) string
		left  bool // the prompt tokens
		all   bool // all counters
		warn  bool
	}{
		"as they are":           {nil, false, false, false},
		"one fell":              {func(n int) string { return fmt.Sprintf(in+"{x=\"1\"} %d\n", 100000/n) }, true, false, true},
		"one below 0":           {func(n int) string { return fmt.Sprintf(in+"{x=\"1\"} -%d\n", 1_000_000) }, true, false, true},
		"one of 1e300":          {func(n int) string { return fmt.Sprintf(in+"{x=\"1\"} %de300\n", n) }, true, false, true},
		"one whose sum is +Inf": {func(int) string { return in + "{x=\"1\"} 1.7e308\n" + in + "{x=\"2\"} 1.7e308\n" }, true, false, false},
		"one part is NaN":       {func(int) string { return in + "{x=\"1\"} NaN\n" }, true, false, false},
		"a server that began":   {func(n int) string { return fmt.Sprintf("process_start_time_seconds %d\n", 1_700_000_000+n) }, true, true, true},
		"one that did not":      {func(int) string { return "process_start_time_seconds 1.7e9\n" }, false, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, _, err := (&fake{began: c.began}).executed(t, "workload: {source: synthetic, prompts: 4, max_input_tokens: 8, max_output_tokens: 4}\n", nil)
			if err != nil {
				t.Fatal(err)
			}
			k := out.Record.Engine.Counters
			if k == nil || (k.PromptTokens == nil) != c.left || (k.OutputTokens == nil) != c.all || (out.Record.WarningSeverities["engine_counters_unknown"] != "") != c.warn {
				t.Errorf("%+v\n%v", k, out.Record.MeasurementWarnings)
			}
		})
	}
}
