package measure

import (
	"fmt"
	"slices"
)

// Severity of a warning.
type Severity string

// Severities, protocol section 6.
const (
	Note    Severity = "note"
	Doubt   Severity = "doubt"
	Invalid Severity = "invalid"
)

// Warning is a reason to doubt a number. It never stops a run.
type Warning struct {
	Code     string
	Severity Severity
	Message  string // what was seen; what to do
}

func (w Warning) String() string { return w.Code + ": " + w.Message }

// Kind is one row of the table of warnings: what is the same each time that one is
// raised. What was seen is said where it was.
type Kind struct {
	Code      string // stable: scripts read it
	Severity  Severity
	Otherwise string // when it has another severity, for the docs; empty: never
	Observed  bool   // only the run sees it: nothing in the record says it again
	Remedy    string
}

// kinds are the warnings that this version can raise, in the order of the docs. Four are
// locked by the research document: short_measurement_duration,
// gpu_persistence_mode_off, thermal_drift_detected, nvml_low_sample_count.
var kinds = []Kind{
	{Code: "short_measurement_duration", Severity: Doubt, Remedy: "give it more work (prompts, longer outputs), so that the window lasts at least 10 s"},
	{Code: "gpu_persistence_mode_off", Severity: Doubt, Remedy: "run `nvidia-smi -pm 1` as root, so that the driver keeps the GPU's power state"},
	{Code: "thermal_drift_detected", Severity: Doubt, Remedy: "warm up longer (warmup.n_warmup), raise warmup.thermal_floor_seconds, or check the cooling"},
	{Code: "nvml_low_sample_count", Severity: Doubt, Remedy: "lengthen the window or lower measurement.sample_interval_ms"},
	{Code: "energy_unavailable", Severity: Invalid, Remedy: "run `llem doctor` to see what is missing, or set energy.backend: none if that is meant"},
	{Code: "energy_scope_host", Severity: Doubt, Remedy: "compare it with figures of the same scope only; a GPU's energy needs an NVIDIA GPU"},
	{Code: "uncertainty_unknown", Severity: Invalid, Remedy: "lengthen the window, or see docs/methodology.md for what a sensor must show; the number is kept and must not be ranked"},
	{Code: "energy_implausible", Severity: Invalid, Remedy: "see `nvidia-smi -q -d POWER` for what the driver says of this GPU's power, and measure again"},
	{Code: "not_at_rest", Severity: Doubt, Remedy: "leave the GPU idle for some seconds before the window (warmup.thermal_floor_seconds; --quick waits the least)"},
	{Code: "slow_readings", Severity: Doubt, Remedy: "look for what slows the driver down, such as other monitors of this GPU; the interval is wider for it"},
	{Code: "sensor_disagreement", Severity: Doubt, Remedy: "compare per_gpu.counter_j and power_integral_j; lengthen the window"},
	{Code: "gpu_not_exclusive", Severity: Invalid, Observed: true, Remedy: "stop the other processes, or pick another GPU with --gpus"},
	{Code: "exclusivity_unknown", Severity: Doubt, Observed: true, Remedy: "see `nvidia-smi` for who is on the GPU; run llem as a user, and outside containers, where it sees the host's processes"},
	{Code: "instrument_failed", Severity: Doubt, Remedy: "the figure lacks this check: see `llem doctor` for what the instrument needs, and measure again"},
	{Code: "gpu_memory_not_released", Severity: Doubt, Observed: true, Remedy: "see `nvidia-smi` for what holds it: until it is free the GPU is not idle, and the next run has less of it"},
	{Code: "gpu_lost", Severity: Invalid, Remedy: "see `dmesg` for the driver's Xid error and `nvidia-smi` for the GPU's state; it may need a reset"},
	{Code: "throttled", Severity: Invalid, Remedy: "improve cooling or lower the power limit, then measure again"},
	{Code: "power_capped", Severity: Note, Remedy: "normal at full load; record the power limit beside the figure"},
	{Code: "negative_adjusted_energy", Severity: Doubt, Remedy: "measure the baseline again on an idle GPU; a cached one is dropped with baseline.cache_ttl_seconds: 0"},
	{Code: "baseline_stale", Severity: Doubt, Remedy: "set baseline.cache_ttl_seconds to 3600 or less, or 0 to measure it every time"},
	{Code: "baseline_drift", Severity: Doubt, Remedy: "let the GPU cool down before the baseline, or lengthen baseline.duration_seconds"},
	{Code: "baseline_contaminated", Severity: Doubt, Remedy: "stop the other processes on the GPU and measure again"},
	{Code: "warmup_not_converged", Severity: Doubt, Remedy: "raise warmup.max_warmup_prompts or warmup.cv_threshold, or look for what disturbs the host"},
	{Code: "cold_start", Severity: Note, Remedy: "set warmup.enabled: true and warmup.n_warmup: 5 unless a cold start is what you measure"},
	{Code: "quick_mode", Severity: Doubt, Remedy: "run without --quick for a figure to keep"},
	{Code: "client_bound", Severity: Doubt, Remedy: "give the client more free cores, or lower the concurrency or rate: `llem doctor --client` says what it can drive here"},
	{Code: "reads_late", Severity: Doubt, Remedy: "stop what else runs on this host: tokens that waited together to be read have the last one's time, and a closed loop sends later by as much; `llem doctor --client` says what it can drive here"},
	{Code: "receipts_unknown", Severity: Note, Remedy: "stamps are of llem's reads, which a busy host makes late: measure on a kernel that says when bytes came (SO_TIMESTAMPNS)"},
	{Code: "requests_failed", Severity: Doubt, Remedy: "see status and error in requests.parquet and the end of engine.log"},
	{Code: "token_count_mismatch", Severity: Doubt, Remedy: "compare tokens in result.json with engine.counters and the plan; look for retries, other clients of the server, or tokens that the engine adds or cuts off"},
	{Code: "token_count_unknown", Severity: Invalid, Remedy: "take a server that heeds stream_options.include_usage and counts rightly; engine.counters has the server's own totals, if any"},
	{Code: "input_tokens_unknown", Severity: Doubt, Remedy: "take a server that counts prompts in its usage, or send token ids (workload.source: synthetic with an engine that takes them)"},
	{Code: "input_tokens_counted", Severity: Note, Remedy: "tokens.input_source names what counted them"},
	{Code: "usage_not_taken", Severity: Doubt, Remedy: "see usage_refused in requests.parquet; look for a gateway or a server that counts wrongly"},
	{Code: "latency_unknown", Severity: Doubt, Remedy: "look at the answers with output.save_responses: tokens without text, or a server or gateway that does not stream"},
	{Code: "other_model_answered", Severity: Doubt, Otherwise: "; invalid where only some answers do", Remedy: "measure the server behind the gateway, or name the model that answered (model, engine.served_model); the column model of requests.parquet says which answers"},
	{Code: "answers_not_ended", Severity: Doubt, Remedy: "look at finish_reason and at the lengths in requests.parquet; a gateway may cut answers and end them with [DONE]"},
	{Code: "engine_counters_unknown", Severity: Doubt, Observed: true, Remedy: "look for a restart of the server or for another one behind the same address"},
	{Code: "output_length_not_controlled", Severity: Note, Otherwise: "; doubt where it was asked for and answers had other lengths", Remedy: "for equal work set workload.sampling.ignore_eos: true, and take an engine that heeds it (`llem engines`)"},
	{Code: "engine_not_confirmed", Severity: Doubt, Observed: true, Remedy: "set engine.name to what the server is; openai is any server with OpenAI's API"},
	{Code: "model_not_confirmed", Severity: Doubt, Otherwise: ", or note where the server says that it was loaded from the model", Observed: true, Remedy: "name the model as the server does (model), or compare by engine.served_model in the record"},
	{Code: "prefix_cache_hits", Severity: Doubt, Remedy: "a token that was found is not computed: give prompts that share no beginnings, or switch the engine's prefix cache off (docs/engines.md says how)"},
	{Code: "engine_args_override", Severity: Note, Observed: true, Remedy: "leave the flag to llem unless that is what you measure"},
	{Code: "synthetic_prompts", Severity: Note, Remedy: "use a prompts file where expert routing or speculative decoding matter"},
	{Code: "prompts_exhausted", Severity: Doubt, Observed: true, Remedy: "give a file of more prompts or lower workload.min_seconds; none is sent twice, since a prefix cache would answer it"},
	{Code: "prompts_left_out", Severity: Note, Remedy: "a prompt of nothing is none, and one that was sent before is answered by a prefix cache: the record's requests.prompts_left_out counts them"},
	{Code: "trace_gap", Severity: Note, Observed: true, Remedy: "the window idles meanwhile: cut the trace before or after the gap (workload.prompts, workload.max_seconds) unless that is what you measure"},
	{Code: "dummy_weights", Severity: Note, Remedy: "random weights: compare runs of this engine, not its joules with a trained model's"},
	{Code: "window_not_quiesced", Severity: Doubt, Observed: true, Remedy: "look for other clients of the server"},
	{Code: "counter_reset", Severity: Doubt, Remedy: "keep the driver loaded (persistence mode) and measure again"},
	{Code: "counter_stuck", Severity: Doubt, Remedy: "update the driver; a counter that stands still measures nothing"},
	{Code: "single_run", Severity: Note, Remedy: "repeat the experiment before comparing it with another"},
	{Code: "study_host_changed", Severity: Doubt, Observed: true, Remedy: "compare runs from before and after the change apart, or run the study anew"},
	{Code: "study_input_changed", Severity: Doubt, Observed: true, Remedy: "its runs before did other work: put the file back, or remove their folders to have them run again"},
	{Code: "record_altered", Severity: Invalid, Remedy: "its figures are not those that were written: restore the result from a copy, or measure again; `llem verify` says which of them differ"},
	{Code: "record_unfinished", Severity: Note, Observed: true, Remedy: "what was measured is whole; only what came after the window (the engine's log, a second baseline) is missing"},
	{Code: "clock_changed", Severity: Note, Observed: true, Remedy: "tell the order of a study's runs by study.run, and let a time service keep the host's clock"},
	{Code: "readings_lost", Severity: Doubt, Observed: true, Remedy: "see the log for NVML's error; lengthen measurement.sample_interval_ms"},
}

// Warn makes the warning of a known code; seen says what was seen. It panics
// on a code that is not in the table, which a test rules out.
func Warn(code, seen string, args ...any) Warning {
	k, ok := KindOf(code)
	if !ok {
		panic("measure: no warning has the code " + code)
	}
	return Warning{Code: code, Severity: k.Severity, Message: fmt.Sprintf(seen, args...) + "; " + k.Remedy}
}

// KindOf finds the row of a code.
func KindOf(code string) (Kind, bool) {
	i := slices.IndexFunc(kinds, func(k Kind) bool { return k.Code == code })
	if i < 0 {
		return Kind{}, false
	}
	return kinds[i], true
}

// Kinds lists the warnings that this version can raise.
func Kinds() []Kind { return slices.Clone(kinds) }
