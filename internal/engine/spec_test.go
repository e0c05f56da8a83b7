package engine

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/llenergymeasure/llem/internal/launch"
)

// hf is a model of the hub's cache, gguf a file.
var (
	hf   = Model{Source: "/cache/models--org--m", Target: "/models/models--org--m", Path: "/models/models--org--m/snapshots/abc"}
	gguf = Model{Source: "/data/m.gguf", Target: "/models/m.gguf", Path: "/models/m.gguf", GGUF: true}
)

// The cases are testdata/ENGINE.case and testdata/ENGINE_WHAT.case: a Host as JSON, and
// below a line of --- the experiment.
func TestSpecs(t *testing.T) {
	tested := map[string]bool{}
	cases, err := filepath.Glob("testdata/*.case")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range cases {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(path), ".case")
		host, text, _ := strings.Cut(string(b), "\n---\n")
		var h Host
		if err := json.Unmarshal([]byte(host), &h); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		e, err := Lookup(strings.Split(name, "_")[0])
		if err != nil {
			t.Fatal(err)
		}
		s, err := e.Spec(decoded(t, text), h)
		if err != nil {
			t.Fatal(err)
		}
		again, err := e.Spec(decoded(t, text), h)
		if diff := cmp.Diff(s, again); diff != "" || err != nil {
			t.Errorf("%s is not pure: %s %v", name, diff, err)
		}
		golden(t, name, s)
		tested[e.name] = true
	}
	for _, e := range engines {
		if !tested[e.name] && !e.traits.Running {
			t.Errorf("%s has no testdata/%s.case", e.name, e.name)
		}
	}
}

func TestSpecsThatCannotBe(t *testing.T) {
	for _, c := range []struct {
		engine, text, says string
		model              Model
	}{
		{"reference", "model: reference/huge\n", "reference/tiny, reference/small", Model{}},
		{"reference", "model: meta-llama/Llama-3.1-8B\n", "reference/tiny", Model{}},
		{"reference", "model: reference/tiny\ndtype: bfloat16\n", "float32", Model{}},
		{"reference", "model: reference/tiny\nrevision: v2\n", "only models on the hub have revisions", Model{}},
		{"vllm", "model: /data/m.gguf\n", "model /data/m.gguf: it reads Hugging Face folders", gguf},
		{"llamacpp", "model: org/m\n", "reads GGUF", hf},
		{"llamacpp", "model: /data/m.gguf\ndtype: float16\n", "dtype", gguf},
		{"llamacpp", "model: /data/m.gguf\nparallel: {data: 2}\n", "parallel.data", gguf},
		{"llamacpp", "model: /data/m.gguf\nparallel: {tensor: 2, pipeline: 2}\n", "parallel.tensor: 2 and parallel.pipeline: 2", gguf},
		{"sglang", "model: org/m\ndtype: int8\n", "dtype", hf},
		{"tensorrt-llm", "model: /data/m.gguf\n", "GGUF", gguf},
		{"tensorrt-llm", "model: org/m\ndtype: float16\n", "dtype", hf},
		{"tensorrt-llm", "model: org/m\nparallel: {data: 2}\n", "parallel.data", hf},
		{"tgi", "model: /data/m.gguf\n", "GGUF", gguf},
		{"tgi", "model: org/m\ndtype: float32\n", "float16, bfloat16", hf},
		{"tgi", "model: org/m\nparallel: {pipeline: 2}\n", "parallel.pipeline", hf},
		{"ollama", "model: org/m\n", "reads GGUF", hf},
		{"ollama", "model: /data/m.gguf\ndtype: float16\n", "dtype", gguf},
		{"ollama", "model: /data/m.gguf\nparallel: {tensor: 2}\n", "parallel.tensor", gguf},
		{"ollama", "model: /data/m.gguf\n", "merge", Model{Source: "/data", Target: "/models/data", Path: "/models/data/m-00001-of-00002.gguf", GGUF: true}},
		{"lmdeploy", "model: /data/m.gguf\n", "GGUF", gguf},
		{"lmdeploy", "model: org/m\ndtype: float32\n", "dtype", hf},
		{"lmdeploy", "model: org/m\nparallel: {data: 2}\n", "parallel.data", hf},
		{"transformers", "model: /data/m.gguf\n", "GGUF", gguf},
		{"transformers", "model: org/m\ndtype: int8\n", "float32", hf},
		{"transformers", "model: org/m\nparallel: {tensor: 2}\n", "parallel.tensor", hf},
	} {
		e, err := Lookup(c.engine)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.Spec(decoded(t, c.text+"engine: {image: x}\n"), Host{Model: c.model}); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s %q: error %v, want one that says %q", c.engine, c.text, err, c.says)
		}
	}
}

func TestArgumentsThatTGISplits(t *testing.T) {
	e := decoded(t, "model: org/m\nengine: {image: i, args: {rope_scaling: a b}}\n")
	_, err := tgi.Spec(e, Host{Image: launch.Image{Entrypoint: []string{"/tgi-entrypoint.sh"}}, Model: hf})
	if err == nil || !strings.Contains(err.Error(), `"a b"`) || !strings.Contains(err.Error(), "engine.env") {
		t.Errorf("error %v, want one that names the argument and engine.env", err)
	}
}

// What is wrong with a model is said of what the user wrote, not of where it would
// be mounted.
func TestAModelIsNamedAsItWasWritten(t *testing.T) {
	file := Model{Source: "/data/a b.gguf", Target: "/models/a b.gguf", Path: "/models/a b.gguf", GGUF: true}
	folder := Model{Source: "/data/a b", Target: "/models/a b", Path: "/models/a b"}
	script := launch.Image{Entrypoint: []string{"/tgi-entrypoint.sh"}}
	for _, e := range engines {
		if e.Traits().Running {
			continue
		}
		for _, m := range []Model{file, folder} {
			_, err := e.Spec(decoded(t, "model: "+m.Source+"\nengine: {image: i}\n"), Host{Image: script, Model: m})
			if err != nil && (strings.Contains(err.Error(), "/models/") || !strings.Contains(err.Error(), m.Source)) {
				t.Errorf("%s: error %v, want one that names %s", e.Name(), err, m.Source)
			}
		}
	}
	if _, err := tgi.Spec(decoded(t, "model: /data/a b\nengine: {image: i}\n"), Host{Image: script, Model: folder}); err == nil || !strings.Contains(err.Error(), "rename") {
		t.Errorf("TGI, of a folder with a space in its name: error %v, want one that says to rename it", err)
	}
}

// An engine of a mounted model stays off the hub until engine.env let it ask.
func TestWhoDecidesWhetherAnEngineAsksTheHub(t *testing.T) {
	for _, name := range []string{"vllm", "sglang", "tensorrt-llm", "tgi", "lmdeploy", "transformers"} {
		e, err := Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		for env, want := range map[string]map[string]string{
			"{}":                    {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"},
			`{HF_HUB_OFFLINE: "0"}`: {"HF_HUB_OFFLINE": "0"},
		} {
			s, err := e.Spec(decoded(t, "model: org/m\nengine: {image: i, env: "+env+"}\n"), Host{Model: hf})
			if err != nil {
				t.Fatal(err)
			}
			got := maps.Clone(s.Env)
			maps.DeleteFunc(got, func(variable, _ string) bool { return !strings.HasSuffix(variable, "_OFFLINE") })
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s with engine.env %s: -want +got:\n%s", name, env, diff)
			}
		}
	}
}

func TestLimitsStayTheUsers(t *testing.T) {
	e := decoded(t, "model: org/m\nengine: {image: i, container: {ulimits: {nofile: \"9\"}}}\n")
	s, err := tensorrt.Spec(e, Host{Model: hf})
	if err != nil || s.Container.Ulimits["nofile"] != "9" || s.Container.Ulimits["memlock"] != "-1" {
		t.Errorf("%v, %v", s.Container.Ulimits, err)
	}
	if len(e.Engine.Container.Ulimits) != 1 {
		t.Errorf("the experiment itself changed: %v", e.Engine.Container.Ulimits)
	}
}

// llama.cpp spreads a model over GPUs by its rows or by its layers.
func TestHowLlamacppSplitsAModel(t *testing.T) {
	for parallel, want := range map[string]string{"{}": "", "{tensor: 2}": "row", "{pipeline: 2}": "layer"} {
		s, err := llamacpp.Spec(decoded(t, "model: /data/m.gguf\nengine: {image: i}\nparallel: "+parallel+"\n"), Host{Model: gguf})
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if i := slices.Index(s.Cmd, "--split-mode"); i >= 0 {
			got = s.Cmd[i+1]
		}
		if got != want {
			t.Errorf("parallel: %s: split mode %q, want %q", parallel, got, want)
		}
	}
}
