package measure

import (
	"math"
	"testing"
	"time"

	"github.com/llenergymeasure/llem/internal/device"
	"pgregory.net/rapid"
)

// trace makes readings of one GPU every step from 0 to end, with a counter
// that is exact and refreshes at every reading, and an edge at both ends.
func trace(end, step time.Duration, power func(time.Duration) float64) []device.Sample {
	var out []device.Sample
	var mj float64
	for at := time.Duration(0); at <= end; at += step {
		if at > 0 {
			mj += power(at-step/2) * step.Seconds() * 1000
		}
		out = append(out, device.Sample{
			At: at, Edge: at == 0 || at+step > end, Phase: uint8(WindowPhase),
			Has: device.HasEnergy | device.HasPowerInstant, EnergyMJ: uint64(math.Round(mj)),
			PowerInstMW: uint32(power(at) * 1000),
		})
	}
	return out
}

func constant(w float64) func(time.Duration) float64 { return func(time.Duration) float64 { return w } }

func near(t *testing.T, what string, got *Joules, want, tolerance float64) {
	t.Helper()
	if got == nil {
		t.Fatalf("%s is unknown, want %g J", what, want)
	}
	if math.Abs(float64(*got)-want) > tolerance {
		t.Errorf("%s = %g J, want %g ± %g", what, float64(*got), want, tolerance)
	}
}

func TestConstantPowerGivesPowerTimesTimeByBothMethods(t *testing.T) {
	s := trace(20*time.Second, 100*time.Millisecond, constant(300))
	e := EnergyBetween(s, 1, 0, 20*time.Second)[0]
	near(t, "counter", e.Counter, 6000, 1e-3)
	near(t, "integral", e.Integral, 6000, 1e-6)
	if e.Method != MethodCounter {
		t.Errorf("method = %q, want %q", e.Method, MethodCounter)
	}
	if e.Mean == nil || math.Abs(float64(*e.Mean)-300) > 1e-3 {
		t.Errorf("mean = %v, want 300 W", e.Mean)
	}
}

// Zeus' polled monitor drops unchanged readings and loses constant power.
func TestRepeatedReadingsAreHeldNotDropped(t *testing.T) {
	s := trace(5*time.Second, 100*time.Millisecond, constant(60))
	for i := range s {
		s[i].Has = device.HasPowerInstant
	}
	e := EnergyBetween(s, 1, 0, 5*time.Second)[0]
	near(t, "energy", e.Energy, 300, 1e-6)
	if e.Method != MethodIntegral {
		t.Errorf("method = %q, want %q", e.Method, MethodIntegral)
	}
}

func TestIntegralIsClippedToTheSpanAndHeldBeyondTheReadings(t *testing.T) {
	s := []device.Sample{
		{At: 1 * time.Second, Has: device.HasPowerUsage, PowerUsageMW: 100_000},
		{At: 3 * time.Second, Has: device.HasPowerUsage, PowerUsageMW: 300_000},
	}
	// 0-1 held at 100, 1-3 a ramp of mean 200, 3-4 held at 300.
	near(t, "whole", integrate(s, 0, 0, 4*time.Second), 100+400+300, 1e-9)
	// Interpolated inside: from 150 W at 1.5 s to 300 W at 3 s.
	near(t, "part", integrate(append([]device.Sample{}, s[0], device.Sample{At: 2 * time.Second, Has: device.HasPowerUsage, PowerUsageMW: 200_000}, s[1]), 0, 1500*time.Millisecond, 3*time.Second), 225*1.5, 1e-9)
}

func TestIntegralOfOneReadingIsUnknown(t *testing.T) {
	s := []device.Sample{{At: time.Second, Has: device.HasPowerUsage, PowerUsageMW: 1000}}
	if got := integrate(s, 0, 0, 2*time.Second); got != nil {
		t.Errorf("integral of one reading = %v, want unknown", *got)
	}
}

func TestCounterThatGoesBackwardsIsVoid(t *testing.T) {
	s := trace(10*time.Second, 100*time.Millisecond, constant(100))
	for i := len(s) / 2; i < len(s); i++ {
		s[i].EnergyMJ = uint64(i)
	}
	e := EnergyBetween(s, 1, 0, 10*time.Second)[0]
	if !e.Reset || e.Counter != nil {
		t.Errorf("reset = %v, counter = %v; want a void counter", e.Reset, e.Counter)
	}
	near(t, "energy by the integral", e.Energy, 1000, 1e-6)
}

// A counter that stands still is 0 J, which is no reading of a GPU that is on.
func TestACounterThatStandsStillIsVoid(t *testing.T) {
	s := trace(10*time.Second, 100*time.Millisecond, constant(100))
	for i := range s {
		s[i].EnergyMJ = 77
	}
	e := WindowEnergy(s, make([]device.Sensor, 1), 0, 10*time.Second)[0]
	if !e.Still || e.Reset || e.Counter != nil || e.Method != MethodIntegral {
		t.Errorf("%+v; want a void counter", e)
	}
	near(t, "energy by the integral", e.Energy, 1000, 1)
	p, method, err := meanPower(s, 1, span{0, 10 * time.Second})
	if err != nil || method == MethodCounter && p[0] == 0 || math.Abs(float64(p[0])-100) > 1 {
		t.Errorf("baseline %v W by %s, %v; want 100", p, method, err)
	}
	for i := range s {
		s[i].Has = device.HasEnergy
	}
	if e := WindowEnergy(s, make([]device.Sensor, 1), 0, 10*time.Second)[0]; e.Energy != nil {
		t.Errorf("%g J of nothing", float64(*e.Energy))
	}
}

// A span of less than a tick tells nothing, and one of a few ticks has no uncertainty.
func TestSpansOfAFewTicks(t *testing.T) {
	sensor := []device.Sensor{{Refresh: 100 * time.Millisecond}}
	s := trace(time.Second, 100*time.Millisecond, constant(300))
	for i := range s {
		s[i].Edge = true
	}
	same := []device.Sample{s[3], s[3]}
	same[1].At += 5 * time.Millisecond
	if e := WindowEnergy(same, sensor, same[0].At+time.Millisecond, same[1].At-time.Millisecond)[0]; e.Energy != nil || e.Still {
		t.Errorf("5 ms: %+v, want nothing", e)
	}
	from, to := s[3].At+time.Millisecond, s[4].At+time.Millisecond
	e := WindowEnergy(s[:6], sensor, from, to)[0] // 60 J by the counter, for 30 J of truth
	if e.Energy == nil || e.U != nil || e.Refused == "" {
		t.Errorf("100 ms: %+v", e)
	}
}

// Power that comes at once and goes is a burst, and not a ramp to its next
// change: dropping the readings that repeat would make it one.
func TestABurstFirstIsNoRamp(t *testing.T) {
	power := func(at time.Duration) float64 {
		if at < time.Second {
			return 600
		}
		return 60
	}
	s := trace(10*time.Second, 100*time.Millisecond, power)
	for i := range s {
		s[i].Has = device.HasPowerInstant
	}
	near(t, "integral", EnergyBetween(s, 1, 0, 10*time.Second)[0].Energy, 600+9*60, 30) // half a step of 540 W
}

func TestNoReadingIsUnknownNeverZero(t *testing.T) {
	e := EnergyBetween(nil, 2, 0, time.Second)
	if Total(e) != nil || e[0].Energy != nil || e[1].Mean != nil {
		t.Errorf("energy of nothing = %+v, want unknown", e)
	}
	if Total(nil) != nil {
		t.Error("total of no GPU is known, want unknown")
	}
}

func TestOnlyTheNamedDeviceCounts(t *testing.T) {
	a := trace(10*time.Second, 100*time.Millisecond, constant(300))
	b := trace(10*time.Second, 100*time.Millisecond, constant(50))
	var both []device.Sample
	for i := range a {
		b[i].GPU = 1
		both = append(both, a[i], b[i])
	}
	e := EnergyBetween(both, 2, 0, 10*time.Second)
	near(t, "GPU 0", e[0].Energy, 3000, 1e-3)
	near(t, "GPU 1", e[1].Energy, 500, 1e-3)
	near(t, "total", Total(e), 3500, 1e-3)
}

// The integral over adjoining spans adds up, whatever the readings are.
func TestIntegralIsAdditive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(3, 40).Draw(t, "n")
		var s []device.Sample
		at := time.Duration(0)
		for range n {
			at += time.Duration(rapid.IntRange(1, 500).Draw(t, "gap")) * time.Millisecond
			s = append(s, device.Sample{At: at, Has: device.HasPowerInstant, PowerInstMW: uint32(rapid.IntRange(0, 700_000).Draw(t, "mW"))})
		}
		cut := s[1].At + time.Duration(rapid.Int64Range(0, int64(s[n-2].At-s[1].At)).Draw(t, "cut"))
		whole := integrate(s, 0, 0, at)
		left, right := integrate(s, 0, 0, cut), integrate(s, 0, cut, at)
		if whole == nil || left == nil || right == nil {
			return // too few readings on one side
		}
		if sum := float64(*left + *right); math.Abs(sum-float64(*whole)) > 1e-6*(1+sum) {
			t.Fatalf("%g + %g ≠ %g", float64(*left), float64(*right), float64(*whole))
		}
	})
}
