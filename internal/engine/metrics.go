package engine

import (
	"bufio"
	"context"
	"errors"
	"maps"
	"math"
	"net/http"
	"strconv"
	"strings"
)

// Quantity is one thing that servers count of their own work.
type Quantity string

// The quantities. Those in seconds are sums over requests.
const (
	Running        Quantity = "running" // requests, now
	Waiting        Quantity = "waiting" // requests, now
	PromptTokens   Quantity = "prompt_tokens"
	OutputTokens   Quantity = "output_tokens"
	CachedTokens   Quantity = "cached_tokens" // of the prompts, found in the prefix cache
	QueueSeconds   Quantity = "queue_seconds"
	PrefillSeconds Quantity = "prefill_seconds"
	DecodeSeconds  Quantity = "decode_seconds"
	Preemptions    Quantity = "preemptions"
	Drafts         Quantity = "drafts"          // of speculative decoding
	AcceptedTokens Quantity = "accepted_tokens" // of those drafts
	MultiplyAdds   Quantity = "multiply_adds"   // of images of ours
)

// Counters are a server's totals since it started; what it does not count is
// absent.
type Counters map[Quantity]float64

// metric says under which names servers, newer and older, count a quantity. The
// first that is there counts.
type metric struct {
	of    Quantity
	names []string
	plus  string // a name whose sum is added; empty: none
}

// counters reads a route in Prometheus' format; nil where the server has no such
// route.
func counters(ctx context.Context, at Address, route string, metrics []metric) (Counters, error) {
	body, err := fetch(ctx, http.MethodGet, at, route)
	var answer *refusal
	switch {
	case errors.As(err, &answer) && answer.code == http.StatusNotFound:
		return nil, nil
	case err != nil:
		return nil, err
	}
	samples, out := ParseMetrics(string(body)), Counters{}
	for _, m := range metrics {
		for _, name := range m.names {
			if s, ok := samples[name]; ok {
				out[m.of] = s + samples[m.plus]
				break
			}
		}
	}
	return out, nil
}

// ParseMetrics reads Prometheus' text format: the sum of each name's samples, over
// all its labels. Lines that are no sample, or no finite one, are passed over.
func ParseMetrics(text string) map[string]float64 {
	out := map[string]float64{}
	lines := bufio.NewScanner(strings.NewReader(text))
	lines.Buffer(nil, len(text)+1)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		name, rest, ok := strings.Cut(line, " ")
		if !ok || strings.HasPrefix(line, "#") {
			continue
		}
		if i := strings.IndexByte(line, '{'); i >= 0 {
			end := strings.LastIndexByte(line, '}')
			if end < i {
				continue
			}
			name, rest = line[:i], line[end+1:]
		}
		fields := strings.Fields(rest)
		if len(fields) == 0 {
			continue
		}
		v, err := strconv.ParseFloat(fields[0], 64)
		if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
			continue
		}
		out[name] += v
	}
	maps.DeleteFunc(out, func(_ string, v float64) bool { return math.IsInf(v, 0) }) // each was finite, their sum is not
	return out
}
