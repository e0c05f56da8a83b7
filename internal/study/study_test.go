package study

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func decodeStudy(t *testing.T, text string, opt Options) *Study {
	t.Helper()
	s, err := DecodeStudy("s.yaml", []byte(text), opt)
	if err != nil {
		t.Fatalf("decode: %v\n%s", err, text)
	}
	return s
}

func plan(t *testing.T, text string) *Plan {
	t.Helper()
	p, err := decodeStudy(t, text, Options{}).Plan()
	if err != nil {
		t.Fatalf("plan: %v\n%s", err, text)
	}
	return p
}

// counts are a plan's points, those that are not valid, those that are the same
// as another, and those that are run.
func counts(p *Plan) [4]int {
	var n [4]int
	n[0], n[3] = len(p.Points), len(p.Runnable())
	for _, x := range p.Points {
		if x.Invalid != "" {
			n[1]++
		}
		if x.Same >= 0 {
			n[2]++
		}
	}
	return n
}

func names(p *Plan) []string {
	var out []string
	for _, x := range p.Points {
		out = append(out, x.Name)
	}
	return out
}

// The counts were worked out by hand.
func TestTheGrammar(t *testing.T) {
	t.Parallel()
	const conc, seed = "workload.load.concurrency: [1, 8, 64]", "seed: [1, 2]"
	for _, c := range []struct {
		name, text string
		want       [4]int // points, not valid, the same, run
		names      string // of the points, or empty
	}{
		{"one axis", "sweep: {" + conc + "}", [4]int{3, 0, 0, 3}, "concurrency-1 concurrency-8 concurrency-64"},
		{"two axes", "sweep: {" + conc + ", " + seed + "}", [4]int{6, 0, 0, 6}, "concurrency-1_seed-1 concurrency-1_seed-2 concurrency-8_seed-1 concurrency-8_seed-2 concurrency-64_seed-1 concurrency-64_seed-2"},
		{"three axes", "sweep: {" + conc + ", " + seed + ", dtype: [auto, float16, bfloat16, float32]}", [4]int{24, 0, 0, 24}, ""},
		{"an axis of one", "sweep: {" + seed + ", dtype: [float16]}", [4]int{2, 0, 0, 2}, "seed-1 seed-2"},
		{"only an axis of one", "sweep: {dtype: [float16]}", [4]int{1, 0, 0, 1}, "dtype-float16"},
		{"a value twice", "sweep: {seed: [1, 2, 1]}", [4]int{3, 0, 1, 2}, "seed-1 seed-2 seed-1-2"},
		{"the default and its value", "sweep: {dtype: [auto, float16]}\nexperiments: [{}]", [4]int{3, 0, 1, 2}, "dtype-auto dtype-float16 experiment-1"},
		{"alternatives", "sweep: {precision: [{}, {dtype: float16}, {engine.args.quantization: fp8}]}", [4]int{3, 0, 0, 3}, "precision-base precision-float16 precision-fp8"},
		{"alternatives and an axis", "sweep: {" + conc + ", precision: [{}, {dtype: float16}, {engine.args.quantization: fp8}]}", [4]int{9, 0, 0, 9}, ""},
		{"two groups of alternatives", "sweep: {a: [{}, {dtype: float16}], b: [{}, {seed: 1}, {seed: 2}]}", [4]int{6, 0, 0, 6}, ""},
		{"a list in an alternative", "sweep: {a: [{}, {dtype: [float16, bfloat16]}]}", [4]int{3, 0, 0, 3}, "a-base a-float16 a-bfloat16"},
		{"two lists in one", "sweep: {a: [{dtype: [x, y, z], seed: [1, 2]}, {seed: 3}]}", [4]int{7, 0, 0, 7}, "a-x-1 a-x-2 a-y-1 a-y-2 a-z-1 a-z-2 a-3"},
		{"a list in one, and an axis", "sweep: {a: [{dtype: [x, y]}, {}], " + conc + "}", [4]int{9, 0, 0, 9}, ""},
		{"nested keys in an alternative", "sweep: {a: [{workload: {load: {concurrency: [2, 3]}, prompts: 7}}]}", [4]int{2, 0, 0, 2}, ""},
		{"two alternatives of one meaning", "sweep: {a: [{}, {warmup.n_warmup: 5}]}", [4]int{2, 0, 1, 1}, "a-base a-5"},
		{"engine's flags", "sweep: {engine.args.max-num-seqs: [16, 32, 64, 128]}", [4]int{4, 0, 0, 4}, "max-num-seqs-16 max-num-seqs-32 max-num-seqs-64 max-num-seqs-128"},
		{"a flag or none", "sweep: {engine.args.enforce-eager: [null, true]}", [4]int{2, 0, 0, 2}, "enforce-eager-null enforce-eager-true"},
		{"a flag of a dotted name", "sweep: {engine.args.--compilation-config.level: [0, 3]}", [4]int{2, 0, 0, 2}, "level-0 level-3"},
		{"a flag's list is one value", "sweep: {engine.args.lora-modules: [[a=x], [a=x, b=y]]}", [4]int{2, 0, 0, 2}, ""},
		{"images", "sweep: {engine.image: ['vllm/vllm-openai:v0.27.1', 'lmsysorg/sglang:v0.5.16']}", [4]int{2, 0, 0, 2}, "image-vllm-openai-v0.27.1 image-sglang-v0.5.16"},
		{"images, models, concurrencies", "sweep: {engine.image: [a, b], model: [x/y, x/z], " + conc + "}", [4]int{12, 0, 0, 12}, ""},
		{"environment", "sweep: {engine.env.MODE: [fast, slow]}", [4]int{2, 0, 0, 2}, "MODE-fast MODE-slow"},
		{"a body's deep key", "sweep: {workload.extra_body.a.b: [1, 2]}", [4]int{2, 0, 0, 2}, "b-1 b-2"},
		{"GPUs", "sweep: {gpus: [0, 1, GPU-12ab, none]}", [4]int{4, 0, 0, 4}, ""},
		{"lists of GPUs that fit or do not", "sweep: {gpus: [[0], [0, 1]], parallel.tensor: [1, 2]}", [4]int{4, 2, 0, 2}, ""},
		{"power caps, and none", "gpu_settings: {power_limit_w: 300}\nsweep: {gpu_settings.power_limit_w: [null, 250, 300]}", [4]int{3, 0, 0, 3}, ""},
		{"booleans", "sweep: {warmup.enabled: [true, false], baseline.enabled: [true, false]}", [4]int{4, 0, 0, 4}, "warmup.enabled-true_baseline.enabled-true warmup.enabled-true_baseline.enabled-false warmup.enabled-false_baseline.enabled-true warmup.enabled-false_baseline.enabled-false"},
		{"how it is measured", "sweep: {warmup.n_warmup: [1, 5], baseline.duration_seconds: [30, 60]}", [4]int{4, 0, 0, 4}, ""},
		{"what only names or stores", "sweep: {output.dir: [a, b]}", [4]int{2, 0, 1, 1}, ""},
		{"some are not valid", "workload: {load: {pattern: constant, rate_per_second: 1}}\nsweep: {workload.load.pattern: [closed, constant]}", [4]int{2, 1, 0, 1}, ""},
		{"experiments", "experiments: [{}, {dtype: float16}, {seed: 7}]", [4]int{3, 0, 0, 3}, "experiment-1 dtype-float16 seed-7"},
		{"an experiment is one", "experiments: [{}]", [4]int{1, 0, 0, 1}, "experiment-1"},
		{"named experiments", "experiments: [{name: old, seed: 1}, {name: new, seed: 2}, {name: New, seed: 3}]", [4]int{3, 0, 0, 3}, "old new New-2"},
		{"experiments beside a sweep", "sweep: {" + conc + "}\nexperiments: [{engine: {image: other}}, {workload: {load: {concurrency: 8}}}]", [4]int{5, 0, 1, 4}, "concurrency-1 concurrency-8 concurrency-64 image-other concurrency-8-2"},
		{"an experiment's lists are values", "experiments: [{engine: {container: {mounts: ['/a:/b', '/c:/d']}}, gpus: [0, 1], parallel: {data: 2}}]", [4]int{1, 0, 0, 1}, ""},
		{"an experiment that takes the image out", "experiments: [{}, {engine: {image: null, endpoint: 'http://127.0.0.1:1'}}, {engine: {endpoint: 'http://127.0.0.1:1'}}]", [4]int{3, 1, 0, 2}, ""},
		{"an anchor in two alternatives", "sweep: {a: [{<<: &q {dtype: x}, seed: 1}, {<<: *q, seed: 2}]}", [4]int{2, 0, 0, 2}, ""},
		{"secrets", "sweep: {engine.args.api-key: [hf_one_one_one, hf_two_two_two]}", [4]int{2, 0, 1, 1}, "api-key-REDACTED api-key-REDACTED-2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := plan(t, "model: a/b\nengine: {image: i}\n"+c.text+"\n")
			if got := counts(p); got != c.want {
				t.Errorf("points, not valid, the same, run: %v, want %v", got, c.want)
			}
			if got := strings.Join(names(p), " "); c.names != "" && got != c.names {
				t.Errorf("names %s\nwant  %s", got, c.names)
			}
		})
	}
}

func TestAPointIsWhatTheSameExperimentFileIs(t *testing.T) {
	t.Parallel()
	const shared = "model: a/b\nengine: {image: i, args: {a: 1, b: [x]}, env: {E: '1', F: '2'}}\nworkload: {extra_body: {k: {m: 1, n: 2}}}\n"
	for _, c := range []struct{ name, study, same string }{
		{"a scalar", "sweep: {workload.load.concurrency: [64]}", "model: a/b\nengine: {image: i, args: {a: 1, b: [x]}, env: {E: '1', F: '2'}}\nworkload: {load: {concurrency: 64}, extra_body: {k: {m: 1, n: 2}}}\n"},
		{"a flag beside others", "sweep: {engine.args.c: [true]}", "model: a/b\nengine: {image: i, args: {a: 1, b: [x], c: true}, env: {E: '1', F: '2'}}\nworkload: {extra_body: {k: {m: 1, n: 2}}}\n"},
		{"a flag taken out", "experiments: [{engine: {args: {a: null}, env: {F: null}}}]", "model: a/b\nengine: {image: i, args: {a: null, b: [x]}, env: {E: '1'}}\nworkload: {extra_body: {k: {m: 1, n: 2}}}\n"},
		{"a body merged deeply", "experiments: [{workload: {extra_body: {k: {n: 3, o: null}, z: {}}}}]", "model: a/b\nengine: {image: i, args: {a: 1, b: [x]}, env: {E: '1', F: '2'}}\nworkload: {extra_body: {k: {m: 1, n: 3, o: null}, z: {}}}\n"},
		{"an empty mapping changes nothing", "experiments: [{workload: {extra_body: {k: {}}}, engine: {args: {}}}]", shared},
		{"every kind", "experiments: [{engine: {container: {mounts: ['/a:/b'], ulimits: {core: -1}, memory: 2g}}, gpus: [3], energy: {backend: null}, warmup: {enabled: false}, measurement: {thermal_drift_threshold_c: 1.5}}]",
			shared + "gpus: [3]\nenergy: {backend: none}\nwarmup: {enabled: false}\nmeasurement: {thermal_drift_threshold_c: 1.5}\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := plan(t, shared+c.study)
			got, err := p.Experiment(0)
			if err != nil {
				t.Fatal(err)
			}
			want := decode(t, c.same, Options{})
			if c.name == "every kind" {
				want.Engine.Container.Mounts, want.Engine.Container.Ulimits, want.Engine.Container.Memory = []string{"/a:/b"}, map[string]string{"core": "-1"}, "2g"
			}
			want.Name = p.Points[0].Name
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if got.ConfigHash() != p.Points[0].Hash {
				t.Error("another hash than the plan's")
			}
		})
	}
}

func TestWhatAllShareIsLeftAsItIs(t *testing.T) {
	t.Parallel()
	p := plan(t, "model: a/b\nengine: {args: {a: 1}, env: {E: x}}\nworkload: {extra_body: {k: {m: 1}}}\nsweep: {engine.args.a: [2, 3], engine.env.E: [y, null], workload.extra_body.k.m: [5, 6]}\nexperiments: [{}]\n")
	last := len(p.Points) - 1
	e, err := p.Experiment(last)
	if err != nil {
		t.Fatal(err)
	}
	if e.Engine.Args["a"] != 1 || e.Engine.Env["E"] != "x" || e.Workload.ExtraBody["k"].(map[string]any)["m"] != 1 {
		t.Errorf("points wrote to what they share: %+v", e)
	}
}

func TestFlagsAndTheEnvironmentStandAboveWhatIsShared(t *testing.T) {
	t.Parallel()
	const text = "model: a/b\nsweep: {seed: [1, 2]}\n"
	opt := Options{
		Env:   []Set{{"execution.cycles", "7", "LLEM_EXECUTION_CYCLES"}, {"execution.order", "interleave", "LLEM_EXECUTION_ORDER"}},
		Flags: []Set{{"model", "c/d", "--model"}},
	}
	p, err := decodeStudy(t, text, opt).Plan()
	if err != nil {
		t.Fatal(err)
	}
	if e, err := p.Experiment(1); err != nil || e.Model != "c/d" || e.Seed != 2 || p.Len() != 14 || p.Execution.Order != Interleave {
		t.Errorf("%+v, %v, %d runs", e, err, p.Len())
	}
	for _, c := range []struct {
		set  Set
		want string
	}{
		{Set{"seed", "3", "--seed"}, "--seed: seed: is what the study's points differ in"},
		{Set{"sweep", "{seed: [1]}", "LLEM_SWEEP"}, "LLEM_SWEEP: sweep: belongs in the study's file"},
		{Set{"execution.cycles", "many", "LLEM_EXECUTION_CYCLES"}, "LLEM_EXECUTION_CYCLES: execution.cycles: want a whole number"},
		{Set{"gpus", "first", "--gpus"}, "--gpus: gpus: \"first\" is neither"},
	} {
		if _, err := DecodeStudy("s.yaml", []byte(text), Options{Flags: []Set{c.set}}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
}

func TestWhichFilesAreStudies(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"sweep: {seed: [1]}": true, "experiments: []": true, "base: x": true, "execution: {}": true, "sweep:": true,
		"sweep: null": false, "model: x": false, "": false, "- sweep": false, "sweep: [": false, "workload: {sweep: 1}": false,
	} {
		if IsStudy([]byte(text)) != want {
			t.Errorf("IsStudy(%q) = %v", text, !want)
		}
	}
}

func TestExecutionsDefaultsAndValues(t *testing.T) {
	t.Parallel()
	want := Execution{Cycles: 3, Order: Shuffle, Restart: "experiment", GapSeconds: 60, CycleGapSeconds: 300, MaxConsecutiveFailures: 3}
	const text = "model: a/b\nexperiments: [{}]\n"
	if diff := cmp.Diff(want, decodeStudy(t, text, Options{}).Execution); diff != "" {
		t.Errorf("defaults: -want +got:\n%s", diff)
	}
	seed := int64(9)
	want = Execution{5, LatinSquare, &seed, EngineChange, 0, 1.5, 60, 0, 48}
	got := decodeStudy(t, text+"execution: {cycles: 5, order: latin_square, seed: 9, restart: engine_change, gap_seconds: 0, cycle_gap_seconds: 1.5, experiment_timeout_seconds: 60, max_consecutive_failures: 0, timeout_hours: 48}\n", Options{}).Execution
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	none := decodeStudy(t, text+"execution: {seed: null, experiment_timeout_seconds: null, timeout_hours: null}\n", Options{}).Execution
	if none.Seed != nil || none.TimeoutHours != 0 {
		t.Errorf("%+v", none)
	}
}

func FuzzDecodeStudy(f *testing.F) {
	for _, text := range []string{
		"model: a/b\nsweep: {seed: [1, 2], p: [{}, {dtype: [a, b]}]}\nexperiments: [{name: x, engine: {args: {a: null}}}]\nexecution: {order: latin_square}\n",
		"model: a/b\nsweep: {a: &a [*a]}\n", "sweep: {a: [{<<: [{dtype: x}]}]}\n", "base: /dev/zero\nsweep: {x: []}\n",
		"model: a/b\nsweep: {workload.extra_body.a.b: [1, [2], null]}\nexperiments: [{}, {workload: {extra_body: {a: {b: {}}}}}]\n",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := DecodeStudy("s.yaml", []byte(text), Options{})
		for _, p := range Problems(err) {
			if p.Message == "" || p.Source == "s.yaml" && p.Line > len(newLayout([]byte(text), nil).lines) {
				t.Errorf("problem %+v lies outside the file", p)
			}
		}
		if err != nil || s.grid()+len(s.explicit) > 200 || s.Execution.Cycles > 20 {
			return
		}
		p, err := s.Plan()
		if err != nil {
			return
		}
		runs := slices.Collect(p.Runs())
		if len(runs) != p.Len() || p.AtLeast() < 0 {
			t.Errorf("%d runs, want %d", len(runs), p.Len())
		}
		for i, point := range p.Points {
			e, err := p.Experiment(i)
			if (err == nil) != (point.Invalid == "") || err == nil && e.ConfigHash() != point.Hash {
				t.Errorf("point %+v is another experiment: %v", point, err)
			}
		}
		sameStudy(t, s)
	})
}
