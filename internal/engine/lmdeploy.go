package engine

import (
	"strconv"

	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/study"
)

const lmdeployPort = 23333

// lmdeploy is openmmlab/lmdeploy, with either of its engines. Its completions take
// a list for several prompts, never for token ids.
var lmdeploy = &Engine{
	name:   "lmdeploy",
	traits: Traits{IgnoreEOS: true, Upstream: "openmmlab/lmdeploy", Versions: "0.11 to 0.16"},
	signs: signs{
		command: []string{"lmdeploy serve"},
		env:     []string{"TRITON_PTXAS_PATH", "PATH=/opt/py3/bin"},
		folder:  "/opt/lmdeploy",
		name:    `lmdeploy`,
	},
	spec:    lmdeploySpec,
	context: []string{"session-len", "rope-scaling-factor", "hf-overrides"},
	key:     keyed{flags: []string{"api-keys"}},
	body:    map[string]any{"repetition_penalty": 1, "top_p": 1, "top_k": 0, "min_p": 0}, // its top_k is 40, and it refuses -1
	// Its completions have no field for the fewest tokens; ignore_eos is enough.
	owners: []string{"lmdeploy"},
	// Served by default from 0.11 on. The gauges of running and waiting requests and
	// of the cache are brought up to date every ten seconds, not when they are read.
	metrics:        "/metrics",
	countsWhenTold: true,
	counts: []metric{
		{of: PromptTokens, names: []string{"lmdeploy:prompt_tokens_total"}},
		{of: OutputTokens, names: []string{"lmdeploy:generation_tokens_total"}},
		{of: CachedTokens, names: []string{"lmdeploy:cached_tokens_total"}},
		{of: QueueSeconds, names: []string{"lmdeploy:request_queue_time_seconds_sum"}},
		{of: PrefillSeconds, names: []string{"lmdeploy:request_prefill_time_seconds_sum"}},
		{of: DecodeSeconds, names: []string{"lmdeploy:request_decode_time_seconds_sum"}},
		{of: Drafts, names: []string{"lmdeploy:spec_decode_num_drafts_total"}},
		{of: AcceptedTokens, names: []string{"lmdeploy:spec_decode_num_accepted_tokens_total"}},
	},
	docs: docs{
		hits:     "counter (off unless `enable-prefix-caching`)",
		always:   "16 GiB of shared memory",
		asked:    "`--tp`; `--max-batch-size` for more than 128 at once",
		cacheOff: "it is off unless `enable-prefix-caching` is given",
	},
}

// lmdeployBatch is its smallest default of --max-batch-size, which depends on the
// GPU; more requests than that wait.
const lmdeployBatch = 128

// lmdeploySpec passes the whole command: the image has no entrypoint of its own.
// The server's data parallelism gives each copy a port of its own, which is no one
// server to measure.
func lmdeploySpec(e study.Experiment, h Host) (launch.Spec, error) {
	if err := noGGUF(e, h.Model); err != nil {
		return launch.Spec{}, err
	}
	if err := dtypes(e, "float16", "bfloat16"); err != nil {
		return launch.Spec{}, err
	}
	if err := only(e.Parallel, true, false, false); err != nil {
		return launch.Spec{}, err
	}
	cli := []string{"lmdeploy", "serve", "api_server"}
	c := commandOf(e, append(head(e, h, "lmdeploy", cli, cli...), modelArg(e, h))...)
	c.style = style{lists: true}
	c.set("model-name", e.Model)
	if h.Model.Path == "" {
		c.setUnless("main", "revision", e.Revision)
	}
	c.set("server-name", "0.0.0.0")
	c.set("server-port", strconv.Itoa(lmdeployPort))
	c.setUnless("auto", "dtype", e.DType)
	c.count("tp", e.Parallel.Tensor)
	if n := atOnce(e.Workload); n > lmdeployBatch {
		c.set("max-batch-size", strconv.Itoa(n))
	}
	s := container("lmdeploy", e, h, c)
	s.Port, s.ReadyPath = lmdeployPort, "/health"
	env(&s, e, offline(e, h.Model))
	shared(&s, "16GiB")
	caches(&s, h, "lmdeploy", "/root/.triton")
	return s, nil
}
