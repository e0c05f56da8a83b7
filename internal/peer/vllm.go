package peer

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"time"
)

// vllm counts chunks, and its time is the loop's: from before the first request
// is due to when the last has ended.
var vllm = Peer{
	Name: "vllm", Title: "vllm bench serve", Version: "0.32.0",
	Columns: []string{"Mean", "Median", "Std", "P99"},
	figures: []figure{
		{"TTFT", "ms", "*_ttft_ms", vllmEach(func(q *request) []float64 { return []float64{ms(q.first() - q.sent)} }), nil},
		{"TPOT", "ms", "*_tpot_ms", vllmEach(func(q *request) []float64 {
			if q.output < 2 {
				return nil
			}
			return []float64{ms(q.last()-q.first()) / float64(q.output-1)}
		}), noOutput},
		{"ITL", "ms", "*_itl_ms", vllmEach(func(q *request) []float64 { return durations(q.gaps(), ms) }), nil},
		{"E2EL", "ms", "*_e2el_ms", vllmEach(func(q *request) []float64 { return []float64{ms(q.last() - q.sent)} }), nil},
		{"Successful requests", "", "completed", one(func(r *run) float64 { return float64(len(r.done)) }), nil},
		{"Failed requests", "", "failed", one(func(r *run) float64 { return float64(len(r.all) - len(r.done)) }), nil},
		{"Benchmark duration", "s", "duration", one(vllmTime), nil},
		{"Total input tokens", "", "total_input_tokens", one(func(r *run) float64 { return total(r.done, input) }), noInput(whole)},
		{"Total generated tokens", "", "total_output_tokens", one(func(r *run) float64 { return total(r.done, output) }), noOutput},
		{"Request throughput", "req/s", "request_throughput", rate(func(r *run) float64 { return float64(len(r.done)) }, vllmTime), nil},
		{"Output token throughput", "tok/s", "output_throughput", rate(func(r *run) float64 { return total(r.done, output) }, vllmTime), noOutput},
		{"Peak output token throughput", "tok/s", "max_output_tokens_per_s", one(vllmPeakTokens), nil},
		{"Peak concurrent requests", "", "max_concurrent_requests", one(vllmPeakRequests), nil},
		{"Total token throughput", "tok/s", "total_token_throughput", rate(func(r *run) float64 { return total(r.done, input) + total(r.done, output) }, vllmTime), either(noInput(whole), noOutput)},
	},
	notes: vllmNotes,
}

var vllmStats = []stat{{"Mean", "mean", sample.mean}, {"Median", "median", percentile(50)}, {"Std", "std", sample.std}, {"P99", "p99", percentile(99)}}

// vllmEach is 0 where there is nothing to summarise, as it is in vLLM. An answer
// without text has no stamps here.
func vllmEach(of func(*request) []float64) func(*run) []Stat {
	return func(r *run) []Stat {
		s := collect(r, func(q *request) []float64 {
			if len(q.chunks) == 0 {
				return nil
			}
			return of(q)
		})
		if len(s) == 0 {
			s = sample{0}
		}
		return summarise(vllmStats, s)
	}
}

// vllmTime begins with the schedule, which is at t0.
func vllmTime(r *run) float64 { return seconds(r.ended) }

// vllmPeakTokens is the most chunks in a second, in seconds since the first send
// of a whole answer.
func vllmPeakTokens(r *run) float64 {
	return vllmPeak(r, func(q *request, hit func(time.Duration)) {
		for _, at := range q.chunks {
			hit(at)
		}
	})
}

// vllmPeakRequests is the most whole answers that were under way in a second, if
// not at the same time; each from the second of its send to that of its last chunk.
func vllmPeakRequests(r *run) float64 {
	began := vllmBegan(r)
	changes := map[time.Duration]int{} // by seconds
	for i := range r.done {
		q := &r.done[i]
		if len(q.chunks) == 0 || q.last() < q.sent {
			continue
		}
		first, last := (q.sent-began)/time.Second, (q.last()-began)/time.Second
		changes[first]++
		changes[last+1]--
	}
	level, peak := 0, 0
	for _, second := range slices.Sorted(maps.Keys(changes)) {
		level += changes[second]
		peak = max(peak, level)
	}
	return float64(peak)
}

// vllmPeak is the most hits in a second.
func vllmPeak(r *run, each func(q *request, hit func(time.Duration))) float64 {
	began, peak := vllmBegan(r), 0
	seconds := map[time.Duration]int{}
	for i := range r.done {
		each(&r.done[i], func(at time.Duration) {
			second := (at - began) / time.Second
			seconds[second]++
			peak = max(peak, seconds[second])
		})
	}
	return float64(peak)
}

func vllmBegan(r *run) time.Duration {
	began := time.Duration(math.MaxInt64)
	for i := range r.done {
		began = min(began, r.done[i].sent)
	}
	return began
}

// vllmNotes say how far off the figures may be where chunks without text came:
// vLLM counts every chunk that has choices.
func vllmNotes(r *run) []string {
	var ttft, early, e2e, late []float64
	silent := 0
	for i := range r.done {
		q := &r.done[i]
		if len(q.chunks) == 0 {
			silent++
			continue
		}
		ttft, early = append(ttft, ms(q.first()-q.sent)), append(early, ms(q.firstByte-q.sent))
		e2e, late = append(e2e, ms(q.last()-q.sent)), append(late, ms(q.end-q.sent))
	}
	var notes []string
	if len(ttft) > 0 {
		note := "vLLM counts every chunk with choices, a chat's role and an empty finish too, and the file has the chunks with text. " +
			"Where others came, its ITL has a gap more for each"
		if low := sample(early).mean(); low < sample(ttft).mean() {
			note += fmt.Sprintf(", its mean TTFT is down to %.6g ms (first byte)", low)
		}
		if high := sample(late).mean(); high > sample(e2e).mean() {
			note += fmt.Sprintf(", its mean E2EL up to %.6g ms (last byte)", high)
		}
		notes = append(notes, note+", and its TPOT follows.")
	}
	if silent > 0 {
		notes = append(notes, fmt.Sprintf("Answers without text, whose empty chunks vLLM has in its latencies, are in none here: %d of %d.", silent, len(r.done)))
	}
	return notes
}
