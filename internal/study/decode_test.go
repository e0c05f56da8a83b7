package study

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func decode(t *testing.T, text string, opt Options) Experiment {
	t.Helper()
	e, err := Decode("x.yaml", []byte(text), opt)
	if err != nil {
		t.Fatalf("decode: %v", err)
	}
	return e
}

func TestDefaultsAreThoseOfTheProtocol(t *testing.T) {
	e := decode(t, "model: a/b\n", Options{})
	w := e.Warmup
	if w.NWarmup != 5 || w.ThermalFloorSeconds != 60 || !w.Enabled || w.CVThreshold != 0.05 || w.MaxWarmupPrompts != 20 {
		t.Errorf("warmup = %+v", w)
	}
	if e.Baseline.DurationSeconds != 30 || e.Baseline.CacheTTLSeconds != 3600 || e.Measurement.SampleIntervalMS != 100 || e.Measurement.ThermalDriftThresholdC != 10 {
		t.Errorf("baseline = %+v, measurement = %+v", e.Baseline, e.Measurement)
	}
	if e.Workload.Prompts != 100 || !e.Workload.Sampling.IgnoreEOS || e.Energy.Backend != "auto" || e.GPUs.Mode != "auto" || e.Seed != 42 {
		t.Errorf("e = %+v", e)
	}
}

func TestDependentDefaults(t *testing.T) {
	e := decode(t, "model: a/b\nworkload: {load: {concurrency: 64}, source: p.jsonl}\n", Options{})
	if e.Workload.Prompts != 640 || e.Workload.Sampling.IgnoreEOS {
		t.Errorf("prompts = %d, ignore_eos = %v; want 640, false", e.Workload.Prompts, e.Workload.Sampling.IgnoreEOS)
	}
}

const twelve = `name: "a b"
model: 7
engin: {image: x}
engine:
  pull: sometimes
  startup_timeout_seconds: -1
gpus: [0, 0]
workload:
  prompts: 1.5
  load:
    patern: closed
    rate_per_second: .nan
warmup:
  thermal_floor_seconds: 29
  cv_threshold: 0.9
energy:
  backend:
baseline:
  after: maybe
sweep: {}
`

func TestTwelveErrorsAtOnce(t *testing.T) {
	_, err := Decode("bad.yaml", []byte(twelve), Options{})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		`bad.yaml:2:8: model: want a string, not 7 (quote it)`,
		`bad.yaml:3:1: engin: unknown key; did you mean "engine"?`,
		`bad.yaml:5:9: engine.pull: "sometimes" is not one of missing, always, never`,
		`bad.yaml:6:28: engine.startup_timeout_seconds: -1 is out of range: 1 to`,
		`bad.yaml:7:11: gpus: GPU 0 stands twice`,
		`bad.yaml:9:12: workload.prompts: want a whole number, not "1.5"`,
		`bad.yaml:11:5: workload.load.patern: unknown key; did you mean "pattern"?`,
		`bad.yaml:12:22: workload.load.rate_per_second: want a number, not ".nan"`,
		`bad.yaml:14:26: warmup.thermal_floor_seconds: 29 is out of range: 30 to`,
		`bad.yaml:15:17: warmup.cv_threshold: 0.9 is out of range: 0.01 to 0.5`,
		`bad.yaml:17:3: energy.backend: blank: write none (or null) to switch energy off`,
		`bad.yaml:19:10: baseline.after: want true or false`,
		`bad.yaml:20:1: sweep: belongs to a study`,
		`bad.yaml:1:7: name: "a b" is no name: use letters`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("missing %q in:\n%v", want, err)
		}
	}
	if n := len(Problems(err)); n < 12 {
		t.Errorf("%d problems at once, want at least 12", n)
	}
	if !strings.Contains(err.Error(), "    sweep: {}\n    ^") {
		t.Errorf("no caret under the key in:\n%v", err)
	}
}

func TestFilesThatAreNoExperiment(t *testing.T) {
	for _, tc := range []struct{ name, text, want string }{
		{"syntax", "model: [a\n", "not YAML"},
		{"list", "- a\n", "not a mapping"},
		{"two documents", "model: a/b\n---\nmodel: c/d\n", "more than one document"},
		{"twice", "model: a/b\nmodel: c/d\n", "twice"},
		{"empty", "", "model: missing"},
		{"blank", "model:\n", "blank"},
		{"not UTF-8", "model: \xff\n", "not UTF-8"},
		{"group as value", "warmup: 3\n", "group of keys"},
		{"tab", "warmup:\n\tn_warmup: 3\n", "not YAML"},
		{"backend", "model: a/b\nenergy: {backend: zeuss}\n", "did you mean"},
		{"country", "model: a/b\nenergy: {country: fr}\n", "three capital letters"},
		{"none and zeus", "model: a/b\ngpus: none\nenergy: {backend: zeus}\n", "gpus is none"},
		{"a dataset that is none", "model: a/b\nworkload: {source: 'hf:a'}\n", "nor a dataset such as hf:owner/name/FILE"},
		{"several turns", "model: a/b\nworkload: {turns: 3}\n", "conversations of several turns are not in this version of llem"},
		{"images", "model: a/b\nworkload: {images: 1}\n", "images are not in this version of llem"},
		{"a column of nothing", "model: a/b\nworkload: {column: q}\n", "workload.source is synthetic: leave it out"},
		{"endpoint", "model: a/b\nengine: {endpoint: 'http://u:p@x'}\n", "is no address"},
		{"endpoint with a container's keys", "model: a/b\nengine: {endpoint: 'http://x', args: {a: 1}}\n", "engine.args: belongs to a container"},
		{"constant without rate", "model: a/b\nworkload: {load: {pattern: constant}}\n", "needs it"},
		{"none and nvml", "model: a/b\ngpus: none\nenergy: {backend: nvml}\n", "gpus is none"},
		{"parallel", "model: a/b\ngpus: [0, 1]\n", "make them equal"},
		{"mount", "model: a/b\nengine: {container: {mounts: ['x']}}\n", "source:/target"},
		{"size", "model: a/b\nengine: {container: {memory: lots}}\n", "no size"},
		{"ulimit", "model: a/b\nengine: {container: {ulimits: {nofile: many}}}\n", "soft[:hard]"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := Decode("x.yaml", []byte(tc.text), Options{})
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q in it", err, tc.want)
			}
		})
	}
}

func TestNullBackendMeansNone(t *testing.T) {
	if e := decode(t, "model: a/b\nenergy: {backend: null}\n", Options{}); e.Energy.Backend != "none" {
		t.Errorf("backend = %q, want none", e.Energy.Backend)
	}
}

// testdata/documented.yaml is the experiment block of the specification, with
// every key at its documented default.
func TestTheDocumentedExampleDecodesToTheDefaults(t *testing.T) {
	data, err := os.ReadFile("testdata/documented.yaml")
	if err != nil {
		t.Fatal(err)
	}
	other := regexp.MustCompile(`(?m)^  endpoint: .*\n`) // the one key in it that stands instead of another
	if n := len(other.FindAll(data, -1)); n != 1 {
		t.Fatalf("%d lines of an endpoint, want 1", n)
	}
	text := other.ReplaceAll(data, nil)
	got := decode(t, string(text), Options{})
	want := decode(t, `name: llama31-8b-vllm
model: meta-llama/Llama-3.1-8B-Instruct
engine: {image: "vllm/vllm-openai:v0.27.1", name: vllm, args: {max-model-len: 4096}, container: {shm_size: 16GiB}}
`, Options{})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("defaults other than documented: -want +got:\n%s", diff)
	}
	if err := valid(t, text); err != nil {
		t.Error(err)
	}
	if _, err := Decode("x.yaml", data, Options{}); err == nil || !strings.Contains(err.Error(), "engine.image: belongs to a container") {
		t.Errorf("with an endpoint beside the image: %v", err)
	}
}

func TestPrecedence(t *testing.T) {
	user := &Layer{Source: "user.yaml", Data: []byte("seed: 1\ndtype: a\nrevision: r\noutput: {dir: u}\n")}
	opt := Options{
		User:  user,
		Env:   []Set{{"seed", "3", "LLEM_SEED"}, {"output.dir", "e", "LLEM_OUTPUT_DIR"}},
		Flags: []Set{{"output.dir", "f", "--output"}},
	}
	e := decode(t, "model: a/b\nseed: 2\ndtype: b\n", opt)
	if e.Output.Dir != "f" || e.Seed != 3 || e.DType != "b" || e.Revision != "r" {
		t.Errorf("output %q, seed %d, dtype %q, revision %q; want f 3 b r", e.Output.Dir, e.Seed, e.DType, e.Revision)
	}
	opt.Flags = []Set{{"workload.prompts", "many", "--num-prompts"}}
	if _, err := Decode("x.yaml", []byte("model: a/b\n"), opt); err == nil || !strings.Contains(err.Error(), "--num-prompts: workload.prompts: want a whole number") {
		t.Errorf("got %v, want the flag named", err)
	}
}

func TestQuickMayBreakTheFloor(t *testing.T) {
	e := decode(t, "model: a/b\n", Options{Quick: true})
	if !e.Quick || e.Warmup.ThermalFloorSeconds != 0 || e.Baseline.DurationSeconds != 5 || e.Workload.Prompts != 8 {
		t.Errorf("quick = %+v", e)
	}
}

func TestHashes(t *testing.T) {
	base := decode(t, "model: a/b\nengine: {env: {B: '1', A: '2'}}\n", Options{})
	same := decode(t, "# a comment\nengine:\n  env:\n    A: '2'\n    B: '1'\nname: other\nwarmup: {n_warmup: 5}\noutput: {dir: x}\nmodel: a/b\n", Options{})
	if base.ConfigHash() != same.ConfigHash() {
		t.Error("the same configuration written otherwise has another hash")
	}
	for _, text := range []string{
		"model: a/c\nengine: {env: {B: '1', A: '2'}}\n",
		"model: a/b\nengine: {env: {B: '1', A: '2'}}\nwarmup: {n_warmup: 6}\n",
		"model: a/b\nengine: {env: {B: '1', A: '2'}}\nbaseline: {enabled: false}\n",
		"model: a/b\nengine: {env: {B: '1', A: '3'}}\n",
	} {
		if decode(t, text, Options{}).ConfigHash() == base.ConfigHash() {
			t.Errorf("%q has the same hash", text)
		}
	}
	more := decode(t, "model: a/b\nwarmup: {n_warmup: 9}\n", Options{})
	if more.WorkloadHash("") != base.WorkloadHash("") {
		t.Error("the workload hash depends on the warmup")
	}
	if decode(t, "model: a/b\nseed: 7\n", Options{}).WorkloadHash("") == base.WorkloadHash("") {
		t.Error("the workload hash does not depend on the seed")
	}
}

func TestSecretsAreRedacted(t *testing.T) {
	text := "model: a/b\nengine: {env: {HF_TOKEN: hunter2, MAX: '3'}, args: {api-key: hunter3, max-num-batched-token: 5}}\n"
	e := decode(t, text, Options{})
	out := string(e.EffectiveYAML()) + string(Redact([]byte(text)))
	if strings.Contains(out, "hunter") || strings.Count(out, redacted) != 4 || !strings.Contains(out, "max-num-batched-token: 5") {
		t.Errorf("redacted:\n%s", out)
	}
	if e.Engine.Env["HF_TOKEN"] != "hunter2" {
		t.Error("redacting changed the experiment itself")
	}
	if got := Redact([]byte("a: [")); strings.Contains(string(got), "a: [") {
		t.Errorf("an unreadable file came back: %q", got)
	}
}

func TestEffectiveConfigurationDecodesToItself(t *testing.T) {
	for _, text := range []string{
		"model: a/b\n",
		"model: a/b\ngpus: [0, GPU-12ab]\nparallel: {tensor: 2}\nengine: {image: x, args: {a: [1, b], c: true}, container: {memory: 2g, mounts: ['/a:/b:ro']}}\nenergy: {backend: null}\n",
		"model: a/b\nworkload: {load: {pattern: constant, rate_per_second: 2.5, max_in_flight: 3}, extra_body: {x: {y: 1}}}\n",
	} {
		e := decode(t, text, Options{})
		again := decode(t, string(e.EffectiveYAML()), Options{})
		if e.ConfigHash() != again.ConfigHash() {
			t.Errorf("hash changed over\n%s", e.EffectiveYAML())
		}
	}
}

func TestTheConfigurationOfAQuickRunDecodesWithQuick(t *testing.T) {
	t.Parallel()
	e := decode(t, "model: a/b\n", Options{Quick: true})
	text := string(e.EffectiveYAML())
	if !strings.HasPrefix(text, "# written by a --quick run; run it with --quick\n") {
		t.Errorf("it does not say so:\n%s", text)
	}
	if diff := cmp.Diff(e, decode(t, text, Options{Quick: true})); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got := said(t, text); !strings.Contains(got, "thermal_floor_seconds: 0 is out of range") || !strings.Contains(got, "only with --quick") {
		t.Errorf("without --quick: %s", got)
	}
	if text := string(decode(t, "model: a/b\n", Options{}).EffectiveYAML()); strings.Contains(text, "--quick") {
		t.Errorf("an ordinary run's says quick:\n%s", text)
	}
}

func TestReadFile(t *testing.T) {
	dir := t.TempDir()
	for path, want := range map[string]string{dir: "is a directory", dir + "/none.yaml": "no such file"} {
		if _, _, err := ReadFile(path, Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ReadFile(%s) = %v, want %q", path, err, want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add("model: a/b\n")
	f.Add(twelve)
	f.Add("a: &x [*x]\n")
	f.Add("? {a: b}\n: c\n")
	f.Fuzz(func(t *testing.T, text string) {
		_, err := Decode("x.yaml", []byte(text), Options{})
		for _, p := range Problems(err) {
			if p.Line > len(newLayout([]byte(text), nil).lines) || p.Message == "" {
				t.Errorf("problem %+v lies outside the file", p)
			}
		}
	})
}
