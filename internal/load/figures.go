package load

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/llenergymeasure/llem/internal/stats"
)

// Figures summarise traces; times in milliseconds. A summary is nil where
// there is nothing to summarise.
type Figures struct {
	Completed, Failed                          int
	InputTokens, OutputTokens, ReasoningTokens int64
	CachedTokens                               *int64 // of InputTokens; nil: the server does not say
	TokenSource                                string // server | chunks | mixed | none
	MultiTokenChunks                           int
	TTFT, TPOT, ITL, E2E, Lag                  *stats.Summary
	TTFTScheduled, E2EScheduled                *stats.Summary // open loop only
}

// Summarise computes latencies over completed requests, and tokens over all.
func Summarise(traces []Trace, openLoop bool) Figures {
	var f Figures
	var ttft, tpot, itl, e2e, lag, ttftS, e2eS []float64
	for i := range traces {
		t := &traces[i]
		f.count(t)
		if t.Sent >= 0 {
			lag = append(lag, ms(t.Sent-t.Scheduled))
		}
		if t.Status != StatusOK || t.FirstToken < 0 {
			continue
		}
		ttft = append(ttft, ms(t.FirstToken-t.Sent))
		e2e = append(e2e, ms(t.LastToken-t.Sent))
		ttftS = append(ttftS, ms(t.FirstToken-t.Scheduled))
		e2eS = append(e2eS, ms(t.LastToken-t.Scheduled))
		if t.OutputTokens > 1 && t.LastToken > t.FirstToken { // 0 is unknown: all came at once
			tpot = append(tpot, ms(t.LastToken-t.FirstToken)/float64(t.OutputTokens-1))
		}
		for k := 1; k < len(t.Chunks); k++ {
			itl = append(itl, ms(t.Chunks[k].At()-t.Chunks[k-1].At()))
		}
	}
	f.TTFT, f.TPOT, f.ITL = stats.Summarise(ttft), stats.Summarise(tpot), stats.Summarise(itl)
	f.E2E, f.Lag = stats.Summarise(e2e), stats.Summarise(lag)
	if openLoop {
		f.TTFTScheduled, f.E2EScheduled = stats.Summarise(ttftS), stats.Summarise(e2eS)
	}
	if f.TokenSource == "" {
		f.TokenSource = "none"
	}
	return f
}

func (f *Figures) count(t *Trace) {
	if t.Status == StatusOK {
		f.Completed++
	} else {
		f.Failed++
	}
	f.InputTokens += int64(t.InputTokens)
	if t.CachedTokens != nil {
		if f.CachedTokens == nil {
			f.CachedTokens = new(int64)
		}
		*f.CachedTokens += int64(*t.CachedTokens)
	}
	f.OutputTokens += int64(t.OutputTokens)
	f.ReasoningTokens += int64(t.Reasoning)
	for _, c := range t.Chunks {
		if c.Tokens() > 1 {
			f.MultiTokenChunks++
		}
	}
	switch {
	case t.UsageSource == "none" || t.UsageSource == "" || t.UsageSource == f.TokenSource:
	case f.TokenSource == "":
		f.TokenSource = t.UsageSource
	default:
		f.TokenSource = "mixed"
	}
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// Steady is the slice in which full requests were in flight: from the first
// token of the request that filled the concurrency to the last moment it was
// full. Tokens are counted by arrival; where the server counted another number
// of tokens than its chunks showed, each chunk stands for its share. ok is
// false when it never was full.
func Steady(traces []Trace, full int) (start, end time.Duration, tokens int, ok bool) {
	filler, end, ok := fullest(traces, full)
	if !ok || traces[filler].FirstToken < 0 {
		return 0, 0, 0, false
	}
	start = traces[filler].FirstToken
	var arrived float64
	for i := range traces {
		arrived += traces[i].arrived(start, end)
	}
	return start, end, int(math.Round(arrived)), end > start
}

// arrived is how many of the trace's tokens came after start and by end.
func (t *Trace) arrived(start, end time.Duration) float64 {
	inside, all := 0, 0
	for _, c := range t.Chunks {
		all += c.Tokens()
		if c.At() > start && c.At() <= end {
			inside += c.Tokens()
		}
	}
	if t.UsageSource != "server" || inside == 0 {
		return float64(inside)
	}
	return float64(inside) * float64(t.OutputTokens) / float64(all)
}

// fullest finds the request whose send first made full in flight, and the last
// moment at which there were that many. A closed loop has a gap between one
// request's end and the next one's send; sends are sorted before ends at the
// same instant, and the gap's few microseconds do not end the slice.
func fullest(traces []Trace, full int) (filler int, end time.Duration, ok bool) {
	type event struct {
		at    time.Duration
		delta int
		i     int
	}
	var events []event
	for i := range traces {
		if traces[i].Sent < 0 {
			continue
		}
		events = append(events, event{traces[i].Sent, 1, i}, event{traces[i].End, -1, i})
	}
	slices.SortFunc(events, func(a, b event) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(b.delta, a.delta))
	})
	flying := 0
	for _, e := range events {
		if flying == full && e.delta < 0 {
			end = e.at
		}
		flying += e.delta
		if flying == full && !ok {
			filler, ok = e.i, true
		}
	}
	return filler, end, ok
}
