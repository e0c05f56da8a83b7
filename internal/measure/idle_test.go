package measure

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/llenergymeasure/llem/internal/device"
)

// Readings that follow each other tell less than as many that do not.
func TestTheMeanOfReadingsThatFollowEachOther(t *testing.T) {
	for _, c := range []struct{ follows, least, most float64 }{{0, 0.7, 1.1}, {0.5, 0.75, 1.15}, {0.9, 0.85, 1.3}} {
		rng := rand.New(rand.NewPCG(7, 7))
		var sum float64
		const runs, n, spread = 300, 300, 2.0
		for range runs {
			var mean float64
			rs := make([]reading, n)
			x := spread * rng.NormFloat64()
			for i := range rs {
				rs[i].power = 60 + x
				mean += rs[i].power / n
				x = c.follows*x + spread*math.Sqrt(1-c.follows*c.follows)*rng.NormFloat64()
			}
			z := (mean - 60) / meanU(rs)
			sum += z * z / runs
		}
		if got := math.Sqrt(sum); got < c.least || got > c.most {
			t.Errorf("correlation %g: the error is %.2f of what is stated (RMS), want %g to %g", c.follows, got, c.least, c.most)
		}
	}
	if got := meanU([]reading{{power: 60}, {power: 60}, {power: 60}}); got != 0 {
		t.Errorf("readings that are all the same: %g", got)
	}
}

// A baseline is taken from tick to tick, wherever these stand when it begins.
func TestTheBaselineIsTakenFromTickToTick(t *testing.T) {
	const ms = time.Millisecond
	for _, phase := range []time.Duration{-5 * ms, -50 * ms, -95 * ms} {
		synctest.Test(t, func(t *testing.T) {
			r := NewRecorder(ticking{[]time.Duration{100 * ms}, []time.Duration{phase}}, 1, 100*ms)
			r.Start()
			defer r.Stop()
			sensors := []device.Sensor{{Refresh: 100 * ms}}
			b, err := MeasureBaseline(t.Context(), r, fakeProcesses(nil), sensors, 1030*ms)
			if err != nil || b.U == nil {
				t.Fatalf("%+v, %v", b, err)
			}
			if diff := math.Abs(float64(b.Power) - 60); b.Method != MethodAligned || diff > 2*float64(*b.U) || *b.U > 0.15 {
				t.Errorf("phase %v: %g ± %g W by %s, want 60", phase, float64(b.Power), float64(*b.U), b.Method)
			}
			r.SetPhase(BaselinePhase, 0)
			samples := r.Samples()
			for i := range samples {
				samples[i].Phase = uint8(BaselinePhase)
			}
			if again, err := RecomputeBaseline(samples, sensors); err != nil || again.Power != b.Power || *again.U != *b.U {
				t.Errorf("computed again: %+v, %v", again, err)
			}
		})
	}
}

// An idle GPU's power wanders: 2 % within an hour, as a limit.
func TestACachedBaselineGrowsOld(t *testing.T) {
	now := time.Now()
	c, devices := BaselineCache{Dir: t.TempDir(), TTL: 3 * time.Hour}, []device.Device{{UUID: "a"}, {UUID: "b"}}
	b := Baseline{Power: 160, PerGPU: []device.Watts{100, 60}, MeasuredAt: now}
	b.known(map[string]device.Watts{baselineEdges: 0.3, baselineSpread: 0.4})
	if err := c.Store("k", devices, b); err != nil {
		t.Fatal(err)
	}
	for age, drift := range map[time.Duration]float64{0: 0, time.Hour / 2: 0.01 * 160 / math.Sqrt(12), time.Hour: 0.02 * 160 / math.Sqrt(12), 2 * time.Hour: 0.04 * 160 / math.Sqrt(12)} {
		got, ok := c.Load("k", devices, now.Add(age))
		if !ok || got.U == nil || !got.Cached || got.Age != age {
			t.Fatalf("%v: %+v", age, got)
		}
		if math.Abs(float64(got.Components[baselineAge])-drift) > 1e-9 || math.Abs(float64(*got.U)-math.Hypot(0.5, drift)) > 1e-9 {
			t.Errorf("%v: u %g W of %s, want an age of %g W", age, float64(*got.U), fmt.Sprint(got.Components), drift)
		}
	}
}
