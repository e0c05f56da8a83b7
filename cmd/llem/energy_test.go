package main

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/llenergymeasure/llem/internal/meter/standin"
	"github.com/llenergymeasure/llem/internal/result"
)

// full is an experiment of the whole protocol with its shortest waits, and a
// window of 12 s on any machine.
const full = `
name: full
model: reference/tiny
engine:
  image: llem-test/engine
  args: {x-pace: 10, x-file: %FILE%, x-gpu: %GPU%, x-idle: %IDLE%, x-busy: %BUSY%}
  container: {mounts: ['%FILE%:%FILE%']}
gpus: [%GPU%]
workload: {prompts: 24, max_input_tokens: 32, max_output_tokens: 100, load: {concurrency: 2}}
baseline: {duration_seconds: 30}
warmup: {n_warmup: 2, thermal_floor_seconds: 30}
energy: {backend: nvml}
`

func (h *host) full(gpu, idle, busy string) string {
	return h.config(strings.NewReplacer("%FILE%", h.file, "%GPU%", gpu, "%IDLE%", idle, "%BUSY%", busy).Replace(full))
}

func within(t *testing.T, what string, got *float64, want, tolerance float64) {
	t.Helper()
	if got == nil {
		t.Fatalf("%s is null, want %g", what, want)
	}
	if math.Abs(*got-want) > tolerance {
		t.Errorf("%s = %g, want %g ± %g", what, *got, want, tolerance)
	}
}

// Two GPUs of which the second is asked for, both at constant power.
func TestConstantPowerGivesPowerTimesWindow(t *testing.T) {
	t.Parallel()
	h := newHost(t, standin.GPU{Power: 150}, standin.GPU{Power: 300, Refresh: 50 * time.Millisecond})
	h.set(standin.LogEnv, h.path("calls"))
	c := h.start("run", "-o", h.path("out"), h.full("1", "300", "300"))
	requests := ""
	until(t, "a container", func() bool {
		ids := containers(t, c.Process.Pid)
		if len(ids) == 0 {
			return false
		}
		out, err := exec.Command("docker", "inspect", "--format", "{{json .HostConfig.DeviceRequests}}", ids[0]).Output()
		requests = string(out)
		return err == nil // a daemon may list what it is still making
	})
	if !strings.Contains(requests, standin.UUID(1)) || strings.Contains(requests, standin.UUID(0)) {
		t.Errorf("the container was given %s, want GPU 1 alone", requests)
	}
	o := c.finish()
	h.clean(c.Process.Pid)
	r := o.record(t)
	if o.code != 0 || r.Status != "completed" {
		t.Fatalf("exit %d, status %s\n%s", o.code, r.Status, o.stderr)
	}
	truth := 300 * *r.WindowSeconds
	within(t, "energy_total_j", r.EnergyTotalJ, truth, truth/100)
	within(t, "baseline_power_w", r.BaselinePowerW, 300, 3)
	within(t, "energy_adjusted_j", r.EnergyAdjustedJ, 0, truth/100)
	within(t, "engine_idle_power_w", r.Energy.EngineIdlePowerW, 300, 3)
	within(t, "mean_power_w", r.Energy.MeanPowerW, 300, 3)
	within(t, "peak_power_w", r.Energy.PeakPowerW, 300, 0.1)
	if len(r.Environment.GPUs) != 1 || r.Environment.GPUs[0].UUID != standin.UUID(1) || len(r.Energy.PerGPU) != 1 {
		t.Errorf("GPUs in the record: %+v", r.Environment.GPUs)
	}
	if len(r.Energy.CrossChecks) != 1 || r.Energy.Method != "counter_edge_aligned" {
		t.Errorf("method %q, cross-checks %v; want the aligned counter checked by the integral", r.Energy.Method, r.Energy.CrossChecks)
	} else {
		within(t, "cross-check", &r.Energy.CrossChecks[0].EnergyJ, truth, truth/100)
	}
	if negative := strings.Contains(strings.Join(r.MeasurementWarnings, "\n"), "negative_adjusted_energy"); negative != (*r.EnergyAdjustedJ < 0) {
		t.Errorf("adjusted is %g and the warning is %v", *r.EnergyAdjustedJ, negative)
	}
	checkPhases(t, r.Phases, "preflight", "baseline", "launch", "warmup", "thermal_floor", "window", "record", "after")
	checkEvents(t, r)
	checkSeries(t, r, o.dirs[0])
	checkCalls(t, r, h.path("calls"), 1)
	for _, code := range locked {
		if r.WarningSeverities[code] != "" {
			t.Errorf("%s was raised: %v", code, r.MeasurementWarnings)
		}
	}
}

// stall is what the step from 60 to 300 W comes to in ten milliseconds, in joules:
// by so much a starved host's processes may see the edge of a window apart. These
// tests run four at a time on two cores.
const stall = 240 * 0.010

// The power follows the requests, as a GPU's does.
func TestSwitchedPowerGivesTheAdjustedTruth(t *testing.T) {
	t.Parallel()
	h := newHost(t, standin.GPU{Power: 60})
	o := h.llem("run", "-o", h.path("out"), h.full("0", "60", "300"))
	r := o.record(t)
	if o.code != 0 {
		t.Fatalf("exit %d\n%s", o.code, o.stderr)
	}
	from := standin.At(*r.WindowStart)
	length := time.Duration(*r.WindowSeconds * float64(time.Second))
	truth, err := h.gpus.Truth(0, from, from+length)
	if err != nil {
		t.Fatal(err)
	}
	u := r.Energy.URepeatabilityJ
	if u == nil || *u <= 0 || *u > truth/100 {
		t.Fatalf("the uncertainty of %g J is %v", truth, u)
	}
	within(t, "energy_total_j", r.EnergyTotalJ, truth, 3**u+stall)
	within(t, "energy_total_j", r.EnergyTotalJ, truth, truth/200)
	adjusted := truth - 60**r.WindowSeconds
	within(t, "energy_adjusted_j", r.EnergyAdjustedJ, adjusted, adjusted/50)
	within(t, "energy_adjusted_j", r.EnergyAdjustedJ, adjusted, 3**r.Energy.UAdjustedJ+stall)
	if !strings.Contains(o.stdout, " ± ") {
		t.Errorf("the table states no uncertainty:\n%s", o.stdout)
	}
	within(t, "baseline_power_w", r.BaselinePowerW, 60, 0.6)
	within(t, "engine_idle_power_w", r.Energy.EngineIdlePowerW, 60, 0.6)
	if r.Energy.Steady == nil || r.Energy.Steady.EnergyJ == nil {
		t.Error("no steady slice")
	}
	checkVerify(t, h, o.dirs[0])
}

// checkVerify has the joules computed again, and one changed byte found.
func checkVerify(t *testing.T, h *host, dir string) {
	t.Helper()
	v := h.llem("verify", dir)
	for _, what := range []string{"energy_total_j", "energy.u_repeatability_j", "baseline_power_w", "energy_adjusted_j"} {
		if !regexp.MustCompile(`ok +` + what + ` .*computed again`).MatchString(v.stdout) {
			t.Errorf("%s was not computed again", what)
		}
	}
	if v.code != 0 || strings.Contains(v.stdout, "differs") || strings.Count(v.stdout, "as it was written") < 6 {
		t.Errorf("exit %d\n%s%s", v.code, v.stdout, v.stderr)
	}
	checkTampering(t, h, dir)
	flip := func(name string, at func([]byte) int, to byte) {
		path := filepath.Join(dir, name)
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		data[at(data)] = to
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	flip(result.ConfigFile, func(b []byte) int { return len(b) / 2 }, '#')
	v = h.llem("verify", dir)
	if v.code != exitFailed || strings.Count(v.stdout, "differs") != 1 || !strings.Contains(v.stdout, "differs  config.yaml") {
		t.Errorf("a changed byte: exit %d\n%s", v.code, v.stdout)
	}
	// One digit of the figure itself, which no checksum holds.
	digit := func(b []byte) int {
		return bytes.Index(b, []byte(`"energy_total_j": `)) + len(`"energy_total_j": `) + 1
	}
	flip(result.RecordFile, digit, '0')
	if v = h.llem("verify", dir); v.code != exitFailed || !strings.Contains(v.stdout, "differs  energy_total_j") {
		flip(result.RecordFile, digit, '1') // it was a 0
		if v = h.llem("verify", dir); !strings.Contains(v.stdout, "differs  energy_total_j") {
			t.Errorf("a changed figure: exit %d\n%s", v.code, v.stdout)
		}
	}
}

// checkSeries holds the files of a run at 300 W on GPU 1 to the record.
func checkSeries(t *testing.T, r *result.Record, dir string) {
	t.Helper()
	series := readParquet(t, filepath.Join(dir, result.TimeseriesFile))
	columns := []string{"experiment_id", "gpu_index", "gpu_uuid", "memory_total_mb", "memory_used_mb", "power_w", "sm_utilisation_pct", "temperature_c", "throttle_reasons", "timestamp_s", "utc_ns"}
	if got := slices.Sorted(maps.Keys(series)); !slices.Equal(got, columns) {
		t.Errorf("timeseries has the columns %v", got)
	}
	if n := len(series["power_w"]); n != int(math.Ceil(*r.WindowSeconds)) {
		t.Errorf("timeseries has %d rows for a window of %g s", n, *r.WindowSeconds)
	}
	for i, w := range series["power_w"] {
		p, err := strconv.ParseFloat(w, 64)
		utc := r.WindowStart.Add(time.Duration(i) * time.Second).UnixNano()
		if series["utc_ns"][i] != fmt.Sprint(utc) || series["gpu_uuid"][i] != r.Environment.GPUs[0].UUID || series["experiment_id"][i] != r.ExperimentID {
			t.Errorf("second %d: %s on %s in %s", i, series["utc_ns"][i], series["gpu_uuid"][i], series["experiment_id"][i])
		}
		if err != nil || math.Abs(p-300) > 1 || series["gpu_index"][i] != "1" || series["timestamp_s"][i] != strconv.Itoa(i) {
			t.Errorf("second %s: %s W on GPU %s", series["timestamp_s"][i], w, series["gpu_index"][i])
		}
	}
	requests := readParquet(t, filepath.Join(dir, result.RequestsFile))
	if len(requests["id"]) != r.Requests.Completed {
		t.Errorf("%d requests in the file, %d in the record", len(requests["id"]), r.Requests.Completed)
	}
	samples := readParquet(t, filepath.Join(dir, result.SamplesFile))
	for name, ids := range map[string][]string{"requests": requests["experiment_id"], "samples": samples["experiment_id"]} {
		if one := slices.Compact(slices.Clone(ids)); !slices.Equal(one, []string{r.ExperimentID}) {
			t.Errorf("%s carry the experiment ids %v", name, one)
		}
	}
	for _, p := range r.Phases {
		if p.WindowSeconds == nil || math.Abs(*p.WindowSeconds-p.Start.Sub(*r.WindowStart).Seconds()) > 0.01 || p.Name == "warmup" && *p.WindowSeconds >= 0 {
			t.Errorf("phase %s began %v s after t0", p.Name, p.WindowSeconds)
		}
	}
	seen := slices.Compact(slices.Clone(samples["phase"]))
	if want := []string{"preflight", "baseline", "launch", "warmup", "thermal_floor", "window"}; len(seen) < len(want) || !slices.Equal(seen[:len(want)], want) {
		t.Errorf("samples of the phases %v, want %v first", seen, want)
	}
	edges := 0
	for i, e := range samples["edge"] {
		if e == "true" && samples["phase"][i] == "window" {
			edges++
		}
	}
	// Polled every 5 ms, for at most 1.2 refreshes of 50 ms before the window and 3.2
	// after it; and two readings at its ends.
	if edges < 4 || edges > 46 {
		t.Errorf("%d edges in the window", edges)
	}
}
