package engine

import (
	"strconv"

	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/study"
)

const sglangPort = 30000

// sglang is lmsysorg/sglang and what is derived from it.
var sglang = &Engine{
	name: "sglang",
	traits: Traits{
		TokenIDs: true, IgnoreEOS: true, Upstream: "lmsysorg/sglang", Versions: "0.5.5 to 0.5.20",
	},
	signs: signs{
		command: []string{"sglang.launch_server", "sglang serve"},
		folder:  "/sgl-workspace",
		name:    `(^|/)sglang$`,
	},
	spec:     sglangSpec,
	context:  []string{"context-length", "json-model-override-args", "config"},
	dummy:    "load-format",
	uncached: map[string]any{"disable-radix-cache": true},
	key:      keyed{flags: []string{"api-key"}},
	body:     map[string]any{"repetition_penalty": 1, "top_p": 1, "top_k": -1, "min_p": 0},
	// No min_tokens: ignore_eos alone holds an answer to its length, and min_tokens
	// would add a penalty to the logits of every step.
	continuous: true,
	reset:      "/flush_cache",
	owners:     []string{"sglang"},
	version:    []string{"/server_info", "/get_server_info"}, // the second is the first's name in older servers
	// Its gauges of running and waiting requests keep what the last batch had for up
	// to 30 s after it: an idle server would not look idle.
	metrics:        "/metrics",
	countsWhenTold: true,
	counts: []metric{
		{of: PromptTokens, names: []string{"sglang:prompt_tokens_total"}},
		{of: OutputTokens, names: []string{"sglang:generation_tokens_total"}},
		{of: CachedTokens, names: []string{"sglang:cached_tokens_total"}}, // a sample for each kind of cache
		{of: QueueSeconds, names: []string{"sglang:queue_time_seconds_sum"}},
		// The gauge num_retracted_reqs is of the last batch alone.
		{of: Preemptions, names: []string{"sglang:num_retracted_requests_total"}},
	},
	docs: docs{
		hits:   "counter, and each request's usage",
		always: "`--enable-metrics`, `--enable-cache-report`; 32 GiB of shared memory; `--device cpu` without a GPU",
		asked:  "`--random-seed`, `--tensor-`, `--pipeline-`, `--data-parallel-size`",
		proven: "each request's usage",
		tried:  "by specification",
	},
}

// sglangSpec has the server count its work, and tell of each request what it found
// in its prefix cache: it does neither unless it is told to.
func sglangSpec(e study.Experiment, h Host) (launch.Spec, error) {
	if err := dtypes(e, "half", "float16", "bfloat16", "float", "float32"); err != nil {
		return launch.Spec{}, err
	}
	c := commandOf(e, head(e, h, "sglang", []string{"sglang", "serve"}, "python3", "-m", "sglang.launch_server")...)
	c.style = style{lists: true}
	c.set("model-path", modelArg(e, h), "model")
	c.set("served-model-name", e.Model)
	if h.Model.Path == "" {
		c.setUnless("main", "revision", e.Revision)
	}
	c.set("host", "0.0.0.0")
	c.set("port", strconv.Itoa(sglangPort))
	c.setUnless("auto", "dtype", e.DType)
	c.set("random-seed", strconv.FormatInt(e.Seed, 10))
	c.count("tensor-parallel-size", e.Parallel.Tensor, "tp-size", "tp")
	c.count("pipeline-parallel-size", e.Parallel.Pipeline, "pp-size", "pp")
	c.count("data-parallel-size", e.Parallel.Data, "dp-size", "dp")
	c.set("enable-metrics", "")
	c.set("enable-cache-report", "")
	if len(h.GPUs) == 0 {
		c.set("device", "cpu")
	}
	s := container("sglang", e, h, c)
	s.Port, s.ReadyPath = sglangPort, "/health"
	env(&s, e, offline(e, h.Model))
	shared(&s, "32GiB")
	caches(&s, h, "sglang", "/root/.cache/flashinfer", "/root/.cache/deep_gemm", "/root/.cache/sglang", "/root/.triton")
	return s, nil
}
