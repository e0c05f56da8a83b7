package harness

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/llenergymeasure/llem/internal/hub"
	"github.com/llenergymeasure/llem/internal/load"
	"github.com/llenergymeasure/llem/internal/measure"
	"github.com/llenergymeasure/llem/internal/pattern"
	"github.com/llenergymeasure/llem/internal/study"
)

// traced is a run of a trace, whose second request comes so long after the first.
func traced(t *testing.T, gap time.Duration) *run {
	t.Helper()
	x := longRun(t, "vllm")
	w := &x.exp.Workload
	w.Prompts, w.MinSeconds = 2, 0
	w.Load = pattern.Load{Pattern: "trace", TimeUnit: "ms", MaxInFlight: 4, File: filepath.Join(t.TempDir(), "a.jsonl")}
	text := fmt.Sprintf(`{"timestamp":0,"input_length":100,"output_length":1}
{"timestamp":%d,"input_length":99,"output_length":29}
`, gap.Milliseconds())
	if err := os.WriteFile(w.Load.File, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := x.openPrompts(t.Context()); err != nil {
		t.Fatal(err)
	}
	return x
}

// The requests of a trace are held against the context one by one: no one of them
// is as long as its longest prompt and its longest answer.
func TestATraceIsHeldAgainstTheContext(t *testing.T) {
	t.Parallel()
	x := traced(t, time.Second)
	if err := x.fits("the model's context", 128); err != nil {
		t.Error(err)
	}
	err := x.fits("the model's context", 127)
	want := x.exp.Workload.Load.File + ":2: a prompt of 99 tokens and an answer of 29 do not fit the model's context of 127: take the request out, or raise engine.args.max-model-len"
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v\nwant %s", err, want)
	}
}

func TestWhatATraceAndSecondsAreWarnedOf(t *testing.T) {
	t.Parallel()
	for want, c := range map[string]struct {
		gap, out time.Duration
	}{
		"":                  {time.Minute, 0},
		"trace_gap":         {61 * time.Second, 0},
		"prompts_exhausted": {time.Second, time.Second},
	} {
		x := traced(t, c.gap)
		x.work = &work{window: time.Hour, out: c.out, traces: load.List{}}
		x.runWarnings(load.Figures{})
		var got []string
		for _, w := range x.warnings {
			if w.Code == "trace_gap" || w.Code == "prompts_exhausted" {
				got = append(got, w.Code)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("a gap of %v: %v", c.gap, x.warnings)
		}
	}
}

// A window of seconds has prompts by the pace of its warmup, and makes the others as
// it goes, all of one stream.
func TestAWindowOfSecondsHasPromptsEnough(t *testing.T) {
	t.Parallel()
	x := longRun(t, "vllm")
	w := &x.exp.Workload
	w.Prompts, w.MinSeconds, w.Load = 1, 10, pattern.Load{Pattern: "closed", Concurrency: 4}
	if err := x.openPrompts(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := x.prompts.make(x.exp, load.Bytes(0, 256, true)); err != nil {
		t.Fatal(err)
	}
	x.spare()
	if n := len(x.prompts.measured); n != 4 {
		t.Errorf("%d prompts without a warmup, want one for each place", n)
	}
	x.warmup = &measure.WarmupResult{Latencies: []time.Duration{time.Second, 2 * time.Second}}
	x.spare()
	const want = 4 + 2*4*10/2
	if n := len(x.prompts.measured); n != want {
		t.Errorf("%d prompts, want %d", n, want)
	}
	next, err := x.prompts.more(x.exp)(want)
	if err != nil || next.ID != want {
		t.Errorf("the one that follows is %d, %v", next.ID, err)
	}
	seen := map[string]bool{}
	for i, r := range append(x.prompts.measured, next) {
		if r.ID != i || seen[r.Hash] {
			t.Errorf("request %d has the number %d, or another's prompt", i, r.ID)
		}
		seen[r.Hash] = true
	}
	if c := x.sends(nil); c.AtLeast != 1 || c.Min != 10*time.Second || c.Max != 0 || len(c.Requests) != want {
		t.Errorf("%d at least, for %v to %v", c.AtLeast, c.Min, c.Max)
	}
}

// A file has to have as many prompts as an open loop's seconds need; a closed loop
// takes all that there are.
func TestPromptsOfAFileForSeconds(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "p.jsonl")
	if err := os.WriteFile(path, []byte("{\"prompt\": \"a\"}\n{\"prompt\": \"b\"}\n{\"prompt\": \"c\"}\n{\"prompt\": \"d\"}\n{\"prompt\": \"e\"}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	e := study.Experiment{Workload: study.Workload{Source: path, Prompts: 2, MinSeconds: 9, Load: pattern.Load{Pattern: "closed", Concurrency: 1}}}
	var p prompts
	if err := p.open(t.Context(), e, hub.Options{}); err != nil || len(p.measured) != 5 || p.plan.N != 2 || p.more(e) != nil {
		t.Errorf("%d prompts, %d at least, %v", len(p.measured), p.plan.N, err)
	}
	e.Workload.Load = pattern.Load{Pattern: "constant", RatePerSecond: 1}
	if err := p.open(t.Context(), e, hub.Options{}); err == nil || !strings.Contains(err.Error(), "p.jsonl holds 5 prompts, and 9 requests are due within workload.min_seconds 9: lower it") {
		t.Errorf("got %v", err)
	}
}
