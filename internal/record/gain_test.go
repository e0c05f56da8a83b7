package record

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/llenergymeasure/llem/internal/device"
	"github.com/llenergymeasure/llem/internal/load"
	"github.com/llenergymeasure/llem/internal/measure"
	"github.com/llenergymeasure/llem/internal/meter/card"
	"github.com/llenergymeasure/llem/internal/result"
	"github.com/llenergymeasure/llem/internal/study"
)

// steadyGPU are readings of a GPU that draws 60 W and, for ten seconds from t0 on, 300 W,
// by a counter that moves each 100 ms.
func steadyGPU() (samples []device.Sample, t0 time.Duration) {
	t0 = 3 * time.Second
	for at := time.Duration(0); at <= t0+11*time.Second; at += 50 * time.Millisecond {
		s := device.Sample{At: at, Took: time.Millisecond, Phase: uint8(measure.ThermalFloorPhase), Has: device.HasEnergy | device.HasPowerInstant, PowerInstMW: 60_000}
		if at >= t0 {
			s.Phase = uint8(measure.WindowPhase)
		}
		busy := min(max(at.Truncate(100*time.Millisecond)-t0, 0), 10*time.Second)
		s.EnergyMJ = uint64(60*at.Truncate(100*time.Millisecond).Milliseconds() + 240*busy.Milliseconds())
		if at > t0 && at <= t0+10*time.Second {
			s.PowerInstMW = 300_000
		}
		s.Edge = (at-t0).Abs() < 150*time.Millisecond || (at-t0-10*time.Second).Abs() < 150*time.Millisecond
		samples = append(samples, s)
	}
	return samples, t0
}

// recordOf is the record of a run on steadyGPU, whose card has this name and compute
// capability; older is how llem wrote it before it said which gain it took.
func recordOf(t *testing.T, name, capability string, older bool) *result.Record {
	t.Helper()
	samples, t0 := steadyGPU()
	o := Observation{
		Window:   &Window{Length: 10 * time.Second, Timings: load.List{}},
		Host:     Host{Devices: []device.Device{{UUID: "GPU-1", Name: name, ComputeCapability: capability}}, Refresh: []time.Duration{100 * time.Millisecond}, Jitter: []time.Duration{0}},
		Idle:     Idle{Baseline: &measure.Baseline{Power: 60, PerGPU: []device.Watts{60}, Method: measure.MethodAligned, U: new(device.Watts(0.1)), Components: map[string]device.Watts{"edges": 0.1}, Cached: true}},
		Readings: Readings{Samples: samples, From: t0},
	}
	if !older {
		o.Host.Gain = new(card.GainOf(o.Host.Devices))
	}
	o.Idle.Baseline.Aged(0)
	o.Idle.Engine = measure.FloorPower(samples, 1)
	seconds := 10.0
	r := &result.Record{
		SchemaVersion: result.SchemaVersion, WindowSeconds: &seconds, RequestsFile: result.RequestsFile, Tokens: result.Tokens{InputSource: "server"},
		Environment: result.Environment{GPUs: []result.GPU{{UUID: "GPU-1", Name: name, ComputeCapability: capability, CounterRefreshMS: new(100.0), CounterJitterMS: new(0.0)}}},
	}
	if older {
		r.SchemaVersion = "1.0"
	}
	o.mapEnergy(r, load.Figures{})
	if r.Energy.UAbsoluteJ == nil || r.Energy.UAdjustedAbsoluteJ == nil {
		t.Fatalf("no uncertainty of %+v", r.Energy)
	}
	return r
}

// recomputeOf is r computed again from its samples.
func recomputeOf(t *testing.T, r *result.Record) *result.Record {
	t.Helper()
	samples, t0 := steadyGPU()
	p, err := recompute(r, study.Experiment{}, nil, Readings{Samples: samples, From: t0})
	if err != nil {
		t.Fatal(err)
	}
	p.Host.Refresh, p.Host.Jitter = []time.Duration{100 * time.Millisecond}, []time.Duration{0} // of polls that there are none of
	return p.Record()
}

func TestARecordSaysTheGainOfItsCards(t *testing.T) {
	for _, c := range []struct {
		name, capability string
		half             float64
		standing, scope  string
	}{
		{"NVIDIA A100-SXM4-80GB", "8.0", 0.06, "measured by others", "gpu"},
		{"NVIDIA H100 80GB HBM3", "9.0", 0.06, "extrapolated", "gpu"},
		{"NVIDIA B200", "10.0", 0.11, "uncharacterised", "gpu"},
		{"NVIDIA GH200 480GB", "9.0", 0.11, "uncharacterised", "module"},
	} {
		r := recordOf(t, c.name, c.capability, false)
		g := r.Energy.Gain
		if g == nil || g.HalfWidth != c.half || g.Standing != c.standing || g.Source == "" || r.Energy.Scope != c.scope {
			t.Errorf("%s: gain %+v, scope %s", c.name, g, r.Energy.Scope)
			continue
		}
		for what, of := range map[string][3]float64{
			"energy":   {*r.EnergyTotalJ, *r.Energy.URepeatabilityJ, *r.Energy.UAbsoluteJ},
			"adjusted": {*r.EnergyAdjustedJ, *r.Energy.UAdjustedJ, *r.Energy.UAdjustedAbsoluteJ},
		} {
			if want := math.Hypot(of[1], c.half/math.Sqrt(3)*of[0]); math.Abs(of[2]-want) > 1e-9*want {
				t.Errorf("%s: absolute u of %s %g, want %g", c.name, what, of[2], want)
			}
		}
	}
}

// A record is held to the gain that its llem took: an older one to 5 %.
func TestVerifyTakesTheGainThatTheRecordWasWrittenWith(t *testing.T) {
	for name, c := range map[string]struct {
		older bool
		half  float64
	}{"new": {false, 0.11}, "older": {true, 0.05}} {
		r := recordOf(t, "NVIDIA GH200 480GB", "9.0", c.older)
		gain := c.half / math.Sqrt(3) * *r.EnergyTotalJ
		if want := math.Hypot(*r.Energy.URepeatabilityJ, gain); math.Abs(*r.Energy.UAbsoluteJ-want) > 1e-9*want {
			t.Errorf("%s: absolute u %g, want %g", name, *r.Energy.UAbsoluteJ, want)
		}
		again := recomputeOf(t, r)
		if diff := cmp.Diff(r.Energy, again.Energy); diff != "" {
			t.Errorf("%s: computed again it is another:\n%s", name, diff)
		}
	}
}

// Whoever narrows a gain, or takes it out, is found.
func TestAnotherGainIsNotTheOneThatIsComputedAgain(t *testing.T) {
	for name, change := range map[string]func(*result.Energy){
		"half-width": func(e *result.Energy) { e.Gain.HalfWidth = 0.01 },
		"standing":   func(e *result.Energy) { e.Gain.Standing = measure.MeasuredByOthers },
		"source":     func(e *result.Energy) { e.Gain.Source = "calibrated" },
		"none":       func(e *result.Energy) { e.Gain = nil },
		"scope":      func(e *result.Energy) { e.Scope = "gpu" },
	} {
		r := recordOf(t, "NVIDIA GH200 480GB", "9.0", false)
		gain := *r.Energy.Gain
		r.Energy.Gain = &gain
		change(&r.Energy)
		again := recomputeOf(t, r)
		if gain, scope := cmp.Equal(r.Energy.Gain, again.Energy.Gain), r.Energy.Scope == again.Energy.Scope; gain != (name == "scope") || scope == gain {
			t.Errorf("%s: the same gain %v, the same scope %v", name, gain, scope)
		}
	}
}
