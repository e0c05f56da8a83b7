package measure

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/llenergymeasure/llem/internal/device"
	"github.com/llenergymeasure/llem/internal/stats"
)

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
	Devices        []device.Device
	Samples        []device.Sample // of the whole run
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

func (f GPUFacts) device(g int32, d device.Device, e DeviceEnergy) []Warning {
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
	if seen := f.throttling(g, device.SoftwarePowerCap); seen != "" {
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
	var first, last *device.Sample
	for i := range f.Samples {
		s := &f.Samples[i]
		if s.GPU != g || Phase(s.Phase) != WindowPhase || s.Has&device.HasTemperature == 0 {
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

// slowReading is how long a reading may take before what it read is said to be unsure
// when.
const slowReading = 5 * time.Millisecond

// slow is how long a reading of a GPU took in a span, the median, where that is long.
func slow(samples []device.Sample, gpu int32, from, to time.Duration) (took time.Duration, ok bool) {
	var all []time.Duration
	for i := range samples {
		if s := &samples[i]; s.GPU == gpu && s.At >= from && s.At <= to {
			all = append(all, s.Took)
		}
	}
	if len(all) == 0 {
		return 0, false
	}
	slices.Sort(all)
	took = all[len(all)/2]
	return took, took > slowReading
}

// disagreement compares counter and integral. Where the figure carries no
// uncertainty the allowance is a twentieth and two refreshes' energy.
func (f GPUFacts) disagreement(d device.Device, e DeviceEnergy) (Warning, bool) {
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
func Describe(ps []device.Process) string {
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

// WarmupWarning judges a warmup that came to its end.
func WarmupWarning(cfg WarmupConfig, res WarmupResult) (Warning, bool) {
	switch {
	case cfg.AtMost() == 0:
		return Warn("cold_start", "nothing was sent before the window"), true
	case res.Converged != nil && !*res.Converged && res.FinalCV != nil:
		return Warn("warmup_not_converged", "the CV of the last %d latencies is %.3f after %d iterations, target %.3f", cfg.Window, *res.FinalCV, res.Iterations, cfg.Threshold), true
	}
	return Warning{}, false
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
