package verify

import "strings"

// given are the fields of a record that nothing in its folder is left of to compute
// them from, and why. A path stands for all fields under it; the longest that fits
// decides. [Record] computes every other field again. What can hold a given field to
// others is in bounds.go. docs/verify.md is made from this list.
var given = map[string]string{
	"schema_version":      "says by which rules the record is read; the Parquet files have it too, and each version has its keys",
	"experiment_id":       "drawn as the run began; every row of the Parquet files has it too",
	"config":              "what was asked for; config.yaml has it too",
	"config_hash":         "of a configuration that hides a secret, and of an older llem's; else computed from config",
	"workload_hash":       "as config_hash, and of a run without a window",
	"llem_version":        "which llem measured",
	"status":              "held to error and to the requests that completed",
	"error":               "what the run saw fail",
	"started_at":          "held to the phases",
	"ended_at":            "held to the phases",
	"phases":              "when they began and how long they took: held to each other and to the phase of every sample",
	"gap":                 "what happened before the run",
	"study":               "where the run stands in its study; its plan has that too",
	"engine":              "what the daemon and the server said",
	"model":               "what the model's files, or its server, said",
	"environment":         "what the host said",
	"environment.gpus":    "what the driver said; the samples have uuid and index too",
	"energy.instruments":  "what other instruments said; where one of them owns the figure, its energies are held to each other",
	"energy.host":         "the host's counters, of which there are no samples",
	"energy.codecarbon":   "what CodeCarbon said",
	"flops.parameters":    "what the model's files, or its server, said; the figures are computed from it",
	"flops.confidence":    "how sure that is",
	"window_started_at":   "of a run without samples of GPUs; else computed from them",
	"client.cpu_seconds":  "llem's own account",
	"client.cpu_share":    "llem's own account: no more than cpu_seconds over the window",
	"client.read_lag_ms":  "llem's own account",
	"client.gc_pauses_ms": "llem's own account",
	"warmup.latencies_ms": "the warmup's requests are not kept; the rest of warmup is computed from it",
	"files":               "the checksums are held to the files, and the list to the configuration",
	"record_sha256":       "computed from the record itself",

	"warmup.duration_seconds":      "held to the phase",
	"energy.window_closed_by":      "held to the last byte in requests.parquet, at which a window ends that no route closed",
	"energy.engine_idle_confirmed": "what the server said after the window",

	"energy.baseline.duration_seconds":       "what was asked for as it was measured",
	"energy.baseline.measured_at":            "when it was measured",
	"energy.baseline.age_seconds":            "of a cached one; what it adds to the uncertainty is computed",
	"energy.baseline.cached":                 "held to the samples: a cached one has none",
	"energy.baseline.contaminated":           "who else was on the GPUs",
	"energy.baseline.processes":              "who else was on the GPUs",
	"energy.baseline_after.duration_seconds": "as of energy.baseline",
	"energy.baseline_after.measured_at":      "as of energy.baseline",
	"energy.baseline_after.age_seconds":      "as of energy.baseline",
	"energy.baseline_after.cached":           "as of energy.baseline",
	"energy.baseline_after.contaminated":     "as of energy.baseline",
	"energy.baseline_after.processes":        "as of energy.baseline",

	"requests.prompt_checksum":  "the prompts are not kept; requests.parquet has the beginning of each one's hash",
	"requests.trace_sha256":     "of a file that is not kept",
	"requests.trace_time_unit":  "of a file that is not kept",
	"requests.input_lengths_by": "what counted the prompts",
	"requests.source_sha256":    "of a file that is not kept",
	"requests.source_commit":    "of a file that is not kept",
	"requests.prompts_left_out": "of a file that is not kept",
	"requests.prompt_template":  "of a file that is not kept",
	"requests.columns_not_sent": "of a file that is not kept",
	"requests.lengths_sha256":   "of a file that is not kept",
	"requests.head_tokens":      "what the vocabulary says",
}

// computedUnder are fields under a path of [given] that are computed all the same.
var computedUnder = map[string]bool{
	"engine.startup_energy_j": true, "engine.u_startup_energy_j": true, "model.parameters_total": true, "model.parameters_non_embedding": true, "model.parameters_active": true, "model.source": true,
	"environment.gpus.counter_refresh_ms": true, "environment.gpus.counter_jitter_ms": true, "phases.window_start_seconds": true,
}

// isGiven says whether a field is not computed again, by its path without places in
// lists.
func isGiven(path string) bool {
	for at := path; at != ""; {
		if computedUnder[at] {
			return false
		}
		if _, ok := given[at]; ok {
			return true
		}
		i := strings.LastIndexByte(at, '.')
		if i < 0 {
			return false
		}
		at = at[:i]
	}
	return false
}

// IsGiven says of a field, such as energy.per_gpu[0].u_j, whether it is not computed
// again.
func IsGiven(path string) bool { return isGiven(bare(path)) }

// bare is a path without places in lists: energy.per_gpu[0].u_j is energy.per_gpu.u_j.
func bare(path string) string {
	for {
		i := strings.IndexByte(path, '[')
		if i < 0 {
			return path
		}
		j := strings.IndexByte(path[i:], ']')
		if j < 0 {
			return path
		}
		path = path[:i] + path[i+j+1:]
	}
}

// sinceOlder says whether a field is computed again for a record of an older llem, which
// had fewer of them, fewer columns to compute them from, and another estimator.
func sinceOlder(path string) bool {
	switch path {
	case "energy_total_j", "energy_adjusted_j", "baseline_power_w", "energy_per_output_token", "energy.per_gpu.energy_j", "energy.per_gpu.uuid",
		"energy.engine_idle_power_w", "energy.mean_power_w", "energy.peak_power_w", "energy.per_request_j", "energy.per_total_token_j", "energy.coverage_k",
		"tokens.input", "tokens.output", "tokens.reasoning", "requests.completed", "requests.failed", "engine.startup_energy_j":
		return true
	}
	return strings.HasPrefix(path, "slo.") && !strings.HasPrefix(path, "slo.u_") || strings.HasPrefix(path, "energy.steady.") && !strings.HasPrefix(path, "energy.steady.u_")
}
