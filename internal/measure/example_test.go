package measure_test

import (
	"context"
	"fmt"
	"time"

	"github.com/llenergymeasure/llem/internal/device"
	"github.com/llenergymeasure/llem/internal/measure"
)

// readings are those of a GPU that idles at 60 W, draws 300 W from 2 s to 8 s, and idles
// again: every 100 ms, with a counter that is as fine as they are.
func readings() (out []device.Sample) {
	mj := uint64(0)
	for at := time.Duration(0); at <= 10*time.Second; at += 100 * time.Millisecond {
		power := uint32(60_000)
		if at > 2*time.Second && at <= 8*time.Second {
			power = 300_000
		}
		mj += uint64(power) / 10
		out = append(out, device.Sample{
			At: at, Edge: at == 2*time.Second || at == 8*time.Second,
			Has: device.HasEnergy | device.HasPowerInstant, EnergyMJ: mj, PowerInstMW: power,
		})
	}
	return out
}

func ExampleEnergyBetween() {
	for _, e := range measure.EnergyBetween(readings(), 1, 2*time.Second, 8*time.Second) {
		fmt.Printf("%s: %.0f J, mean %.0f W; integral %.0f J\n", e.Method, *e.Energy, *e.Mean, *e.Integral)
	}
	// Output:
	// counter: 1800 J, mean 300 W; integral 1788 J
}

// A window whose edges were not polled still has an energy, with its uncertainty.
func ExampleWindow_Energy() {
	sensor := device.Sensor{Refresh: 100 * time.Millisecond, Duty: 1}
	w := measure.Window{From: 2 * time.Second, To: 8 * time.Second}
	for _, e := range w.Energy(readings(), []device.Sensor{sensor}) {
		fmt.Printf("%s: %.0f ± %.0f J\n", e.Method, *e.Energy, 2**e.U)
	}
	// Output:
	// counter: 1798 ± 22 J
}

// A counter that was polled every 2 ms moves every 20 ms.
func ExampleRefresh() {
	var polls []device.Sample
	for at := time.Duration(0); at < time.Second; at += measure.PollEvery {
		polls = append(polls, device.Sample{At: at, EnergyMJ: 1000 + 2*uint64(at/(20*time.Millisecond))})
	}
	refresh, jitter := measure.Refresh(polls, 1)
	fmt.Println(refresh[0], jitter[0])
	// Output:
	// 20ms 0s
}

// The warmup goes on until the last five latencies are within 5 % of each other.
func ExampleWarmup() {
	cfg := measure.WarmupConfig{N: 5, Converge: true, Threshold: 0.05, Window: 5, Max: 20}
	res, err := measure.Warmup(context.Background(), cfg, func(_ context.Context, i int) (time.Duration, error) {
		return time.Second + 2*time.Second/time.Duration(1+i*i), nil // the batch itself
	})
	fmt.Printf("%d iterations, CV %.3f, converged %v, %v\n", res.Iterations, *res.FinalCV, *res.Converged, err)
	// Output:
	// 9 iterations, CV 0.033, converged true, <nil>
}

func ExampleShortWindow() {
	w, ok := measure.ShortWindow(4 * time.Second)
	fmt.Println(ok, w.Severity)
	fmt.Println(w)
	// Output:
	// true doubt
	// short_measurement_duration: the window lasted 4.0 s, under 10s; give it more work (prompts, longer outputs), so that the window lasts at least 10 s
}

// How long a window must be on a card whose counter moves every 100 ms.
func ExampleWindowFor() {
	window, ok := measure.WindowFor(device.Sensor{Refresh: 100 * time.Millisecond, Duty: 1}, measure.Conditions{Idle: 60, Busy: 300}, 0.01)
	fmt.Println(window.Round(time.Second), ok)
	// Output:
	// 3s true
}

// A warning says what was seen; its severity and what to do are its code's.
func ExampleWarn() {
	w := measure.Warn("gpu_not_exclusive", "pid %d on the GPU before the run", 4711)
	k, _ := measure.KindOf("gpu_not_exclusive")
	fmt.Println(w)
	fmt.Println(k.Severity)
	// Output:
	// gpu_not_exclusive: pid 4711 on the GPU before the run; stop the other processes, or pick another GPU with --gpus
	// invalid
}

// What a window of 30 s will be known to, by readings of the idle GPU.
func ExampleExpect() {
	idle := readings()[:20]
	sensor := device.Sensor{Refresh: 100 * time.Millisecond, Duty: 1}
	c, ok := measure.AtIdle(idle, 0, sensor)
	c.Busy, c.Reading = 300, time.Millisecond
	u, known := measure.Expect(sensor, c, 30*time.Second)
	fmt.Printf("%g W at idle, ± %.1f %%; %v %v\n", c.Idle, 2*100*float64(u)/(300*30), ok, known)
	// Output:
	// 60 W at idle, ± 0.1 %; true true
}

// Two GPUs that share a job: their uncertainties add linearly.
func ExampleTotalU() {
	gpu := measure.DeviceEnergy{U: new(measure.Joules(2)), Components: map[string]measure.Joules{"resolution": 2}}
	u, _ := measure.TotalU([]measure.DeviceEnergy{gpu, gpu})
	fmt.Println(*u)
	// Output:
	// 4
}

// An instrument that says otherwise widens a figure.
func ExampleFigure_Compare() {
	counter := measure.Figure{Energy: 1800, U: 5, Components: map[string]measure.Joules{"resolution": 5}}
	fmt.Println(counter.Compare(&measure.Figure{Energy: 1808, U: 4}), counter.U)
	fmt.Println(counter.Compare(&measure.Figure{Energy: 1900, U: 4}), counter.U > 5)
	// Output:
	// true 5
	// false true
}
