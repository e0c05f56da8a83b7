package study

import (
	"math"
	"sort"

	"github.com/llenergymeasure/llem/internal/pattern"
)

// Most is how many requests are sent at most, as far as the file tells.
func (w Workload) Most() int {
	if w.MinSeconds > 0 {
		return pattern.MaxRequests
	}
	return w.Prompts
}

// Stop says whether an open loop ends before request n, from 0, which is due so many
// seconds after the first: all prompts are sent and min_seconds have passed, or
// max_seconds have.
func (w Workload) Stop(n int, due float64) bool {
	return w.MaxSeconds > 0 && due >= w.MaxSeconds || n >= w.Prompts && due >= w.MinSeconds
}

// Planned is how many requests an open loop sends, and when the last is due, in
// seconds since the first: both at the mean rate where arrivals are drawn. due says
// it of request n, and never falls.
func (w Workload) Planned(due func(n int) float64) (n int, seconds float64) {
	n = sort.Search(pattern.MaxRequests+1, func(n int) bool { return w.Stop(n, due(n)) })
	return n, due(max(0, n-1))
}

// dueBy says when request n of an open loop is due, trace being that of a recorded one;
// what it does not hold is never due.
func dueBy(l pattern.Load, trace pattern.Trace) func(n int) float64 {
	if !l.Recorded() {
		return l.Due
	}
	return func(n int) float64 {
		if n >= len(trace.Arrivals) {
			return math.Inf(1)
		}
		return trace.Arrivals[n].Due.Seconds()
	}
}

// atLeast is how many requests a load sends, about, and for how long it goes on
// sending, at least, in seconds: an open loop's schedule, or min_seconds.
func (w Workload) atLeast(trace pattern.Trace) (n int, seconds float64) {
	if !w.Load.Open() {
		return w.Prompts, w.MinSeconds
	}
	if n, seconds = w.Planned(dueBy(w.Load, trace)); math.IsInf(seconds, 1) {
		return w.Prompts, 0 // a trace that cannot be read or ends before, which is told when it must be
	}
	return n, seconds
}

// readOnce reads each trace once, however many points name it.
func readOnce() func(l pattern.Load) pattern.Trace {
	type of struct{ path, unit string }
	read := map[of]pattern.Trace{}
	return func(l pattern.Load) pattern.Trace {
		key := of{l.File, l.TimeUnit}
		t, ok := read[key]
		if !ok && l.File != "" {
			t, _ = pattern.ReadTrace(l) // the run says what is wrong with it
			read[key] = t
		}
		return t
	}
}
