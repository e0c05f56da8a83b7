package load

import (
	"math"
	"runtime/metrics"
	"time"

	"github.com/llenergymeasure/llem/internal/stats"
)

// Audit is what measuring cost.
type Audit struct {
	Took time.Duration // from StartAudit to Stop
	CPU  time.Duration // of this process, user and system
	// GC are the pauses of the garbage collector in milliseconds, each the upper
	// edge of the runtime's bucket; nil: none.
	GC *stats.Summary
}

// A client that takes more of a core than MostCPUShare may be what is measured, and
// one that reads later than MostReadLagMS, at the 99th percentile, is not on a quiet
// host: there it keeps to it with 1,000 streams.
const (
	MostCPUShare  = 0.8
	MostReadLagMS = 0.5
)

// CPUShare is how much of one core the process took.
func (a Audit) CPUShare() float64 {
	if a.Took <= 0 {
		return 0
	}
	return a.CPU.Seconds() / a.Took.Seconds()
}

// Auditor watches a load; Stop it.
type Auditor struct {
	began  time.Time
	cpu    time.Duration
	pauses metrics.Sample
}

// StartAudit watches this process from now on.
func StartAudit() *Auditor {
	a := &Auditor{pauses: gcPauses()}
	a.began, a.cpu = time.Now(), CPUTime()
	return a
}

// Stop ends the watch.
func (a *Auditor) Stop() Audit {
	out := Audit{CPU: CPUTime() - a.cpu, Took: time.Since(a.began)}
	out.GC = grown(a.pauses.Value, gcPauses().Value)
	return out
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
