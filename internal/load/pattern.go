package load

import (
	"fmt"
	"math"
	"time"

	"github.com/llenergymeasure/llem/internal/study"
)

// due says when each request of an open loop is due, since the first; it is asked
// for 0, 1, 2 and so on. ok is false when there are no more.
type due func(n int) (at time.Duration, ok bool)

// schedules is the table of open loops. What is drawn depends on the seed alone.
var schedules = map[string]func(l study.Load, seed uint64, t study.Trace) due{
	"constant": func(l study.Load, _ uint64, _ study.Trace) due { return Constant(l.RatePerSecond, 0).At },
	"poisson": func(l study.Load, seed uint64, _ study.Trace) due {
		return renewal(l, seed, (*draws).exponential)
	},
	"gamma": func(l study.Load, seed uint64, _ study.Trace) due {
		return renewal(l, seed, func(d *draws) float64 { return d.gamma(l.Burstiness) })
	},
	"burst": planned,
	"ramp":  planned,
	"steps": planned,
	"trace": func(_ study.Load, _ uint64, t study.Trace) due { return recorded(t) },
}

// Plan is a load as it is known before its window.
type Plan struct {
	Pattern Pattern
	// N is how many requests are sent: by an open loop so many; by a closed one at
	// most, or at least where seconds say so.
	N     int
	Trace study.Trace // of the trace pattern, cut to what is sent; empty for others
	Sizes Sizes       // of the requests; nil: all are as long as they may be
	// Lengths is the SHA-256 of the file of lengths; empty: there is none.
	Lengths string
}

// New plans the load of w. A trace is read and held against what w takes.
func New(w study.Workload, seed int64) (Plan, error) {
	l := w.Load
	of, digest, err := sizes(w, seed)
	if err != nil {
		return Plan{}, err
	}
	p := Plan{Sizes: of, Lengths: digest}
	if !l.Open() {
		p.Pattern, p.N = Closed(l.Concurrency), w.Prompts
		return p, nil
	}
	draw, ok := schedules[l.Pattern]
	if !ok {
		return Plan{}, fmt.Errorf("load pattern %q is not in this version", l.Pattern)
	}
	if l.Pattern == "trace" {
		if p.Trace, err = study.ReadTrace(l); err != nil {
			return Plan{}, err
		}
	}
	next, s := draw(l, uint64(seed), p.Trace), schedule{limit: l.MaxInFlight}
	at, more := next(0)
	for more && !w.Stop(len(s.due), at.Seconds()) {
		s.due = append(s.due, at)
		at, more = next(len(s.due))
	}
	p.Pattern, p.N = s, len(s.due)
	if l.Pattern == "trace" {
		return p, p.cut(w, !more)
	}
	return p, nil
}

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
	return time.Duration(math.Round(float64(n) * float64(time.Second) / c.rate)), true
}
func (c constant) InFlight() int { return c.limit }
