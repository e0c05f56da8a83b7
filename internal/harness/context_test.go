package harness

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/llenergymeasure/llem/internal/engine"
	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/study"
)

// longRun is a run of 100 tokens in and 29 out with a local model of a context of
// 128 tokens.
func longRun(t *testing.T, name string) *run {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(`{"max_position_embeddings":128}`), 0o644); err != nil {
		t.Fatal(err)
	}
	eng, err := engine.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	return &run{
		Runner: &Runner{Log: slog.New(slog.DiscardHandler), Observer: &watching{}}, eng: eng,
		exp: study.Experiment{Model: dir, Workload: study.Workload{Source: "synthetic", MaxInputTokens: 100, MaxOutputTokens: 29}},
	}
}

func TestPromptsThatTheModelHasNoContextForAreRefusedBeforeTheStart(t *testing.T) {
	t.Parallel()
	err := longRun(t, "vllm").findFiles(t.Context())
	if launch.KindOf(err) != launch.ConfigFault {
		t.Errorf("%v is not the configuration's", err)
	}
	const want = "workload.max_input_tokens 100 and workload.max_output_tokens 29 are 129 tokens and do not fit the model's context of 128: lower one of them, or raise engine.args.max-model-len where the model takes more"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestTheModelsContextHoldsWhereNothingElseSetsIt(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		engine  string
		edit    func(*run)
		refused bool
	}{
		"as it is":                   {"sglang", func(*run) {}, true},
		"prompts that just fit":      {"vllm", func(x *run) { x.exp.Workload.MaxOutputTokens = 28 }, false},
		"prompts of a file":          {"vllm", func(x *run) { x.exp.Workload.Source = "p.jsonl" }, false},
		"a server that runs":         {"vllm", func(x *run) { x.exp.Engine.Endpoint = "http://localhost:8000" }, false},
		"another flag":               {"vllm", args("max-num-seqs"), true},
		"vLLM's flag":                {"vllm", args("max_model_len"), false},
		"SGLang's flag":              {"sglang", args("--context-length"), false},
		"LMDeploy's flag":            {"lmdeploy", args("session-len"), false},
		"TGI's flag":                 {"tgi", args("max-total-tokens"), false},
		"TensorRT-LLM's flag":        {"tensorrt-llm", args("max_seq_len"), false},
		"llama.cpp's flag":           {"llamacpp", args("c"), false},
		"Ollama's option":            {"ollama", args("num_ctx"), false},
		"scaled positions":           {"vllm", args("hf_overrides"), false},
		"scaled positions, by a dot": {"vllm", args("hf-overrides.rope_scaling"), false},
	} {
		x := longRun(t, c.engine)
		c.edit(x)
		if err := x.fitsModel(128); (err != nil) != c.refused {
			t.Errorf("%s: %v, want refused %v", name, err, c.refused)
		}
	}
	if err := longRun(t, "vllm").fitsModel(0); err != nil {
		t.Errorf("files that do not tell: %v", err)
	}
}

func args(name string) func(*run) {
	return func(x *run) { x.exp.Engine.Args = map[string]any{name: 256} }
}

func TestAServersContextThatIsTooShortSaysWhatToChange(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		engine, endpoint, says string
	}{
		"started here":  {"llamacpp", "", "lower one of them, or raise engine.args.ctx-size"},
		"running":       {"vllm", "http://localhost:8000", "lower one of them, or start the server with a longer context"},
		"without flags": {"reference", "", "lower one of them"},
	} {
		x := longRun(t, c.engine)
		x.exp.Engine.Endpoint = c.endpoint
		x.info.ContextLength = 64
		err := x.draw(t.Context())
		if err == nil || !strings.Contains(err.Error(), "the engine's context of 64") || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", name, err, c.says)
		}
	}
}
