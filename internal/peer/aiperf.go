package peer

import "fmt"

// aiperf computes over valid records: no error, and a response with content.
var aiperf = Peer{
	Name: "aiperf", Title: "aiperf profile", Version: "0.13.0",
	Columns: []string{"avg", "min", "max", "p99", "p90", "p50", "std"},
	figures: []figure{
		{"TTFT", "ms", "time_to_first_token/*", aiperfEach(func(q *request) []float64 { return []float64{ms(q.first() - q.sent)} }), nil},
		{"TTST", "ms", "time_to_second_token/*", aiperfEach(func(q *request) []float64 {
			return durations(q.gaps(), ms)[:min(1, len(q.chunks)-1)]
		}), nil},
		{"TTFO", "ms", "time_to_first_output_token/*", aiperfEach(func(q *request) []float64 { return []float64{ms(q.first() - q.sent)} }), thought},
		{"Req Latency", "ms", "request_latency/*", aiperfEach(func(q *request) []float64 { return []float64{ms(q.last() - q.sent)} }), nil},
		{"Decode Duration", "ms", "decode_duration/*", aiperfEach(func(q *request) []float64 { return []float64{ms(q.last() - q.first())} }), nil},
		{"ITL", "ms", "inter_token_latency/*", aiperfEach(aiperfITL), noOutput},
		{"ICL", "ms", "inter_chunk_latency/*", aiperfEach(func(q *request) []float64 { return durations(q.gaps(), ms) }), nil},
		{"Output TPS/User", "", "output_token_throughput_per_user/*", aiperfEach(func(q *request) []float64 {
			if itl := aiperfITL(q); len(itl) > 0 && itl[0] > 0 {
				return []float64{1000 / itl[0]}
			}
			return nil
		}), noOutput},
		{"E2E Output TPS/User", "", "e2e_output_token_throughput/*", aiperfEach(func(q *request) []float64 {
			if q.last() == q.sent {
				return nil
			}
			return []float64{float64(q.output) / seconds(q.last()-q.sent)}
		}), noOutput},
		{"OSL", "tokens", "output_sequence_length/*", aiperfEach(func(q *request) []float64 { return []float64{float64(q.output)} }), noOutput},
		{"ISL", "tokens", "input_sequence_length/*", aiperfEach(func(q *request) []float64 { return []float64{float64(q.input)} }), noInput(whole)},
		{"Output TPS", "tokens/s", "output_token_throughput/avg", rate(aiperfTotal(output), aiperfDuration), noOutput},
		{"Total TPS", "tokens/s", "total_token_throughput/avg", rate(aiperfTotal(func(q *request) int { return q.input + q.output }), aiperfDuration), either(noInput(whole), noOutput)},
		{"Req/sec", "", "request_throughput/avg", rate(aiperfCount, aiperfDuration), nil},
		{"Requests", "", "request_count/avg", one(aiperfCount), nil},
		{"Error Count", "", "error_request_count/avg", aiperfPositive(aiperfErrors), nil},
		{"Err %", "", "request_error_rate/avg", rate(func(r *run) float64 { return 100 * aiperfErrors(r) }, func(r *run) float64 { return float64(len(r.all)) }), nil},
		{"Duration", "s", "benchmark_duration/avg", aiperfPositive(aiperfDuration), nil},
	},
	notes: func(r *run) []string {
		notes := []string{"Tokens are the server's count, as with --use-server-token-count, which AIPerf otherwise makes itself."}
		if n := aiperfErrors(r); n > 0 {
			notes = append(notes, fmt.Sprintf("Errors to AIPerf, and in no other figure here, are %.0f of %d requests. Its adj_ figures, which count them as endless, are left out.", n, len(r.all)))
		}
		return notes
	},
}

var aiperfStats = []stat{
	{"avg", "avg", sample.mean}, {"min", "min", sample.min}, {"max", "max", sample.max},
	{"", "p1", percentile(1)}, {"", "p5", percentile(5)}, {"", "p10", percentile(10)}, {"", "p25", percentile(25)},
	{"p50", "p50", percentile(50)}, {"", "p75", percentile(75)}, {"p90", "p90", percentile(90)}, {"", "p95", percentile(95)},
	{"p99", "p99", percentile(99)}, {"std", "std", sample.std}, {"", "count", sample.count}, {"", "sum", sample.sum},
}

// aiperfEach leaves out answers without content, which are errors.
func aiperfEach(of func(*request) []float64) func(*run) []Stat {
	return spread(aiperfStats, func(q *request) []float64 {
		if len(q.chunks) == 0 {
			return nil
		}
		return of(q)
	})
}

func aiperfITL(q *request) []float64 {
	if q.output < 2 {
		return nil
	}
	return []float64{ms(q.last()-q.first()) / float64(q.output-1)}
}

// aiperfPositive is a figure that there is none of where it is 0.
func aiperfPositive(of func(*run) float64) func(*run) []Stat {
	return func(r *run) []Stat {
		if of(r) <= 0 {
			return nil
		}
		return one(of)(r)
	}
}

func aiperfValid(r *run) []request {
	var out []request
	for _, q := range r.done {
		if len(q.chunks) > 0 {
			out = append(out, q)
		}
	}
	return out
}

func aiperfCount(r *run) float64  { return float64(len(aiperfValid(r))) }
func aiperfErrors(r *run) float64 { return float64(len(r.all)) - aiperfCount(r) }

func aiperfTotal(of func(*request) int) func(*run) float64 {
	return func(r *run) float64 { return total(aiperfValid(r), of) }
}

// aiperfDuration is from the first send of a valid record to the last content of
// one.
func aiperfDuration(r *run) float64 {
	list := aiperfValid(r)
	if len(list) == 0 {
		return 0
	}
	began, ended := list[0].sent, list[0].last()
	for i := range list {
		began, ended = min(began, list[i].sent), max(ended, list[i].last())
	}
	return seconds(ended - began)
}
