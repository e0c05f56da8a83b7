package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	stdflag "flag"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/llenergymeasure/llem/internal/load"
	"github.com/llenergymeasure/llem/internal/study"
)

var update = stdflag.Bool("update", false, "rewrite golden files")

// golden holds v, as JSON, to a file.
func golden(t *testing.T, name string, v any) {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("%s: -want +got (go test -update rewrites it):\n%s", path, diff)
	}
}

// decoded is an experiment with every default.
func decoded(t *testing.T, text string) study.Experiment {
	t.Helper()
	e, err := study.Decode("test.yaml", []byte(text), study.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// hf is a model of the hub's cache, gguf a file.
var (
	hf   = Model{Source: "/cache/models--org--m", Target: "/models/models--org--m", Path: "/models/models--org--m/snapshots/abc"}
	gguf = Model{Source: "/data/m.gguf", Target: "/models/m.gguf", Path: "/models/m.gguf", GGUF: true}
)

func TestSpecs(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		host Host
	}{
		"reference": {"model: reference/tiny\nengine: {image: llem/reference}\n", Host{Image: Image{ID: "sha256:1"}}},
		"reference_all": {`
model: reference/small
seed: 7
dtype: float32
engine:
  image: llem/reference
  startup_timeout_seconds: 30
  args: {max-num-seqs: 8, load-delay: 1.5s, verbose: true, quiet: false, stop: [a, b], scale: 0.5, seed: 9}
  env: {A: "1"}
  container: {memory: 2GiB, cpuset: "0-1"}
`, Host{Image: Image{ID: "sha256:2"}, GPUs: []string{"GPU-1", "GPU-2"}, TokenFile: "/run/token"}},
		"vllm": {"model: org/m\nengine: {image: vllm/vllm-openai}\n", Host{
			Image: Image{ID: "sha256:1", Entrypoint: []string{"vllm", "serve"}}, GPUs: []string{"GPU-1"}, Model: hf,
		}},
		"vllm_all": {`
model: org/m
revision: v2
dtype: bfloat16
parallel: {tensor: 2, pipeline: 2, data: 2}
engine: {image: mine, args: {max_model_len: 4096, served_model_name: other, quantization: fp8}, env: {VLLM_NO_USAGE_STATS: "0"}, container: {ipc: host, user: "1000"}}
`, Host{Image: Image{ID: "sha256:1", Entrypoint: []string{"/bin/bash"}}, GPUs: []string{"GPU-1"}, TokenFile: "/run/token"}},
		"llamacpp": {"model: /data/m.gguf\nengine: {image: i}\nworkload: {max_input_tokens: 100, max_output_tokens: 100, load: {concurrency: 4}}\n", Host{
			Image: Image{ID: "sha256:1", Entrypoint: []string{"/app/llama-server"}}, GPUs: []string{"GPU-1"}, Model: gguf,
		}},
		"llamacpp_all": {`
model: org/m-gguf
parallel: {tensor: 2}
engine: {image: i, args: {ctx_size: 8192, -np: 2, no-mmap: true}}
workload: {load: {pattern: constant, rate_per_second: 3.5}}
`, Host{Image: Image{ID: "sha256:1", Entrypoint: []string{"/app/tools.sh"}}}},
		"sglang": {"model: org/m\nengine: {image: i}\n", Host{Image: Image{ID: "sha256:1"}, GPUs: []string{"GPU-1"}, Model: hf}},
		"sglang_all": {`
model: org/m
revision: v2
dtype: bfloat16
parallel: {tensor: 2, pipeline: 2, data: 2}
engine: {image: i, args: {mem-fraction-static: 0.8, tp: 2, enable_metrics: false}, container: {shm_size: 1GiB}}
`, Host{Image: Image{ID: "sha256:1", Entrypoint: []string{"python3", "-m", "sglang.launch_server"}}, TokenFile: "/run/token"}},
		"tensorrt-llm": {"model: org/m\nengine: {image: i}\n", Host{
			Image: Image{ID: "sha256:1", Entrypoint: []string{"/opt/nvidia/nvidia_entrypoint.sh"}}, GPUs: []string{"GPU-1"}, Model: hf,
		}},
		"tensorrt-llm_all": {`
model: org/m
revision: v2
parallel: {tensor: 2, pipeline: 2}
engine: {image: i, args: {max_batch_size: 64, config: /etc/llm.yaml}, container: {ulimits: {stack: "1"}, mounts: ["/etc/llm.yaml:/etc/llm.yaml:ro"]}}
`, Host{Image: Image{ID: "sha256:1", Entrypoint: []string{"trtllm-serve"}}, TokenFile: "/run/token"}},
		"tgi": {"model: org/m\nengine: {image: i}\n", Host{
			Image: Image{ID: "sha256:1", Entrypoint: []string{"/tgi-entrypoint.sh"}}, GPUs: []string{"GPU-1"}, Model: hf,
		}},
		"tgi_all": {`
model: org/m
revision: v2
dtype: float16
parallel: {tensor: 2}
engine: {image: i, args: {quantize: eetq, rope_scaling: "a b"}, env: {PREFIX_CACHING: "0"}}
workload: {prompts: 300, load: {concurrency: 200}}
`, Host{Image: Image{ID: "sha256:1", Entrypoint: []string{"text-generation-launcher"}}, TokenFile: "/run/token"}},
		"ollama": {"model: /data/m.gguf\nengine: {image: i}\nworkload: {max_input_tokens: 100, max_output_tokens: 100, load: {concurrency: 4}}\n", Host{
			Image: Image{ID: "sha256:1", Entrypoint: []string{"/bin/ollama"}}, GPUs: []string{"GPU-1"}, Model: gguf,
		}},
		"ollama_all": {`
model: llama3.2:1b
parallel: {pipeline: 2}
engine: {image: i, args: {num_ctx: 8192, num_thread: 2}, env: {OLLAMA_FLASH_ATTENTION: "1", OLLAMA_KEEP_ALIVE: 1h}}
workload: {source: p.jsonl, prompts: 1000, load: {concurrency: 600}}
`, Host{Image: Image{ID: "sha256:1", Entrypoint: []string{"/bin/bash"}}, TokenFile: "/run/token"}},
		"lmdeploy": {"model: org/m\nengine: {image: i}\n", Host{Image: Image{ID: "sha256:1"}, GPUs: []string{"GPU-1"}, Model: hf}},
		"lmdeploy_all": {`
model: org/m
revision: v2
dtype: bfloat16
parallel: {tensor: 2}
engine: {image: i, args: {backend: pytorch, session-len: 4096}}
workload: {prompts: 300, load: {concurrency: 200}}
`, Host{Image: Image{ID: "sha256:1", Entrypoint: []string{"lmdeploy", "serve", "api_server"}}, TokenFile: "/run/token"}},
		"transformers": {"model: org/m\nengine: {image: i}\n", Host{
			Image: Image{ID: "sha256:1", User: "65532:65532", Entrypoint: []string{"python3", "/app/server.py"}}, Model: hf,
		}},
		"transformers_all": {`
model: org/m
revision: v2
dtype: float16
engine: {image: i, args: {max-model-len: 512, load_format: dummy}}
workload: {prompts: 300, load: {concurrency: 200}}
`, Host{Image: Image{ID: "sha256:1"}, GPUs: []string{"GPU-1"}, TokenFile: "/run/token"}},
	} {
		e, err := Lookup(strings.Split(name, "_")[0])
		if err != nil {
			t.Fatal(err)
		}
		s, err := e.Spec(decoded(t, c.text), c.host)
		if err != nil {
			t.Fatal(err)
		}
		again, err := e.Spec(decoded(t, c.text), c.host)
		if diff := cmp.Diff(s, again); diff != "" || err != nil {
			t.Errorf("%s is not pure: %s %v", name, diff, err)
		}
		golden(t, name, s)
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
		{"vllm", "model: /data/m.gguf\n", "GGUF", gguf},
		{"llamacpp", "model: org/m\n", "reads GGUF", hf},
		{"llamacpp", "model: /data/m.gguf\ndtype: float16\n", "dtype", gguf},
		{"llamacpp", "model: /data/m.gguf\nparallel: {data: 2}\n", "parallel.data", gguf},
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
	_, err := tgi.Spec(e, Host{Image: Image{Entrypoint: []string{"/tgi-entrypoint.sh"}}, Model: hf})
	if err == nil || !strings.Contains(err.Error(), `"a b"`) || !strings.Contains(err.Error(), "engine.env") {
		t.Errorf("error %v, want one that names the argument and engine.env", err)
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

func TestParseMetrics(t *testing.T) {
	got := ParseMetrics(`# HELP a A help text with 1 number
# TYPE a counter
a{x="1"} 3
a{x="2, } with a brace"} 4 1700000000
b 2.5e3
c{} NaN
d_bucket{le="+Inf"} 7
d_sum 1
e
f{unclosed 1
   g   9
`)
	if got["a"] != (Samples{7, 4}) || got["b"].Sum != 2500 || got["d_bucket"].Sum != 7 || got["g"].Sum != 9 {
		t.Errorf("%v", got)
	}
	for _, name := range []string{"e", "f", "f{unclosed", "#", "c"} {
		if v, ok := got[name]; ok {
			t.Errorf("%s = %v from a line that is no sample", name, v)
		}
	}
}

func FuzzParseMetrics(f *testing.F) {
	f.Add("a{b=\"c\"} 1\n# x\nd 2 3\n")
	f.Fuzz(func(t *testing.T, text string) {
		for name := range ParseMetrics(text) {
			if strings.ContainsAny(name, "\n#{") && strings.HasPrefix(name, "#") {
				t.Errorf("%q", name)
			}
		}
	})
}

// server is the reference engine with what it says given.
func server(t *testing.T, answers map[string]string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, ok := answers[r.Method+" "+r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		if text == "hang" {
			<-r.Context().Done()
			return
		}
		w.Write([]byte(text)) //nolint:errcheck // the client may have gone
	}))
	t.Cleanup(s.Close)
	return s.URL
}

const told = `{"data":[{"id":"reference/tiny","parameters_total":10,"parameters_non_embedding":8,"dtype":"float32","max_model_len":99,
"text_token_low":32,"text_token_high":127,"vocab_size":272,"hidden_size":4,"num_layers":3,"num_heads":2,"head_dim":2}]}`

func TestProbe(t *testing.T) {
	got, err := reference{}.Probe(t.Context(), server(t, map[string]string{"GET /version": `{"version":"1.2"}`, "GET /v1/models": told}))
	want := Info{
		Version: "1.2", Model: "reference/tiny", ParametersTotal: 10, ParametersNonEmbedding: 8, ParametersActive: 8, DType: "float32",
		ContextLength: 99, TextLow: 32, TextHigh: 127, Vocabulary: 272, ByteLevel: true, HiddenSize: 4, Layers: 3, AttentionHeads: 2, HeadDim: 2, SyncRoute: true,
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v, -want +got:\n%s", err, diff)
	}
	for name, answers := range map[string]map[string]string{
		"no version": {"GET /v1/models": told},
		"garbage":    {"GET /version": "<html>", "GET /v1/models": told},
		"no model":   {"GET /version": "{}", "GET /v1/models": `{"data":[]}`},
	} {
		if _, err := (reference{}).Probe(t.Context(), server(t, answers)); err == nil || !strings.Contains(err.Error(), "http://") {
			t.Errorf("%s: error %v, want one that names the address", name, err)
		}
	}
}

func TestQuestionsEndWithTheirContext(t *testing.T) {
	url := server(t, map[string]string{"GET /version": "hang", "POST /sync": "hang", "GET /metrics": "hang"})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, probed := reference{}.Probe(ctx, url)
	_, counted := reference{}.Counters(ctx, url)
	for _, err := range []error{probed, counted, reference{}.Sync(ctx, url)} {
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v, want the deadline's", err)
		}
	}
}

func TestSyncAndCounters(t *testing.T) {
	url := server(t, map[string]string{"POST /sync": "idle", "GET /metrics": "llem_reference_requests_running 1\nllem_reference_prompt_tokens_total 5\nllem_reference_multiply_adds_total{part=\"a\"} 2\nllem_reference_multiply_adds_total{part=\"b\"} 3\n"})
	if err := (reference{}).Sync(t.Context(), url); err != nil {
		t.Error(err)
	}
	got, err := reference{}.Counters(t.Context(), url)
	if diff := cmp.Diff(Counters{Running: 1, PromptTokens: 5, MultiplyAdds: 5}, got); diff != "" || err != nil {
		t.Errorf("%v, -want +got:\n%s", err, diff)
	}
	if err := (reference{}).Sync(t.Context(), server(t, nil)); err == nil {
		t.Error("a 404 is no answer")
	}
}

func TestTheClientTakesItsOptions(t *testing.T) {
	var body map[string]any
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Error(err)
		}
		w.Write([]byte("data: [DONE]\n\n")) //nolint:errcheck // the client may have gone
	}))
	defer s.Close()
	c := reference{}.Client(s.URL, ClientOptions{API: "completions", Model: "m", Seed: 9, IgnoreEOS: true, ExtraBody: map[string]any{"k": "v"}})
	if _, err := load.Drive(t.Context(), load.Config{Client: c, Requests: []load.Request{{Prompt: "why", MaxOutputTokens: 3}}, Pattern: load.Closed(1)}); err != nil {
		t.Fatal(err)
	}
	if body["model"] != "m" || body["seed"] != 9.0 || body["ignore_eos"] != true || body["k"] != "v" || body["max_tokens"] != 3.0 {
		t.Errorf("%v", body)
	}
}
