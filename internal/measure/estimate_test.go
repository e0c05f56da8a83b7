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

// ticking are GPUs whose counters move every refresh, each at a phase of its own.
type ticking struct {
	refresh []time.Duration
	phase   []time.Duration
}

func (f ticking) Sample(epoch time.Time, dst []device.Sample) ([]device.Sample, error) {
	at := time.Since(epoch)
	for g := range f.refresh {
		s := device.Sample{GPU: int32(g), At: at, Has: device.HasPowerInstant, PowerInstMW: 60000}
		if f.refresh[g] > 0 {
			s.Has |= device.HasEnergy
			s.EnergyMJ = uint64((at-f.phase[g])/f.refresh[g]) * 6000
		}
		dst = append(dst, s)
	}
	return dst, nil
}

func TestSettleWaitsForATickOfEveryCounter(t *testing.T) {
	const ms = time.Millisecond
	for name, c := range map[string]struct {
		gpus    ticking
		refresh []time.Duration
		want    time.Duration // how long it takes, within one poll
	}{
		"one":               {ticking{[]time.Duration{100 * ms}, []time.Duration{-40 * ms}}, []time.Duration{100 * ms}, 60 * ms},
		"two out of phase":  {ticking{[]time.Duration{100 * ms, 100 * ms}, []time.Duration{-40 * ms, -5 * ms}}, []time.Duration{100 * ms, 100 * ms}, 95 * ms},
		"one that is still": {ticking{[]time.Duration{time.Hour}, []time.Duration{0}}, []time.Duration{100 * ms}, 120 * ms},
		"no counter":        {ticking{[]time.Duration{0}, []time.Duration{0}}, []time.Duration{0}, 0},
		"refresh unknown":   {ticking{[]time.Duration{100 * ms}, []time.Duration{0}}, nil, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := NewRecorder(c.gpus, len(c.gpus.refresh), 100*ms)
			begun := time.Now()
			if err := r.Settle(t.Context(), c.refresh); err != nil {
				t.Error(err)
			}
			if took := time.Since(begun); took < c.want || took > c.want+settleEvery {
				t.Errorf("%s: it took %v, want %v", name, took, c.want)
			}
			for _, s := range r.Samples() {
				if !s.Edge {
					t.Errorf("%s: a reading that is no edge", name)
				}
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		r := NewRecorder(ticking{[]time.Duration{time.Hour}, []time.Duration{0}}, 1, 100*ms)
		ctx, cancel := context.WithTimeout(t.Context(), 20*ms)
		defer cancel()
		if err := r.Settle(ctx, []time.Duration{500 * ms}); !errors.Is(err, context.DeadlineExceeded) || len(r.Samples()) == 0 {
			t.Errorf("%v with %d readings", err, len(r.Samples()))
		}
	})
}

// steps is a window of 10 s at 600 W between idle at 80 W, read as one GPU with
// a refresh of 100 ms shows it.
func steps(gap float64) (samples []device.Sample, from, to time.Duration) { return stepsBy(gap, 1) }

// stepsBy is steps by a sensor that looks at the last part, duty, of each refresh.
func stepsBy(gap, duty float64) (samples []device.Sample, from, to time.Duration) {
	var polls []float64
	add := func(a, b, every float64) {
		for ; a < b; a += every {
			polls = append(polls, a)
		}
	}
	add(0.1, 3, 0.1)
	add(3, 3.1, gap)
	add(3.2, 13.05, 0.1)
	add(13.11, 13.45, gap)
	var l load
	l.add(3.105, 80)
	l.add(10, 600)
	l.add(3, 80)
	from, to = 3105*time.Millisecond, 13105*time.Millisecond
	return edged(sense(&l, polls, 0, 0.1, 0.03, duty), from, to), from, to
}

func TestTheBestMethodThatTheReadingsAllow(t *testing.T) {
	sensor := []device.Sensor{{Refresh: 100 * time.Millisecond, Duty: 1}}
	for name, c := range map[string]struct {
		gap     float64
		without device.Field
		sensors []device.Sensor
		method  string
		known   bool
	}{
		"aligned":         {0.005, 0, sensor, MethodAligned, true},
		"coarse polls":    {0.09, 0, sensor, MethodCounter, true},
		"no counter":      {0.005, device.HasEnergy, sensor, MethodIntegral, true},
		"no power":        {0.005, device.HasPowerInstant, sensor, MethodCounter, false},
		"unknown refresh": {0.005, 0, make([]device.Sensor, 1), MethodCounter, false},
	} {
		samples, from, to := steps(c.gap)
		for i := range samples {
			samples[i].Has &^= c.without
		}
		e := WindowEnergy(samples, c.sensors, from, to)[0]
		if e.Method != c.method || (e.U != nil) != c.known || e.Energy == nil {
			t.Errorf("%s: %v J by %q, u %v", name, e.Energy, e.Method, e.U)
			continue
		}
		if c.known && math.Abs(float64(*e.Energy)-6000) > 3*float64(*e.U) {
			t.Errorf("%s: %g ± %g J, want 6000", name, float64(*e.Energy), float64(*e.U))
		}
	}
}

// A mean of one second is no check of the counter, and says little of the end.
func TestAMeanOfASecondIsNoCrossCheck(t *testing.T) {
	samples, from, to := steps(0.005)
	for i := range samples {
		samples[i].Has = device.HasEnergy | device.HasPowerUsage
	}
	e := WindowEnergy(samples, []device.Sensor{{Refresh: 100 * time.Millisecond, Duty: 1, MeanUsage: true}}, from, to)[0]
	if e.Method != MethodAligned || e.UIntegral != nil || math.Abs(float64(*e.Energy)-6000) > 2*float64(*e.U) {
		t.Errorf("%g ± %g J by %s, want 6000", float64(*e.Energy), float64(*e.U), e.Method)
	}
	if _, apart := e.Components[disagreement]; apart {
		t.Errorf("components %v", e.Components)
	}
	// What a sensor that looks a quarter of the time misses, such a mean does not show,
	e = WindowEnergy(samples, []device.Sensor{{Refresh: 100 * time.Millisecond, Duty: 0.25, MeanUsage: true}}, from, to)[0]
	// and its counter does.
	if e.Method != MethodAligned || e.U == nil {
		t.Errorf("%s with u %v, want one", e.Method, e.U)
	}
	for i := range samples {
		samples[i].Has = device.HasPowerUsage
	}
	if e := WindowEnergy(samples, []device.Sensor{{MeanUsage: true}}, from, to)[0]; e.Method != MethodIntegral || e.U != nil {
		t.Errorf("by %s, u %v; a mean of a second alone has none", e.Method, e.U)
	}
}

// Nor does it show when the load began: that is no drift.
func TestAMeanOfASecondIsNoDrift(t *testing.T) {
	samples, from, to := stepsBy(0.005, 0.25)
	for i := range samples {
		samples[i].Has = device.HasEnergy | device.HasPowerUsage
	}
	e := WindowEnergy(samples, []device.Sensor{{Refresh: 100 * time.Millisecond, Duty: 0.25, MeanUsage: true}}, from, to)[0]
	if e.Method != MethodAligned || math.Abs(float64(*e.Energy)-6000) > 600*0.0125 { // two polls and a half
		t.Errorf("%g J by %s, want 6000", float64(*e.Energy), e.Method)
	}
}

// A counter that went backwards is void, whatever its ticks say.
func TestAResetVoidsTheCounter(t *testing.T) {
	samples, from, to := steps(0.005)
	for i := len(samples) / 2; i < len(samples); i++ {
		samples[i].EnergyMJ = uint64(i)
	}
	e := WindowEnergy(samples, []device.Sensor{{Refresh: 100 * time.Millisecond, Duty: 1}}, from, to)[0]
	if !e.Reset || e.Counter != nil || e.Method != MethodIntegral {
		t.Errorf("%+v", e)
	}
}

func TestInstrumentsThatDisagreeGrowTheUncertainty(t *testing.T) {
	samples, from, to := steps(0.005)
	for i := range samples {
		samples[i].PowerInstMW = samples[i].PowerInstMW * 9 / 10
	}
	e := WindowEnergy(samples, []device.Sensor{{Refresh: 100 * time.Millisecond, Duty: 1}}, from, to)[0]
	if u := e.Components[disagreement]; math.Abs(float64(u)-600/math.Sqrt(3)) > 20 || *e.U < u {
		t.Errorf("components %v, u %v; want a tenth of 6000 J over √3", e.Components, *e.U)
	}
	f := GPUFacts{Devices: make([]device.Device, 1), Samples: samples, Energies: []DeviceEnergy{e}, DriftThreshold: 10}
	if got := codes(GPUWarnings(f)); got != "nvml_low_sample_count sensor_disagreement" && got != "sensor_disagreement" {
		t.Errorf("warnings %q", got)
	}
}

func TestTheBaselineKnowsHowWellItIsKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// ±3 W from reading to reading.
		r := NewRecorder(&fakeGPU{power: func(at time.Duration) float64 { return 60 + 3*math.Copysign(1, math.Sin(at.Seconds()*31)) }}, 1, 100*time.Millisecond)
		r.Start()
		defer r.Stop()
		b, err := MeasureBaseline(t.Context(), r, fakeProcesses(nil), []device.Sensor{{Refresh: 100 * time.Millisecond}}, 30*time.Second)
		if err != nil || b.U == nil {
			t.Fatalf("%+v, %v", b, err)
		}
		// Its counter moves all the time: 3/√300 is left.
		if want := 3 / math.Sqrt(300); math.Abs(float64(*b.U)-want) > 0.02 {
			t.Errorf("u = %g W, want about %g", float64(*b.U), want)
		}
		c := BaselineCache{Dir: t.TempDir(), TTL: time.Hour}
		if err := c.Store("k", make([]device.Device, 1), b); err != nil {
			t.Fatal(err)
		}
		if got, ok := c.Load("k", make([]device.Device, 1), time.Now()); !ok || got.U == nil || math.Abs(float64(*got.U-*b.U)) > 1e-4 {
			t.Errorf("from the cache: %+v", got)
		}
	})
}
