package report

import (
	"bytes"
	"flag"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/llenergymeasure/llem/internal/result"
)

var update = flag.Bool("update", false, "rewrite golden files")

func p[T any](v T) *T { return &v }

// full is a record of one good run on two GPUs.
func full() *result.Record {
	lat := func(x float64) *result.Summary {
		return &result.Summary{N: 100, Mean: x, P50: x, P90: 2 * x, P95: 2.5 * x, P99: 3 * x, Max: 40 * x}
	}
	return &result.Record{
		SchemaVersion: result.SchemaVersion, Name: "llama31-8b", Status: result.Completed, StartedAt: time.Unix(0, 0),
		Engine: result.Engine{Name: "vllm", Version: p("0.27.1"), Image: "vllm/vllm-openai:v0.27.1", ImageDigest: p("vllm/vllm-openai@sha256:0123456789abcdef0123456789abcdef"), ImageID: "sha256:ffff", StartupSeconds: p(93.4), StartupEnergyJ: p(12345.6), Route: "container_address"},
		Model:  result.Model{ID: "meta-llama/Llama-3.1-8B-Instruct", ParametersNonEmbedding: p(int64(6979588096))},
		Environment: result.Environment{GPUs: []result.GPU{
			{Index: 0, Name: "NVIDIA H100 80GB HBM3", Driver: "550.54.15", UUID: "GPU-a"},
			{Index: 3, Name: "NVIDIA H100 80GB HBM3", Driver: "550.54.15", UUID: "GPU-b"},
		}},
		EnergyTotalJ: p(25432.1), EnergyAdjustedJ: p(20432.1), BaselinePowerW: p(138.2), EnergyPerOutputToken: p(0.99344),
		Energy: result.Energy{
			Host:  &result.HostEnergy{Method: "rapl", PackageJ: p(2345.6)},
			Valid: true, Scope: "gpu", Backend: "nvml", Method: "counter", CoverageK: 2, MeanPowerW: p(702.5), PeakPowerW: p(811.0), EngineIdlePowerW: p(160.9),
			PerGPU:      []result.GPUEnergy{{Index: 0, EnergyJ: p(12700.0), MeanPowerW: p(350.8)}, {Index: 3, EnergyJ: p(12732.1), MeanPowerW: p(351.7)}},
			CrossChecks: []result.CrossCheck{{Method: "power_integral", EnergyJ: 25300, DifferenceJ: p(-132.1)}},
			Baseline:    &result.Baseline{DurationSeconds: 30, Cached: true, AgeSeconds: 600},
			PerRequestJ: p(254.321), PerTotalTokenJ: p(0.49672),
			Steady: &result.Steady{Seconds: 33.1, EnergyJ: p(23900.0), UJ: p(12.0), JoulesPerToken: p(0.97), UPerTokenJ: p(0.0016)},
		},
		Tokens: result.Tokens{Input: p(int64(25600)), Output: p(int64(25600)), Source: "server", InputSource: "server"}, Requests: result.Requests{Completed: 100},
		WindowSeconds: p(36.2), TokensPerSecond: p(707.2), TokensPerSecondPerGPU: p(353.6),
		Latency: result.Latency{TTFT: lat(21.3), TPOT: lat(11.02), ITL: lat(11), E2E: lat(2831)},
		Client:  result.Client{CPUSeconds: p(1.234), SendLagMS: lat(0.01), ReadLagMS: lat(0.02)},
		FLOPs:   &result.FLOPs{Value: p(7.1e14), Total: p(7.9e14), Confidence: p("high"), FLOPsPerSecond: p(1.97e13), FLOPsPerJoule: p(2.8e10), UFLOPsPerJoule: p(6e7)},
		Warmup:  &result.Warmup{IterationsCompleted: 5, MaxPrompts: 5, DurationSeconds: 14.2, ThermalFloorSeconds: 60},
		MeasurementWarnings: []string{
			"single_run: one run has no spread of its own; repeat the experiment before comparing it with another",
			"thermal_drift_detected: GPU 3: temperature moved by 14 °C over the window (threshold 10 °C); warm up longer (warmup.n_warmup), raise warmup.thermal_floor_seconds, or check the cooling",
		},
		WarningSeverities: map[string]string{"single_run": "note", "thermal_drift_detected": "doubt"},
		Timeseries:        "timeseries.parquet", RequestsFile: "requests.parquet", SamplesFile: "samples.parquet",
	}
}

// golden compares got with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("-want +got (go test -update rewrites it):\n%s", diff)
	}
}

func TestTables(t *testing.T) {
	for name, change := range map[string]func(*result.Record){
		"full": func(*result.Record) {},
		"uncertainty": func(r *result.Record) {
			r.Energy.URepeatabilityJ, r.Energy.UAbsoluteJ, r.Energy.UAdjustedJ = p(64.0), p(737.0), p(71.3)
			r.Energy.UPerOutputTokenAbsoluteJ, r.Energy.UAdjustedAbsoluteJ, r.FLOPs.UFLOPsPerJouleAbsolute = p(0.0288), p(594.0), p(8.1e8)
			r.Energy.Baseline.UW, r.Energy.Method = p(0.31), "counter_edge_aligned"
			r.Engine.UStartupEnergyJ, r.Energy.UEngineIdlePowerW = p(61.2), p(0.4)
			r.Energy.Gain = &result.Gain{HalfWidth: 0.06, Source: "as of A100 (arXiv 2312.02741); no comparison of an H100 with an external meter found", Standing: "extrapolated"}
			r.Energy.PerGPU[0].UJ, r.Energy.PerGPU[1].UJ = p(45.2), p(45.4)
		},
		"module": func(r *result.Record) {
			r.Energy.URepeatabilityJ, r.Energy.UAbsoluteJ, r.Energy.Scope = p(64.0), p(737.0), "module"
		},
		"invalid": func(r *result.Record) {
			r.Energy.Valid, r.Energy.Reasons = false, []string{"gpu_not_exclusive", "throttled"}
			r.MeasurementWarnings = append(r.MeasurementWarnings, "gpu_not_exclusive: python (pid 17) on the GPU before the run; stop the other processes, or pick another GPU with --gpus")
			r.WarningSeverities["gpu_not_exclusive"] = "invalid"
		},
		"backend_none": func(r *result.Record) {
			withoutEnergy(r, "energy.backend: none was asked for")
			r.MeasurementWarnings = nil
		},
		"one_gpu": func(r *result.Record) {
			r.Engine.Counters = &result.EngineCounters{QueueSeconds: p(0.125), PrefillSeconds: p(2.1), DecodeSeconds: p(281.0), Preemptions: p(int64(1)), AcceptanceLength: p(2.71)}
			r.Environment.GPUs, r.Energy.PerGPU = r.Environment.GPUs[:1], r.Energy.PerGPU[:1]
			r.Name, r.Energy.Steady, r.Requests = "", nil, result.Requests{Completed: 1234567, Failed: 1}
			r.EnergyAdjustedJ, r.BaselinePowerW, r.Energy.Baseline = nil, nil, nil
		},
		"no_gpu": func(r *result.Record) {
			withoutEnergy(r, "no NVIDIA driver: libnvidia-ml.so.1 cannot be loaded")
			r.MeasurementWarnings = append(r.MeasurementWarnings, "energy_unavailable: no NVIDIA driver: libnvidia-ml.so.1 cannot be loaded; run `llem doctor` to see what is missing, or set energy.backend: none if that is meant")
			r.WarningSeverities["energy_unavailable"] = "invalid"
			r.Engine.ImageDigest = nil
			r.Warmup.IterationsCompleted = 1
		},
		"open_loop": func(r *result.Record) {
			r.Latency.TTFTScheduled, r.Latency.E2EScheduled = r.Latency.TTFT, r.Latency.E2E
			r.Energy.Baseline.Cached = false
			r.Warmup.Converged, r.Warmup.FinalCV = p(true), p(0.0312)
		},
		"failed": func(r *result.Record) {
			r.Status, r.Error = result.Failed, "container died: exit code 137, killed for want of memory\nand more"
			r.EnergyTotalJ, r.EnergyAdjustedJ, r.EnergyPerOutputToken = nil, nil, nil
			r.Tokens, r.Requests, r.Latency, r.Client = result.Tokens{}, result.Requests{}, result.Latency{}, result.Client{}
			r.WindowSeconds, r.TokensPerSecond, r.FLOPs, r.Warmup = nil, nil, nil, nil
			r.MeasurementWarnings = nil
		},
		"interrupted": func(r *result.Record) {
			r.Status, r.Error = result.Interrupted, "interrupted"
			withoutEnergy(r, "the window was not reached")
			r.WindowSeconds, r.Warmup.IterationsCompleted = nil, 2
		},
		"interrupted_in_window": func(r *result.Record) {
			r.Status, r.Error = result.Interrupted, "interrupted"
			withoutEnergy(r, "no NVIDIA driver: libnvidia-ml.so.1 cannot be loaded")
			r.Latency.TPOT = nil
		},
		"long": func(r *result.Record) {
			r.Status, r.Error = result.Failed, "start container vllm: the server answered 400 Bad Request: "+strings.Repeat("max_tokens is too large ", 8)
			r.Engine.Image = "registry.example.org/" + strings.Repeat("long/", 20) + "image:tag"
			r.Environment.GPUs[0].Name = strings.Repeat("NVIDIA ", 20)
			r.Energy.CrossChecks = append(r.Energy.CrossChecks, result.CrossCheck{Method: "zeus", EnergyJ: 25440, DifferenceJ: p(7.9)})
			r.MeasurementWarnings = append(r.MeasurementWarnings, "throttled: "+strings.Repeat("GPU 0 was slowed down by its power brake; ", 6))
			r.FLOPs = &result.FLOPs{Notes: []string{strings.Repeat("no such model ", 12)}}
		},
		"doubtful_flops": func(r *result.Record) {
			r.FLOPs.N, r.FLOPs.Basis, r.FLOPs.Confidence = p(int64(3_252_599_552)), p("active, non-embedding, from safetensors"), p("low")
			r.FLOPs.Notes = []string{"2 × 3252599552 parameters × 51200 tokens", "what these tensors are for is not known: model.layers.*.odd.weight"}
		},
		"unknown_flops": func(r *result.Record) {
			r.FLOPs = &result.FLOPs{Notes: []string{"the number of parameters is unknown: no such model"}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := full()
			change(r)
			var b bytes.Buffer
			if err := Record(r, "results/llama31-8b_20261124T100000Z").Write(&b, Options{Width: 120, Grouped: true}); err != nil {
				t.Fatal(err)
			}
			golden(t, name, b.String())
			checkLines(t, b.String(), 80)
		})
	}
}

func withoutEnergy(r *result.Record, why string) {
	r.EnergyTotalJ, r.EnergyAdjustedJ, r.BaselinePowerW, r.EnergyPerOutputToken = nil, nil, nil, nil
	r.Energy = result.Energy{Backend: "none", Reasons: []string{why}, CoverageK: 2}
	r.Environment.GPUs, r.TokensPerSecondPerGPU, r.Engine.StartupEnergyJ, r.FLOPs.FLOPsPerJoule = nil, nil, nil, nil
}

// checkLines holds every line to width; only one unbroken word may go beyond.
func checkLines(t *testing.T, table string, width int) {
	t.Helper()
	for line := range strings.Lines(table) {
		line = strings.TrimSuffix(line, "\n")
		value := strings.TrimSpace(string([]rune(line)[min(23, columns(line)):]))
		if columns(line) > width && strings.Contains(value, " ") {
			t.Errorf("a line of %d columns: %s", columns(line), line)
		}
		if strings.TrimRight(line, " ") != line {
			t.Errorf("a line ends in spaces: %q", line)
		}
	}
}

func TestTheWidthIsBetween60And80Columns(t *testing.T) {
	for width, want := range map[int]int{0: 80, 20: 60, 60: 60, 72: 72, 200: 80} {
		r := full()
		r.MeasurementWarnings = []string{"throttled: " + strings.Repeat("a ", 200)}
		var b bytes.Buffer
		if err := Record(r, "d").Write(&b, Options{Width: width, Grouped: true}); err != nil {
			t.Fatal(err)
		}
		got := 0
		for line := range strings.Lines(b.String()) {
			if strings.Contains(line, " a a") {
				got = max(got, columns(strings.TrimSuffix(line, "\n")))
			}
		}
		if got > want || got < want-1 {
			t.Errorf("width %d: lines of up to %d columns, want %d", width, got, want)
		}
	}
}

func TestTheWarmupsLine(t *testing.T) {
	for name, c := range map[string]struct {
		warmup result.Warmup
		want   string
	}{
		"none was asked for":         {result.Warmup{DurationSeconds: 2.51e-7}, "none (cold start)"},
		"some":                       {result.Warmup{MaxPrompts: 5, IterationsCompleted: 5, DurationSeconds: 14.2}, "5 iterations in 14.2 s"},
		"the first one did not end":  {result.Warmup{MaxPrompts: 5, DurationSeconds: 3}, "0 iterations in 3"},
		"one, and then all was over": {result.Warmup{MaxPrompts: 5, IterationsCompleted: 1, DurationSeconds: 3}, "1 iteration in 3"},
	} {
		r := full()
		r.Warmup = &c.warmup
		var b bytes.Buffer
		if err := Record(r, "d").Write(&b, Options{Width: 80, Grouped: true}); err != nil {
			t.Fatal(err)
		}
		if want := "  warmup               " + c.want; !strings.Contains(b.String(), want) {
			t.Errorf("%s: no %q in\n%s", name, want, b.String())
		}
	}
}

// The line that the README gives as an example is what is printed of an H100.
func TestTheReadmesFirstLineIsWhatIsPrinted(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	r := full()
	e, u := 5.99442, 0.00031
	r.EnergyPerOutputToken, r.Energy.UPerOutputTokenJ = &e, &u
	r.Energy.UPerOutputTokenAbsoluteJ = p(math.Hypot(u, 0.06/math.Sqrt(3)*e)) // ± 6 %
	var b bytes.Buffer
	if err := Record(r, "d").Write(&b, Options{}); err != nil {
		t.Fatal(err)
	}
	if first, _, _ := strings.Cut(b.String(), "\n"); !strings.Contains(string(readme), "\n    "+first+"\n") {
		t.Errorf("the README does not have %q", first)
	}
}

// However narrow the terminal, no line names one interval without the other.
func TestNoLineNamesOneIntervalAlone(t *testing.T) {
	for _, width := range []int{60, 66, 72, 80} {
		for _, change := range []func(*result.Record){
			func(*result.Record) {},
			func(r *result.Record) { r.Energy.Scope = "module" },
			func(r *result.Record) { r.Energy.Valid, r.Energy.Reasons = false, []string{"throttled"} },
			func(r *result.Record) {
				r.EnergyPerOutputToken, r.Energy.UPerOutputTokenJ, r.Energy.UPerOutputTokenAbsoluteJ = p(0.00412345), p(0.0000021), p(0.00014)
			},
		} {
			r := full()
			r.Energy.URepeatabilityJ, r.Energy.UAbsoluteJ, r.Energy.UAdjustedJ, r.Energy.UAdjustedAbsoluteJ = p(64.0), p(737.0), p(71.3), p(594.0)
			r.FLOPs.UFLOPsPerJouleAbsolute = p(8.1e8)
			change(r)
			var b bytes.Buffer
			if err := Record(r, "d").Write(&b, Options{Width: width, Grouped: true}); err != nil {
				t.Fatal(err)
			}
			n := 0
			for line := range strings.Lines(b.String()) {
				both := strings.Count(line, " repeatability,")
				if n += both; both != strings.Count(line, " absolute") {
					t.Errorf("at %d columns: %s", width, line)
				}
			}
			if n < 6 {
				t.Errorf("%d figures name both:\n%s", n, b.String())
			}
		}
	}
}

// The first line is the energy figure, or says that there is none.
func TestTheFirstLine(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*result.Record)
		want   string
	}{
		"figure":      {func(*result.Record) {}, "ENERGY: 0.9934 J per output token, uncertainty not known"},
		"uncertainty": {func(r *result.Record) { r.Energy.URepeatabilityJ = p(64.0) }, "ENERGY: 0.9934 J per output token, ± 0.0050 repeatability, absolute not known"},
		"both": {func(r *result.Record) {
			r.EnergyPerOutputToken, r.Energy.URepeatabilityJ, r.Energy.UAbsoluteJ = p(5.99442), p(0.00031*25600), p(0.173*25600)
		}, "ENERGY: 5.99 J per output token, ± 0.0006 repeatability, ± 0.35 absolute"},
		"both in all": {func(r *result.Record) {
			r.EnergyPerOutputToken, r.Tokens.Output, r.Energy.URepeatabilityJ, r.Energy.UAbsoluteJ = nil, nil, p(64.0), p(737.0)
		}, "ENERGY: 25 400 J in all, ± 130 repeatability, ± 1 500 absolute"},
		"no tokens":     {func(r *result.Record) { r.EnergyPerOutputToken, r.Tokens.Output = nil, nil }, "ENERGY: 25 432 J in all, uncertainty not known"},
		"invalid":       {func(r *result.Record) { r.Energy.Valid, r.Energy.Reasons = false, []string{"throttled"} }, "INVALID ENERGY: 0.9934 J per output token, uncertainty not known; throttled"},
		"none":          {func(r *result.Record) { withoutEnergy(r, "energy.backend: none was asked for") }, "NO ENERGY FIGURE: energy.backend: none was asked for"},
		"no reading":    {func(r *result.Record) { withoutEnergy(r, ""); r.Energy.Reasons = nil }, "NO ENERGY FIGURE: the GPUs gave no reading"},
		"failed":        {func(r *result.Record) { r.Status, r.Error = result.Failed, "it broke\nhere" }, "FAILED: it broke"},
		"interrupted":   {func(r *result.Record) { r.Status, r.Error = result.Interrupted, "interrupted" }, "INTERRUPTED"},
		"empty message": {func(r *result.Record) { r.Status = result.Failed }, "FAILED"},
	} {
		t.Run(name, func(t *testing.T) {
			r := full()
			c.change(r)
			var b bytes.Buffer
			if err := Record(r, "d").Write(&b, Options{Grouped: true}); err != nil {
				t.Fatal(err)
			}
			if got, _, _ := strings.Cut(b.String(), "\n"); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// Older records, and those that a person has edited, lack fields: each one is
// taken out in turn, and all at once.
func TestRecordsWithFieldsMissingArePrinted(t *testing.T) {
	check := func(name string, r *result.Record) {
		t.Helper()
		defer func() {
			if e := recover(); e != nil {
				t.Errorf("without %s: panic: %v", name, e)
			}
		}()
		var b bytes.Buffer
		if err := Record(r, "d").Write(&b, Options{Grouped: true}); err != nil {
			t.Fatal(err)
		}
		for _, bad := range []string{"NaN", "Inf", "%!", "nil"} {
			if strings.Contains(b.String(), bad) {
				t.Errorf("without %s the table says %s:\n%s", name, bad, b.String())
			}
		}
		checkLines(t, b.String(), 80)
	}
	build := func() *result.Record {
		r := full()
		r.Warmup.Converged, r.Warmup.FinalCV = p(true), p(0.03)
		r.Energy.URepeatabilityJ, r.Energy.UAbsoluteJ, r.Energy.UAdjustedJ, r.Energy.Baseline.UW = p(64.0), p(737.0), p(71.0), p(0.3)
		r.Energy.PerTotalTokenJ, r.Energy.PerRequestJ = p(0.5), p(254.0)
		r.Energy.UPerOutputTokenAbsoluteJ, r.Energy.UAdjustedAbsoluteJ, r.FLOPs.UFLOPsPerJouleAbsolute = p(0.0288), p(594.0), p(8.1e8)
		return r
	}
	check("everything", &result.Record{})
	n := 0
	for i := 0; ; i++ {
		r := build()
		left := i
		name := blank(reflect.ValueOf(r).Elem(), "", &left)
		if name == "" {
			break
		}
		n++
		check(name, r)
	}
	if n < 80 {
		t.Errorf("only %d fields were taken out", n)
	}
}

// blank sets the n-th field below v to nothing and names it; empty when there
// are fewer.
func blank(v reflect.Value, path string, n *int) string {
	for i := range v.NumField() {
		f, name := v.Field(i), path+"."+v.Type().Field(i).Name
		if *n == 0 {
			f.SetZero()
			return name
		}
		*n--
		if f.Kind() == reflect.Pointer {
			f = f.Elem()
		}
		if f.IsValid() && f.Kind() == reflect.Struct && f.Type() != reflect.TypeFor[time.Time]() {
			if found := blank(f, name, n); found != "" {
				return found
			}
		}
	}
	return ""
}
