package study

import (
	"strings"
	"testing"
)

// said is the error of a text that is no experiment.
func said(t *testing.T, text string) string {
	t.Helper()
	_, err := Decode("x.yaml", []byte(text), Options{})
	if err == nil {
		t.Fatalf("decoded %q", text)
	}
	return err.Error()
}

func TestErrorsNameTheEntryAndShowNoSecret(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"blank entry": {"model: a/b\nengine:\n  env:\n    HF_TOKEN: hf_secret_abc\n    A: 1\n    B:\n", "x.yaml:6:5: engine.env.B: blank: give a string, or \"\" for an empty one\n        B:\n        ^"},
		"one line":    {"model: a/b\nengine: {env: {HF_TOKEN: hf_secret_abc, A: 1, B: }}\n", "x.yaml:2:47: engine.env.B: blank: give a string, or \"\" for an empty one\n    engine: {env: {HF_TOKEN: *************, A: 1, B: }}\n" + strings.Repeat(" ", 4+46) + "^"},
		"unknown key": {"model: a/b\nengin: {env: {HF_TOKEN: hf_secret_abc}}\n", "x.yaml:2:1: engin: unknown key; did you mean \"engine\"?\n    engin: {env: {HF_TOKEN: *************}}"},
		"top level":   {"model: a/b\nHF_TOKEN: 'hf_secret_abc' # hf_secret_abc\n", "    HF_TOKEN: *************** # *************\n"},
		"block":       {"model: a/b\nengine:\n  args:\n    private-key: |\n      hf_secret_abc\n    x: {y: 1}\n", "x.yaml:6:8: engine.args.x: want a scalar or a list of scalars\n        x: {y: 1}\n           ^"},
		"nested":      {"model: a/b\nworkload: {extra_body: {auth: {key: hf_secret_abc, x: .nan}}}\n", "workload.extra_body.auth.x: .nan is no number that can be sent"},
		"typo":        {"model: a/b\nengine: {env: {HF_TOKEN: hf_secret_abc, A: [}}\n", "x.yaml:2:45: not YAML: did not find expected node content\n    engine: {env: {HF_TOKEN: REDACTED\n"},
		"after it":    {"model: a/b\nengine: {env: {HF_TOKEN:\n  hf_secret_abc, A: [}}\n", "x.yaml:3:"},
		"list":        {"model: a/b\nengine: {env: {A: [hf_secret_abc]}}\n", "engine.env.A: want a string, not a list"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := said(t, c.text) + "\n"
			if !strings.Contains(got, c.want) {
				t.Errorf("got %s\nwant %s", got, c.want)
			}
			if strings.Contains(got, "hf_secret") && name != "list" { // nothing there says that it is one
				t.Errorf("the secret is in\n%s", got)
			}
		})
	}
}

func TestKeysThatDoNotGoTogetherAreShownWhereTheyStand(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"name: -a\n":                                              "x.yaml:2:7: name: \"-a\" is no name",
		"workload:\n  source: hf:a\n":                             "x.yaml:3:11: workload.source: \"hf:a\" is neither synthetic",
		"workload:\n  source: p.txt\n":                            "x.yaml:3:11: workload.source: ",
		"workload: {order: shuffled}\n":                           "x.yaml:2:19: workload.order: ",
		"workload: {load: {pattern: constant}}\n":                 "x.yaml:2:28: workload.load.rate_per_second: missing",
		"workload: {load: {rate_per_second: 2}}\n":                "x.yaml:2:36: workload.load.rate_per_second: belongs",
		"workload: {load: {max_in_flight: 2}}\n":                  "x.yaml:2:34: workload.load.max_in_flight: belongs",
		"workload: {extra_body: {user: a, seed: 1}}\n":            "x.yaml:2:34: workload.extra_body.seed: is set by llem itself",
		"engine: {container: {mounts: ['a:/b', 'c']}}\n":          "x.yaml:2:39: engine.container.mounts[1]: \"c\" is not source:/target",
		"engine: {container: {devices: [sda]}}\n":                 "x.yaml:2:32: engine.container.devices[0]: ",
		"engine: {container: {ulimits: {core: 0, nofile: x}}}\n":  "x.yaml:2:49: engine.container.ulimits.nofile: \"x\" is not soft",
		"engine: {container: {cpuset: a}}\n":                      "x.yaml:2:30: engine.container.cpuset: ",
		"engine:\n  args:\n    a: 1\n    b: [[1]]\n":              "x.yaml:5:8: engine.args.b: want a scalar",
		"gpus: [0, 1]\n":                                          "x.yaml:2:7: parallel: tensor × pipeline × data is 1",
		"gpus: [0, first]\n":                                      "x.yaml:2:11: gpus: \"first\" is neither",
		"gpus: [0, 1]\nparallel:\n  data: 3\n":                    "x.yaml:4:9: parallel: tensor",
		"gpus: none\ngpu_settings: {sm_clock_mhz: 900}\n":         "x.yaml:3:30: gpu_settings: sets GPUs",
		"gpus: none\nenergy: {backend: zeus}\n":                   "x.yaml:3:19: energy.backend: zeus reads GPUs",
		"energy: {country: fr}\n":                                 "x.yaml:2:19: energy.country: ",
		"engine: {container: {memory: lots}}\n":                   "x.yaml:2:30: engine.container.memory: \"lots\" is no size",
		"revision: r\nmodel: reference/tiny\n":                    "x.yaml:3:1: model: the key stands twice",
		"workload: {extra_body: {a: &a [*a]}}\n":                  "does an alias stand in itself?",
		"engine: {args: {a: &a 1, b: *a, c: &c [*a], d: [*c]}}\n": "x.yaml:2:48: engine.args.d: want a scalar",
	} {
		got := said(t, "model: a/b\n"+text)
		if !strings.Contains(got, want) || !strings.Contains(got, "^") {
			t.Errorf("%q: got %v\nwant %s and the line", text, got, want)
		}
		if n := strings.Count(got, "x.yaml:"); n != 1 {
			t.Errorf("%q: %d errors, want 1:\n%s", text, n, got)
		}
	}
}

func TestAliasesAndMergesAreFollowed(t *testing.T) {
	t.Parallel()
	e := decode(t, `model: &m a/b
engine:
  env: &env {A: *m}
  args: {a: &l [1, 2], b: *l, revision: *m}
workload: {extra_body: {x: &x {k: 1, o: 2}, y: {<<: *x, k: 3}, z: *env}}
`, Options{})
	body := e.Workload.ExtraBody
	y, z := body["y"].(map[string]any), body["z"].(map[string]any)
	if e.Engine.Env["A"] != "a/b" || len(e.Engine.Args["b"].([]any)) != 2 || y["k"] != 3 || y["o"] != 2 || z["A"] != "a/b" {
		t.Errorf("%+v %+v", e.Engine, body)
	}
}

func TestAliasesWithoutEndAreRefused(t *testing.T) {
	t.Parallel()
	text := "model: a/b\nworkload:\n  extra_body:\n    a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
	for _, n := range []string{"1", "2", "3", "4", "5", "6", "7", "8"} {
		before := string(n[0] - 1)
		text += "    a" + n + ": &a" + n + " [" + strings.Repeat("*a"+before+", ", 9) + "*a" + before + "]\n"
	}
	if got := said(t, text); !strings.Contains(got, "aliases make more than") || strings.Count(got, "\n") > 10 {
		t.Errorf("got %.2000s", got)
	}
}

func TestKeysOfMappingsAreStrings(t *testing.T) {
	t.Parallel()
	e := decode(t, "model: a/b\nworkload: {extra_body: {logit_bias: {50256: -100}, day: 2024-01-01}}\n", Options{})
	if got := e.Workload.ExtraBody["logit_bias"].(map[string]any)["50256"]; got != -100 || e.Workload.ExtraBody["day"] != "2024-01-01" {
		t.Errorf("%#v", e.Workload.ExtraBody)
	}
	if e.ConfigHash() == "" || e.WorkloadHash("") == "" { // both panic over what JSON cannot hold
		t.Error("no hash")
	}
}

func TestAnUnknownKeyIsToldItsNeighbourOrItsPlace(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"engin: {}\n":                     `did you mean "engine"?`,
		"prompts: 5\n":                    "did you mean workload.prompts?",
		"promts: 5\n":                     "did you mean workload.prompts?",
		"workload: {concurrency: 4}\n":    "did you mean workload.load.concurrency?",
		"enabled: true\n":                 "did you mean baseline.enabled or warmup.enabled?",
		"sampling: {}\n":                  "did you mean workload.sampling?",
		"max-output-tokens: 7\n":          "did you mean workload.max_output_tokens?",
		"warmup: {thermal-floor: 7}\n":    "here stand enabled, ",
		"zzzzzzzz: 7\n":                   "here stand name, model",
		"workload: {Max_Input_Tokens: 1}": `did you mean "max_input_tokens"?`,
	} {
		if got := said(t, "model: a/b\n"+text); !strings.Contains(got, want) {
			t.Errorf("%q: got %v, want %s", text, got, want)
		}
	}
}

func TestAFileThatCannotBeReadIsNotJudged(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"syntax": "modle: [a\n", "control character": "seed: 1\x01\n", "not UTF-8": "\xff\xfe\x00", "two documents": "seed: 1\n---\nseed: 2\n",
		"broken second": "seed: 1\n---\n[\n", "a list": "- a\n", "ELF": "\x7fELF\x02\x01\x01\x00",
	} {
		if got := said(t, text); strings.Contains(got, "missing") || strings.Count(got, "x.yaml:") != 1 || strings.Contains(got, "go-yaml") {
			t.Errorf("%s: %s", name, got)
		}
	}
	user := &Layer{Source: "user.yaml", Data: []byte("seed: [")}
	if _, err := Decode("x.yaml", nil, Options{User: user}); err == nil || len(Problems(err)) != 1 {
		t.Errorf("got %v, want the user's file alone", err)
	}
}
