package report

import (
	"bytes"
	"testing"

	"github.com/llenergymeasure/llem/internal/result"
)

func TestCommands(t *testing.T) {
	run := result.CommandRun{
		Seconds: 12.345, Valid: true, EnergyTotalJ: p(3456.7), URepeatabilityJ: p(4.2), UAbsoluteJ: p(99.9), CoverageK: 2, Scope: "gpu", Gain: &result.Gain{HalfWidth: 0.05, Source: "a source", Standing: "measured by others"}, Method: "counter_edge_aligned",
		MeanPowerW: p(280.0), PeakPowerW: p(311.5), IdlePowerW: p(61.2), MaxTemperatureC: p(54.0),
		PerGPU:      []result.GPUEnergy{{Index: 0, EnergyJ: p(1700.1), UJ: p(3.0), MeanPowerW: p(137.7)}, {Index: 1, EnergyJ: p(1756.6), UJ: p(3.0), MeanPowerW: p(142.3)}},
		CrossChecks: []result.CrossCheck{{Method: "power_integral", EnergyJ: 3440, UJ: p(8.1), DifferenceJ: p(-16.7)}},
	}
	bad := run
	bad.Valid, bad.ExitCode = false, 3
	bad.MeasurementWarnings, bad.WarningSeverities = []string{"gpu_not_exclusive: train (pid 7) on the GPU in the window; stop it"}, map[string]string{"gpu_not_exclusive": "invalid"}
	gpus := []result.GPU{{Index: 0}, {Index: 1}}
	for name, c := range map[string]*result.Command{
		"command":         {Command: []string{"python3", "train.py"}, GPUs: gpus, GPUsByDefault: true, GPUsLeftOut: []int{2}, Runs: []result.CommandRun{run}},
		"command_invalid": {Command: []string{"python3", "train.py"}, GPUs: gpus, Runs: []result.CommandRun{run, bad}, EnergyMeanJ: p(3460.2), EnergyInterval95J: p(12.3)},
		"command_repeats": {Command: []string{"python3", "train.py"}, GPUs: gpus, Runs: []result.CommandRun{run, run, run}, EnergyMeanJ: p(3460.2), EnergyInterval95J: p(12.3)},
		"command_host":    {Command: []string{"make", "-j8"}, NoGPUEnergy: new("no NVIDIA driver on this host"), Runs: []result.CommandRun{{Seconds: 42.1, Host: &result.HostEnergy{Method: "rapl", PackageJ: p(5123.4), DRAMJ: p(312.9)}}}},
		"command_failed": {Command: []string{"false"}, GPUs: gpus, Runs: []result.CommandRun{{
			Seconds: 0.002, ExitCode: 1, MeasurementWarnings: []string{"short_measurement_duration: 0.002 s; measure for at least 10 s"},
			WarningSeverities: map[string]string{"short_measurement_duration": "doubt"},
		}}},
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			if err := Command(c).Write(&b, Options{Width: 120, Grouped: true}); err != nil {
				t.Fatal(err)
			}
			golden(t, name, b.String())
			checkLines(t, b.String(), 80)
		})
	}
	var b bytes.Buffer
	if err := Command(&result.Command{}).Write(&b, Options{Grouped: true}); err != nil || b.Len() > 0 {
		t.Errorf("no run: %q, %v", b.String(), err)
	}
}
