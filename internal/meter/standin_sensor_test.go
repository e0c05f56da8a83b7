//go:build linux && cgo

package meter

import (
	"math"
	"testing"
	"time"

	"github.com/llenergymeasure/llem/internal/device"
	"github.com/llenergymeasure/llem/internal/meter/standin"
)

const ms = time.Millisecond

// scene is one GPU whose clock stands. It draws 100 W until 30 ms after a tick of
// every sensor, then 300 W for 50 ms, then 200 W: 22 J until the next tick.
type scene struct {
	c    *standin.Control
	n    *nvmlSession
	s    *nvmlSampler
	tick time.Duration
}

func newScene(t *testing.T, g standin.GPU) scene {
	t.Helper()
	g.Power = 100
	c, n := openStandin(t, g)
	sc := scene{c: c, n: n, s: watchStandin(t, n, "0"), tick: (standin.Now() + 6*time.Second).Truncate(3 * time.Second)}
	c.Schedule(0, sc.tick, standin.Step{After: 30 * ms, Watts: 300}, standin.Step{After: 80 * ms, Watts: 200})
	return sc
}

// at reads the GPU at an instant after the tick.
func (sc scene) at(t *testing.T, after time.Duration) device.Sample {
	t.Helper()
	sc.c.Hold(sc.tick + after)
	got, err := sc.s.Sample(time.Now(), nil)
	if err != nil || len(got) != 1 {
		t.Fatalf("%d readings, %v", len(got), err)
	}
	return got[0]
}

// Joules from tick to tick and watts, worked out by hand.
func TestSensorsSeeWhatTheyAreMadeToSee(t *testing.T) {
	quarter := func(at float64) standin.Sensor { return standin.Sensor{Look: 0.25, LookAt: at, Shared: true} }
	second, slow := time.Second, standin.Sensor{}
	slow.PowerRefresh = second
	lag := func(from, to float64, d time.Duration) float64 { return to + (from-to)*math.Exp(-d.Seconds()) }
	for name, c := range map[string]struct {
		g          standin.GPU
		to         time.Duration // of the second reading; the first is 5 ms after the tick
		joules     float64
		watts, avg float64
	}{
		"plain":                                 {to: 105 * ms, joules: 22, watts: 200, avg: 112},
		"just before the next tick":             {to: 99 * ms, joules: 0, watts: 100, avg: 100},
		"looks at the first quarter":            {g: standin.GPU{Sensor: quarter(0)}, to: 105 * ms, joules: 10, watts: 100, avg: 112},
		"looks at the middle quarter":           {g: standin.GPU{Sensor: quarter(0.375)}, to: 105 * ms, joules: 30, watts: 300, avg: 112},
		"looks at the last quarter":             {g: standin.GPU{Sensor: quarter(0.75)}, to: 105 * ms, joules: 22, watts: 220, avg: 112},
		"looks at half, counter of its own":     {g: standin.GPU{Sensor: standin.Sensor{Look: 0.5}}, to: 105 * ms, joules: 22, watts: 180, avg: 112},
		"looks half of three refreshes":         {g: standin.GPU{Sensor: standin.Sensor{Look: 0.5, Shared: true}}, to: 305 * ms, joules: 18 + 40, watts: 200, avg: 132},
		"counter late":                          {g: standin.GPU{Sensor: standin.Sensor{CounterDelay: 30 * ms}}, to: 129 * ms, joules: 10, watts: 200, avg: 112},
		"counter late, shown":                   {g: standin.GPU{Sensor: standin.Sensor{CounterDelay: 30 * ms}}, to: 130 * ms, joules: 32, watts: 200, avg: 112},
		"powers late":                           {g: standin.GPU{Sensor: standin.Sensor{PowerDelay: 50 * ms}}, to: 149 * ms, joules: 22, watts: 100, avg: 100},
		"powers each second":                    {g: standin.GPU{Sensor: slow}, to: 205 * ms, joules: 42, watts: 100, avg: 100},
		"powers each second, shown":             {g: standin.GPU{Sensor: slow}, to: 1000 * ms, joules: 22 + 180, watts: 200, avg: 202},
		"counter each 500 ms, powers at 100 ms": {g: standin.GPU{Refresh: 500 * ms, Sensor: standin.Sensor{PowerRefresh: 100 * ms}}, to: 499 * ms, joules: 0, watts: 200, avg: 142},
		"20 ms":                                 {g: standin.GPU{Refresh: 20 * ms}, to: 45 * ms, joules: 6, watts: 300, avg: 102},
		"powers lag":                            {g: standin.GPU{Sensor: standin.Sensor{Lag: second}}, to: 105 * ms, joules: 22, watts: lag(lag(100, 300, 50*ms), 200, 20*ms), avg: 112},
		"powers stuck":                          {g: standin.GPU{Sensor: standin.Sensor{Stuck: 71.5}}, to: 105 * ms, joules: 22, watts: 71.5, avg: 71.5},
		"reads 3 % low":                         {g: standin.GPU{Sensor: standin.Sensor{Gain: 0.97}}, to: 105 * ms, joules: 22 * 0.97, watts: 200, avg: 112},
		"no mean":                               {g: standin.GPU{Instant: true}, to: 105 * ms, joules: 22, watts: 200, avg: 200},
	} {
		t.Run(name, func(t *testing.T) { // one NVML session each
			sc := newScene(t, c.g)
			before, after := sc.at(t, 5*ms), sc.at(t, c.to)
			if got := (float64(after.EnergyMJ) - float64(before.EnergyMJ)) / 1000; math.Abs(got-c.joules) > 0.0011 {
				t.Errorf("the counter moved by %.3f J, want %.3f", got, c.joules)
			}
			if got := float64(after.PowerInstMW) / 1000; math.Abs(got-c.watts) > 0.002 {
				t.Errorf("power is %.3f W, want %.3f", got, c.watts)
			}
			if got := float64(after.PowerAvgMW) / 1000; math.Abs(got-c.avg) > 0.002 {
				t.Errorf("mean power is %.3f W, want %.3f", got, c.avg)
			}
		})
	}
}

// Each process adds up the same looks, whenever it began to.
func TestACounterOfLooksIsTheSameToAll(t *testing.T) {
	sc := newScene(t, standin.GPU{Refresh: 20 * ms, Sensor: standin.Sensor{Look: 0.3, LookAt: 0.2, Shared: true, Jitter: 3 * ms}})
	var first []uint64
	for _, after := range []time.Duration{5 * ms, 55 * ms, 200 * ms} {
		first = append(first, sc.at(t, after).EnergyMJ)
	}
	for i, after := range []time.Duration{200 * ms, 55 * ms, 5 * ms} { // goes back, and so adds up again
		if got := sc.at(t, after).EnergyMJ; got != first[2-i] {
			t.Errorf("%v after the tick the counter is %d mJ, want %d as before", after, got, first[2-i])
		}
	}
}

func TestCounterMovesByItsStep(t *testing.T) {
	sc := newScene(t, standin.GPU{Sensor: standin.Sensor{Step: 15}})
	last := sc.at(t, 5*ms).EnergyMJ
	moved := 0
	for after := 105 * ms; after < time.Second; after += 100 * ms {
		got := sc.at(t, after).EnergyMJ
		if got%15000 != 0 || got < last || got-last > 30000 {
			t.Errorf("the counter went from %d to %d mJ", last, got)
		}
		if got != last {
			moved++
		}
		last = got
	}
	if moved < 9 { // 20 J a refresh
		t.Errorf("it moved %d times", moved)
	}
}

func TestCounterFaults(t *testing.T) {
	for name, c := range map[string]struct {
		fault standin.Fault
		want  [3]float64 // joules at 5, 105 and 205 ms, over those of the GPU's start; at 100 ms it happens
		has   [3]bool
	}{
		"silent": {standin.Silent, [3]float64{0, 22, 42}, [3]bool{false, true, true}},
		"zero":   {standin.Zero, [3]float64{-1000, 22, 42}, [3]bool{true, true, true}},
		"resets": {standin.Resets, [3]float64{0, -1000, -980}, [3]bool{true, true, true}},
		"stands": {standin.Stands, [3]float64{0, 22, 22}, [3]bool{true, true, true}},
		"frozen": {standin.Frozen, [3]float64{-999, 22, 42}, [3]bool{true, true, true}},
		"jumps":  {standin.Jumps, [3]float64{0, 522, 542}, [3]bool{true, true, true}},
	} {
		t.Run(name, func(t *testing.T) {
			sc := newScene(t, standin.GPU{Counter: 1})
			base := float64(sc.at(t, 5*ms).EnergyMJ) / 1000
			sc.c.SetFault(0, c.fault, sc.tick+100*ms, 500)
			for i, after := range []time.Duration{5 * ms, 105 * ms, 205 * ms} {
				got, has := sc.at(t, after), c.has[i]
				want := base + c.want[i]
				if c.want[i] <= -900 { // from zero, or from the millijoule of the beginning
					want = c.want[i] + 1000
				}
				if c.fault == standin.Frozen && i == 0 {
					want = 0.001
				}
				if (got.Has&device.HasEnergy != 0) != has || has && math.Abs(float64(got.EnergyMJ)/1000-want) > 0.0011 {
					t.Errorf("%v after the tick the counter is %d mJ (%b), want %.3f J", after, got.EnergyMJ, got.Has, want)
				}
			}
		})
	}
}

// A stamp is of the tick, not of when it shows.
func TestStampsOfTheCounter(t *testing.T) {
	for name, c := range map[string]struct {
		stamp standin.Stamp
		back  time.Duration
	}{"call": {standin.StampCall, 0}, "tick": {standin.StampTick, 145 * ms}, "none": {standin.StampNone, 0}} {
		t.Run(name, func(t *testing.T) {
			sc := newScene(t, standin.GPU{Sensor: standin.Sensor{Stamp: c.stamp, CounterDelay: 60 * ms}})
			before := time.Now()
			got := sc.at(t, 245*ms).EnergyUS // the tick at 100 ms shows
			from, to := before.Add(-c.back).UnixMicro()-1, time.Now().Add(-c.back).UnixMicro()+1
			if c.stamp == standin.StampNone {
				from, to = 0, 0
			}
			if got < from || got > to {
				t.Errorf("stamp of %d µs, want %d to %d", got, from, to)
			}
		})
	}
}

func TestTicksJitterAndWander(t *testing.T) {
	ticks := func(s standin.Sensor) (at []time.Duration) {
		t.Run("", func(t *testing.T) {
			sc := newScene(t, standin.GPU{Sensor: s})
			last := sc.at(t, 0).EnergyMJ
			for after := time.Duration(0); len(at) < 200 && after < 30*time.Second; after += ms {
				if now := sc.at(t, after).EnergyMJ; now != last {
					at, last = append(at, after), now
				}
			}
		})
		if len(at) != 200 {
			t.Fatalf("%d ticks in 30 s", len(at))
		}
		return at
	}
	spread := func(at []time.Duration) (sd float64) {
		var sum, squares float64
		for i, t := range at {
			off := float64(t-at[0]-time.Duration(i)*100*ms) / float64(ms)
			sum, squares = sum+off, squares+off*off
		}
		n := float64(len(at))
		return math.Sqrt(squares/n - sum/n*sum/n)
	}
	if sd := spread(ticks(standin.Sensor{})); sd != 0 {
		t.Errorf("ticks of a plain sensor spread by %.1f ms", sd)
	}
	a, b := ticks(standin.Sensor{Jitter: 20 * ms, Seed: 1}), ticks(standin.Sensor{Jitter: 20 * ms, Seed: 2})
	if sd := spread(a); sd < 15 || sd > 25 {
		t.Errorf("jitter of 20 ms spreads ticks by %.1f ms", sd)
	}
	if a[7] == b[7] && a[70] == b[70] && a[107] == b[107] {
		t.Error("two seeds have the same ticks")
	}
	if sd := spread(ticks(standin.Sensor{Wander: 30 * ms, WanderPeriod: 5 * time.Second})); sd < 14 || sd > 21 { // 30/√3
		t.Errorf("wander of 30 ms spreads ticks by %.1f ms", sd)
	}
}

func TestSensorsThatAreNotThere(t *testing.T) {
	for name, c := range map[string]struct {
		s    standin.Sensor
		want device.Field
	}{
		"all":        {standin.Sensor{}, device.HasEnergy | device.HasPowerInstant | device.HasPowerAverage},
		"no counter": {standin.Sensor{NoCounter: true}, device.HasPowerInstant | device.HasPowerAverage},
		"mean only":  {standin.Sensor{NoCounter: true, NoInstant: true, NoAverage: true}, device.HasPowerUsage},
		"none":       {standin.Sensor{NoCounter: true, NoInstant: true, NoAverage: true, NoUsage: true}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			sc := newScene(t, standin.GPU{Sensor: c.s})
			sc.at(t, 5*ms) // finds out
			const powers = device.HasEnergy | device.HasPowerInstant | device.HasPowerAverage | device.HasPowerUsage
			if got := sc.at(t, 105*ms).Has & powers; got != c.want {
				t.Errorf("a reading has %b, want %b", got, c.want)
			}
		})
	}
}

func TestCallsTakeTheirTime(t *testing.T) {
	c, n := openStandin(t)
	s := watchStandin(t, n, "0")
	c.SetSensor(0, standin.Sensor{Latency: 5 * ms, LatencyMore: 2 * ms})
	// Fields, temperature, memory, utilisation and throttling are five calls.
	begun := time.Now()
	m := sampleAt(t, s, begun)
	if took := time.Since(begun); took < 25*ms || m.Took < 5*ms {
		t.Errorf("five calls of 5 ms took %v, that of the fields %v", took, m.Took)
	}
}

func TestCapabilityThatIsNotKnown(t *testing.T) {
	_, n := openStandin(t, standin.GPU{Capability: "10.0"}, standin.GPU{Capability: "none"})
	got, err := n.Devices(t.Context())
	if err != nil || len(got) != 2 || got[0].ComputeCapability != "10.0" || got[1].ComputeCapability != "" {
		t.Errorf("got %+v, %v", got, err)
	}
}
