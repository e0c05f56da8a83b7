package engine

import (
	"context"
	"errors"
	"maps"
	"math"
	"net/http"
	"slices"
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
	Started        Quantity = "started"         // when the server's process began, in seconds since 1970
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
	samples, out := parseMetrics(string(body)), Counters{}
	for _, m := range slices.Concat(metrics, []metric{started}) {
		for _, name := range m.names {
			if s, ok := samples[name]; ok {
				out[m.of] = s + samples[m.plus]
				break
			}
		}
	}
	return out, nil
}

// started is when the process began that counts, as Prometheus' own clients say it:
// what it counted before another start is not in its totals.
var started = metric{of: Started, names: []string{"process_start_time_seconds"}}

// parseMetrics reads the text format of Prometheus or OpenMetrics: the sum of each
// name's samples, over all its labels. A name of which a sample is no finite number
// is left out, since the sum of the others is not its own, as is one whose sum is
// none. Lines that are no samples are passed over.
func parseMetrics(text string) map[string]float64 {
	out, unknown := map[string]float64{}, map[string]bool{}
	for line := range strings.Lines(text) {
		name, value, ok := sample(strings.TrimSpace(line))
		if !ok {
			continue
		}
		v, err := strconv.ParseFloat(value, 64)
		out[name] += v
		if err != nil || math.IsNaN(out[name]) || math.IsInf(out[name], 0) {
			unknown[name] = true
		}
	}
	maps.DeleteFunc(out, func(name string, _ float64) bool { return unknown[name] })
	return out
}

// sample takes a line apart; what follows its value is a time, and after # an
// exemplar.
func sample(line string) (name, value string, ok bool) {
	end := strings.IndexAny(line, "{ \t")
	if end <= 0 || line[0] == '#' {
		return "", "", false
	}
	name, rest := line[:end], line[end:]
	if rest = strings.TrimLeft(rest, " \t"); strings.HasPrefix(rest, "{") {
		n := labels(rest)
		if n < 0 {
			return "", "", false
		}
		rest = rest[n:]
	}
	fields := strings.Fields(rest)
	if len(fields) == 0 || fields[0] == "#" {
		return "", "", false
	}
	return name, fields[0], true
}

// labels is how long the labels are that a text begins with, whose values may hold
// any brace; below 0: they do not end.
func labels(text string) int {
	quoted := false
	for i := 1; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case c == '}' && !quoted:
			return i + 1
		}
	}
	return -1
}
