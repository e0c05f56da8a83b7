package harness

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/llenergymeasure/llem/internal/job"
	"github.com/llenergymeasure/llem/internal/load"
	"github.com/llenergymeasure/llem/internal/measure"
	"github.com/llenergymeasure/llem/internal/pattern"
	"github.com/llenergymeasure/llem/internal/record"
)

// traced is the job of a trace, whose second request comes so long after the first.
func traced(t *testing.T, gap time.Duration) *job.Job {
	t.Helper()
	j := longRun(t, "vllm").job
	w := &j.Experiment.Workload
	w.Prompts, w.MinSeconds = 2, 0
	w.Load = pattern.Load{Pattern: "trace", TimeUnit: "ms", MaxInFlight: 4, File: filepath.Join(t.TempDir(), "a.jsonl")}
	text := fmt.Sprintf(`{"timestamp":0,"input_length":100,"output_length":1}
{"timestamp":%d,"input_length":99,"output_length":29}
`, gap.Milliseconds())
	if err := os.WriteFile(w.Load.File, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := (&job.Finder{}).Prompts(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	return j
}

// The requests of a trace are held against the context one by one: no one of them
// is as long as its longest prompt and its longest answer.
func TestATraceIsHeldAgainstTheContext(t *testing.T) {
	t.Parallel()
	j := traced(t, time.Second)
	if err := j.Fits("the model's context", 128); err != nil {
		t.Error(err)
	}
	err := j.Fits("the model's context", 127)
	want := j.Experiment.Workload.Load.File + ":2: a prompt of 99 tokens and an answer of 29 do not fit the model's context of 127: take the request out, or raise engine.args.max-model-len"
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
		j := traced(t, c.gap)
		r := record.Of(record.Observation{
			Job: *j, Host: record.Host{NoEnergy: record.NoGPUs}, Window: &record.Window{Length: time.Hour, Out: c.out, Timings: load.List{}},
		})
		var got []string
		for _, code := range []string{"trace_gap", "prompts_exhausted"} {
			if r.WarningSeverities[code] != "" {
				got = append(got, code)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("a gap of %v: %v", c.gap, r.MeasurementWarnings)
		}
	}
}

// A window of seconds has prompts by the pace of its warmup, and makes the others as
// it goes, all of one stream.
func TestAWindowOfSecondsHasPromptsEnough(t *testing.T) {
	t.Parallel()
	j := longRun(t, "vllm").job
	w := &j.Experiment.Workload
	w.Prompts, w.MinSeconds, w.Load = 1, 10, pattern.Load{Pattern: "closed", Concurrency: 4}
	if err := (&job.Finder{}).Prompts(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	if err := j.Prompts.Draw(j.Experiment, load.Bytes(0, 256, true)); err != nil {
		t.Fatal(err)
	}
	spare(j, nil)
	if n := len(j.Prompts.Measured); n != 4 {
		t.Errorf("%d prompts without a warmup, want one for each place", n)
	}
	spare(j, &measure.WarmupResult{Latencies: []time.Duration{time.Second, 2 * time.Second}})
	const want = 4 + 2*4*10/2
	if n := len(j.Prompts.Measured); n != want {
		t.Errorf("%d prompts, want %d", n, want)
	}
	next, err := j.Prompts.More(j.Experiment)(want)
	if err != nil || next.ID != want {
		t.Errorf("the one that follows is %d, %v", next.ID, err)
	}
	seen := map[string]bool{}
	for i, r := range append(j.Prompts.Measured, next) {
		if r.ID != i || seen[r.Hash] {
			t.Errorf("request %d has the number %d, or another's prompt", i, r.ID)
		}
		seen[r.Hash] = true
	}
	if c := sends(j, nil); c.AtLeast != 1 || c.Min != 10*time.Second || c.Max != 0 || len(c.Requests) != want {
		t.Errorf("%d at least, for %v to %v", c.AtLeast, c.Min, c.Max)
	}
}
