package load

import "github.com/llenergymeasure/llem/internal/study"

// Goodput is what came within the limits of an SLO.
type Goodput struct {
	Requests int
	Tokens   int64 // output tokens of those requests
	Unjudged int   // completed requests that lack what a limit is of
	Unknown  int   // of Requests: their tokens are unknown
}

// Good counts the requests that kept every limit of s. The user of an open loop
// waits from the time that was scheduled. A request of one token, or whose tokens
// came at once, has no TPOT to exceed.
func Good(timings Timings, s study.SLO, openLoop bool) (g Goodput) {
	over := func(value, limit float64) bool { return limit > 0 && value > limit }
	for _, t := range timings.All() {
		if t.Status != StatusOK {
			continue
		}
		if t.FirstToken < 0 || s.TPOTMS > 0 && t.OutputTokens == 0 {
			g.Unjudged++
			continue
		}
		from, tpot := t.Sent, 0.0
		if openLoop {
			from = t.Scheduled
		}
		if t.OutputTokens > 1 {
			tpot = ms(t.LastToken-t.FirstToken) / float64(t.OutputTokens-1)
		}
		if over(ms(t.FirstToken-from), s.TTFTMS) || over(tpot, s.TPOTMS) || over(ms(t.LastToken-from), s.E2EMS) {
			continue
		}
		g.Requests++
		g.Tokens += int64(t.OutputTokens)
		if t.OutputTokens == 0 {
			g.Unknown++
		}
	}
	return g
}
