package measure

import (
	"math"
	"testing"
	"time"
	"unsafe"
)

// stepped is t as it reads had the wall clock been set back by so much since: its
// wall time is later, its monotonic reading the same.
func stepped(t *testing.T, at time.Time, by time.Duration) time.Time {
	t.Helper()
	out := at
	// time.Time begins with its wall time, whose seconds stand above 30 bits of ns.
	*(*uint64)(unsafe.Pointer(&out)) += uint64(by/time.Second) << 30
	if out.Sub(at) != 0 || out.Round(0).Sub(at.Round(0)) != by {
		t.Fatalf("%v is not %v with another wall time", out, at)
	}
	return out
}

// A wall clock that is set in the window moves no joule: all times are monotonic.
// Those of a synctest bubble are not, so this one takes a fifth of a second.
func TestAWallClockThatIsSetChangesNothing(t *testing.T) {
	r := NewRecorder(&fakeGPU{power: constant(300)}, 1, time.Millisecond)
	wait := func() time.Duration {
		if err := Sleep(t.Context(), 50*time.Millisecond); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Edge(); err != nil {
			t.Fatal(err)
		}
		return time.Since(r.Epoch())
	}
	r.Start()
	from := wait()
	wait()
	r.mu.Lock()
	r.epoch = stepped(t, r.epoch, time.Hour)
	r.mu.Unlock()
	to := wait()
	wait()
	r.Stop()
	e := EnergyBetween(r.Samples(), 1, from, to)[0]
	want := 300 * (to - from).Seconds()
	if e.Integral == nil || math.Abs(float64(*e.Integral)-want) > want/1e6 || to-from > 10*time.Second {
		t.Errorf("got %v J in %v, want %g", e.Integral, to-from, want)
	}
}
