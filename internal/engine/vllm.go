package engine

import (
	"encoding/json"
	"strconv"

	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/study"
)

const vllmPort = 8000

// vllm is vllm/vllm-openai and what is derived from it.
var vllm = &Engine{
	name: "vllm",
	traits: Traits{
		TokenIDs: true, IgnoreEOS: true, Upstream: "vllm/vllm-openai", UpstreamCPU: "vllm/vllm-openai-cpu", Versions: "0.11 to 0.32",
	},
	signs: signs{
		command: []string{"vllm.entrypoints.openai.api_server", "vllm serve"},
		env:     []string{"VLLM_USAGE_SOURCE"},
		name:    `vllm-openai|vllm-cpu|(^|/)vllm$`,
	},
	spec:     vllmSpec,
	context:  []string{"max-model-len", "hf-overrides", "rope-scaling", "config"},
	dummy:    "load-format",
	uncached: map[string]any{"enable-prefix-caching": false, "no-enable-prefix-caching": true},
	key:      keyed{variable: "VLLM_API_KEY", flags: []string{"api-key"}},
	body:     map[string]any{"repetition_penalty": 1, "top_p": 1, "top_k": -1, "min_p": 0},
	// No min_tokens: ignore_eos alone holds an answer to its length, and min_tokens
	// would mask logits in every step.
	continuous: true,
	reset:      "/reset_prefix_cache",
	tokenizer:  vllmTokenizer,
	owners:     []string{"vllm"},
	version:    []string{"/version"},
	metrics:    "/metrics",
	counts: []metric{
		{of: Running, names: []string{"vllm:num_requests_running"}},
		{of: Waiting, names: []string{"vllm:num_requests_waiting"}},
		{of: PromptTokens, names: []string{"vllm:prompt_tokens_total"}},
		{of: OutputTokens, names: []string{"vllm:generation_tokens_total"}},
		{of: CachedTokens, names: []string{"vllm:prefix_cache_hits_total", "vllm:gpu_prefix_cache_hits_total"}},
		{of: QueueSeconds, names: []string{"vllm:request_queue_time_seconds_sum"}},
		{of: PrefillSeconds, names: []string{"vllm:request_prefill_time_seconds_sum"}},
		{of: DecodeSeconds, names: []string{"vllm:request_decode_time_seconds_sum"}},
		{of: Preemptions, names: []string{"vllm:num_preemptions_total"}},
		{of: Drafts, names: []string{"vllm:spec_decode_num_drafts_total"}},
		{of: AcceptedTokens, names: []string{"vllm:spec_decode_num_accepted_tokens_total"}},
	},
	docs: docs{
		run:     "0.32.0 on a CPU, November 2026",
		hits:    "its counter; per request with `enable-prompt-tokens-details`",
		always:  "`VLLM_NO_USAGE_STATS`; 16 GiB of shared memory",
		asked:   "`--seed`, `--tensor-`, `--pipeline-`, `--data-parallel-size`",
		emptied: "it is there with `VLLM_SERVER_DEV_MODE=1`, which llem sets in such studies alone",
		proven:  "its counter",
		tried:   "run, 0.32.0: of a prompt of 512 tokens 384 were found before, none after",
	},
}

// vllmSpec passes flags alone to an image whose entrypoint is the server, under
// either of its names; to any other it passes the whole command.
func vllmSpec(e study.Experiment, h Host) (launch.Spec, error) {
	if err := noGGUF(e, h.Model); err != nil {
		return launch.Spec{}, err
	}
	c := commandOf(e, head(e, h, "vllm", []string{"vllm", "serve"}, "python3", "-m", "vllm.entrypoints.openai.api_server")...)
	c.style = style{negates: true, lists: true}
	c.set("model", modelArg(e, h))
	c.set("served-model-name", e.Model)
	if h.Model.Path == "" {
		c.setUnless("main", "revision", e.Revision)
	}
	c.set("host", "0.0.0.0")
	c.set("port", strconv.Itoa(vllmPort))
	c.setUnless("auto", "dtype", e.DType)
	c.set("seed", strconv.FormatInt(e.Seed, 10))
	c.count("tensor-parallel-size", e.Parallel.Tensor, "tp")
	c.count("pipeline-parallel-size", e.Parallel.Pipeline, "pp")
	c.count("data-parallel-size", e.Parallel.Data, "dp")
	s := container("vllm", e, h, c)
	s.Port, s.ReadyPath = vllmPort, "/health"
	own := offline(e, h.Model)
	own["VLLM_NO_USAGE_STATS"] = "1"
	if h.Kept {
		own["VLLM_SERVER_DEV_MODE"] = "1" // without it there is no /reset_prefix_cache
	}
	env(&s, e, own)
	shared(&s, "16GiB")
	caches(&s, h, "vllm", "/root/.cache/vllm", "/root/.cache/flashinfer", "/root/.triton")
	return s, nil
}

// vllmTokenizer is vLLM's (vllm/entrypoints/serve/tokenize), and the reference
// engine's.
var vllmTokenizer = &tokenizer{
	body: func(model, text string) any {
		return map[string]any{"model": model, "prompt": text, "add_special_tokens": true}
	},
	count: func(answer []byte) (int, error) {
		var a struct{ Count int }
		err := json.Unmarshal(answer, &a)
		return a.Count, err
	},
}
