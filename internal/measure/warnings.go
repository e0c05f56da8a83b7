package measure

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/llenergymeasure/llem/internal/stats"
)

// kind is what is fixed about a warning: its severity and its remedy.
type kind struct {
	severity Severity
	remedy   string
}

// The codes that this version can raise. Codes are stable: scripts read them.
// Four are locked by the research document: short_measurement_duration,
// gpu_persistence_mode_off, thermal_drift_detected, nvml_low_sample_count.
var kinds = map[string]kind{
	"short_measurement_duration":   {Doubt, "give it more work (prompts, longer outputs), so that the window lasts at least 10 s"},
	"gpu_persistence_mode_off":     {Doubt, "run `nvidia-smi -pm 1` as root, so that the driver keeps the GPU's power state"},
	"thermal_drift_detected":       {Doubt, "warm up longer (warmup.n_warmup), raise warmup.thermal_floor_seconds, or check the cooling"},
	"nvml_low_sample_count":        {Doubt, "lengthen the window or lower measurement.sample_interval_ms"},
	"energy_unavailable":           {Invalid, "run `llem doctor` to see what is missing, or set energy.backend: none if that is meant"},
	"energy_scope_host":            {Doubt, "compare it with figures of the same scope only; a GPU's energy needs an NVIDIA GPU"},
	"uncertainty_unknown":          {Invalid, "lengthen the window, or see docs/methodology.md for what a sensor must show; the number is kept and must not be ranked"},
	"energy_implausible":           {Invalid, "see `nvidia-smi -q -d POWER` for what the driver says of this GPU's power, and measure again"},
	"not_at_rest":                  {Doubt, "leave the GPU idle for some seconds before the window (warmup.thermal_floor_seconds; --quick waits the least)"},
	"slow_readings":                {Doubt, "look for what slows the driver down, such as other monitors of this GPU; the interval is wider for it"},
	"sensor_disagreement":          {Doubt, "compare per_gpu.counter_j and power_integral_j; lengthen the window"},
	"gpu_not_exclusive":            {Invalid, "stop the other processes, or pick another GPU with --gpus"},
	"exclusivity_unknown":          {Doubt, "see `nvidia-smi` for who is on the GPU; run llem as a user, and outside containers, where it sees the host's processes"},
	"instrument_failed":            {Doubt, "the figure lacks this check: see `llem doctor` for what the instrument needs, and measure again"},
	"gpu_memory_not_released":      {Doubt, "see `nvidia-smi` for what holds it: until it is free the GPU is not idle, and the next run has less of it"},
	"gpu_lost":                     {Invalid, "see `dmesg` for the driver's Xid error and `nvidia-smi` for the GPU's state; it may need a reset"},
	"throttled":                    {Invalid, "improve cooling or lower the power limit, then measure again"},
	"power_capped":                 {Note, "normal at full load; record the power limit beside the figure"},
	"negative_adjusted_energy":     {Doubt, "measure the baseline again on an idle GPU; a cached one is dropped with baseline.cache_ttl_seconds: 0"},
	"baseline_stale":               {Doubt, "set baseline.cache_ttl_seconds to 3600 or less, or 0 to measure it every time"},
	"baseline_drift":               {Doubt, "let the GPU cool down before the baseline, or lengthen baseline.duration_seconds"},
	"baseline_contaminated":        {Doubt, "stop the other processes on the GPU and measure again"},
	"warmup_not_converged":         {Doubt, "raise warmup.max_warmup_prompts or warmup.cv_threshold, or look for what disturbs the host"},
	"cold_start":                   {Note, "set warmup.enabled: true and warmup.n_warmup: 5 unless a cold start is what you measure"},
	"quick_mode":                   {Doubt, "run without --quick for a figure to keep"},
	"client_bound":                 {Doubt, "give the client more free cores, or lower the concurrency or rate: `llem doctor --client` says what it can drive here"},
	"reads_late":                   {Doubt, "stop what else runs on this host: tokens that waited together to be read have the last one's time, and a closed loop sends later by as much; `llem doctor --client` says what it can drive here"},
	"receipts_unknown":             {Note, "stamps are of llem's reads, which a busy host makes late: measure on a kernel that says when bytes came (SO_TIMESTAMPNS)"},
	"requests_failed":              {Doubt, "see status and error in requests.parquet and the end of engine.log"},
	"token_count_mismatch":         {Doubt, "compare tokens in result.json with engine.counters and the plan; look for retries, other clients of the server, or tokens that the engine adds or cuts off"},
	"token_count_unknown":          {Invalid, "take a server that heeds stream_options.include_usage and counts rightly; engine.counters has the server's own totals, if any"},
	"input_tokens_unknown":         {Doubt, "take a server that counts prompts in its usage, or send token ids (workload.source: synthetic with an engine that takes them)"},
	"input_tokens_counted":         {Note, "tokens.input_source names what counted them"},
	"usage_not_taken":              {Doubt, "see usage_refused in requests.parquet; look for a gateway or a server that counts wrongly"},
	"latency_unknown":              {Doubt, "look at the answers with output.save_responses: tokens without text, or a server or gateway that does not stream"},
	"other_model_answered":         {Doubt, "measure the server behind the gateway, or name the model that answered (model, engine.served_model); the column model of requests.parquet says which answers"},
	"answers_not_ended":            {Doubt, "look at finish_reason and at the lengths in requests.parquet; a gateway may cut answers and end them with [DONE]"},
	"engine_counters_unknown":      {Doubt, "look for a restart of the server or for another one behind the same address"},
	"output_length_not_controlled": {Note, "for equal work set workload.sampling.ignore_eos: true, and take an engine that heeds it (`llem engines`)"},
	"engine_not_confirmed":         {Doubt, "set engine.name to what the server is; openai is any server with OpenAI's API"},
	"model_not_confirmed":          {Doubt, "name the model as the server does (model), or compare by engine.served_model in the record"},
	"prefix_cache_hits":            {Doubt, "a token that was found is not computed: give prompts that share no beginnings, or switch the engine's prefix cache off (docs/engines.md says how)"},
	"engine_args_override":         {Note, "leave the flag to llem unless that is what you measure"},
	"synthetic_prompts":            {Note, "use a prompts file where expert routing or speculative decoding matter"},
	"prompts_exhausted":            {Doubt, "give a file of more prompts or lower workload.min_seconds; none is sent twice, since a prefix cache would answer it"},
	"prompts_left_out":             {Note, "a prompt of nothing is none, and one that was sent before is answered by a prefix cache: the record's requests.prompts_left_out counts them"},
	"trace_gap":                    {Note, "the window idles meanwhile: cut the trace before or after the gap (workload.prompts, workload.max_seconds) unless that is what you measure"},
	"dummy_weights":                {Note, "random weights: compare runs of this engine, not its joules with a trained model's"},
	"window_not_quiesced":          {Doubt, "look for other clients of the server"},
	"counter_reset":                {Doubt, "keep the driver loaded (persistence mode) and measure again"},
	"counter_stuck":                {Doubt, "update the driver; a counter that stands still measures nothing"},
	"single_run":                   {Note, "repeat the experiment before comparing it with another"},
	"study_host_changed":           {Doubt, "compare runs from before and after the change apart, or run the study anew"},
	"study_input_changed":          {Doubt, "its runs before did other work: put the file back, or remove their folders to have them run again"},
	"record_altered":               {Invalid, "its figures are not those that were written: restore the result from a copy, or measure again; `llem verify` says which of them differ"},
	"record_unfinished":            {Note, "what was measured is whole; only what came after the window (the engine's log, a second baseline) is missing"},
	"clock_changed":                {Note, "tell the order of a study's runs by study.run, and let a time service keep the host's clock"},
	"readings_lost":                {Doubt, "see the log for NVML's error; lengthen measurement.sample_interval_ms"},
}

// Warn makes the warning of a known code; seen says what was seen. It panics
// on a code that is not in the table, which a test rules out.
func Warn(code, seen string, args ...any) Warning {
	k, ok := kinds[code]
	if !ok {
		panic("measure: no warning has the code " + code)
	}
	return Warning{Code: code, Severity: k.severity, Message: fmt.Sprintf(seen, args...) + "; " + k.remedy}
}

// Codes lists every warning's code with its severity and remedy, for the docs.
func Codes() map[string]Warning {
	out := make(map[string]Warning, len(kinds))
	for code, k := range kinds {
		out[code] = Warning{Code: code, Severity: k.severity, Message: k.remedy}
	}
	return out
}

// Thresholds of warnings. The first two are locked by the research document, section
// "Measurement quality signals".
const (
	shortWindow    = 10 * time.Second
	minSamples     = 10
	staleBaseline  = time.Hour // baseline.cache_ttl_seconds, protocol section 1
	countTolerance = 0.01      // relative difference to the server's own counts. Assumed: tokens that a text begins or ends with

	// What counter and integral may differ by where the figure carries no
	// uncertainty. Assumed: a twentieth, and seconds of mean power, two refreshes of
	// 100 ms.
	sensorTolerance  = 0.05
	sensorAllowanceS = 0.2
)

// GPUFacts are what the warnings about GPUs are judged by.
type GPUFacts struct {
	Devices        []Device
	Samples        []Sample // of the whole run
	From, To       time.Duration
	Energies       []DeviceEnergy
	DriftThreshold Celsius
}

// GPUWarnings judges the window's readings.
func GPUWarnings(f GPUFacts) []Warning {
	var out []Warning
	for g, d := range f.Devices {
		out = append(out, f.device(int32(g), d, f.Energies[g])...)
	}
	return out
}

func (f GPUFacts) device(g int32, d Device, e DeviceEnergy) []Warning {
	var out []Warning
	if d.Persistence != nil && !*d.Persistence {
		out = append(out, Warn("gpu_persistence_mode_off", "GPU %d: persistence mode is off", d.Index))
	}
	if drift, ok := f.drift(g); ok && drift > f.DriftThreshold {
		out = append(out, Warn("thermal_drift_detected", "GPU %d: temperature moved by %s °C over the window (threshold %g °C)", d.Index, stats.Fixed(float64(drift), 0), float64(f.DriftThreshold)))
	}
	if e.Samples < minSamples {
		out = append(out, Warn("nvml_low_sample_count", "GPU %d: %d readings of power in the window, fewer than %d", d.Index, e.Samples, minSamples))
	}
	if seen := f.throttling(g, throttleBad); seen != "" {
		out = append(out, Warn("throttled", "GPU %d: in the window %s", d.Index, seen))
	}
	if seen := f.throttling(g, throttlePowerCap); seen != "" {
		out = append(out, Warn("power_capped", "GPU %d: held at its power limit in the window: %s", d.Index, seen))
	}
	if e.Lost {
		out = append(out, Warn("gpu_lost", "GPU %d: its readings do not reach from the start of the window to its end", d.Index))
	}
	if e.Reset {
		out = append(out, Warn("counter_reset", "GPU %d: the energy counter went backwards; the figure is the power integral", d.Index))
	}
	if e.Still {
		out = append(out, Warn("counter_stuck", "GPU %d: the energy counter stood still; the figure is the power integral", d.Index))
	}
	if e.Restless {
		out = append(out, Warn("not_at_rest", "GPU %d: its power was still falling as the window opened", d.Index))
	}
	if took, ok := slow(f.Samples, g, f.From, f.To); ok {
		out = append(out, Warn("slow_readings", "GPU %d: a reading took %s ms, the median", d.Index, stats.Fixed(1000*took.Seconds(), 0)))
	}
	switch {
	case e.Energy == nil || e.Refused == "":
	case e.Implausible:
		out = append(out, Warn("energy_implausible", "GPU %d: %s", d.Index, e.Refused))
	default:
		out = append(out, Warn("uncertainty_unknown", "GPU %d: how certain its energy is cannot be said: %s", d.Index, e.Refused))
	}
	if w, ok := f.disagreement(d, e); ok {
		out = append(out, w)
	}
	return out
}

// drift is |temperature at the end − at the start| of the window.
func (f GPUFacts) drift(g int32) (Celsius, bool) {
	var first, last *Sample
	for i := range f.Samples {
		s := &f.Samples[i]
		if s.GPU != g || s.Phase != WindowPhase || s.Has&HasTemperature == 0 {
			continue
		}
		if first == nil {
			first = s
		}
		last = s
	}
	if first == nil {
		return 0, false
	}
	return Celsius(max(last.TemperatureC-first.TemperatureC, first.TemperatureC-last.TemperatureC)), true
}

// disagreement compares counter and integral. Where the figure carries no
// uncertainty the allowance is a twentieth and two refreshes' energy.
func (f GPUFacts) disagreement(d Device, e DeviceEnergy) (Warning, bool) {
	if e.Counter == nil || e.Integral == nil || e.Mean == nil {
		return Warning{}, false
	}
	diff := float64(*e.Integral - *e.Counter)
	allowed := sensorTolerance*float64(*e.Counter) + sensorAllowanceS*float64(*e.Mean)
	if e.U != nil {
		allowed = math.Inf(1)
		if _, apart := e.Components[disagreement]; apart {
			allowed = 0
		}
	}
	if max(diff, -diff) <= allowed {
		return Warning{}, false
	}
	return Warn("sensor_disagreement", "GPU %d: the counter says %s J, integrated power %s J", d.Index, stats.Fixed(float64(*e.Counter), 1), stats.Fixed(float64(*e.Integral), 1)), true
}

// BaselineWarnings judges a baseline and what is left after subtracting it.
func BaselineWarnings(b *Baseline, adjusted *Joules) []Warning {
	var out []Warning
	if b != nil && b.Contaminated {
		out = append(out, Warn("baseline_contaminated", "%s on the GPU while the baseline was measured", Describe(b.Processes)))
	}
	if b != nil && b.Unlisted != nil {
		out = append(out, Warn("exclusivity_unknown", "processes on the GPU could not be listed while the baseline was measured: %v", b.Unlisted))
	}
	if b != nil && b.Cached && b.Age > staleBaseline {
		out = append(out, Warn("baseline_stale", "the cached baseline is %s old", b.Age.Round(time.Second)))
	}
	if adjusted != nil && *adjusted < 0 {
		out = append(out, Warn("negative_adjusted_energy", "adjusted energy is %s J: the window used less than the baseline", belowZero(float64(*adjusted))))
	}
	return out
}

// BaselineDrift warns when idle power after the run is another than before by
// more than three times what both are known to, as for instruments that disagree, and
// by more than driftShare.
func BaselineDrift(before, after Baseline) (Warning, bool) {
	u := 0.0
	for _, b := range []Baseline{before, after} {
		if b.U != nil {
			u = math.Hypot(u, float64(*b.U))
		}
	}
	drift := float64(after.Power - before.Power)
	if math.Abs(drift) <= max(disagreementLimit*u, driftShare*float64(before.Power)) {
		return Warning{}, false
	}
	return Warn("baseline_drift", "idle power was %s W before and %s W after", stats.Fixed(float64(before.Power), 1), stats.Fixed(float64(after.Power), 1)), true
}

// driftShare is how far an idle GPU's power may wander. Assumed: no figure is
// published.
const driftShare = 0.02

// Describe names processes for a person.
func Describe(ps []Process) string {
	names := make([]string, 0, len(ps))
	for _, p := range ps {
		name := p.Name
		if name == "" {
			name = "process"
		}
		names = append(names, fmt.Sprintf("%s (pid %d)", name, p.PID))
	}
	return strings.Join(names, ", ")
}

// ShortWindow is the locked warning about a window under 10 s.
func ShortWindow(window time.Duration) (Warning, bool) {
	if window >= shortWindow {
		return Warning{}, false
	}
	return Warn("short_measurement_duration", "the window lasted %.1f s, under %s", window.Seconds(), shortWindow), true
}

// CountMismatch warns when the server's own count differs from ours by more
// than 1 %.
func CountMismatch(what string, ours, theirs int64) (Warning, bool) {
	if ours == theirs || float64(max(ours-theirs, theirs-ours)) <= countTolerance*float64(max(ours, theirs)) {
		return Warning{}, false
	}
	return Warn("token_count_mismatch", "%s tokens: responses say %d, the server's own counter %d", what, ours, theirs), true
}

// belowZero prints a number below 0 so that it is seen to be.
func belowZero(v float64) string {
	if v > -0.005 {
		return strconv.FormatFloat(v, 'g', 2, 64)
	}
	return stats.Fixed(v, 2)
}
