package load

import (
	"fmt"
	"math"
	"time"

	"github.com/llenergymeasure/llem/internal/study"
)

// patterns is the table of load patterns.
var patterns = map[string]func(study.Load) Pattern{
	"closed":   func(l study.Load) Pattern { return Closed(l.Concurrency) },
	"constant": func(l study.Load) Pattern { return Constant(l.RatePerSecond, l.MaxInFlight) },
}

// New makes the pattern that l names.
func New(l study.Load) (Pattern, error) {
	p, ok := patterns[l.Pattern]
	if !ok {
		return nil, fmt.Errorf("load pattern %q is not in this version: use closed or constant", l.Pattern)
	}
	return p(l), nil
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
