package load

import (
	"fmt"
	"math"
	"time"

	"github.com/llenergymeasure/llem/internal/study"
)

// patterns is the table of load patterns.
var patterns = map[string]func(l study.Load, n int, seed uint64) Pattern{
	"closed":   func(l study.Load, _ int, _ uint64) Pattern { return Closed(l.Concurrency) },
	"constant": func(l study.Load, _ int, _ uint64) Pattern { return Constant(l.RatePerSecond, l.MaxInFlight) },
	"poisson": func(l study.Load, n int, seed uint64) Pattern {
		return renewal(l, n, seed, (*draws).exponential)
	},
	"gamma": func(l study.Load, n int, seed uint64) Pattern {
		return renewal(l, n, seed, func(d *draws) float64 { return d.gamma(l.Burstiness) })
	},
	"burst": planned,
	"ramp":  planned,
	"steps": planned,
}

// New makes the pattern that l names, for n requests. What is drawn depends on the
// seed alone.
func New(l study.Load, n int, seed int64) (Pattern, error) {
	p, ok := patterns[l.Pattern]
	if !ok {
		return nil, fmt.Errorf("load pattern %q is not in this version", l.Pattern)
	}
	return p(l, n, uint64(seed)), nil
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
