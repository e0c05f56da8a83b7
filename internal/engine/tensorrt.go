package engine

import (
	"cmp"
	"strconv"

	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/study"
)

const tensorrtPort = 8000

// tensorrt is TensorRT-LLM's own server, trtllm-serve. Its API refuses a field
// that it does not know, and names a model that is a folder by the folder's name.
var tensorrt = &Engine{
	name:    "tensorrt-llm",
	aliases: []string{"trtllm", "trt-llm", "tensorrt_llm"},
	traits: Traits{
		TokenIDs: true, IgnoreEOS: true, Upstream: "nvcr.io/nvidia/tensorrt-llm/release", Versions: "1.2 and 1.3",
	},
	tag: func(asked string, _ bool) string { return cmp.Or(asked, "1.2.1") }, // it has no latest
	signs: signs{
		command: []string{"trtllm-serve"},
		env:     []string{"TRT_LLM_VERSION"},
		folder:  "/app/tensorrt_llm",
		name:    `tensorrt[-_]llm|(^|/)trtllm`,
	},
	spec:    tensorrtSpec,
	context: []string{"max_seq_len", "config", "extra-llm-api-options"},
	body:    map[string]any{"repetition_penalty": 1, "top_p": 1, "top_k": 0, "min_p": 0}, // its defaults in 1.2 and 1.3
	// No min_tokens: ignore_eos alone holds an answer to its length, and min_tokens
	// would mask logits in every step.
	continuous: true,
	owners:     []string{"tensorrt_llm"},
	version:    []string{"/version"},
	// /metrics is JSON. This route is there where the server's own configuration
	// says return_perf_metrics. Its gauges of running and waiting requests are of
	// the last iteration and not of now, so that an idle server may show some.
	metrics:        "/prometheus/metrics",
	countsWhenTold: true,
	counts: []metric{
		{of: PromptTokens, names: []string{"trtllm_prompt_tokens_total"}},
		{of: OutputTokens, names: []string{"trtllm_generation_tokens_total"}},
		{of: CachedTokens, names: []string{"trtllm_prompt_cached_tokens_total"}},
		{of: QueueSeconds, names: []string{"trtllm_request_queue_time_seconds_sum"}},
		{of: PrefillSeconds, names: []string{"trtllm_request_prefill_time_seconds_sum"}},
		{of: DecodeSeconds, names: []string{"trtllm_request_decode_time_seconds_sum"}},
	},
	docs: docs{
		counts:   "where its configuration says `return_perf_metrics`",
		hits:     "each request's usage",
		always:   "memory lock and stack limits, 16 GiB of shared memory",
		asked:    "`--tp_size`, `--pp_size`",
		cacheOff: "`kv_cache_config: {enable_block_reuse: false}` in the YAML file that `--config` names",
	},
}

// tensorrtSpec passes the whole command: the image's entrypoint only prepares it.
func tensorrtSpec(e study.Experiment, h Host) (launch.Spec, error) {
	if err := noGGUF(e, h.Model); err != nil {
		return launch.Spec{}, err
	}
	if err := ownDType(e); err != nil {
		return launch.Spec{}, err
	}
	if err := only(e.Parallel, true, true, false); err != nil {
		return launch.Spec{}, err
	}
	c := commandOf(e, append(head(e, h, "trtllm-serve", nil, "trtllm-serve"), modelArg(e, h))...)
	if h.Model.Path == "" {
		c.setUnless("main", "revision", e.Revision)
	}
	c.set("host", "0.0.0.0")
	c.set("port", strconv.Itoa(tensorrtPort))
	c.count("tp_size", e.Parallel.Tensor, "tensor_parallel_size")
	c.count("pp_size", e.Parallel.Pipeline, "pipeline_parallel_size")
	s := container("tensorrt-llm", e, h, c)
	s.Port, s.ReadyPath = tensorrtPort, "/health"
	env(&s, e, offline(e, h.Model))
	shared(&s, "16GiB")
	ulimit(&s, "memlock", "-1")
	ulimit(&s, "stack", "67108864")
	caches(&s, h, "tensorrt-llm", "/root/.tensorrt_llm", "/root/.cache/flashinfer", "/root/.triton")
	return s, nil
}
