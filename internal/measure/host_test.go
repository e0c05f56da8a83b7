package measure

import (
	"context"
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"
)

// fakeHost draws a constant power from counters that wrap.
type fakeHost struct {
	domains []HostDomain
	watts   float64
	first   uint64
	begun   time.Time
	lost    bool
}

func (f *fakeHost) Domains() []HostDomain { return f.domains }

func (f *fakeHost) Read() ([]uint64, error) {
	if f.lost {
		return nil, errors.New("the counter is gone")
	}
	out := make([]uint64, len(f.domains))
	for i, d := range f.domains {
		out[i] = f.first + uint64(f.watts*1e6*time.Since(f.begun).Seconds())
		if d.MaxUJ > 0 {
			out[i] %= d.MaxUJ
		}
	}
	return out, nil
}

// A counter of 2³² units of 15.3 µJ wraps every 188 s at 350 W: ten minutes have
// three wraps and lose nothing.
func TestHostEnergyOverWraps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeHost{domains: []HostDomain{{"package-0", 65_712_999_613}}, watts: 350, first: 65_000_000_000, begun: time.Now()}
		s, err := StartHost(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		got := s.Stop()
		if len(got) != 1 || got[0].Domain != "package-0" || got[0].Energy == nil || math.Abs(float64(*got[0].Energy)-350*600) > 0.001 {
			t.Errorf("%+v, want 210000 J", got)
		}
	})
}

// An interrupt ends the run, not the reading of what was measured.
func TestHostEnergyOutlivesItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		f := &fakeHost{domains: []HostDomain{{"package-0", 30_000_000_000}}, watts: 1000, begun: time.Now()}
		s, err := StartHost(ctx, f)
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		time.Sleep(time.Minute) // twice the counter's range
		if got := s.Stop(); got[0].Energy == nil || math.Abs(float64(*got[0].Energy)-60000) > 0.001 {
			t.Errorf("%+v, want 60000 J", got)
		}
	})
}

// What is not known is nil, never a number: a wrap of unknown range, a counter
// that jumped above its range, a reading that failed.
func TestHostEnergyThatIsNotKnown(t *testing.T) {
	for name, r := range map[string]*rawHost{
		"wrapped at an unknown place": {[]HostDomain{{"package-0", 0}}, []uint64{1e9, 1e6}},
		"above its range":             {[]HostDomain{{"package-0", 1000}}, []uint64{5000, 4000}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, err := StartHost(t.Context(), r)
				if err != nil {
					t.Fatal(err)
				}
				if got := s.Stop(); got[0].Energy != nil {
					t.Errorf("%v J", *got[0].Energy)
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		f := &fakeHost{domains: []HostDomain{{"package-0", 1e9}, {"dram-0", 1e9}}, watts: 100, begun: time.Now()}
		s, err := StartHost(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		f.lost = true
		for _, e := range s.Stop() {
			if e.Energy != nil {
				t.Errorf("%s: %v J of a counter that was lost", e.Domain, *e.Energy)
			}
		}
		if _, err := StartHost(t.Context(), f); err == nil {
			t.Error("a span opened on a counter that cannot be read")
		}
	})
}

// rawHost gives the readings it is told to.
type rawHost struct {
	domains  []HostDomain
	readings []uint64
}

func (r *rawHost) Domains() []HostDomain { return r.domains }

func (r *rawHost) Read() ([]uint64, error) {
	v := r.readings[0]
	if len(r.readings) > 1 {
		r.readings = r.readings[1:]
	}
	return []uint64{v}, nil
}
