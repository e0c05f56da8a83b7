package harness

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/load"
	"github.com/llenergymeasure/llem/internal/pattern"
	"github.com/llenergymeasure/llem/internal/result"
	"github.com/llenergymeasure/llem/internal/study"
)

// small is a workload of milliseconds.
const small = "workload: {prompts: 4, max_input_tokens: 8, max_output_tokens: 4}\n"

func TestPhasesComeInTheirOrder(t *testing.T) {
	t.Parallel()
	f := &fake{}
	out, phases, err := f.executed(t, small, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"preflight", "baseline", "launch", "warmup", "thermal_floor", "window", "record", "after"}
	if !slices.Equal(phases, want) {
		t.Errorf("phases %v, want %v", phases, want)
	}
	r := out.Record
	if r.Status != result.Completed || r.Requests.Completed != 4 || *r.Tokens.Output != 16 || *r.Tokens.Input != 32 || f.ended != "stopped" {
		t.Errorf("%s, %+v, %+v, the container was %q", r.Status, r.Requests, r.Tokens, f.ended)
	}
	for _, name := range []string{result.RecordFile, result.RequestsFile, result.ConfigFile, result.LogFile} {
		if _, err := os.Stat(filepath.Join(out.Dir, name)); err != nil {
			t.Error(err)
		}
	}
}

// Whatever breaks when a server dies, the run says that it died and how.
func TestADeathIsToldWhereverItComes(t *testing.T) {
	t.Parallel()
	const warmed = 5 // completions of the warmup
	for _, c := range []struct {
		name, path string
		after      int
		phase      string // at whose begin it dies, in place of a request
		window     bool   // was there one
	}{
		{name: "as it is asked what it is", path: "/version"},
		{name: "in the warmup", path: "/v1/completions", after: 2},
		{name: "in the thermal floor", phase: "thermal_floor"},
		{name: "as connections are opened", path: "/v1/models", after: 2},
		{name: "in the window", path: "/v1/completions", after: warmed + 2, window: true},
		{name: "after whole answers, at its sync route", path: "/sync", window: true},
		{name: "after whole answers, at its counters", path: "/metrics", after: 2, window: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := &fake{dies: c.path, after: c.after}
			begun := time.Now()
			out, _, err := f.executed(t, small+floor(c.phase), func(phase string) {
				if c.phase != "" && phase == c.phase {
					f.die()
				}
			})
			var died *launch.Exited
			if !errors.As(err, &died) || died.ExitCode != 9 || died.LogTail == "" {
				t.Fatalf("error %v, want the death", err)
			}
			r := out.Record
			if r.Status != result.Failed || !strings.Contains(r.Error, "exit code 9") || (r.WindowSeconds != nil) != c.window || f.ended == "" {
				t.Errorf("%s, %q, window %v, the container was %q", r.Status, r.Error, r.WindowSeconds, f.ended)
			}
			if took := time.Since(begun); took > deathNotice {
				t.Errorf("it took %s to see it", took)
			}
		})
	}
}

// floor is a thermal floor for what happens in it.
func floor(phase string) string {
	if phase == "" {
		return "warmup: {n_warmup: 5}\n"
	}
	return "warmup: {n_warmup: 5, thermal_floor_seconds: 20}\n"
}

// told are the warnings of a record with the code, as one text.
func told(r *result.Record, code string) string {
	var out []string
	for _, w := range r.MeasurementWarnings {
		if strings.HasPrefix(w, code+": ") {
			out = append(out, w)
		}
	}
	return strings.Join(out, "\n")
}

func TestWarningsOfARun(t *testing.T) {
	t.Parallel()
	judged := []string{"prefix_cache_hits", "engine_args_override", "warmup_not_converged", "cold_start", "output_length_not_controlled", "token_count_mismatch", "window_not_quiesced", "requests_failed"}
	for _, c := range []struct {
		name string
		fake *fake
		text string
		want map[string]string // code: what it says
	}{
		{"nothing to say", &fake{}, small, nil},
		{"no warmup", &fake{}, small + "warmup: {enabled: false}\n", map[string]string{"cold_start": "nothing was sent"}},
		{"a warmup that never settles", &fake{swings: true}, small + "warmup: {convergence_detection: true, cv_threshold: 0.01, max_warmup_prompts: 6}\n",
			map[string]string{"warmup_not_converged": "after 6 iterations"}},
		{"answers as long as the model likes", &fake{}, strings.Replace(small, "}", ", sampling: {ignore_eos: false}}", 1),
			map[string]string{"output_length_not_controlled": "may end an answer early"}},
		{"answers that end early all the same", &fake{short: 1}, small, map[string]string{"output_length_not_controlled": "4 of 4 answers"}},
		{"prompts to which the server adds", &fake{template: 1}, small, map[string]string{"token_count_mismatch": "4 of 4 prompts"}},
		{"a chat's template", &fake{template: 7}, strings.Replace(small, "}", ", api: chat}", 1), nil},
		{"a server that still works", &fake{running: 2}, small, map[string]string{"window_not_quiesced": "2 requests running"}},
		{"prompts whose first token it had already", &fake{cached: 1}, small, nil},
		{"prompts that it cuts to its context", &fake{template: 4090}, strings.Replace(small, "}", ", api: chat}", 1), map[string]string{"token_count_mismatch": "whole context of 4096"}},
		{"prompts that it had already", &fake{cached: 3}, small, map[string]string{"prefix_cache_hits": "12 of 32 prompt tokens"}},
		{"what prompts share by design", &fake{cached: 3}, strings.Replace(small, "}", ", shared_prefix: {length: 3, groups: 1}}", 1), nil},
		{"more than prompts share", &fake{cached: 4}, strings.Replace(small, "}", ", shared_prefix: {length: 3, groups: 1}}", 1), map[string]string{"prefix_cache_hits": "16 of 32 prompt tokens"}},
		{"a flag that llem sets", &fake{}, small + "engine: {name: reference, image: i, args: {seed: 9}}\n", map[string]string{"engine_args_override": "--seed"}},
		{"a flag of llem's that is taken out", &fake{}, small + "engine: {name: reference, image: i, args: {seed: null}}\n", map[string]string{"engine_args_override": "take out --seed (null)"}},
		{"a refused request", &fake{fails: 1 + 4}, small, map[string]string{"requests_failed": "1 of 4 requests failed"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			out, _, err := c.fake.executed(t, c.text, nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := out.Record.WarningSeverities["output_length_not_controlled"]; got != "" && (got == "doubt") != (c.fake.short > 0) {
				t.Errorf("answers %d tokens short: a %s", c.fake.short, got)
			}
			for _, code := range judged {
				got := told(out.Record, code)
				if want := c.want[code]; (want == "") != (got == "") || !strings.Contains(got, want) {
					t.Errorf("%s: got %q, want %q", code, got, want)
				}
			}
		})
	}
}

func TestConnectionsThatAreOpenedAhead(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		load pattern.Load
		want int
	}{
		{"a closed loop: its concurrency", pattern.Load{Pattern: "closed", Concurrency: 2000}, 2000},
		{"a closed loop of fewer requests", pattern.Load{Pattern: "closed", Concurrency: 99999}, 5000},
		{"a constant rate with a bound", pattern.Load{Pattern: "constant", MaxInFlight: 2000}, 2000},
		{"a constant rate without one", pattern.Load{Pattern: "constant"}, min(openedAhead, load.MostConnections())},
	} {
		if got := connections(study.Workload{Prompts: 5000, Load: c.load}); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}
