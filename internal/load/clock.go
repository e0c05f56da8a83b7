package load

import (
	"math"
	"time"

	"golang.org/x/sys/unix"
)

// origin is one instant on Go's clock, which is cheap to read and tells only
// differences, and on the kernel's that it is made of, which timers and other
// processes use too.
var origin, originNS = bothClocks()

const clockTries = 64

// bothClocks reads them between two readings of Go's, the closest of a few:
// good to some tens of nanoseconds.
func bothClocks() (at time.Time, ns int64) {
	best := time.Duration(math.MaxInt64)
	for range clockTries {
		from := time.Now()
		var ts unix.Timespec
		if unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) != nil {
			continue
		}
		if took := time.Since(from); took < best {
			best, at, ns = took, from.Add(took/2), ts.Nano()
		}
	}
	return at, ns
}

// Monotonic is the kernel's CLOCK_MONOTONIC at t in nanoseconds, which all
// processes of a host share. t has a monotonic reading.
func Monotonic(t time.Time) int64 { return originNS + int64(t.Sub(origin)) }
