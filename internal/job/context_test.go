package job

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/llenergymeasure/llem/internal/engine"
	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/study"
)

// longJob is the job of 100 tokens in and 29 out with a local model of a context of
// 128 tokens.
func longJob(t *testing.T, name string) *Job {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(`{"max_position_embeddings":128}`), 0o644); err != nil {
		t.Fatal(err)
	}
	eng, err := engine.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	return &Job{
		Engine:     eng,
		Experiment: study.Experiment{Model: dir, Workload: study.Workload{Source: "synthetic", MaxInputTokens: 100, MaxOutputTokens: 29}},
	}
}

func TestPromptsThatTheModelHasNoContextForAreRefusedBeforeTheStart(t *testing.T) {
	t.Parallel()
	j := longJob(t, "vllm")
	err := (&Finder{}).findFiles(t.Context(), j)
	if err == nil {
		err = j.takeFiles()
	}
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
		edit    func(*Job)
		refused bool
	}{
		"as it is":                   {"sglang", func(*Job) {}, true},
		"prompts that just fit":      {"vllm", func(j *Job) { j.Experiment.Workload.MaxOutputTokens = 28 }, false},
		"prompts of a file":          {"vllm", func(j *Job) { j.Experiment.Workload.Source = "p.jsonl" }, false},
		"a server that runs":         {"vllm", func(j *Job) { j.Experiment.Engine.Endpoint = "http://localhost:8000" }, false},
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
		j := longJob(t, c.engine)
		c.edit(j)
		if err := j.fitsModel(128); (err != nil) != c.refused {
			t.Errorf("%s: %v, want refused %v", name, err, c.refused)
		}
	}
	if err := longJob(t, "vllm").fitsModel(0); err != nil {
		t.Errorf("files that do not tell: %v", err)
	}
}

func args(name string) func(*Job) {
	return func(j *Job) { j.Experiment.Engine.Args = map[string]any{name: 256} }
}
