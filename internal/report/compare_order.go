package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/llenergymeasure/llem/internal/result"
	"github.com/llenergymeasure/llem/internal/stats"
)

// Reasons for no verdict.
const (
	singleRun    = "single_run"
	noSpread     = "no_spread"
	orderUnknown = "order_unknown"
	runsOverlap  = "runs_overlap"
	otherGPUs    = "other_gpus"
	otherHosts   = "other_hosts"
	tooFewRuns   = "too_few_runs"
	blockedOrder = "blocked_order"
	alternating  = "alternating"
)

const (
	// driftShown is the p-value below which drift is printed.
	driftShown = 0.05
	// alternates is the p-value below which neighbours that differ more than chance
	// explains take a verdict away: what is assumed of drift does not hold.
	alternates = 0.01
	// leastRuns is how many runs of two points together can distinguish drift from a
	// difference in some order.
	leastRuns = 5
)

// repeated compares two points on their repeats, in the order in which they ran. why
// says why there is no verdict; empty: there is one.
func (d *Difference) repeated(a, b *Point) (why string) {
	if len(a.runs) < 2 || len(b.runs) < 2 {
		return singleRun
	}
	runs := slices.Concat(a.runs, b.runs)
	values := values(runs, func(r *result.Record) *float64 { return r.EnergyPerOutputToken })
	var ok bool
	if why = orderless(runs); why != "" {
		d.Method = string(stats.ByWelch)
		d.d, ok = stats.Welch(values[:len(a.runs)], values[len(a.runs):])
	} else {
		order := stats.Arrange(ordered(a, b))
		why = d.inOrder(order, order.Drift(values), a.Label)
		d.d, ok = order.Difference(values)
	}
	if !ok {
		return noSpread
	}
	return why
}

// ordered are the runs of a, then those of b, with the moments at which they began.
func ordered(a, b *Point) (out []stats.Run) {
	first := began(a.runs[0].Record)
	for _, p := range []*Point{a, b} {
		for _, e := range p.runs {
			out = append(out, stats.Run{Second: p == b, At: began(e.Record).Sub(first).Seconds(), Cycle: e.Cycle})
		}
	}
	return out
}

// inOrder fills in what the order of the runs says.
func (d *Difference) inOrder(order *stats.Order, drift stats.Drift, versus string) (why string) {
	labels := make([]string, len(order.Second))
	for i, second := range order.Second {
		labels[i] = versus
		if second {
			labels[i] = d.Label
		}
	}
	sequence := strings.Join(labels, " ")
	d.Order, d.Method = &sequence, string(order.Method)
	if w := order.Widening; !order.Refused {
		d.Widening = &w
	}
	if drift.Known {
		trend := 100 * drift.Trend
		d.TrendPct, d.TrendP, d.Dependence, d.DependenceP = &trend, &drift.TrendP, &drift.Dependence, &drift.DependenceP
	}
	switch {
	case order.Refused && len(labels) < leastRuns:
		return tooFewRuns
	case order.Refused:
		return blockedOrder
	case drift.Known && drift.Dependence < 0 && drift.DependenceP < alternates:
		return alternating
	}
	return ""
}

// began is when a run's window opened, or the run itself where that is not known.
func began(r *result.Record) time.Time {
	if r.WindowStart != nil {
		return *r.WindowStart
	}
	return r.StartedAt
}

// orderless says why the order of runs is not known, or says nothing of drift.
func orderless(runs []Entry) string {
	runs = slices.SortedFunc(slices.Values(runs), func(a, b Entry) int { return began(a.Record).Compare(began(b.Record)) })
	for i, e := range runs {
		r, last := e.Record, runs[max(0, i-1)].Record
		switch {
		case r.Environment.Host.Hostname != last.Environment.Host.Hostname:
			return otherHosts
		case uuids(r) != uuids(last):
			return otherGPUs
		case began(r).IsZero() || r.StartedAt.IsZero():
			return orderUnknown
		}
	}
	for i, e := range runs[1:] {
		if last := runs[i].Record; !began(e.Record).After(began(last)) || e.Record.StartedAt.Before(last.EndedAt) {
			return runsOverlap
		}
	}
	return ""
}

// unless is what the interval of a difference without a verdict assumes.
func (d *Difference) unless() string {
	switch {
	case *d.NoVerdict != singleRun && *d.NoVerdict != noSpread:
		return " if nothing drifted"
	case d.Low != nil:
		return " by the meter's own uncertainty"
	}
	return ""
}

// why says why there is no verdict.
func (d *Difference) why() string {
	switch *d.NoVerdict {
	case singleRun:
		return "one run has no spread"
	case noSpread:
		return "the repeats have no spread at all"
	case orderUnknown:
		return "a record does not say when its run began, so the order of the runs is not known"
	case runsOverlap:
		return "runs overlapped in time, so their order says nothing of drift"
	case otherHosts:
		return "the runs were on different hosts, and each drifts in a way that the other does not show"
	case otherGPUs:
		return "the runs were on different GPUs, and each drifts in a way that the other does not show"
	case tooFewRuns:
		return "so few runs (" + blocks(*d.Order) + ") cannot distinguish a difference from drift"
	case blockedOrder:
		return "the runs came in blocks (" + blocks(*d.Order) + "): drift cannot be distinguished from a difference"
	}
	return fmt.Sprintf("runs differ from their neighbours more than chance explains (correlation %s, p%s%s): something alternates", signed(*d.Dependence, ""), hard, short(*d.DependenceP, ""))
}

// mostBlocks is how many blocks of runs are printed.
const mostBlocks = 12

// blocks is an order with runs of one point together: 3 A, 3 B.
func blocks(order string) string {
	var out []string
	labels := strings.Fields(order)
	for i := 0; i < len(labels); {
		n := 1
		for i+n < len(labels) && labels[i+n] == labels[i] {
			n++
		}
		out = append(out, fmt.Sprintf("%d%s%s", n, hard, labels[i]))
		i += n
	}
	if len(out) > mostBlocks {
		out = append(out[:mostBlocks], "…")
	}
	return strings.Join(out, ", ")
}

// assumes says, for people, what the verdicts assume.
func (c *Comparison) assumes() []string {
	if c.Comparisons == 0 {
		return []string{}
	}
	return []string{
		"The order of the runs is used: a straight line of drift is taken out, and ± is widened for other drift where this order needs it.",
		"Assumed: figures vary by chance, follow the run before, drift slowly, or jump. Nothing else changes when the point changes, or rises and falls as the points take turns.",
	}
}
