package peer

import (
	"cmp"
	"slices"
	"time"

	"github.com/llenergymeasure/llem/internal/result"
)

// run is the requests that were sent, in the order of the file.
type run struct {
	all  []request
	done []request // whole answers
	// began and ended are the first send and the last end, since t0.
	began, ended time.Duration
}

// request is one request; moments are since t0, and 0 where there was none.
type request struct {
	ok, cut                         bool
	scheduled, sent, firstByte, end time.Duration
	chunks                          []time.Duration // when each came
	counts                          []int32         // the tokens in each
	input, output, reasoning        int
	finish                          string
	uncounted                       bool // the server did not say output
}

func orNone(n *int32) int {
	if n == nil {
		return 0
	}
	return int(*n)
}

func newRun(rows []result.RequestRow) *run {
	r := &run{}
	for i := range rows {
		row := &rows[i]
		if row.SentNS == nil || row.EndNS == nil {
			continue // never sent
		}
		q := request{
			ok: row.Status == "ok", cut: row.Status == "cut",
			scheduled: time.Duration(row.ScheduledNS), sent: time.Duration(*row.SentNS), end: time.Duration(*row.EndNS),
			counts: row.ChunkTokens, input: orNone(row.InputTokens), output: orNone(row.OutputTokens),
			uncounted: row.OutputTokens == nil, reasoning: orNone(row.ReasoningTokens), finish: row.FinishReason,
		}
		if q.uncounted { // what benchmarks count of an answer that failed
			q.output = q.arrived()
		}
		if row.FirstByteNS != nil {
			q.firstByte = time.Duration(*row.FirstByteNS)
		}
		at := q.sent
		for _, delta := range row.ChunkDeltaNS {
			at += time.Duration(delta)
			q.chunks = append(q.chunks, at)
		}
		if len(r.all) == 0 || q.sent < r.began {
			r.began = q.sent
		}
		r.ended = max(r.ended, q.end)
		r.all = append(r.all, q)
	}
	r.done = slices.DeleteFunc(slices.Clone(r.all), func(q request) bool { return !q.ok })
	return r
}

// first and last are when text came; both are asked of a request with chunks
// alone.
func (q *request) first() time.Duration { return q.chunks[0] }
func (q *request) last() time.Duration  { return q.chunks[len(q.chunks)-1] }

// arrived is how many tokens the chunks show.
func (q *request) arrived() int {
	n := 0
	for _, c := range q.counts {
		n += int(c)
	}
	return n
}

// gaps are the times between chunks.
func (q *request) gaps() []time.Duration {
	var out []time.Duration
	for i := 1; i < len(q.chunks); i++ {
		out = append(out, q.chunks[i]-q.chunks[i-1])
	}
	return out
}

func some(list []request, is func(*request) bool) bool {
	return slices.ContainsFunc(list, func(q request) bool { return is(&q) })
}

// total sums over requests.
func total(list []request, of func(*request) int) float64 {
	n := 0
	for i := range list {
		n += of(&list[i])
	}
	return float64(n)
}

func input(q *request) int  { return q.input }
func output(q *request) int { return q.output }

// Reasons for which a figure is left out.

// noInput is that prompts' tokens are known only where the server said them.
func noInput(list func(*run) []request) func(*run) string {
	return func(r *run) string {
		if some(list(r), func(q *request) bool { return q.input == 0 }) {
			return "the server did not count the prompt of every request"
		}
		return ""
	}
}

// noOutput is that a chunk is not a token, which is all that is known of an answer
// whose tokens the server did not count.
func noOutput(r *run) string {
	if some(r.done, func(q *request) bool { return q.uncounted }) {
		return "the server did not count the tokens of every answer"
	}
	return ""
}

// either is the first of two reasons.
func either(a, b func(*run) string) func(*run) string {
	return func(r *run) string { return cmp.Or(a(r), b(r)) }
}

func everyone(r *run) []request { return r.all }
func whole(r *run) []request    { return r.done }

// thought is that the file does not say which chunks were reasoning.
func thought(r *run) string {
	if some(r.done, func(q *request) bool { return q.reasoning > 0 }) {
		return "there is reasoning, and the file does not say in which chunks"
	}
	return ""
}

func seconds(d time.Duration) float64 { return d.Seconds() }
func ms(d time.Duration) float64      { return float64(d) / float64(time.Millisecond) }

// durations converts each.
func durations(list []time.Duration, to func(time.Duration) float64) []float64 {
	out := make([]float64, len(list))
	for i, d := range list {
		out[i] = to(d)
	}
	return out
}
