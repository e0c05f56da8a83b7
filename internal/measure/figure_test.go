package measure

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/llenergymeasure/llem/internal/device"
)

// GPUs that share a job err alike; only ticks between two polls are each one's own.
func TestUncertaintiesOfSeveralGPUs(t *testing.T) {
	j := func(v Joules) *Joules { return &v }
	one := func(name string, u Joules) DeviceEnergy {
		return DeviceEnergy{U: &u, Components: map[string]Joules{name: u}}
	}
	for _, c := range []struct {
		name string
		es   []DeviceEnergy
		want Joules
	}{
		{"the same edge", []DeviceEnergy{one(closingEdge, 3), one(closingEdge, 4)}, 7},
		{"polling", []DeviceEnergy{one(polling, 3), one(polling, 4)}, 5},
		{"two causes", []DeviceEnergy{one(openingEdge, 3), one(closingEdge, 4)}, 5},
		{"all", []DeviceEnergy{one(closingEdge, 1), one(closingEdge, 2), one(polling, 4)}, 5},
	} {
		if u, _ := TotalU(c.es); u == nil || math.Abs(float64(*u-c.want)) > 1e-9 {
			t.Errorf("%s: %v, want %g", c.name, u, float64(c.want))
		}
	}
	es := []DeviceEnergy{{U: j(3)}}
	if u, _ := TotalU(append(es, DeviceEnergy{})); u != nil {
		t.Error("unknown is not nothing")
	}
	if u, _ := TotalU(nil); u != nil {
		t.Error("no GPU has no uncertainty")
	}
}

// The last digit too, since records are checked to it.
func TestTheSumOfComponentsIsOneNumber(t *testing.T) {
	first := Joules(-1)
	for range 100 {
		f := Figure{Components: map[string]Joules{openingEdge: 1.0877600382831139, closingEdge: 1.4549540972722208, dutyCycle: 42.230118807664525}}
		if f.sum(); first < 0 {
			first = f.U
		}
		if f.U != first {
			t.Fatalf("%v and %v", f.U, first)
		}
	}
}

// However steady the power and however quick the reads, digits are not endless.
func TestNoUncertaintyIsZero(t *testing.T) {
	var polls []float64
	for at := 0.1; at < 13.4; at += 0.005 {
		polls = append(polls, at)
	}
	var l load
	for range 20 { // power that never moves is not believed without a counter
		l.add(0.5, 80)
		l.add(0.5, 80.5)
	}
	const from, to = 3105 * time.Millisecond, 13105 * time.Millisecond
	for name, c := range map[string]struct {
		without device.Field
		took    time.Duration
		least   Joules
	}{
		"counter":            {0, 0, 1e-4},
		"integral":           {device.HasEnergy, 0, 1e-4},
		"integral, slow":     {device.HasEnergy, 10 * time.Millisecond, 0.3}, // 80 W × 10 ms × √(2/12)
		"counter, slow read": {0, 10 * time.Millisecond, 0.3},
	} {
		samples := edged(sense(&l, polls, 0, 0.1, 0.03, 1), from, to)
		for i := range samples {
			samples[i].Has &^= c.without
			samples[i].Took = c.took
		}
		sensor := device.Sensor{Refresh: 100 * time.Millisecond, Duty: 1}
		if c.without != 0 {
			sensor.Refresh = 0
		}
		if e := WindowEnergy(samples, []device.Sensor{sensor}, from, to)[0]; e.U == nil || *e.U < c.least || *e.U > 10 {
			t.Errorf("%s: %v ± %v J (%s), want at least %g", name, e.Energy, e.U, e.Refused, float64(c.least))
		}
	}
}

// What a counter missed of a load that varies, all who read it missed.
func TestTwoThatReadOneCounter(t *testing.T) {
	figure := func(e, edge, duty Joules) *Figure {
		return (&Figure{Energy: e, Components: map[string]Joules{closingEdge: edge, dutyCycle: duty}}).sum()
	}
	if !figure(1000, 1, 20).Compare(figure(1080, 1, 20)) {
		t.Error("80 J between two that each miss ± 20 J by themselves is nothing")
	}
	if f := figure(1000, 1, 20); f.CompareCounter(figure(1005, 1, 20)) || f.U < 20 {
		t.Error("5 J between two readings of one counter, known to 1 J each, is seen")
	}
	if !figure(1000, 1, 20).CompareCounter(figure(1004, 1, 20)) {
		t.Error("4 J are within three times both")
	}
}

// Nor does that cry wolf: an instrument that reads the counter when it is called
// agrees with the aligned one, whatever the load.
func TestACallAgreesWithTheAlignedCounter(t *testing.T) {
	const n = 150
	for shape, draw := range shapes {
		apart := 0
		for seed := range uint64(n) {
			v := simulate(rand.New(rand.NewPCG(seed, 3)), draw, 1).views()
			f, ok := counterOf(v[0])
			other, called := called(v[0])
			if ok && called && !f.CompareCounter(other) {
				apart++
			}
		}
		if apart > n/50 {
			t.Errorf("%s: %d of %d disagree", shape, apart, n)
		}
	}
}
