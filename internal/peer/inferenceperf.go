package peer

import (
	"fmt"
	"slices"
)

// inferencePerf computes latencies in seconds over requests without an error.
var inferencePerf = Peer{
	Name: "inference-perf", Title: "inference-perf", Version: "0.7.0",
	Columns: []string{"mean", "median", "p90", "p99"},
	figures: []figure{
		{"request_latency", "s", "successes/latency/request_latency/*", spread(ipStats, func(q *request) []float64 {
			return []float64{seconds(q.end - q.sent)}
		}), nil},
		{"normalized_time_per_output_token", "s", "successes/latency/normalized_time_per_output_token/*", spread(ipStats, func(q *request) []float64 {
			if q.output == 0 {
				return []float64{0}
			}
			return []float64{seconds(q.end-q.sent) / float64(q.output)}
		}), noOutput},
		{"time_per_output_token", "s", "successes/latency/time_per_output_token/*", spread(ipStats, func(q *request) []float64 {
			if q.arrived() < 2 || q.output < 2 {
				return nil
			}
			return []float64{seconds(q.last()-q.first()) / float64(q.output-1)}
		}), either(thought, noOutput)},
		{"time_to_first_token", "s", "successes/latency/time_to_first_token/*", spread(ipStats, func(q *request) []float64 {
			if q.arrived() < 2 {
				return nil
			}
			return []float64{seconds(q.first() - q.sent)}
		}), thought},
		{"inter_token_latency", "s", "successes/latency/inter_token_latency/*", spread(ipStats, ipGaps), either(noOutput, ipUncounted)},
		{"input_tokens_per_sec", "", "successes/throughput/input_tokens_per_sec", rate(func(r *run) float64 { return total(r.done, input) }, ipTime), noInput(whole)},
		{"output_tokens_per_sec", "", "successes/throughput/output_tokens_per_sec", rate(func(r *run) float64 { return total(r.done, output) }, ipTime), noOutput},
		{"total_tokens_per_sec", "", "successes/throughput/total_tokens_per_sec", rate(func(r *run) float64 { return total(r.done, input) + total(r.done, output) }, ipTime), either(noInput(whole), noOutput)},
		{"requests_per_sec", "", "successes/throughput/requests_per_sec", rate(func(r *run) float64 { return float64(len(r.done)) }, ipTime), nil},
		{"schedule_delay", "s", "load_summary/schedule_delay/*", func(r *run) []Stat { return summarise(ipStats, ipOf(r.all, sendDelay)) }, nil},
		{"successes", "", "successes/count", one(func(r *run) float64 { return float64(len(r.done)) }), nil},
		{"failures", "", "failures/count", one(func(r *run) float64 { return float64(len(r.all) - len(r.done)) }), nil},
		{"failures, request_latency", "s", "failures/request_latency/*", func(r *run) []Stat { return summarise(ipStats, ipOf(r.all, failedLatency)) }, nil},
		{"benchmark_time_seconds", "s", "benchmark_time_seconds", one(ipTime), nil},
	},
	notes: func(r *run) []string {
		notes := []string{"Tokens are the server's count, as with report.request_lifecycle.use_server_output_tokens; inference-perf otherwise counts the text's own."}
		n := 0
		for i := range r.done {
			if r.done[i].arrived() < 2 {
				n++
			}
		}
		if n > 0 {
			notes = append(notes, fmt.Sprintf("Answers of fewer than two tokens are in request_latency and not in time_to_first_token: %d of %d.", n, len(r.done)))
		}
		return notes
	},
}

var ipStats = []stat{
	{"mean", "mean", sample.mean}, {"", "min", sample.min}, {"", "max", sample.max},
	{"", "p0.1", percentile(0.1)}, {"", "p1", percentile(1)}, {"", "p5", percentile(5)}, {"", "p10", percentile(10)}, {"", "p25", percentile(25)},
	{"median", "median", percentile(50)}, {"", "p75", percentile(75)}, {"p90", "p90", percentile(90)}, {"", "p95", percentile(95)},
	{"p99", "p99", percentile(99)}, {"", "p99.9", percentile(99.9)},
}

// ipGaps has an entry for every token after the first: tokens of one chunk come at
// once, and the gap to the chunk before is the first one's.
func ipGaps(q *request) []float64 {
	if q.arrived() < 2 {
		return nil
	}
	var out []float64
	for i, n := range q.counts {
		for k := range n {
			switch {
			case k > 0:
				out = append(out, 0)
			case i > 0:
				out = append(out, seconds(q.chunks[i]-q.chunks[i-1]))
			}
		}
	}
	return out
}

// ipUncounted is that the tokens in each chunk are not known. An end that the
// model chose is a token without text, and in no chunk.
func ipUncounted(r *run) string {
	for i := range r.done {
		q := &r.done[i]
		if n := q.arrived(); n != q.output && (n != q.output-1 || q.finish == "length") {
			return "the server did not say how many tokens each chunk carried"
		}
	}
	return thought(r)
}

// ipTime is from the first send to the last end, of failed requests too.
func ipTime(r *run) float64 { return seconds(r.ended - r.began) }

func sendDelay(q *request) (float64, bool) { return seconds(q.sent - q.scheduled), true }

func failedLatency(q *request) (float64, bool) { return seconds(q.end - q.sent), !q.ok }

func ipOf(list []request, of func(*request) (float64, bool)) sample {
	var out sample
	for i := range list {
		if v, ok := of(&list[i]); ok {
			out = append(out, v)
		}
	}
	slices.Sort(out)
	return out
}
