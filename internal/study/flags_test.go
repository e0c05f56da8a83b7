package study

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// flagSets are flags in the order in which llem run gives them.
func flagSets(pairs ...string) []Set {
	paths := map[string]string{
		FlagNumPrompts: "workload.prompts", FlagRequestRate: "workload.load.rate_per_second", FlagConcurrency: "workload.load.concurrency",
		FlagInputLen: "workload.max_input_tokens", FlagOutputLen: "workload.max_output_tokens", FlagDuration: "workload.min_seconds", FlagRepeat: "execution.cycles",
	}
	var out []Set
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, Set{Path: paths[pairs[i]], Value: pairs[i+1], Source: pairs[i]})
	}
	return out
}

func TestLoadFlagsReplaceTheLoadOfTheFile(t *testing.T) {
	const closed, rate = "load: {pattern: closed, concurrency: 4}", "load: {pattern: gamma, rate_per_second: 1, burstiness: 2}"
	for _, c := range []struct {
		name, workload string
		flags          []string
		want           string // the workload that means the same
	}{
		{"concurrency of nothing", "", []string{FlagConcurrency, "8"}, "load: {concurrency: 8}"},
		{"concurrency of a closed load", closed, []string{FlagConcurrency, "8"}, "load: {concurrency: 8}"},
		{"concurrency bounds a rate", "", []string{FlagRequestRate, "2.5", FlagConcurrency, "8"}, "load: {pattern: poisson, rate_per_second: 2.5, max_in_flight: 8}"},
		{"concurrency bounds the file's rate", rate, []string{FlagConcurrency, "8"}, "load: {pattern: gamma, rate_per_second: 1, burstiness: 2, max_in_flight: 8}"},
		{"a rate ends a closed load", closed, []string{FlagRequestRate, "2"}, "load: {pattern: poisson, rate_per_second: 2}"},
		{"a rate keeps the file's pattern", rate, []string{FlagRequestRate, "3"}, "load: {pattern: gamma, rate_per_second: 3, burstiness: 2}"},
		{"no limit of a rate", rate, []string{FlagRequestRate, "inf", FlagConcurrency, "8"}, "load: {concurrency: 8}"},
		{"no limit as YAML has it", closed, []string{FlagRequestRate, ".inf", FlagConcurrency, "8"}, "load: {concurrency: 8}"},
		{"seconds", closed + ", prompts: 500", []string{FlagDuration, "60"}, closed + ", min_seconds: 60, max_seconds: 60"},
		{"minutes", "min_seconds: 5, max_seconds: 7", []string{FlagDuration, "1m30s"}, "min_seconds: 90, max_seconds: 90"},
		{"what ends first", "min_seconds: 5", []string{FlagNumPrompts, "10", FlagDuration, "60"}, "prompts: 10, max_seconds: 60"},
		{"lengths", "max_input_tokens: 1", []string{FlagInputLen, "7", FlagOutputLen, "9"}, "max_input_tokens: 7, max_output_tokens: 9"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := decode(t, "model: a/b\nworkload: {"+c.workload+"}\n", Options{Flags: flagSets(c.flags...)})
			want := decode(t, "model: a/b\nworkload: {"+c.want+"}\n", Options{})
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestLoadFlagsThatCannotBe(t *testing.T) {
	const trace = "load: {pattern: trace, file: t.jsonl, max_in_flight: 4}"
	for _, c := range []struct {
		workload string
		flags    []string
		says     string
	}{
		{"", []string{FlagConcurrency, "eight"}, `--concurrency: workload.load.concurrency: want a whole number, not "eight"`},
		{"", []string{FlagConcurrency, "0"}, "--concurrency: workload.load.concurrency: 0 is out of range"},
		{"", []string{FlagRequestRate, "fast"}, `--request-rate: workload.load.rate_per_second: want a number, not "fast"`},
		{"", []string{FlagRequestRate, "-1"}, "out of range"},
		{trace, []string{FlagRequestRate, "2"}, "belongs to the pattern constant"},
		{"load: {pattern: steps, steps: [1@2]}", []string{FlagRequestRate, "inf"}, "by its own schedule (steps)"},
		{"", []string{FlagDuration, "soon"}, `--duration: workload.min_seconds: want a time above 0`},
		{"", []string{FlagDuration, "0"}, "want a time above 0"},
		{"", []string{FlagDuration, "nan"}, "want a time above 0"},
		{"", []string{FlagInputLen, "1.5"}, "want a whole number"},
		{trace, []string{FlagInputLen, "5"}, "the trace has a length for each request"},
		{trace, []string{FlagOutputLen, "5"}, "the trace has a length for each request"},
		{"source: p.jsonl", []string{FlagInputLen, "5"}, "p.jsonl are sent whole"},
		{"lengths: {output: 'uniform(1, 5)'}, max_output_tokens: 5", []string{FlagOutputLen, "5"}, "drawn by workload.lengths.output"},
		{"lengths: {file: l.csv}", []string{FlagInputLen, "5"}, "workload.lengths.file"},
		{"", []string{FlagRepeat, "2"}, "belongs to a study"},
	} {
		_, err := Decode("x.yaml", []byte("model: a/b\nworkload: {"+c.workload+"}\n"), Options{Flags: flagSets(c.flags...)})
		if err == nil || !strings.Contains(err.Error(), c.says) || len(Problems(err)) != 1 {
			t.Errorf("%q with %v: %v, want one problem with %q", c.workload, c.flags, err, c.says)
		}
	}
}

func TestRepeatIsAStudyOfOnePoint(t *testing.T) {
	for _, c := range []struct {
		text, name string
		flags      []string
	}{
		{"model: a/b\nengine: {name: vllm}\n", "b-vllm", nil},
		{"", "tiny-engine", nil},
		{"name: mine\nmodel: a/b\n", "mine", []string{FlagConcurrency, "4"}},
		{"model: a/b\nengine: {name: vllm}\nexecution: {cycles: 9, gap_seconds: 1}\n", "b-vllm", nil},
		{`{"model": "a/b", "engine": {"name": "vllm"}}`, "b-vllm", []string{FlagRequestRate, "2", FlagDuration, "60"}},
	} {
		opt := Options{Flags: flagSets(append([]string{FlagRepeat, "5"}, c.flags...)...)}
		if c.text == "" {
			opt.Flags = append(opt.Flags, Set{Path: "model", Value: "reference/tiny", Source: "--model"}, Set{Path: "engine.image", Value: "x/engine", Source: "--image"})
		}
		s, err := DecodeStudy("x.yaml", []byte(c.text), opt)
		if err != nil {
			t.Errorf("%q: %v", c.text, err)
			continue
		}
		p, err := s.Plan()
		if err != nil || p.Len() != 5 || s.Name != c.name || p.Points[0].Name != c.name {
			t.Errorf("%q: %v, %v, %q", c.text, p, err, s.Name)
			continue
		}
		// The file that the study's folder keeps is the same study, without the flag.
		again, err := DecodeStudy("study.yaml", s.EffectiveYAML(), Options{})
		if err != nil {
			t.Errorf("%q: its own file: %v\n%s", c.text, err, s.EffectiveYAML())
			continue
		}
		if q, err := again.Plan(); err != nil || q.Hash != p.Hash {
			t.Errorf("%q: its own file is another study: %v\n%s", c.text, err, s.EffectiveYAML())
		}
	}
}

func TestRepeatIsOfOneExperiment(t *testing.T) {
	for text, says := range map[string]string{
		"model: a/b\nsweep: {seed: [1, 2]}\n":                  "x.yaml:2:1: sweep: makes the file a study",
		"model: a/b\nexperiments: [{}, {seed: 2}]\n":           "x.yaml:2:1: experiments: makes the file a study",
		"model: a/b\nbase: none.yaml\nsweep: {seed: [1, 2]}\n": "sweep: makes the file a study",
		"model: a/b\nexecution: {cycles: many}\n":              "execution.cycles: want a whole number",
		"model: [a/b]\n": "model: want a string",
	} {
		_, err := DecodeStudy("x.yaml", []byte(text), Options{Flags: flagSets(FlagRepeat, "2")})
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want %q", text, err, says)
		}
	}
	for _, n := range []string{"0", "-1", "two", "1.5", "10001"} {
		_, err := DecodeStudy("x.yaml", []byte("model: a/b\n"), Options{Flags: flagSets(FlagRepeat, n)})
		if err == nil || !strings.HasPrefix(err.Error(), "--repeat: execution.cycles: ") {
			t.Errorf("--repeat %s: %v", n, err)
		}
	}
}

// A flag of the load sets what a study's points share, and never what they differ in.
func TestLoadFlagsOfStudies(t *testing.T) {
	const text = "model: a/b\nsweep: {%s: [1, 2]}\n"
	for _, c := range []struct{ swept, flag, value, says string }{
		{"workload.load.concurrency", FlagConcurrency, "4", "is what the study's points differ in"},
		{"workload.max_output_tokens", FlagOutputLen, "4", "is what the study's points differ in"},
		{"workload.max_seconds", FlagDuration, "4", "is what the study's points differ in"},
		{"seed", FlagConcurrency, "4", ""},
	} {
		_, err := DecodeStudy("x.yaml", fmt.Appendf(nil, text, c.swept), Options{Flags: flagSets(c.flag, c.value)})
		if c.says == "" && err != nil || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s over %s: %v, want %q", c.flag, c.swept, err, c.says)
		}
	}
}
