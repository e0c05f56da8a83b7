package measure

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/llenergymeasure/llem/internal/device"
)

// A slice in a window, at a time that was not polled for, has intervals that hold
// the truth as those of whole windows do.
func TestIntervalsOfSlicesHoldTheTruth(t *testing.T) {
	const runs = 500
	for name, shape := range shapes {
		var errs, widths []float64
		covered := 0
		for seed := range uint64(runs) {
			rng := rand.New(rand.NewPCG(seed, 2))
			var used load
			p := simulate(rng, func(rng *rand.Rand, l *load, T, idle, high float64) {
				shape(rng, l, max(T, 60*0.5), idle, high) // long enough for 20 refreshes in the slice
				used = *l
			}, 1)
			samples, from, to, sensor := p.samples, p.from, p.to, p.sensors[0]
			T := (to - from).Seconds()
			a := from.Seconds() + T*(0.2+0.1*rng.Float64())
			if seed%2 == 0 { // the steady part of most runs begins right after the window
				a = from.Seconds() + 0.1 + 0.9*rng.Float64()
			}
			b := from.Seconds() + T*(0.7+0.2*rng.Float64())
			truth := used.energy(b) - used.energy(a)
			e := SliceEnergy(samples, []device.Sensor{sensor}, time.Duration(a*1e9), time.Duration(b*1e9))[0]
			if e.Energy == nil || e.U == nil || e.Method != MethodCounter {
				t.Fatalf("%s, seed %d: %+v", name, seed, e)
			}
			off, width := math.Abs(float64(*e.Energy)-truth)/truth, 2*float64(*e.U)/truth
			if off <= width {
				covered++
			}
			errs, widths = append(errs, off), append(widths, width)
		}
		slices.Sort(errs)
		slices.Sort(widths)
		share, p95, width := float64(covered)/runs, errs[runs*95/100], widths[runs/2]
		if share < leastCovered || width > mostWidth*p95 {
			t.Errorf("%s: %.1f %% of the intervals hold the truth; half-width %.3g %%, 95 %% of errors under %.3g %%", name, 100*share, 100*width, 100*p95)
		}
	}
}

func TestSlicesWithoutACounter(t *testing.T) {
	samples, from, to := steps(0.005)
	sensor := []device.Sensor{{Refresh: 100 * time.Millisecond, Duty: 1}}
	for i := range samples {
		samples[i].Has &^= device.HasEnergy
	}
	e := SliceEnergy(samples, sensor, from+3*time.Second, to-2*time.Second)[0]
	if e.Method != MethodIntegral || e.Energy == nil || math.Abs(float64(*e.Energy)-3000) > 3 {
		t.Errorf("%+v, want 3000 J", e)
	}
	for i := range samples {
		samples[i].Has &^= device.HasPowerInstant
	}
	if e := SliceEnergy(samples, sensor, from+3*time.Second, to-2*time.Second)[0]; e.Energy != nil {
		t.Errorf("%g J of no reading", float64(*e.Energy))
	}
	if got := EdgeTokensU(4, 1000); math.Abs(got-4/math.Sqrt(6)/1000) > 1e-12 || EdgeTokensU(4, 0) != 0 {
		t.Errorf("tokens at the edges: %g", got)
	}
}
