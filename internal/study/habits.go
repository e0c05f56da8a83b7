package study

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"
)

// habits are names that other tools have for what a key of ours sets, with - as
// _ and in lower case.
var habits = habitsOf(map[string]string{
	"model":                                "model_name model_id model_path hf_model checkpoint pretrained served_model_name",
	"engine.image":                         "docker_image container_image",
	"engine.endpoint":                      "base_url url target address server_url",
	"engine.env":                           "environment env_vars envs env_file",
	"engine.args":                          "extra_args vllm_args engine_args server_args flags command cmd",
	"engine.container.mounts":              "volumes volume mount binds",
	"parallel.tensor":                      "tensor_parallel_size tensor_parallel tp tp_size num_shard num_gpus n_gpus gpu_count",
	"parallel.pipeline":                    "pipeline_parallel_size pipeline_parallel pp pp_size",
	"parallel.data":                        "data_parallel_size data_parallel dp dp_size",
	"gpus":                                 "gpu gpu_ids device_ids cuda_visible_devices",
	"gpu_settings.power_limit_w":           "power_limit power_cap tdp",
	"gpu_settings.sm_clock_mhz":            "clock gpu_clock clocks sm_clock",
	"dtype":                                "precision torch_dtype",
	"workload.source":                      "dataset dataset_name dataset_path prompts_file prompt_file",
	"workload.prompts":                     "num_prompts num_requests request_count max_requests requests n_requests",
	"workload.load.concurrency":            "max_concurrency batch_size batch num_users users concurrent_requests",
	"workload.load.rate_per_second":        "request_rate rate qps rps",
	"workload.max_input_tokens":            "input_len input_length isl random_input_len prompt_len prompt_length prompt_tokens input_tokens",
	"workload.max_output_tokens":           "output_len output_length osl random_output_len max_tokens max_new_tokens output_tokens",
	"workload.min_seconds and max_seconds": "duration duration_seconds benchmark_duration max_duration",
	"warmup.n_warmup":                      "num_warmups warmup_iterations warmup_requests",
	"output.dir":                           "output_dir out_dir result_dir results_dir results",
	"base":                                 "defaults extends include includes inherit",
	"sweep":                                "matrix grid parameters search_space",
	"`llem run --repeat N`, or execution.cycles of a study": "repeat repeats repetitions runs num_runs iterations trials cycles",
})

func habitsOf(by map[string]string) map[string]string {
	out := map[string]string{}
	for key, names := range by {
		for _, n := range strings.Fields(names) {
			out[n] = key
		}
	}
	return out
}

// engineFlags are flags of engines that people write beside llem's own keys.
var engineFlags = words(`max_model_len gpu_memory_utilization quantization enforce_eager enable_prefix_caching enable_chunked_prefill kv_cache_dtype
	max_num_seqs max_num_batched_tokens trust_remote_code load_format speculative_config mem_fraction_static context_length tokenizer ctx_size
	n_gpu_layers swap_space block_size chunked_prefill_size max_total_tokens quantize`)

// foreign are files of other tools, by keys at their top that ours never has.
var foreign = []struct {
	keys []string
	what string
}{
	{[]string{"services"}, "a Docker Compose file: write a service's image as engine.image, its command as engine.args, environment as engine.env and volumes as engine.container.mounts"},
	{[]string{"apiVersion", "kind"}, "a Kubernetes manifest: write a container's image as engine.image, its args as engine.args and its env as engine.env"},
	{[]string{"defaults", "hydra"}, "a Hydra configuration: write the values themselves, the file that this one is built on as base, and what differs as sweep"},
}

// foreignFile says whose file a mapping is; empty: it may be ours.
func foreignFile(pairs []pair) string {
	has := map[string]bool{}
	for _, p := range pairs {
		has[p.key.Value] = true
	}
	for _, f := range foreign {
		all := !has["model"]
		for _, k := range f.keys {
			all = all && has[k]
		}
		if all {
			return f.what
		}
	}
	return ""
}

// habit says which key an unknown one of that name means elsewhere; empty: none
// is known.
func habit(name string) string {
	if engineFlags[name] {
		return fmt.Sprintf("an engine's own flag is written as engine.args: {%s: …}", strings.ReplaceAll(name, "_", "-"))
	}
	if key := habits[name]; key != "" {
		return "did you mean " + key + "?"
	}
	return ""
}

// insteadOf says how a value that stands in place of a group of keys is written.
func insteadOf(group string, v *yaml.Node) string {
	name, value := "", v.Value
	if hint := tagged(v); hint != "" {
		return "; " + hint
	}
	switch {
	case v.Kind != yaml.ScalarNode:
		return ""
	case v.Tag == "!!bool" && (group == "baseline" || group == "warmup"):
		name = "enabled"
	case group == "engine" && strings.ContainsAny(value, "/:"):
		name = "image"
	case group == "energy" && v.Tag == "!!bool":
		name, value = "backend", map[string]string{"true": "auto", "false": "none"}[strings.ToLower(value)]
	default:
		name = map[string]string{
			"engine": "name", "energy": "backend", "output": "dir", "warmup": "n_warmup", "baseline": "duration_seconds",
			"workload": "source", "workload.load": "concurrency", "parallel": "tensor", "workload.lengths": "file",
		}[group]
	}
	if name == "" || value == "" || secretPath(group) {
		return ""
	}
	return fmt.Sprintf("; write %s: {%s: %s}", group[strings.LastIndexByte(group, '.')+1:], name, value)
}
