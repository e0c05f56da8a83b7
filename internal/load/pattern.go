package load

import (
	"fmt"
	"time"

	"github.com/llenergymeasure/llem/internal/pattern"
	"github.com/llenergymeasure/llem/internal/study"
)

// Schedule is a load as it is known before its window.
type Schedule struct {
	Pattern Pattern
	// N is how many requests are sent: by an open loop so many; by a closed one at
	// most, or at least where seconds say so.
	N     int
	Trace pattern.Trace // of a recorded load, cut to what is sent; empty for others
	Sizes Sizes         // of the requests; nil: all are as long as they may be
	// Lengths is the SHA-256 of the file of lengths; empty: there is none.
	Lengths string
}

// New plans the load of w. A trace is read and held against what w takes.
func New(w study.Workload, seed int64) (Schedule, error) {
	l := w.Load
	of, digest, err := sizes(w, seed)
	if err != nil {
		return Schedule{}, err
	}
	p := Schedule{Sizes: of, Lengths: digest}
	if !l.Open() {
		p.Pattern, p.N = Closed(l.Concurrency), w.Prompts
		return p, nil
	}
	if l.Recorded() {
		if p.Trace, err = pattern.ReadTrace(l); err != nil {
			return Schedule{}, err
		}
	}
	next, ok := l.Schedule(uint64(seed), p.Trace)
	if !ok {
		return Schedule{}, fmt.Errorf("load pattern %q is not in this version", l.Pattern)
	}
	s := schedule{limit: l.MaxInFlight}
	at, more := next(0)
	for more && !w.Stop(len(s.due), at.Seconds()) {
		s.due = append(s.due, at)
		at, more = next(len(s.due))
	}
	p.Pattern, p.N = s, len(s.due)
	if l.Recorded() {
		return p, p.cut(w, !more)
	}
	return p, nil
}

// schedule is an open loop's: when each request is due, laid down before the window.
type schedule struct {
	due   []time.Duration
	limit int
}

func (s schedule) At(n int) (time.Duration, bool) { return s.due[n], true }
func (s schedule) InFlight() int                  { return s.limit }

type closed int

// Closed keeps n requests in flight until there are no more.
func Closed(n int) Pattern { return closed(n) }

func (closed) At(int) (time.Duration, bool) { return 0, false }
func (c closed) InFlight() int              { return int(c) }

type constant struct {
	rate  float64
	limit int
}

// Constant sends rate requests a second on an absolute schedule, at most limit
// at once (0: no limit).
func Constant(rate float64, limit int) Pattern { return constant{rate, limit} }

func (c constant) At(n int) (time.Duration, bool) {
	return pattern.Evenly(c.rate, n), true
}
func (c constant) InFlight() int { return c.limit }
