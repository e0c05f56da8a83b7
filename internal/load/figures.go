package load

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/llenergymeasure/llem/internal/stats"
)

// Figures summarise timings; times in milliseconds. What is not known is nil: a
// summary of nothing, and a count that one completed request or more lacks.
type Figures struct {
	Completed, Failed                          int
	InputTokens, OutputTokens, ReasoningTokens *int64
	CachedTokens                               *int64 // of InputTokens; nil: the server does not say
	InputSource, TokenSource                   string // of input and output: server | what counted instead | mixed | none
	MultiTokenChunks                           *int
	TTFT, TPOT, ITL, E2E, Lag                  *stats.Summary
	TTFTScheduled, E2EScheduled                *stats.Summary // open loop only
	Lacking                                    Lacking
}

// Summarise computes latencies over completed requests, and tokens over those that
// completed or were counted by the server before they failed.
func Summarise(timings Timings, openLoop bool) Figures {
	f := Figures{InputTokens: new(int64), OutputTokens: new(int64), ReasoningTokens: new(int64), MultiTokenChunks: new(int), Lacking: Lacking{Refused: map[string]int{}}}
	n := timings.Len()
	var ttft, tpot, e2e, lag, ttftS, e2eS = times(n), times(n), times(n), times(n), times(0), times(0)
	for _, t := range timings.All() {
		f.count(t)
		if t.Sent >= 0 {
			lag = append(lag, ms(t.Sent-t.Scheduled))
		}
		if t.Status != StatusOK || t.FirstToken < 0 {
			continue
		}
		ttft = append(ttft, ms(t.FirstToken-t.Sent))
		e2e = append(e2e, ms(t.LastToken-t.Sent))
		if openLoop {
			ttftS = append(ttftS, ms(t.FirstToken-t.Scheduled))
			e2eS = append(e2eS, ms(t.LastToken-t.Scheduled))
		}
		if t.LastToken == t.FirstToken { // 0 is unknown: all came at once
			continue
		}
		if t.OutputTokens > 1 {
			tpot = append(tpot, ms(t.LastToken-t.FirstToken)/float64(t.OutputTokens-1))
		}
	}
	f.settle()
	f.TTFT, f.ITL = stats.Summarise(ttft), summariseGaps(timings)
	f.E2E, f.Lag = stats.Summarise(e2e), stats.Summarise(lag)
	if f.Lacking.Output == 0 { // of some requests alone it would be another load's
		f.TPOT = stats.Summarise(tpot)
	}
	if openLoop {
		f.TTFTScheduled, f.E2EScheduled = stats.Summarise(ttftS), stats.Summarise(e2eS)
	}
	return f
}

func (f *Figures) count(t *Timing) {
	if t.Refused != "" {
		f.Lacking.Refused[t.Refused]++
	}
	if t.Status == StatusOK {
		f.Completed++
		f.lacks(t)
	} else if f.Failed++; t.OutputTokens == 0 && len(t.Chunks) > 0 {
		f.Lacking.Failed++
	}
	*f.InputTokens += int64(t.InputTokens)
	if t.CachedTokens != nil {
		if f.CachedTokens == nil {
			f.CachedTokens = new(int64)
		}
		*f.CachedTokens += int64(*t.CachedTokens)
	}
	*f.OutputTokens += int64(t.OutputTokens)
	if t.InputTokens > 0 {
		f.InputSource = joined(f.InputSource, cmp.Or(t.InputSource, "server"))
	}
	if t.OutputTokens > 0 {
		f.TokenSource = joined(f.TokenSource, t.UsageSource)
	}
	f.chunks(t)
}

// lacks counts what a completed request lacks.
func (f *Figures) lacks(t *Timing) {
	if t.InputTokens == 0 {
		f.Lacking.Input++
	}
	if t.OutputTokens == 0 {
		f.Lacking.Output++
	}
	switch {
	case t.FirstToken < 0:
		f.Lacking.Text++
	case t.FirstToken == t.LastToken && t.OutputTokens != 1:
		f.Lacking.Apart++
	}
}

// chunks counts those of several tokens, and reasoning. Both are unknown of requests
// whose chunks do not show the tokens that the server counted.
func (f *Figures) chunks(t *Timing) {
	if t.Reasoning >= 0 && f.ReasoningTokens != nil {
		*f.ReasoningTokens += int64(t.Reasoning)
	} else if t.Status == StatusOK {
		f.ReasoningTokens = nil
	}
	shown := 0
	for _, c := range t.Chunks {
		shown += c.Tokens()
		if c.Tokens() > 1 && f.MultiTokenChunks != nil {
			*f.MultiTokenChunks++
		}
	}
	if t.Status == StatusOK && shown != t.OutputTokens {
		f.MultiTokenChunks = nil
	}
}

// settle makes unknown what is not known of every completed request, and all where
// none completed.
func (f *Figures) settle() {
	f.InputSource, f.TokenSource = cmp.Or(f.InputSource, "none"), cmp.Or(f.TokenSource, "none")
	nothing := f.Completed == 0 && f.Failed > 0
	if nothing || f.Lacking.Input > 0 {
		f.InputTokens, f.CachedTokens = nil, nil
	}
	if nothing || f.Lacking.Output > 0 {
		f.OutputTokens, f.ReasoningTokens, f.MultiTokenChunks = nil, nil, nil
	}
}

// joined is what counted the tokens of some requests and of one more.
func joined(some, one string) string {
	if some == "" || some == one {
		return one
	}
	return "mixed"
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// Steady is the slice in which full requests were in flight: from the first
// token of the request that filled the concurrency to the last moment it was
// full. Tokens are counted by arrival; where the server counted another number
// of tokens than its chunks showed, each chunk stands for its share. ok is
// false when it never was full; tokens are meaningful where the completed requests'
// are known.
func Steady(timings Timings, full int) (start, end time.Duration, tokens int, ok bool) {
	filler, end, ok := fullest(timings, full)
	if !ok {
		return 0, 0, 0, false
	}
	if start = timings.At(filler).FirstToken; start < 0 {
		return 0, 0, 0, false
	}
	var arrived float64
	for _, t := range timings.All() {
		arrived += t.arrived(start, end)
	}
	return start, end, int(math.Round(arrived)), end > start
}

// arrived is how many of the timing's tokens came after start and by end: none of an
// answer whose tokens are unknown.
func (t *Timing) arrived(start, end time.Duration) float64 {
	if t.OutputTokens == 0 {
		return 0
	}
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
func fullest(timings Timings, full int) (filler int, end time.Duration, ok bool) {
	sent, ended := make([]time.Duration, 0, timings.Len()), make([]time.Duration, 0, timings.Len())
	for _, t := range timings.All() {
		if t.Sent >= 0 {
			sent, ended = append(sent, t.Sent), append(ended, t.End)
		}
	}
	slices.Sort(sent)
	slices.Sort(ended)
	filled := time.Duration(-1)
	flying := 0
	for s, e := 0, 0; e < len(ended); {
		if s < len(sent) && sent[s] <= ended[e] {
			if flying++; flying == full && filled < 0 {
				filled = sent[s]
			}
			s++
			continue
		}
		if flying == full {
			end = ended[e]
		}
		flying--
		e++
	}
	if filled < 0 {
		return 0, end, false
	}
	for i, t := range timings.All() {
		if t.Sent == filled {
			return i, end, true
		}
	}
	return 0, end, false
}

// times has room for so many, which are a lot.
func times(n int) []float64 { return make([]float64, 0, n) }
