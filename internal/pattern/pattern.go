package pattern

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Due says when each request of an open loop is due, since the first; it is asked
// for 0, 1, 2 and so on. ok is false when there are no more.
type Due func(n int) (at time.Duration, ok bool)

// pattern is one row of the table.
type pattern struct {
	Name  string
	Brief string // ends the sentence "requests are sent …", for the key's meaning
	Sends string // the same at length, for docs/load.md

	// Needs are the keys that a load must have, May those that it may have. Every
	// open loop may have max_in_flight.
	Needs, May []Key

	Closed   bool // has no schedule: a request is sent when a place is free
	Recorded bool // its file says when requests are due and how long they are

	// Mean is when request n, from 0, is due at the mean rate, in seconds since the
	// first; nil of those that are closed or recorded.
	Mean func(l Load, n int) float64
	// Schedule depends on nothing but load, seed and, of a recorded pattern, its trace.
	// nil: it is Mean, to the nanosecond.
	Schedule func(l Load, seed uint64, t Trace) Due
	// Peak is the most requests a second, bursts aside; nil: rate_per_second.
	Peak func(Load) float64
	// AtOnce is how many requests are due at the same time; nil: 1.
	AtOnce func(Load) int
}

// patterns is the table, in the order of the docs.
var patterns = []pattern{
	closed,
	constant,
	poisson,
	gamma,
	burst,
	ramp,
	steps,
	trace,
}

// Names lists the patterns.
func Names() []string {
	var out []string
	for _, p := range patterns {
		out = append(out, p.Name)
	}
	return out
}

// row is the load's pattern. One that this version does not know is open and has no
// schedule.
func (l Load) row() *pattern {
	for i := range patterns { // no row is copied: a study asks for 100,000 points
		if patterns[i].Name == l.Pattern {
			return &patterns[i]
		}
	}
	return &pattern{}
}

// Meaning is the documentation of the key workload.load.pattern.
func Meaning() string {
	var closed, open []string
	for _, p := range patterns {
		if p.Closed {
			closed = append(closed, p.Name+" "+p.Brief)
		} else {
			open = append(open, p.Name+", "+p.Brief)
		}
	}
	return strings.Join(closed, "; ") + ". The others send on an absolute schedule, which is drawn from `seed` before the window: " + strings.Join(open, "; ") + "."
}

// Table is the table of docs/load.md.
func Table() string {
	var b strings.Builder
	b.WriteString("| `pattern` | requests are sent | keys |\n|---|---|---|\n")
	for _, p := range patterns {
		var names []string
		for _, k := range slices.Concat(p.Needs, p.May) {
			names = append(names, "`"+k.Name+"`")
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", p.Name, p.Sends, strings.Join(names, ", "))
	}
	return b.String()
}
