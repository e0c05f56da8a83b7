package peer

import (
	"cmp"
	"math"
	"slices"
)

// guidellm weighs: its ITL and TPOT are means over tokens, its percentiles steps of
// a distribution, its rates of all requests over the time from the first send to
// the last end.
var guidellm = Peer{
	Name: "guidellm", Title: "guidellm benchmark", Version: "0.8.1",
	Columns: []string{"mean", "median", "p95"},
	figures: []figure{
		{"Request Latency", "s", "metrics/request_latency/successful/*", guideEach(func(q *request) []weighted {
			return []weighted{{seconds(q.end - q.sent), 1}}
		}), nil},
		{"TTFT", "ms", "metrics/time_to_first_token_ms/successful/*", guideEach(guideTTFT), nil},
		{"TTFOT", "ms", "metrics/time_to_first_output_token_ms/successful/*", guideEach(guideTTFT), thought},
		{"ITL", "ms", "metrics/inter_token_latency_ms/successful/*", guideEach(func(q *request) []weighted {
			if len(q.chunks) == 0 || q.output < 2 {
				return []weighted{{0, float64(max(q.output, 1) - 1)}}
			}
			return []weighted{{ms(q.last()-q.first()) / float64(q.output-1), float64(q.output - 1)}}
		}), noOutput},
		{"TPOT", "ms", "metrics/time_per_output_token_ms/successful/*", guideEach(func(q *request) []weighted {
			last := q.end
			if len(q.chunks) > 0 {
				last = q.last()
			}
			if q.output == 0 {
				return []weighted{{0, 0}}
			}
			return []weighted{{ms(last-q.sent) / float64(q.output), float64(q.output)}}
		}), noOutput},
		{"Input Tok Per Req", "", "metrics/prompt_token_count/successful/*", guideEach(func(q *request) []weighted { return []weighted{{float64(q.input), 1}} }), noInput(whole)},
		{"Output Tok Per Req", "", "metrics/output_token_count/successful/*", guideEach(func(q *request) []weighted { return []weighted{{float64(q.output), 1}} }), noOutput},
		{"Total Tok Per Req", "", "metrics/total_token_count/successful/*", guideEach(func(q *request) []weighted { return []weighted{{float64(q.input + q.output), 1}} }), either(noInput(whole), noOutput)},
		{"Stream Iter Per Req", "", "metrics/request_streaming_iterations_count/successful/*", nil, func(*run) string {
			return "every line of the stream counts, and the file has the chunks with text"
		}},
		{"Output Tok Per Stream Iter", "", "metrics/output_tokens_per_iteration/successful/*", guideEach(func(q *request) []weighted {
			var out []weighted
			for _, e := range guideArrivals(q) {
				out = append(out, weighted{e.tokens, 1})
			}
			return out
		}), noOutput},
		{"Requests Concurrency", "", "metrics/request_concurrency/total/*", guideConcurrency, nil},
		{"Requests Per Sec", "", "metrics/requests_per_second/total/mean", guideRate(func(q *request) []arrival { return []arrival{{seconds(q.end), 1}} }), nil},
		{"Input Tokens Per Sec", "", "metrics/prompt_tokens_per_second/total/mean", guideRate(func(q *request) []arrival { return []arrival{guidePrompt(q)} }), noInput(everyone)},
		{"Output Tokens Per Sec", "", "metrics/output_tokens_per_second/total/mean", guideRate(guideArrivals), noOutput},
		{"Total Tokens Per Sec", "", "metrics/tokens_per_second/total/mean", guideRate(func(q *request) []arrival {
			return append(guideArrivals(q), guidePrompt(q))
		}), either(noInput(everyone), noOutput)},
		{"Requests, successful", "", "metrics/request_totals/successful", one(func(r *run) float64 { return float64(len(r.done)) }), nil},
		{"Requests, incomplete", "", "metrics/request_totals/incomplete", one(func(r *run) float64 { return total(r.all, func(q *request) int { return count(q.cut) }) }), nil},
		{"Requests, errored", "", "metrics/request_totals/errored", one(func(r *run) float64 { return total(r.all, func(q *request) int { return count(!q.ok && !q.cut) }) }), nil},
	},
	notes: func(r *run) []string {
		notes := []string{"Latencies and tokens per request are of completed requests; rates and concurrency are of all, as GuideLLM prints them."}
		if len(r.all) > len(r.done) {
			notes = append(notes, "Of a request that failed GuideLLM counts every chunk with text as a token.")
		}
		return notes
	},
}

func count(is bool) int {
	if is {
		return 1
	}
	return 0
}

func guideTTFT(q *request) []weighted {
	if len(q.chunks) == 0 {
		return nil
	}
	return []weighted{{ms(q.first() - q.sent), 1}}
}

type weighted struct{ value, weight float64 }

// guideEach summarises the values of completed requests.
func guideEach(of func(*request) []weighted) func(*run) []Stat {
	return func(r *run) []Stat {
		var list []weighted
		for i := range r.done {
			list = append(list, of(&r.done[i])...)
		}
		return guideStats(list)
	}
}

var guidePercentiles = []struct {
	column, key string
	p           float64
}{
	{"", "p001", 0.001}, {"", "p01", 0.01}, {"", "p05", 0.05}, {"", "p10", 0.1}, {"", "p25", 0.25}, {"", "p50", 0.5},
	{"", "p75", 0.75}, {"", "p90", 0.9}, {"p95", "p95", 0.95}, {"", "p99", 0.99}, {"", "p999", 0.999},
}

// guideStats is a distribution of weights over values. A percentile is the first
// value up to which there is that much; all is 0 where there is nothing.
func guideStats(list []weighted) []Stat {
	list = slices.DeleteFunc(list, func(w weighted) bool { return w.weight <= 0 })
	slices.SortStableFunc(list, func(a, b weighted) int { return cmp.Compare(a.value, b.value) })
	var all, mean, variance float64
	for _, w := range list {
		all += w.weight
	}
	for _, w := range list {
		mean += w.value * w.weight / all
	}
	for _, w := range list {
		variance += (w.value - mean) * (w.value - mean) * w.weight / all
	}
	at := func(p float64) float64 {
		var sum float64
		for i, w := range list {
			// A hair, since the sum of shares is not the share of the sum.
			if sum += w.weight; sum >= p*all*(1-1e-12) || i == len(list)-1 {
				return w.value
			}
		}
		return 0
	}
	n := math.RoundToEven(all)
	out := []Stat{
		{"mean", "mean", mean}, {"median", "median", at(0.5)}, {"", "std_dev", math.Sqrt(variance)},
		{"", "min", at(0)}, {"", "max", at(1)}, {"", "count", n}, {"", "total_sum", mean * n},
	}
	for _, p := range guidePercentiles {
		out = append(out, Stat{p.column, "percentiles/" + p.key, at(p.p)})
	}
	return out
}

// arrival is tokens that came at a time, in seconds since t0.
type arrival struct{ at, tokens float64 }

// guidePrompt is a prompt's tokens, which count when the first token comes.
func guidePrompt(q *request) arrival {
	at := q.end
	if len(q.chunks) > 0 {
		at = q.first()
	}
	return arrival{seconds(at), float64(q.input)}
}

// guideArrivals are the answer's tokens: one with the first chunk, the others in
// equal parts and at equal times up to the last chunk; all at the end where there
// are no two chunks.
func guideArrivals(q *request) []arrival {
	n, chunks := float64(q.output), len(q.chunks)
	if !q.ok {
		n = float64(chunks)
	}
	if chunks <= 1 {
		at := q.end
		if chunks == 1 {
			at = q.last()
		}
		return []arrival{{seconds(at), n}}
	}
	out := []arrival{{seconds(q.first()), min(1, n)}}
	if n <= 1 {
		return out
	}
	step := seconds(q.last()-q.first()) / float64(chunks-1)
	for i := 1; i < chunks; i++ {
		out = append(out, arrival{seconds(q.first()) + float64(i)*step, (n - 1) / float64(chunks-1)})
	}
	return out
}

// guideRate is the mean of a rate over the time from the first send to the last
// end; what comes within a tenth of a millisecond comes at once, also the end.
func guideRate(of func(*request) []arrival) func(*run) []Stat {
	return func(r *run) []Stat {
		began, ended := seconds(r.began), seconds(r.ended)
		list := []arrival{{began, 0}, {ended, 0}}
		for i := range r.all {
			list = append(list, of(&r.all[i])...)
		}
		list = guideMerge(list)
		var tokens float64
		for _, a := range list {
			tokens += a.tokens
		}
		if len(list) < 2 {
			return []Stat{{}}
		}
		return []Stat{{Value: tokens / (list[len(list)-1].at - list[0].at)}}
	}
}

// guideMerge joins what comes within a tenth of a millisecond of the first of a
// group.
func guideMerge(list []arrival) []arrival {
	slices.SortStableFunc(list, func(a, b arrival) int { return cmp.Compare(a.at, b.at) })
	var out []arrival
	for _, a := range list {
		if n := len(out); n > 0 && a.at <= out[n-1].at+1e-4 {
			out[n-1].tokens += a.tokens
		} else {
			out = append(out, a)
		}
	}
	return out
}

// guideConcurrency is how many requests were under way, weighed by how long.
func guideConcurrency(r *run) []Stat {
	var list []arrival
	for i := range r.all {
		list = append(list, arrival{seconds(r.all[i].sent), 1}, arrival{seconds(r.all[i].end), -1})
	}
	list = guideMerge(list)
	var levels []weighted
	level, ended := 0.0, seconds(r.ended)
	for i, a := range list {
		level += a.tokens
		next := ended
		if i+1 < len(list) {
			next = list[i+1].at
		}
		levels = append(levels, weighted{max(0, level), next - a.at})
	}
	var out []Stat
	for _, s := range guideStats(levels) {
		if s.Column == "mean" || s.Column == "median" {
			out = append(out, s)
		}
	}
	return out
}
