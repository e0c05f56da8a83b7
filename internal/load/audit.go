package load

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"runtime/metrics"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/llenergymeasure/llem/internal/stats"
)

// Audit is what measuring cost, and how late its stamps can have been.
type Audit struct {
	Took time.Duration // from StartAudit to Stop
	CPU  time.Duration // of this process, user and system
	// Stamp is how late stamps were, in milliseconds: from the moment at which
	// the kernel had something to read to the stamp of what was read. nil where
	// the kernel gave no timer.
	Stamp *stats.Summary
	// GC are the pauses of the garbage collector in milliseconds, each the upper
	// edge of the runtime's bucket; nil: none.
	GC *stats.Summary
}

// A client that takes more of a core than MostCPUShare may be what is measured, and
// one whose stamps are later than MostStampLagMS, at the 99th percentile, is not on
// a quiet host: there it keeps to it with 1,000 streams.
const (
	MostCPUShare   = 0.8
	MostStampLagMS = 0.5
)

// CPUShare is how much of one core the process took.
func (a Audit) CPUShare() float64 {
	if a.Took <= 0 {
		return 0
	}
	return a.CPU.Seconds() / a.Took.Seconds()
}

// probePeriod is the time between probes: 27 a second. One that wakes a process
// that has nothing else to do costs some 50 to 90 µs of CPU, most of it the Go
// runtime's, so that is a quarter of a hundredth of a core; it is no multiple of
// what else has a rhythm here.
const probePeriod = 36_973 * time.Microsecond

// Auditor watches a load; Stop it.
type Auditor struct {
	began  time.Time
	cpu    time.Duration
	pauses metrics.Sample
	period time.Duration
	timer  *os.File
	first  int64 // of the timer, on CLOCK_MONOTONIC
	lags   histogram
	probe  sync.WaitGroup
}

// StartAudit watches this process from now on.
//
// A stamp is late by what passes from the kernel's having the bytes until the
// reader runs, reads and looks at the clock. No socket tells when its bytes
// came; a timer of the kernel does, and is otherwise read as a socket is: it
// wakes the same poller, which makes its reader ready behind those of other
// streams. So one that fires all the time stands for the streams. What it
// shows holds the kernel's delays, other processes', the poller's, and those
// of streams that were ready before.
func StartAudit() *Auditor { return startAudit(probePeriod) }

func startAudit(period time.Duration) *Auditor {
	a := &Auditor{pauses: gcPauses(), period: period}
	if a.startTimer() == nil {
		a.probe.Go(a.watch)
	}
	a.began, a.cpu = time.Now(), CPUTime()
	return a
}

// Stop ends the watch.
func (a *Auditor) Stop() Audit {
	out := Audit{CPU: CPUTime() - a.cpu, Took: time.Since(a.began)}
	if a.timer != nil {
		a.timer.Close() // which ends the read
		a.probe.Wait()
		out.Stamp = a.lags.summary()
	}
	out.GC = grown(a.pauses.Value, gcPauses().Value)
	return out
}

func (a *Auditor) startTimer() error {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return fmt.Errorf("make a timer: %w", err)
	}
	a.first = Monotonic(time.Now()) + int64(a.period)
	every := unix.ItimerSpec{Interval: unix.NsecToTimespec(int64(a.period)), Value: unix.NsecToTimespec(a.first)}
	if err := unix.TimerfdSettime(fd, unix.TFD_TIMER_ABSTIME, &every, nil); err != nil {
		unix.Close(fd)
		return fmt.Errorf("set a timer: %w", err)
	}
	a.timer = os.NewFile(uintptr(fd), "timer") // non-blocking: it goes to the poller
	return nil
}

// watch reads the timer until it is closed. Firings that were missed are late
// by as much, each.
func (a *Auditor) watch() {
	var buf [8]byte
	fired := int64(0)
	for {
		if _, err := a.timer.Read(buf[:]); err != nil {
			return
		}
		at := Monotonic(time.Now())
		for range binary.NativeEndian.Uint64(buf[:]) {
			a.lags.add(time.Duration(at-a.first-fired*int64(a.period)), 1)
			fired++
		}
	}
}

const gcPauseMetric = "/sched/pauses/total/gc:seconds"

// gcPauses are all of this process so far.
func gcPauses() metrics.Sample {
	s := []metrics.Sample{{Name: gcPauseMetric}}
	metrics.Read(s)
	return s[0]
}

// grown is what came to a histogram of the runtime's, in milliseconds.
func grown(before, after metrics.Value) *stats.Summary {
	if before.Kind() != metrics.KindFloat64Histogram || after.Kind() != before.Kind() {
		return nil
	}
	var h histogram
	b, a := before.Float64Histogram(), after.Float64Histogram()
	for i := range a.Counts {
		edge := a.Buckets[i+1]
		if math.IsInf(edge, 1) {
			edge = a.Buckets[i]
		}
		h.add(time.Duration(edge*float64(time.Second)), a.Counts[i]-b.Counts[i])
	}
	return h.summary()
}
