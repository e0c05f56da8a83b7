package report

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
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
		Engine: result.Engine{Name: "vllm", Version: "0.27.1", Image: "vllm/vllm-openai:v0.27.1", ImageDigest: p("vllm/vllm-openai@sha256:0123456789abcdef0123456789abcdef"), ImageID: "sha256:ffff", StartupSeconds: p(93.4), StartupEnergyJ: p(12345.6), Route: "container_address"},
		Model:  result.Model{ID: "meta-llama/Llama-3.1-8B-Instruct", ParametersNonEmbedding: p(int64(6979588096))},
		Environment: result.Environment{GPUs: []result.GPU{
			{Index: 0, Name: "NVIDIA H100 80GB HBM3", Driver: "550.54.15", UUID: "GPU-a"},
			{Index: 3, Name: "NVIDIA H100 80GB HBM3", Driver: "550.54.15", UUID: "GPU-b"},
		}},
		EnergyTotalJ: p(25432.1), EnergyAdjustedJ: p(20432.1), BaselinePowerW: p(138.2), EnergyPerOutputToken: p(0.99344),
		Energy: result.Energy{
			Valid: true, Scope: "gpu", Backend: "nvml", Method: "counter", CoverageK: 2, MeanPowerW: p(702.5), PeakPowerW: p(811.0), EngineIdlePowerW: p(160.9),
			PerGPU:      []result.GPUEnergy{{Index: 0, EnergyJ: p(12700.0), MeanPowerW: p(350.8)}, {Index: 3, EnergyJ: p(12732.1), MeanPowerW: p(351.7)}},
			CrossChecks: []result.CrossCheck{{Method: "power_integral", EnergyJ: 25300, DifferenceJ: -132.1}},
			Baseline:    &result.Baseline{DurationSeconds: 30, Cached: true, AgeSeconds: 600},
			Steady:      &result.Steady{Seconds: 33.1, EnergyJ: p(23900.0), JoulesPerToken: p(0.97)},
		},
		Tokens: result.Tokens{Input: 25600, Output: 25600, Source: "server"}, Requests: result.Requests{Completed: 100},
		WindowSeconds: p(36.2), TokensPerSecond: p(707.2), TokensPerSecondPerGPU: p(353.6),
		Latency: result.Latency{TTFT: lat(21.3), TPOT: lat(11.02), ITL: lat(11), E2E: lat(2831)},
		Client:  result.Client{CPUSeconds: p(1.23), SendLagMS: lat(0.01)},
		FLOPs:   &result.FLOPs{Value: p(7.1e14), Total: p(7.9e14), Confidence: p("high"), FLOPsPerSecond: p(1.97e13), FLOPsPerJoule: p(2.8e10)},
		Warmup:  &result.Warmup{IterationsCompleted: 5, DurationSeconds: 14.2, ThermalFloorSeconds: 60},
		MeasurementWarnings: []string{
			"single_run: one run has no spread of its own; repeat the experiment before comparing it with another",
			"thermal_drift_detected: GPU 3: temperature moved by 14 °C over the window (threshold 10 °C); warm up longer (warmup.n_warmup), raise warmup.thermal_floor_seconds, or check the cooling",
		},
		WarningSeverities: map[string]string{"single_run": "note", "thermal_drift_detected": "doubt"},
		Timeseries:        "timeseries.parquet", RequestsFile: "requests.parquet", SamplesFile: "samples.parquet",
	}
}

func TestTables(t *testing.T) {
	for name, change := range map[string]func(*result.Record){
		"full": func(*result.Record) {},
		"uncertainty": func(r *result.Record) {
			r.Energy.URepeatabilityJ = p(64.0)
		},
		"invalid": func(r *result.Record) {
			r.Energy.Valid, r.Energy.Reasons = false, []string{"gpu_not_exclusive", "throttled"}
			r.MeasurementWarnings = append(r.MeasurementWarnings, "gpu_not_exclusive: python (pid 17) on the GPU before the run; stop the other processes, or pick another GPU with --gpus")
			r.WarningSeverities["gpu_not_exclusive"] = "invalid"
		},
		"no_gpu": func(r *result.Record) {
			r.EnergyTotalJ, r.EnergyAdjustedJ, r.BaselinePowerW, r.EnergyPerOutputToken = nil, nil, nil, nil
			r.Energy = result.Energy{Backend: "none", Reasons: []string{"no NVIDIA driver: libnvidia-ml.so.1 cannot be loaded"}}
			r.Environment.GPUs, r.TokensPerSecondPerGPU, r.Engine.StartupEnergyJ, r.FLOPs.FLOPsPerJoule = nil, nil, nil, nil
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
		"unknown_flops": func(r *result.Record) {
			r.Status = result.Interrupted
			r.Error = "interrupted"
			r.FLOPs = &result.FLOPs{Notes: []string{"the number of parameters is unknown: no such model"}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := full()
			change(r)
			var b bytes.Buffer
			if err := Table(&b, r, "results/llama31-8b_20261124T100000Z", Options{Width: 90}); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("testdata", name+".golden")
			if *update {
				if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), b.String()); diff != "" {
				t.Errorf("-want +got (go test -update rewrites it):\n%s", diff)
			}
			for line := range strings.Lines(b.String()) {
				if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > 90 {
					t.Errorf("a line of %d characters: %s", n, line)
				}
			}
		})
	}
}

// What a server or a file says must not move the cursor.
func TestControlCharactersAreDropped(t *testing.T) {
	r := full()
	r.Name, r.Model.ID, r.Status, r.Error = "a\x1b[2Jb", "m\r\x07", result.Failed, "bad\x1b]0;x\x07"
	r.MeasurementWarnings = []string{"single_run: \x1b[31mred"}
	var b bytes.Buffer
	if err := Table(&b, r, "d", Options{}); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(b.String(), "\x1b\x07\r") {
		t.Errorf("%q", b.String())
	}
}

func TestNumbers(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 0.00012346: "0.0001235", 1: "1.000", 9.9999: "10.000", 123.456: "123.5", 1234.5: "1 235", -25432.1: "-25 432", 1e9: "1 000 000 000"} {
		if got := number(v); got != want {
			t.Errorf("number(%g) = %q, want %q", v, got, want)
		}
	}
	for v, want := range map[float64]string{7: "7.000 FLOP", 999999: "1.0000 MFLOP", 7.1e14: "710.0 TFLOP"} {
		if got := si(&v, "FLOP"); got != want {
			t.Errorf("si(%g) = %q, want %q", v, got, want)
		}
	}
	if got := plusMinus(p(12.4123), p(0.03), 2, 1, "J/token"); got != "12.412 ± 0.060 J/token" {
		t.Errorf("%q", got)
	}
}
