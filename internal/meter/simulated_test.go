package meter

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/llenergymeasure/llem/internal/device"
	"github.com/llenergymeasure/llem/internal/measure"
	"github.com/llenergymeasure/llem/internal/meter/card"
)

// window measures GPUs of one session as a run does: polls for their refresh, idle time, a
// window in which work is done, and what follows it.
func window(t *testing.T, g device.Session, work func()) (es []measure.DeviceEnergy, from, to time.Time) {
	t.Helper()
	devices, err := g.Devices(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w, err := g.Watch(devices)
	if err != nil {
		t.Fatal(err)
	}
	r := measure.NewRecorder(w, len(devices), 100*time.Millisecond)
	polls, err := w.PollCounters(t.Context(), r.Epoch())
	if err != nil {
		t.Fatal(err)
	}
	refresh, jitter := measure.Refresh(polls, len(devices))
	r.Start()
	time.Sleep(3 * time.Second)
	r.SetPhase(measure.WindowPhase, time.Minute)
	if err := r.Settle(t.Context(), refresh); err != nil {
		t.Fatal(err)
	}
	from = time.Now()
	work()
	to = time.Now()
	if err := r.Unwind(t.Context(), refresh); err != nil {
		t.Fatal(err)
	}
	r.Stop()
	return measure.WindowEnergy(r.Samples(), card.SensorsOf(devices, refresh, jitter), from.Sub(r.Epoch()), to.Sub(r.Epoch())), from, to
}

// requests sets the load as requests in flight, of eight at most, come and go for a time.
func requests(l *Load, seed uint64, of time.Duration) {
	rng := rand.New(rand.NewPCG(seed, 1))
	for end := time.Now().Add(of); time.Now().Before(end); {
		l.Set(float64(4+rng.IntN(5)) / 8)
		time.Sleep(min(time.Until(end), time.Duration(rng.ExpFloat64()*float64(200*time.Millisecond))))
	}
	l.Set(0)
}

// What is measured of simulated GPUs is what they used, within what is said of it.
func TestTheEnergyOfSimulatedGPUsIsTheirTruth(t *testing.T) {
	for name, c := range map[string]struct {
		cards  []Simulated
		within float64 // of the truth, whatever the uncertainty
	}{
		"as they are":          {nil, 0.005},
		"four out of phase":    {[]Simulated{{}, {Phase: 20 * time.Millisecond}, {Phase: 45 * time.Millisecond}, {Phase: 80 * time.Millisecond}}, 0.005},
		"quick":                {[]Simulated{{Idle: 40, Busy: 700, Refresh: 20 * time.Millisecond}}, 0.005},
		"shown late":           {[]Simulated{{Delay: 30 * time.Millisecond}}, 0.01},
		"looks now and then":   {[]Simulated{{Look: 0.25}}, 0.03},
		"slow, looks and late": {[]Simulated{{Refresh: 500 * time.Millisecond, Look: 0.5, Delay: 50 * time.Millisecond}}, 0.05},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(5) {
				synctest.Test(t, func(t *testing.T) {
					l := new(Load)
					s := Simulate(l, c.cards...)
					es, from, to := window(t, s, func() { requests(l, seed, 20*time.Second) })
					for i, e := range es {
						truth := float64(s.Truth(i, from, to))
						if e.Energy == nil || e.U == nil {
							t.Errorf("GPU %d: %+v", i, e)
							continue
						}
						off := float64(*e.Energy) - truth
						if math.Abs(off) > 3*float64(*e.U) || math.Abs(off) > c.within*truth {
							t.Errorf("seed %d, GPU %d: %s says %.1f ± %.1f J, and it used %.1f J", seed, i, e.Method, *e.Energy, 2**e.U, truth)
						}
					}
				})
			}
		})
	}
}

// The truth follows from the load alone: power is between idle and full load.
func TestTheTruthOfALoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := new(Load)
		s := Simulate(l, Simulated{Idle: 50, Busy: 250}, Simulated{})
		start := time.Now()
		for _, busy := range []float64{0, 0.5, 2, -1} {
			l.Set(busy)
			time.Sleep(time.Second)
		}
		want := []measure.Joules{50 + 150 + 250 + 50, 60 + 180 + 300 + 60}
		for i, w := range want {
			if got := s.Truth(i, start, time.Now()); math.Abs(float64(got-w)) > 1e-6 {
				t.Errorf("GPU %d used %g J, want %g", i, got, w)
			}
		}
		if got := s.Truth(0, start.Add(1500*time.Millisecond), start.Add(2500*time.Millisecond)); math.Abs(float64(got)-200) > 1e-6 {
			t.Errorf("from the middle of one load to that of another: %g J, want 200", got)
		}
	})
}

func TestSimulatedGPUsAreSetAndSelected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := new(Load)
		s := Simulate(l, make([]Simulated, 3)...)
		got, err := s.Select(t.Context(), []string{"2", s.gpus[0].describe().UUID})
		if err != nil || len(got) != 2 || got[0].Index != 2 || got[1].Index != 0 {
			t.Fatalf("%+v, %v", got, err)
		}
		for _, ids := range [][]string{{"3"}, {"1", "1"}, {"MIG-1"}} {
			if _, err := s.Select(t.Context(), ids); err == nil {
				t.Errorf("%v was selected", ids)
			}
		}
		d := got[0]
		for _, bad := range []error{s.SetPowerLimit(d, 30), s.SetPowerLimit(d, 301), s.LockSMClock(d, 9000)} {
			if bad == nil {
				t.Error("a setting beyond what the GPU can was taken")
			}
		}
		l.Set(1)
		time.Sleep(time.Second)
		start := time.Now()
		if err := s.SetPowerLimit(d, 200); err != nil {
			t.Fatal(err)
		}
		if err := s.LockSMClock(d, 900); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if limited, before := s.Truth(2, start, time.Now()), s.Truth(2, start.Add(-time.Second), start); math.Abs(float64(limited)-200) > 1e-6 || math.Abs(float64(before)-300) > 1e-6 {
			t.Errorf("%g J at the limit and %g J before, want 200 and 300", limited, before)
		}
		w, err := s.Watch(got)
		if err != nil {
			t.Fatal(err)
		}
		list, err := w.Sample(start, nil)
		if err != nil || len(list) != 2 {
			t.Fatalf("%+v, %v", list, err)
		}
		seen := fmt.Sprint(list[0].PowerInstMW, list[0].Throttle, list[0].SMUtil, list[1].GPU, list[1].PowerInstMW, list[1].Throttle)
		if want := fmt.Sprint(200_000, device.SoftwarePowerCap, 100, 1, 300_000, device.Throttle(0)); seen != want {
			t.Errorf("read %s, want %s", seen, want)
		}
		limit, err := s.PowerLimit(d)
		if now := s.gpus[2].describe(); err != nil || limit != 200 || *now.SMClockMHz != 900 || *now.PowerLimitW != 200 {
			t.Errorf("limit %g, %v, %+v", limit, err, now)
		}
	})
}

// The GPUs of a host are those of the first row whose driver is there, and a simulated session follows the load and
// has the cards that it is opened with.
func TestEveryMeterIsARow(t *testing.T) {
	all := rows
	if len(all) < 2 || all[0].Name != "nvml" || all[1].Name != "simulated" {
		t.Fatalf("rows %+v", all)
	}
	for cards, want := range map[int]int{0: 1, 3: 3} {
		synctest.Test(t, func(t *testing.T) {
			l := new(Load)
			g, err := all[1].Open(Options{Load: l, Cards: make([]Simulated, cards)})
			if err != nil {
				t.Fatal(err)
			}
			devices, err := g.Devices(t.Context())
			if err != nil || len(devices) != want {
				t.Fatalf("%d GPUs of %d, %v", len(devices), want, err)
			}
			l.Set(1)
			time.Sleep(time.Second)
			w, err := g.Watch(devices)
			if err != nil {
				t.Fatal(err)
			}
			samples, err := w.Sample(time.Now(), nil)
			if err != nil || len(samples) != want || samples[0].PowerInstMW != 300_000 {
				t.Errorf("%+v, %v", samples, err)
			}
			if err := g.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}
