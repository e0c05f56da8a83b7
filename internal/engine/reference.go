package engine

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/study"
)

// reference is images/reference: a small Llama-architecture engine with
// weights drawn from a seed, which counts its own multiply-adds. It runs on
// the CPU whatever GPUs its container is given.
var reference = &Engine{
	name:    "reference",
	traits:  Traits{TokenIDs: true, IgnoreEOS: true, Dummy: true, OwnNames: true, Words: true, ReadOnly: true, Versions: "this one"},
	spec:    referenceSpec,
	metrics: "/metrics",
	counts: []metric{
		{of: Running, names: []string{"llem_reference_requests_running"}},
		{of: Waiting, names: []string{"llem_reference_requests_waiting"}},
		{of: PromptTokens, names: []string{"llem_reference_prompt_tokens_total"}},
		{of: OutputTokens, names: []string{"llem_reference_generation_tokens_total"}},
		{of: CachedTokens, names: []string{"llem_reference_cached_tokens_total"}},
		{of: MultiplyAdds, names: []string{"llem_reference_multiply_adds_total"}},
	},
	reset:     KeepsNone,
	sync:      "/sync",
	tokenizer: vllmTokenizer, // the same route
	probe:     referenceInfo,
	docs: docs{
		run:     "in every test",
		image:   "[images/reference](../images/reference/README.md)",
		hits:    "it has none",
		always:  "no more",
		asked:   "`--seed`",
		emptied: "no prompt is kept",
		proven:  "its own word, in usage or counters",
		tried:   "run",
	},
}

// presets are the models that images/reference knows, as reference/PRESET.
var presets = []string{"tiny", "small", "medium", "large"}

const referencePort = 8000

func referenceSpec(e study.Experiment, h Host) (launch.Spec, error) {
	preset, ok := strings.CutPrefix(e.Model, "reference/")
	if !ok || !slices.Contains(presets, preset) {
		return launch.Spec{}, fmt.Errorf("model %q: it has reference/%s", e.Model, strings.Join(presets, ", reference/"))
	}
	if e.Revision != "main" {
		return launch.Spec{}, fmt.Errorf("revision %q: only models on the hub have revisions", e.Revision)
	}
	if e.DType != "auto" && e.DType != "float32" {
		return launch.Spec{}, fmt.Errorf("dtype %q: it computes in float32 only", e.DType)
	}
	c := commandOf(e)
	c.set("model", preset)
	c.set("host", "0.0.0.0")
	c.set("port", strconv.Itoa(referencePort))
	c.set("seed", strconv.FormatInt(e.Seed, 10))
	s := container("reference", e, h, c)
	env(&s, e, nil)
	s.Port, s.ReadyPath = referencePort, "/health"
	return s, nil
}

// referenceInfo reads /version and /v1/models.
func referenceInfo(ctx context.Context, at Address) (Info, error) {
	var v struct{ Version string }
	if err := getJSON(ctx, at, "/version", &v); err != nil {
		return Info{}, err
	}
	var models struct {
		Data []struct {
			ID            string `json:"id"`
			Total         int64  `json:"parameters_total"`
			NonEmbedding  int64  `json:"parameters_non_embedding"`
			DType         string `json:"dtype"`
			ContextLength int    `json:"max_model_len"`
			TextLow       int    `json:"text_token_low"`
			TextHigh      int    `json:"text_token_high"`
			Vocabulary    int    `json:"vocab_size"`
			Hidden        int    `json:"hidden_size"`
			Layers        int    `json:"num_layers"`
			Heads         int    `json:"num_heads"`
			HeadDim       int    `json:"head_dim"`
		}
	}
	if err := getJSON(ctx, at, "/v1/models", &models); err != nil {
		return Info{}, err
	}
	if len(models.Data) == 0 {
		return Info{}, fmt.Errorf("%s/v1/models lists no model", at)
	}
	m := models.Data[0]
	return Info{
		Version: version(v.Version), Model: m.ID, ParametersTotal: m.Total, ParametersNonEmbedding: m.NonEmbedding,
		DType: m.DType, ContextLength: m.ContextLength, TextLow: m.TextLow, TextHigh: m.TextHigh, Vocabulary: m.Vocabulary,
		HiddenSize: m.Hidden, Layers: m.Layers, AttentionHeads: m.Heads, HeadDim: m.HeadDim, ByteLevel: true,
	}, nil
}
