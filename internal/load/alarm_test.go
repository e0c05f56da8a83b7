package load

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"
)

// The runtime's own timers come half a millisecond late in the mean.
func TestAnAlarmRingsOnTime(t *testing.T) {
	a, err := newAlarm()
	if err != nil {
		t.Fatal(err)
	}
	defer a.close()
	var late time.Duration
	for range 10 { // other tests may have the cores
		var all []time.Duration
		for i := range 40 {
			at := time.Now().Add(3*time.Millisecond + time.Duration(i)*37*time.Microsecond)
			if err := a.wait(t.Context(), at); err != nil {
				t.Fatal(err)
			}
			if d := time.Since(at); d < 0 {
				t.Fatalf("%s early", -d)
			} else {
				all = append(all, d)
			}
		}
		slices.Sort(all)
		if late = all[len(all)/2]; late < 250*time.Microsecond {
			return
		}
	}
	t.Errorf("half of the waits ended %s late and more", late)
}

func TestAnAlarmIsNotWaitedForInVain(t *testing.T) {
	a, err := newAlarm()
	if err != nil {
		t.Fatal(err)
	}
	defer a.close()
	if err := a.wait(t.Context(), time.Now().Add(-time.Hour)); err != nil {
		t.Errorf("a moment that has passed: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(10*time.Millisecond, cancel)
	began := time.Now()
	if err := a.wait(ctx, began.Add(time.Hour)); !errors.Is(err, context.Canceled) || time.Since(began) > 10*time.Second {
		t.Errorf("cancelled: %v after %s", err, time.Since(began))
	}
}

// byRuntime waits by the clock of a bubble, which the kernel's is not.
func byRuntime(ctx context.Context, until time.Time) error {
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
