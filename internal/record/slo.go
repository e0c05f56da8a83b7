package record

import (
	"github.com/llenergymeasure/llem/internal/load"
	"github.com/llenergymeasure/llem/internal/result"
	"github.com/llenergymeasure/llem/internal/study"
)

// goodput is what came within an SLO in a window of so many seconds; nil without an
// SLO.
func goodput(timings load.Timings, s study.SLO, seconds float64, open, older bool) *result.SLO {
	if s == (study.SLO{}) {
		return nil
	}
	limit := func(v float64) *float64 {
		if v == 0 {
			return nil
		}
		return &v
	}
	g := load.Good(timings, s, open)
	out := &result.SLO{TTFTMS: limit(s.TTFTMS), TPOTMS: limit(s.TPOTMS), E2EMS: limit(s.E2EMS)}
	if g.Unjudged > 0 && !older {
		return out
	}
	out.RequestsGood = &g.Requests
	if g.Unknown == 0 || older {
		out.OutputTokensGood = &g.Tokens
	}
	if seconds > 0 {
		out.RequestsPerSecond = new(float64(g.Requests) / seconds)
		out.OutputTokensPerSecond = over(out.OutputTokensGood, seconds)
	}
	return out
}
