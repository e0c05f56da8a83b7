package report

import (
	"fmt"
	"io"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/llenergymeasure/llem/internal/result"
)

// Eight times as many points take some eight times as long to compare with one.
func TestCompareGrowsLinearly(t *testing.T) {
	const few, times = 120, 8
	const tick = 10 * time.Millisecond // of the kernel's account, which may be that coarse
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	spent := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(1, &u); err != nil { // RUSAGE_THREAD
			t.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	compare := func(n int) time.Duration {
		var list []Entry
		for i := range n {
			per, total := 1+float64(i%97)/100, 100.0
			point := i % (n / 3) // in turns
			list = append(list, Entry{Dir: fmt.Sprint("r/", i), Record: &result.Record{
				ExperimentID: fmt.Sprint(i), Status: result.Completed, ConfigHash: fmt.Sprint(point), EnergyTotalJ: &total, EnergyPerOutputToken: &per,
				TokensPerSecond: &per, Energy: result.Energy{Valid: true}, Config: map[string]any{"seed": float64(point)},
				StartedAt: time.Unix(60*int64(i), 0),
			}})
		}
		least := time.Duration(1 << 62)
		for range 3 {
			from := spent()
			c, err := Compare(list, "")
			if err == nil {
				err = c.Document().Write(io.Discard, Options{})
			}
			if err != nil {
				t.Fatal(err)
			}
			least = min(least, spent()-from)
		}
		return least
	}
	short, long := compare(few), compare(few*times)
	t.Log(short, long)
	if long > 3*times*max(short, tick) {
		t.Errorf("%d results took %s of CPU and %d took %s", few, short, few*times, long)
	}
}
