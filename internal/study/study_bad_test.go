package study

import (
	"fmt"
	"strings"
	"testing"
)

// saidOfStudy is the error of a text that is no study.
func saidOfStudy(t *testing.T, text string) string {
	t.Helper()
	_, err := DecodeStudy("s.yaml", []byte(text), Options{})
	if err == nil {
		t.Fatalf("decoded %q", text)
	}
	return err.Error()
}

func TestStudiesThatCannotBe(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		// Sweeps.
		"sweep:\n":                                      "s.yaml:2:7: sweep: want axes such as",
		"sweep: {}\n":                                   "s.yaml:2:8: sweep: want axes such as",
		"sweep: [1]\n":                                  "s.yaml:2:8: sweep: want axes such as",
		"sweep: {seed: []}\n":                           "s.yaml:2:15: sweep.seed: the list is empty: an axis of nothing",
		"sweep: {seed: 5}\n":                            "s.yaml:2:15: sweep.seed: want a list",
		"sweep: {seed: {a: 1}}\n":                       "s.yaml:2:15: sweep.seed: want a list",
		"sweep: {a: [{seed: 1}, 5]}\n":                  "s.yaml:2:12: sweep.a: mixes values and mappings",
		"sweep: {seed: [1, {seed: 2}]}\n":               "s.yaml:2:15: sweep.seed: mixes values and mappings",
		"sweep: {seed: [1], seed: [2]}\n":               "s.yaml:2:20: sweep.seed: the key stands twice",
		"sweep: {seed: [1, 2], a: [{seed: 3}, {}]}\n":   "s.yaml:2:23: seed: is set here and by seed",
		"sweep: {a: [{}, {dtype: x}], dtype: [y, z]}\n": "s.yaml:2:30: dtype: is set here and by a",
		"sweep: {a: [{dtype: x}], b: [{dtype: y}]}\n":   "s.yaml:2:26: dtype: is set here and by a",
		"sweep: {workload.extra_body.a: [1], workload.extra_body.a.b: [1]}\n": "s.yaml:2:37: workload.extra_body.a.b: is set here and by workload.extra_body.a",
		"sweep: {workload.extra_body.a.b: [1], workload.extra_body.a: [1]}\n": "s.yaml:2:39: workload.extra_body.a: is set here and by workload.extra_body.a.b",
		"sweep: {dtype: [{seed: 1}]}\n":                                       "s.yaml:2:9: sweep.dtype: is a key of the experiment",
		"sweep: {engine.args: [{a: 1}]}\n":                                    "such as {engine.args.NAME: …}",
		"sweep: {workload: [{prompts: 1}]}\n":                                 "such as {workload.source: …}",
		"sweep: {a: [{seed: 1, seed: 2}]}\n":                                  "sweep.a[0].seed: the key stands twice",
		"sweep: {a: [{engine.args.x: 1, engine: {args: {x: 2}}}]}\n":          "s.yaml:2:48: engine.args.x: is set here and by engine.args.x",
		"sweep: {a: [{dtype: []}]}\n":                                         "s.yaml:2:21: dtype: the list is empty",
		"sweep: {a: [{dtype: [{x: 1}]}]}\n":                                   "dtype: want a string, not a mapping",
		"sweep: {workload.load.concurency: [1]}\n":                            "s.yaml:2:9: workload.load.concurency: unknown key; did you mean \"workload.load.concurrency\"?",
		"sweep: {concurrency: [1]}\n":                                         "s.yaml:2:9: concurrency: unknown key; did you mean workload.load.concurrency?",
		"sweep: {engine.arg.quantization: [fp8]}\n":                           "did you mean \"engine.args.quantization\"?",
		"sweep: {zzzzzzzzz: [1]}\n":                                           "s.yaml:2:9: zzzzzzzzz: unknown key; write its whole path",
		"sweep: {workload.load.zzzzzzzzz: [1]}\n":                             "workload.load.zzzzzzzzz: unknown key; here stand pattern, concurrency",
		"sweep: {workload.load: [1]}\n":                                       "workload.load: is a group of keys (pattern, concurrency",
		"sweep: {a: [{workload: 1}]}\n":                                       "workload: is a group of keys",
		"sweep: {a: [{workload: {loud: {concurrency: 1}}}]}\n":                "s.yaml:2:25: workload.loud: unknown key; did you mean \"workload.load\"?",
		"sweep: {workload.load.concurrency: [1, 0, 5, many]}\n":               "s.yaml:2:40: workload.load.concurrency: 0 is out of range: 1 to 100000",
		"sweep: {seed: [1, null]}\n":                                          "seed: blank: give a value",
		"sweep:\n  seed:\n    -\n":                                            "s.yaml:3:3: seed: blank: give a value",
		"sweep:\n  engine.args.x:\n    -\n":                                   "engine.args.x: blank: give a value or leave it out",
		"sweep: {workload.load.pattern: [waves, closed]}\n":                   "s.yaml:2:33: workload.load.pattern: \"waves\" is not one of",
		"sweep: {name: [a, b]}\n":                                             "s.yaml:2:9: sweep.name: points are named by what they change",
		"sweep: {a: [{name: x}]}\n":                                           "s.yaml:2:14: name: points of a sweep are named",
		"sweep: {execution.cycles: [1, 2]}\n":                                 "s.yaml:2:9: execution.cycles: execution is the study's own",
		"sweep: {execution: [{cycles: 1}]}\n":                                 "sweep.execution: is a key of the experiment",
		"sweep: {a: [{execution: {cycles: 1}}]}\n":                            "s.yaml:2:14: execution: execution is the study's own",
		"sweep: {a: [{sweep: {seed: [1]}}]}\n":                                "sweep: sweep is the study's own",
		"sweep: {engine.args.x: [{a: 1}]}\n":                                  "sweep.engine.args.x: is a key of the experiment",
		"sweep: {engine.args.x: [[[1]]]}\n":                                   "engine.args.x: want a scalar or a list of scalars",
		"sweep: {workload.extra_body.seed: [1]}\n":                            "workload.extra_body.seed: is set by llem itself",
		"sweep: {workload.extra_body.x: [.nan]}\n":                            ".nan is no number that can be sent",
		"sweep: {engine.container.ulimits.nofile: [many]}\n":                  "\"many\" is not soft[:hard]",
		"sweep: {? [a] : [1]}\n":                                              "a key must be a word",
		"sweep: {a: [&a {workload: {extra_body: *a}}]}\n":                     "does an alias stand in itself?",
		"sweep: {seed: [1, 2]}\nbase: nowhere.yaml\n":                         "s.yaml:3:7: base: stat nowhere.yaml: no such file",
		"sweep: {seed: [1, 2]}\nbase: /dev/zero\n":                            "s.yaml:3:7: base: /dev/zero is no file",
		"sweep: {seed: [1, 2]}\nbase:\n":                                      "s.yaml:3:1: base: want the name of an experiment file",
		"sweep: {seed: [1, 2]}\nbase: [a]\n":                                  "s.yaml:3:1: base: want the name",
		// Experiments.
		"experiments: []\n":                            "s.yaml:2:14: experiments: want a list of experiments",
		"experiments: {seed: 1}\n":                     "s.yaml:2:14: experiments: want a list of experiments",
		"experiments: [{seed: 1}, 5]\n":                "s.yaml:2:26: experiments[1]: want a mapping",
		"experiments: [{sed: 1}]\n":                    "s.yaml:2:16: sed: unknown key; did you mean \"seed\"?",
		"experiments: [{engine: {imag: x}}]\n":         "engine.imag: unknown key; did you mean \"engine.image\"?",
		"experiments: [{seed: [1, 2]}]\n":              "seed: want a whole number, not a list",
		"experiments: [{name: a b}]\n":                 "s.yaml:2:22: name: \"a b\" is no name",
		"experiments: [{name: ''}]\n":                  "experiments[0].name: blank",
		"experiments: [{execution: {cycles: 1}}]\n":    "execution is the study's own",
		"experiments: [{warmup: {cv_threshold: 2}}]\n": "s.yaml:2:39: warmup.cv_threshold: 2 is out of range",
		// Execution.
		"execution: {cycles: 5}\n":                                        "s.yaml: the file has keys of a study (execution) and neither sweep nor experiments",
		"experiments: [{}]\nexecution: 5\n":                               "s.yaml:3:12: execution: is a group of keys (cycles, order",
		"experiments: [{}]\nexecution: {cycle: 5}\n":                      "s.yaml:3:13: execution.cycle: unknown key; did you mean \"cycles\"?",
		"experiments: [{}]\nexecution: {cycles: 0}\n":                     "s.yaml:3:21: execution.cycles: 0 is out of range: 1 to 10000",
		"experiments: [{}]\nexecution: {cycles: 1.5}\n":                   "want a whole number",
		"experiments: [{}]\nexecution: {cycles: }\n":                      "execution.cycles: blank",
		"experiments: [{}]\nexecution: {cycles: null}\n":                  "execution.cycles: blank",
		"experiments: [{}]\nexecution: {order: latin}\n":                  "execution.order: \"latin\" is not one of sequential, interleave, shuffle, latin_square",
		"experiments: [{}]\nexecution: {order: shufle}\n":                 "did you mean \"shuffle\"?",
		"experiments: [{}]\nexecution: {gap_seconds: -1}\n":               "out of range",
		"experiments: [{}]\nexecution: {restart: never}\n":                "is not one of experiment, engine_change",
		"experiments: [{}]\nexecution: {timeout_hours: 0}\n":              "out of range",
		"experiments: [{}]\nexecution: {cycles: 1, cycles: 2}\n":          "execution.cycles: the key stands twice",
		"experiments: [{}]\nexecution: {max_consecutive_failures: -1}\n":  "out of range",
		"experiments: [{}]\nexecution: {experiment_timeout_seconds: 0}\n": "out of range",
		// What all share is checked as ever.
		"modle: c\nexperiments: [{}]\n": "s.yaml:2:1: modle: unknown key; did you mean \"model\"?",
	} {
		got := saidOfStudy(t, "model: a/b\n"+text)
		if !strings.Contains(got, want) {
			t.Errorf("%q: got %v\nwant %s", text, got, want)
		}
	}
}

func TestAllProblemsOfAStudyAtOnce(t *testing.T) {
	t.Parallel()
	got := saidOfStudy(t, `modle: a/b
sweep:
  workload.load.concurrency: [1, zero, -4]
  dtpye: [a]
  seed: []
  a: [{}, {warmup: {cv_threshold: 3}}]
experiments:
  - {engine: {pul: never}}
  - 7
execution: {cycles: none, ordr: shuffle}
`)
	for _, want := range []string{
		"s.yaml:1:1: modle: unknown key", `s.yaml:3:34: workload.load.concurrency: want a whole number, not "zero"`, "s.yaml:3:40: workload.load.concurrency: -4 is out of range",
		`s.yaml:4:3: dtpye: unknown key; did you mean "dtype"?`, "s.yaml:5:9: sweep.seed: the list is empty", "s.yaml:6:35: warmup.cv_threshold: 3 is out of range",
		`s.yaml:8:15: engine.pul: unknown key; did you mean "engine.pull"?`, "s.yaml:9:5: experiments[1]: want a mapping", "s.yaml:10:21: execution.cycles: want a whole number", `s.yaml:10:27: execution.ordr: unknown key; did you mean "order"?`,
		"      seed: []\n            ^",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in\n%s", want, got)
		}
	}
}

func TestFarTooManyPointsAreRefused(t *testing.T) {
	t.Parallel()
	axis := "[" + strings.Repeat("1, ", 99) + "1]"
	text := "model: a/b\nsweep: {seed: " + axis + ", warmup.n_warmup: " + axis
	for i := range 10 {
		text += fmt.Sprintf(", engine.args.a%d: %s", i, axis)
	}
	if got := saidOfStudy(t, text+"}\n"); !strings.Contains(got, "its axes multiply to 100 × 100 × 100 × 100") || !strings.Contains(got, "at most 100000") {
		t.Errorf("got %s", got)
	}
	both := "model: a/b\nsweep: {seed: " + axis + ", warmup.n_warmup: " + axis + ", parallel.data: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]}\nexperiments: [{}]\n"
	if got := saidOfStudy(t, both); !strings.Contains(got, "s.yaml:3:1: experiments: with those of the sweep they are 100001 points") {
		t.Errorf("got %s", got)
	}
	inner := "model: a/b\nsweep: {a: [{seed: " + axis + ", warmup.n_warmup: " + axis + ", engine.args.a: " + axis + "}]}\n"
	if got := saidOfStudy(t, inner); !strings.Contains(got, "sweep.a[0]: its lists multiply to more than 100000") {
		t.Errorf("got %s", got)
	}
}

func TestAlternativesThatMultiplyWithoutEndAreRefused(t *testing.T) {
	t.Parallel()
	axis := "[" + strings.Repeat("1, ", 299) + "1]"
	one := "{seed: &a " + axis + ", warmup.n_warmup: &b " + axis + "}"
	text := "model: a/b\nsweep: {a: [" + one + strings.Repeat(", {seed: *a, warmup.n_warmup: *b}", 1000) + "]}\n"
	if got := saidOfStudy(t, text); strings.Count(got, "make more than 200000 values") != 1 || !strings.Contains(got, "sweep.a[2]") {
		t.Errorf("got %.500s", got)
	}
}

func TestTooManyRunsAreRefused(t *testing.T) {
	t.Parallel()
	var values []string
	for i := range 1001 {
		values = append(values, fmt.Sprint(i))
	}
	text := "model: a/b\nsweep: {seed: [" + strings.Join(values, ", ") + "]}\nexecution: {order: %s, cycles: %d}\n"
	for _, c := range []struct {
		order  string
		cycles int
		want   string
	}{
		{Shuffle, 1000, "1001 points in 1000 cycles are 1001000 runs, and a study has at most 1000000: fewer cycles or points"},
		{LatinSquare, 3, "a Latin square of 1001 points takes 2002 cycles"},
	} {
		s := decodeStudy(t, fmt.Sprintf(text, c.order, c.cycles), Options{})
		if _, err := s.Plan(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
}

func TestAStudyWithoutAValidPointIsAnError(t *testing.T) {
	t.Parallel()
	s := decodeStudy(t, "model: a/b\ngpus: [0, 1]\nsweep: {seed: [1, 2, 3]}\n", Options{})
	_, err := s.Plan()
	if err == nil || !strings.Contains(err.Error(), "none of the study's 3 points is valid") || strings.Count(err.Error(), "s.yaml:2:7: parallel: tensor") != 1 {
		t.Errorf("got %v, want the one reason of all", err)
	}
	none := decodeStudy(t, "sweep: {seed: [1]}\n", Options{})
	if _, err := none.Plan(); err == nil || !strings.Contains(err.Error(), "model: missing") {
		t.Errorf("got %v", err)
	}
}

func TestProblemsOfStudiesShowNoSecret(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"sweep: {engine.env.HF_TOKEN: [hf_secret_abc, [hf_secret_abc]]}\n",
		"sweep: {engine.args.api-key: [hf_secret_abc, {}], engine.args.x: [hf_secret_abc, {}]}\n",
		"sweep: {workload.extra_body.auth.user: [hf_secret_abc, .nan]}\n",
		"sweep: {a: [{engine.env.HF_TOKEN: hf_secret_abc, engin: 1}]}\n",
		"experiments: [{engine: {env: {HF_TOKEN: hf_secret_abc}, imag: hf_secret_abc}}]\n",
	} {
		if got := saidOfStudy(t, "model: a/b\n"+text); strings.Contains(got, "hf_secret") {
			t.Errorf("%q: the secret is in\n%s", text, got)
		}
	}
}

// What the decoder refuses by itself, an editor with the schema marks too, and
// what it takes the schema takes.
func TestTheSchemaAndTheDecoderAgreeOnStudies(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text string
		good bool
	}{
		{"sweep: {seed: [1, 2], gpus: [0, [0], none], workload.load.concurrency: [1]}", true},
		{"sweep: {p: [{}, {dtype: float16}, {engine: {args: {a: [1, 2]}}}]}", true},
		{"sweep: {engine.args.a: [1, [x, 2], null, true], engine.env.A: [x, 1, null], engine.container.ulimits.core: ['-1', null], workload.extra_body.a.b: [1, null, [1]]}", true},
		{"sweep: {gpu_settings.power_limit_w: [null, 250]}", true},
		{"experiments: [{}, {name: x, engine: {args: {a: null, b: 1}, env: {A: null}}, workload: {extra_body: {a: null}}}]", true},
		{"experiments: [{}]\nexecution: {cycles: 3, order: shuffle, seed: null, restart: engine_change, gap_seconds: 60, cycle_gap_seconds: 300, experiment_timeout_seconds: null, max_consecutive_failures: 3, timeout_hours: null}", true},
		{"sweep: {seed: []}", false}, {"sweep: {seed: 1}", false}, {"sweep: {seed: [a]}", false}, {"sweep: {seed: [null]}", false}, {"sweep: {seed: [1, {}]}", false},
		{"sweep: {}", false}, {"sweep: [1]", false}, {"sweep: {p: [1]}", false}, {"sweep: {p: [{}, 1]}", false}, {"sweep: {engine.args: [{a: 1}]}", false}, {"sweep: {workload: [{prompts: 1}]}", false},
		{"sweep: {engine.args.a: [{b: 1}]}", false}, {"sweep: {engine.env.A: [[x]]}", false}, {"sweep: {engine.container.ulimits.core: [x]}", false}, {"sweep: {name: [a]}", false}, {"sweep: {execution: [{}]}", false},
		{"experiments: []", false}, {"experiments: {}", false}, {"experiments: [1]", false}, {"experiments: [{sede: 1}]", false}, {"experiments: [{seed: [1]}]", false}, {"experiments: [{execution: {}}]", false}, {"experiments: [{engine: {args: {a: {b: 1}}}}]", false},
		{"execution: {cycles: 3}", false}, {"experiments: [{}]\nexecution: {cycles: 0}", false}, {"experiments: [{}]\nexecution: {order: x}", false}, {"experiments: [{}]\nexecution: {cycle: 1}", false}, {"experiments: [{}]\nexecution: 3", false},
	} {
		text := []byte("model: x\nengine: {image: i}\n" + c.text + "\n")
		if _, err := DecodeStudy("x.yaml", text, Options{}); (err == nil) != c.good {
			t.Errorf("decoder: %q: %v", c.text, err)
		}
		if err := valid(t, text); (err == nil) != c.good {
			t.Errorf("schema: %q: %v", c.text, err)
		}
	}
}
