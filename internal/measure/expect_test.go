package measure

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/llenergymeasure/llem/internal/device"
)

// play is a window of about T seconds at a mean of busy watts, with a swing about
// it, on a GPU that draws idle watts before and after; it is read as the recorder
// reads it.
func play(rng *rand.Rand, s device.Sensor, T, idle, busy, swing float64) (samples []device.Sample, from, to time.Duration) {
	tau := s.Refresh.Seconds()
	phase := tau * rng.Float64()
	var polls []float64
	settle := func(t float64) float64 {
		for tick := phase + tau*math.Ceil((t-phase)/tau); ; t += settleEvery.Seconds() {
			polls = append(polls, t)
			if t > tick {
				return t
			}
		}
	}
	for t := 0.1; t < 2; t += 0.1 {
		polls = append(polls, t)
	}
	t0 := settle(2)
	t1 := t0 + T + tau*rng.Float64() // the end falls anywhere in a tick
	for t := t0 + 0.1; t < t1; t += 0.1 {
		polls = append(polls, t)
	}
	settle(t1)
	var l load
	l.add(t0, idle)
	for left := t1 - t0; left > 0; {
		d := min(left, tau*(0.9+0.2*rng.Float64()))
		l.add(d, max(0, busy*(1+swing*rng.NormFloat64())))
		left -= d
	}
	if end, decay := l.watts[len(l.watts)-1], 0.05+0.4*rng.Float64(); rng.IntN(2) == 1 {
		for k := range 100 {
			l.add(0.02, idle+(end-idle)*math.Exp(-float64(k)*0.02/decay))
		}
	}
	l.add(3, idle)
	from, to = time.Duration(t0*1e9), time.Duration(t1*1e9)
	return edged(sense(&l, polls, 0, tau, phase, s.Duty), from, to), from, to
}

// What is expected of a window is what the estimator states of windows like it,
// or somewhat more, since it is for power that falls at once.
func TestExpectIsWhatTheEstimatorStates(t *testing.T) {
	const idle, busy, least, most = 60, 400, 0.4, 1.6
	var ratios []float64
	for _, refresh := range []time.Duration{20 * time.Millisecond, 100 * time.Millisecond, 500 * time.Millisecond} {
		for _, duty := range []float64{1, 0.25} {
			for _, swing := range []float64{0, 0.17} {
				for _, window := range []time.Duration{10 * time.Second, 30 * time.Second, 60 * time.Second} {
					s := device.Sensor{Refresh: refresh, Duty: duty}
					stated, c := stated(t, s, window.Seconds(), idle, busy, swing)
					u, ok := Expect(s, c, window)
					ratios = append(ratios, float64(u)/stated)
					if !ok || float64(u) < least*stated || float64(u) > most*stated {
						t.Errorf("refresh %v, duty %g, readings that swing by %.3f, %v: %.3g J is expected, %.3g J stated", refresh, duty, c.Swing, window, float64(u), stated)
					}
				}
			}
		}
	}
	slices.Sort(ratios)
	if middle := ratios[len(ratios)/2]; middle < 0.9 || middle > 1.1 {
		t.Errorf("%.2f of what is stated is expected in the median", middle)
	}
	// Without an instantaneous reading.
	s := device.Sensor{Refresh: 100 * time.Millisecond, Duty: 1, MeanUsage: true}
	stated, c := stated(t, s, 10, idle, busy, 0)
	if u, ok := Expect(s, c, 10*time.Second); !ok || !c.Averaged || float64(u) < least*stated || float64(u) > most*stated {
		t.Errorf("a running mean: %.3g J is expected, %.3g J stated; %+v", float64(u), stated, c)
	}
}

// stated is the median of the uncertainties that many runs state, and what their
// readings say of the conditions.
func stated(t *testing.T, s device.Sensor, T, idle, busy, swing float64) (u float64, c Conditions) {
	const runs = 100
	rng := rand.New(rand.NewPCG(1, 2))
	var us, jumps []float64
	for range runs {
		samples, from, to := play(rng, s, T, idle, busy, swing)
		if s.MeanUsage {
			for i := range samples {
				samples[i].Has = device.HasEnergy | device.HasPowerUsage
			}
		}
		e := WindowEnergy(samples, []device.Sensor{s}, from, to)[0]
		v, ok := see(samples, 0, from, to, s)
		if !ok || e.Method != MethodAligned {
			t.Fatalf("by %q", e.Method)
		}
		us, jumps = append(us, float64(*e.U)), append(jumps, v.power.jump/busy)
		before := slices.IndexFunc(samples, func(x device.Sample) bool { return x.At > from })
		if c, ok = AtIdle(samples[:before], 0, s); !ok {
			t.Fatal("no idle power")
		}
	}
	slices.Sort(us)
	slices.Sort(jumps)
	c.Busy, c.Swing = device.Watts(busy), jumps[runs/2]
	return us[runs/2], c
}

func TestExpectSaysNothingWhereItsTermsDoNotApply(t *testing.T) {
	c := Conditions{Idle: 60, Busy: 400}
	s := device.Sensor{Refresh: 100 * time.Millisecond, Duty: 1}
	slow := c
	slow.Reading = 50 * time.Millisecond
	for name, x := range map[string]struct {
		s      device.Sensor
		c      Conditions
		window time.Duration
		ok     bool
	}{
		"fine":             {s, c, 10 * time.Second, true},
		"20 refreshes":     {s, c, 2 * time.Second, true},
		"19 refreshes":     {s, c, 1900 * time.Millisecond, false},
		"no counter":       {device.Sensor{Duty: 1}, c, 10 * time.Second, false},
		"too quick":        {device.Sensor{Refresh: 10 * time.Millisecond}, c, 10 * time.Second, false},
		"slow to read":     {s, slow, 10 * time.Second, false},
		"no power":         {s, Conditions{Idle: 60}, 10 * time.Second, false},
		"500.2 ms refresh": {device.Sensor{Refresh: 500200 * time.Microsecond}, c, 10 * time.Second, true},
	} {
		if u, ok := Expect(x.s, x.c, x.window); ok != x.ok || ok != (u > 0) {
			t.Errorf("%s: %g J, %v", name, float64(u), ok)
		}
	}
	if _, ok := AtIdle(make([]device.Sample, 5), 0, s); ok {
		t.Error("idle power out of no reading")
	}
}

func TestAWindowForAPerCent(t *testing.T) {
	s := device.Sensor{Refresh: 100 * time.Millisecond, Duty: 0.25}
	c := Conditions{Idle: 60, Busy: 400}
	if d, ok := WindowFor(s, c, 0.01); !ok || d < 2*time.Second || d > 14*time.Second {
		t.Errorf("a steady load: %v, want 2 to 14 s", d)
	}
	c.Swing = 0.2
	d, ok := WindowFor(s, c, 0.01)
	share := func(d time.Duration) float64 {
		u, _ := Expect(s, c, d)
		return 2 * float64(u) / (400 * d.Seconds())
	}
	if !ok || share(d) > 0.01 || share(d-10*time.Millisecond) < 0.01 {
		t.Errorf("one that swings: %v, where the share is %g", d, share(d))
	}
	if d, ok := WindowFor(s, c, 1e-6); ok {
		t.Errorf("a millionth in %v", d)
	}
	if d, ok := WindowFor(device.Sensor{}, c, 0.01); ok {
		t.Errorf("without a counter in %v", d)
	}
}
