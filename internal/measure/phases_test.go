package measure

import (
	"context"
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/llenergymeasure/llem/internal/device"
)

// fakeGPU is a meter whose truth is known: power is a function of time.
type fakeGPU struct {
	power func(time.Duration) float64
	lost  bool
	mj    float64
	last  time.Duration
}

func (f *fakeGPU) Sample(epoch time.Time, dst []device.Sample) ([]device.Sample, error) {
	if f.lost {
		return dst, errors.New("GPU is lost")
	}
	at := time.Since(epoch)
	f.mj += f.power((at+f.last)/2) * (at - f.last).Seconds() * 1000
	f.last = at
	return append(dst, device.Sample{At: at, Has: device.HasEnergy | device.HasPowerInstant, EnergyMJ: uint64(f.mj), PowerInstMW: uint32(f.power(at) * 1000)}), nil
}

type fakeProcesses []device.Process

func (f fakeProcesses) Processes(context.Context) ([]device.Process, error) { return f, nil }

func TestBaselineIsTheMeanPowerOfItsWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewRecorder(&fakeGPU{power: constant(60)}, 1, 100*time.Millisecond)
		r.Start()
		defer r.Stop()
		b, err := MeasureBaseline(t.Context(), r, fakeProcesses(nil), make([]device.Sensor, 1), 30*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(float64(b.Power)-60) > 0.01 || b.Contaminated || b.Method != MethodCounter {
			t.Errorf("baseline = %+v, want 60 W by the counter", b)
		}
	})
}

func TestBaselineSeesAProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewRecorder(&fakeGPU{power: constant(60)}, 1, time.Second)
		b, err := MeasureBaseline(t.Context(), r, fakeProcesses{{PID: 7, Name: "python3"}}, make([]device.Sensor, 1), 3*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if !b.Contaminated || len(b.Processes) != 1 {
			t.Errorf("contaminated = %v, processes = %v; want the one process, once", b.Contaminated, b.Processes)
		}
	})
}

// noProcesses is a list that cannot be had.
type noProcesses struct{}

func (noProcesses) Processes(context.Context) ([]device.Process, error) { return nil, errNoReading }

func TestBaselineSaysThatNobodyCouldBeSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewRecorder(&fakeGPU{power: constant(60)}, 1, time.Second)
		b, err := MeasureBaseline(t.Context(), r, noProcesses{}, make([]device.Sensor, 1), 3*time.Second)
		if err != nil || !errors.Is(b.Unlisted, errNoReading) || b.Contaminated {
			t.Errorf("baseline %+v, %v", b, err)
		}
	})
}

func TestBaselineOfALostGPUIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewRecorder(&fakeGPU{lost: true}, 1, time.Second)
		if _, err := MeasureBaseline(t.Context(), r, fakeProcesses(nil), make([]device.Sensor, 1), time.Second); err == nil {
			t.Error("no error from a GPU that gives no reading")
		}
	})
}

func TestFloorIsAPlainWaitAndReadsItsLastHalf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// Still cooling in the first half, idle at 90 W in the second.
		gpu := &fakeGPU{power: func(at time.Duration) float64 {
			if at < 30*time.Second {
				return 200
			}
			return 90
		}}
		r := NewRecorder(gpu, 1, 100*time.Millisecond)
		r.SetPhase(ThermalFloorPhase, 0)
		r.Start()
		defer r.Stop()
		start := time.Now()
		idle, err := ThermalFloor(t.Context(), r, 1, 60*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took != 60*time.Second {
			t.Errorf("the floor took %s, want 60 s", took)
		}
		if len(idle) != 1 || math.Abs(float64(idle[0])-90) > 0.5 {
			t.Errorf("idle = %v, want 90 W", idle)
		}
	})
}

func TestFloorEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if _, err := ThermalFloor(ctx, nil, 0, time.Minute); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("err = %v, want the context's", err)
		}
	})
}

func TestRecorderTakesNoMemoryInTheWindow(t *testing.T) {
	gpu := &fakeGPU{power: constant(100)}
	r := NewRecorder(gpu, 1, 100*time.Millisecond)
	r.SetPhase(WindowPhase, 30*time.Minute)
	if got := testing.AllocsPerRun(2000, func() { r.mu.Lock(); r.take(false, gpu.Sample); r.mu.Unlock() }); got != 0 {
		t.Errorf("%g allocations a reading, want none", got)
	}
}

func TestRecorderKeepsEveryReadingInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewRecorder(&fakeGPU{power: constant(100)}, 1, 10*time.Millisecond)
		r.Start()
		time.Sleep(100*time.Second + 5*time.Millisecond) // over two blocks
		r.Stop()
		s := r.Samples()
		if len(s) != 10000 {
			t.Fatalf("%d readings, want 10000", len(s))
		}
		for i := 1; i < len(s); i++ {
			if s[i].At <= s[i-1].At {
				t.Fatalf("reading %d is not after the one before", i)
			}
		}
	})
}

func iterations(ms ...int) func(context.Context, int) (time.Duration, error) {
	return func(_ context.Context, i int) (time.Duration, error) {
		return time.Duration(ms[min(i, len(ms)-1)]) * time.Millisecond, nil
	}
}

func TestWarmup(t *testing.T) {
	converge := WarmupConfig{N: 5, Converge: true, Threshold: 0.05, Max: 20, Window: 5, Min: 5}
	with := func(c WarmupConfig, f func(*WarmupConfig)) WarmupConfig { f(&c); return c }
	swing := make([]int, 40)
	for i := range swing {
		swing[i] = 100 + 100*(i%2)
	}
	for _, tc := range []struct {
		name      string
		cfg       WarmupConfig
		ms        []int
		want      int
		converged any
	}{
		{"fixed runs exactly n", WarmupConfig{N: 5}, []int{100}, 5, nil},
		{"none", WarmupConfig{}, []int{100}, 0, nil},
		{"steady converges at the least", converge, []int{100}, 5, true},
		{"convergence adds to n", with(converge, func(c *WarmupConfig) { c.N = 8 }), []int{100}, 8, true},
		{"waits until it settles", converge, []int{900, 500, 300, 100}, 8, true},
		{"gives up at the most", converge, swing, 20, false},
		{"n above the most still runs", with(converge, func(c *WarmupConfig) { c.N = 25 }), swing, 25, false},
		{"the window outlasts n", with(converge, func(c *WarmupConfig) { c.N = 1; c.Window = 9 }), []int{100}, 9, true},
		{"min_prompts outlasts n", with(converge, func(c *WarmupConfig) { c.N = 1; c.Min = 7 }), []int{100}, 7, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			res, err := Warmup(t.Context(), tc.cfg, iterations(tc.ms...))
			if err != nil {
				t.Fatal(err)
			}
			if res.Iterations != tc.want || len(res.Latencies) != tc.want {
				t.Errorf("%d iterations with %d latencies, want %d", res.Iterations, len(res.Latencies), tc.want)
			}
			switch {
			case tc.converged == nil:
				if res.Converged != nil || res.FinalCV != nil || res.TargetCV != nil {
					t.Errorf("fixed mode says converged %v, cv %v, target %v; want nulls", res.Converged, res.FinalCV, res.TargetCV)
				}
			case *res.Converged != tc.converged || res.FinalCV == nil || *res.TargetCV != tc.cfg.Threshold:
				t.Errorf("converged = %v, want %v, with its CV and target", *res.Converged, tc.converged)
			}
		})
	}
}

func TestWarmupKeepsWhatWasDoneBeforeAnError(t *testing.T) {
	boom := errors.New("boom")
	res, err := Warmup(t.Context(), WarmupConfig{N: 5}, func(_ context.Context, i int) (time.Duration, error) {
		if i == 2 {
			return 0, boom
		}
		return time.Second, nil
	})
	if !errors.Is(err, boom) || res.Iterations != 2 {
		t.Errorf("got %d iterations and %v, want 2 and boom", res.Iterations, err)
	}
}
