package engine

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// accounts are what servers say of themselves and of their work, as their sources
// write it.
var accounts = map[string]struct {
	engine string
	routes map[string]string
	info   Info
	counts Counters
}{
	"vllm": {"vllm", map[string]string{
		"GET /v1/models": `{"object":"list","data":[{"id":"m","object":"model","created":1,"owned_by":"vllm","root":"/models/m","parent":null,"max_model_len":4096,"permission":[]}]}`,
		"GET /version":   `{"version":"0.27.1"}`,
		"GET /metrics": `# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="m"} 1.0
vllm:num_requests_running{engine="1",model_name="m"} 2.0
vllm:num_requests_waiting{engine="0",model_name="m"} 0.0
vllm:kv_cache_usage_perc{engine="0",model_name="m"} 0.25
vllm:kv_cache_usage_perc{engine="1",model_name="m"} 0.5
# TYPE vllm:prompt_tokens counter
vllm:prompt_tokens_total{engine="0",model_name="m"} 10.0
vllm:prompt_tokens_total{engine="1",model_name="m"} 20.0
# TYPE vllm:prompt_tokens_created gauge
vllm:prompt_tokens_created{engine="0",model_name="m"} 1.7e+09
vllm:generation_tokens_total{engine="0",model_name="m"} 40.0
vllm:generation_tokens_created{engine="0",model_name="m"} 1.7e+09
vllm:prefix_cache_queries_total{engine="0",model_name="m"} 30.0
vllm:prefix_cache_hits_total{engine="0",model_name="m"} 0.0
vllm:iteration_tokens_total_sum{engine="0",model_name="m"} 70.0
vllm:request_queue_time_seconds_bucket{engine="0",le="+Inf",model_name="m"} 5.0
vllm:request_queue_time_seconds_sum{engine="0",model_name="m"} 0.125
vllm:request_queue_time_seconds_created{engine="0",model_name="m"} 1.7e+09
vllm:request_prefill_time_seconds_sum{engine="0",model_name="m"} 0.5
vllm:request_decode_time_seconds_sum{engine="0",model_name="m"} 2.5
vllm:num_preemptions_total{engine="0",model_name="m"} 3.0
vllm:spec_decode_num_drafts_total{engine="0",model_name="m"} 8.0
vllm:spec_decode_num_accepted_tokens_total{engine="0",model_name="m"} 12.0
`}, Info{Engine: "vllm", Version: "0.27.1", Model: "m", ContextLength: 4096}, Counters{
		Running: 3, Waiting: 0, PromptTokens: 30, OutputTokens: 40, CachedTokens: 0, QueueSeconds: 0.125, PrefillSeconds: 0.5, DecodeSeconds: 2.5,
		Preemptions: 3, Drafts: 8, AcceptedTokens: 12,
	}},
	// An imitation says that it is vLLM, and has neither its version nor all of its
	// metrics; older servers name some otherwise.
	"an imitation of vllm": {"vllm", map[string]string{
		"GET /v1/models": `{"data":[{"id":"m","owned_by":"vllm"}]}`,
		"GET /metrics":   "vllm:num_requests_running 0\nvllm:gpu_cache_usage_perc 0.75\nvllm:gpu_prefix_cache_hits_total 4\n",
	}, Info{Engine: "vllm", Model: "m"}, Counters{Running: 0, CachedTokens: 4}},
	// Its gauges of requests are of the last batch, though the server may be idle since.
	"sglang": {"sglang", map[string]string{
		"GET /v1/models":   `{"object":"list","data":[{"id":"m","object":"model","created":1,"owned_by":"sglang","root":"m","parent":null,"max_model_len":32768}]}`,
		"GET /server_info": `{"model_path":"m","tp_size":1,"internal_states":[{"last_gen_throughput":0.0}],"version":"0.5.16"}`,
		"GET /metrics": `sglang:num_running_reqs{engine_type="unified",model_name="m",pid="9",tp_rank="0"} 1.0
sglang:num_queue_reqs{engine_type="unified",model_name="m",tp_rank="0"} 2.0
sglang:token_usage{engine_type="unified",model_name="m",tp_rank="0"} 0.125
sglang:num_retracted_reqs{engine_type="unified",model_name="m",tp_rank="0"} 1.0
sglang:num_retracted_requests_total{engine_type="unified",model_name="m",tp_rank="0"} 48.0
sglang:prompt_tokens_total{is_streaming="false",model_name="m"} 5.0
sglang:prompt_tokens_total{is_streaming="true",model_name="m"} 7.0
sglang:prompt_tokens_created{is_streaming="true",model_name="m"} 1.7917e+09
sglang:generation_tokens_total{is_streaming="true",model_name="m"} 9.0
sglang:cached_tokens_total{cache_source="device",model_name="m"} 2.0
sglang:cached_tokens_total{cache_source="host",model_name="m"} 1.0
sglang:queue_time_seconds_sum{model_name="m"} 0.5
`}, Info{Engine: "sglang", Version: "0.5.16", Model: "m", ContextLength: 32768}, Counters{
		PromptTokens: 12, OutputTokens: 9, CachedTokens: 3, QueueSeconds: 0.5, Preemptions: 48,
	}},
	// Older servers have the route by another name, and no metrics without being told.
	"an older sglang": {"sglang", map[string]string{
		"GET /v1/models":       `{"data":[{"id":"m","owned_by":"sglang","max_model_len":8}]}`,
		"GET /get_server_info": `{"version":"0.5.5"}`,
	}, Info{Engine: "sglang", Version: "0.5.5", Model: "m", ContextLength: 8}, nil},
	"tensorrt-llm": {"tensorrt-llm", map[string]string{
		"GET /v1/models": `{"object":"list","data":[{"id":"abc","object":"model","created":1,"owned_by":"tensorrt_llm"}]}`,
		"GET /version":   `{"version":"1.3.0rc14"}`,
		"GET /metrics":   `[{"iter":7,"gpuMemUsage":1,"numActiveRequests":1}]`,
		"GET /prometheus/metrics": `trtllm_prompt_tokens_total{engine_type="undefined",model_name="undefined"} 30.0
trtllm_generation_tokens_total{engine_type="undefined",model_name="undefined"} 40.0
trtllm_request_queue_time_seconds_sum{engine_type="undefined",model_name="undefined"} 0.5
trtllm_num_requests_running{engine_type="undefined",model_name="undefined"} 1.0
`}, Info{Engine: "tensorrt-llm", Version: "1.3.0rc14", Model: "abc"}, Counters{PromptTokens: 30, OutputTokens: 40, QueueSeconds: 0.5}},
	// Its metrics are JSON, and Prometheus' route is there only where it is asked for.
	"tensorrt-llm without metrics": {"tensorrt-llm", map[string]string{
		"GET /v1/models": `{"data":[{"id":"abc","owned_by":"tensorrt_llm"}]}`,
		"GET /metrics":   `[{"iter":7}]`,
	}, Info{Engine: "tensorrt-llm", Model: "abc"}, nil},
	"llamacpp": {"llamacpp", map[string]string{
		"GET /v1/models": `{"object":"list","data":[{"id":"m","object":"model","created":1,"owned_by":"llamacpp","meta":{"n_vocab":2048,"n_ctx_train":512}}]}`,
		"GET /props":     `{"default_generation_settings":{"id":0,"n_ctx":256},"total_slots":4,"model_path":"/models/m.gguf","build_info":"b5000-abc"}`,
		"GET /metrics": `llamacpp:prompt_tokens_total 30
llamacpp:prompt_tokens_cached_total 7
llamacpp:spec_decode_num_drafts_total 4
llamacpp:spec_decode_num_accepted_tokens_total 6
llamacpp:prompt_seconds_total 0.5
llamacpp:tokens_predicted_total 40
llamacpp:tokens_predicted_seconds_total 2.5
llamacpp:n_decode_total 50
llamacpp:n_busy_slots_per_decode 1.5
llamacpp:requests_processing 0
llamacpp:requests_deferred 1
`}, Info{Engine: "llamacpp", Version: "b5000-abc", Model: "m", ContextLength: 256}, Counters{
		Running: 0, Waiting: 1, PromptTokens: 37, CachedTokens: 7, OutputTokens: 40, PrefillSeconds: 0.5, DecodeSeconds: 2.5, Drafts: 4, AcceptedTokens: 6,
	}},
	"ollama": {"ollama", map[string]string{
		"GET /v1/models":   `{"object":"list","data":[{"id":"llem:latest","object":"model","created":1,"owned_by":"library"}]}`,
		"GET /api/version": `{"version":"0.33.0"}`,
		"GET /api/ps":      `{"models":[{"name":"other:latest","context_length":9},{"name":"llem:latest","model":"llem:latest","size":1,"size_vram":1,"context_length":768}]}`,
	}, Info{Engine: "ollama", Version: "0.33.0", Model: "llem:latest", ContextLength: 768}, nil},
	// One that ran before: of its models the loaded one counts.
	"an ollama of somebody's": {"ollama", map[string]string{
		"GET /v1/models": `{"data":[{"id":"newest:latest","owned_by":"library"}]}`,
		"GET /api/ps":    `{"models":[{"name":"loaded:1b","context_length":9},{"name":"newest:latest","context_length":8}]}`,
	}, Info{Engine: "ollama", Model: "newest:latest", ContextLength: 8}, nil},
	// Its model is owned by itself, and any name but "tgi" asks for an adapter.
	"tgi": {"tgi", map[string]string{
		"GET /v1/models": `{"object":"list","data":[{"id":"/models/m","object":"model","created":0,"owned_by":"/models/m"}]}`,
		"GET /info":      `{"model_id":"/models/m","model_sha":null,"max_concurrent_requests":128,"max_input_tokens":4095,"max_total_tokens":4096,"router":"text-generation-router","version":"3.3.7","sha":"0"}`,
		"GET /metrics": `tgi_request_input_length_bucket{le="+Inf"} 3
tgi_request_input_length_sum 30
tgi_request_input_length_count 3
tgi_request_generated_tokens_sum 40
tgi_request_queue_duration_sum 0.5
tgi_batch_current_size 1
tgi_queue_size 0
`}, Info{Engine: "tgi", Version: "3.3.7", Model: "tgi", ContextLength: 4096}, Counters{
		Running: 1, Waiting: 0, PromptTokens: 30, OutputTokens: 40, QueueSeconds: 0.5,
	}},
	"lmdeploy": {"lmdeploy", map[string]string{
		"GET /v1/models": `{"object":"list","data":[{"id":"m","object":"model","created":1,"owned_by":"lmdeploy","root":"m","parent":null,"permission":[]}]}`,
		"GET /metrics": `lmdeploy:num_requests_running{engine="0",model_name="m"} 1.0
lmdeploy:prompt_tokens_total{engine="0",model_name="m"} 30.0
lmdeploy:generation_tokens_total{engine="0",model_name="m"} 40.0
lmdeploy:cached_tokens_total{engine="0",model_name="m"} 0.0
lmdeploy:iteration_tokens_total_sum{engine="0",model_name="m"} 70.0
lmdeploy:request_decode_time_seconds_sum{engine="0",model_name="m"} 2.5
`}, Info{Engine: "lmdeploy", Model: "m"}, Counters{PromptTokens: 30, OutputTokens: 40, CachedTokens: 0, DecodeSeconds: 2.5}},
	"transformers": {"transformers", map[string]string{
		"GET /v1/models": `{"object":"list","data":[{"id":"m","owned_by":"llem-transformers","max_model_len":512,"parameters_total":100,"parameters_non_embedding":80,
"dtype":"float32","device":"cpu","vocab_size":2048,"hidden_size":256,"num_layers":4,"num_heads":8,"head_dim":32}]}`,
		"GET /version": `{"version":"0.1.0","transformers":"4.57.1","torch":"2.13.0","cuda":null,"python":"3.11.2"}`,
		"GET /metrics": "# TYPE llem_transformers_requests_running gauge\nllem_transformers_requests_running 0\nllem_transformers_requests_waiting 1\n" +
			"llem_transformers_prompt_tokens_total 30\nllem_transformers_generation_tokens_total 40\n",
	}, Info{
		Engine: "transformers", Version: "0.1.0 (transformers 4.57.1, torch 2.13.0)", Model: "m", ContextLength: 512, DType: "float32", SyncRoute: true,
		ParametersTotal: 100, ParametersNonEmbedding: 80, Vocabulary: 2048, HiddenSize: 256, Layers: 4, AttentionHeads: 8, HeadDim: 32,
	}, Counters{Running: 0, Waiting: 1, PromptTokens: 30, OutputTokens: 40}},
}

func TestServersOwnAccounts(t *testing.T) {
	for name, c := range accounts {
		t.Run(name, func(t *testing.T) {
			e, err := Lookup(c.engine)
			if err != nil {
				t.Fatal(err)
			}
			url := (&standin{routes: c.routes}).serve(t)
			info, err := e.Probe(t.Context(), Address{URL: url}, "")
			if diff := cmp.Diff(c.info, info); diff != "" || err != nil {
				t.Errorf("%v, -want +got:\n%s", err, diff)
			}
			counts, err := e.Counters(t.Context(), Address{URL: url})
			if diff := cmp.Diff(c.counts, counts); diff != "" || err != nil {
				t.Errorf("%v, -want +got:\n%s", err, diff)
			}
			if err := Confirm(e.Name(), "name", info); err != nil {
				t.Error(err)
			}
		})
	}
}
