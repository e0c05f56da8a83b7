package main

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"runtime"
	"slices"
	"strings"
)

// row is a condition, quantity and host: what its windows come to. Errors and
// widths are parts of the truth.
type row struct {
	condition, quantity, host string
	identifiable              bool
	n                         int
	refused                   int // an honest word that there is no figure: null or invalid, with a reason
	bare                      int // a figure that is called valid, and no u
	stated, covered           int // with an interval, and the truth is in it
	bias, median, p95, half   float64
	warned                    map[string]int
	reasons                   map[string]int
}

// least is the part of intervals that must hold the truth.
const least = 0.93

// useless is a half-width, as a part of the truth, that says next to nothing.
const useless = 0.2

// judged is of how many windows one that misses does not decide.
const judged = 20

const few = "too few"

func (r *row) verdict() string {
	switch {
	case r.bare == 0 && r.n < judged:
		return few
	case r.bare > 0, r.stated > 0 && float64(r.covered) < least*float64(r.stated):
		return "**fails**"
	case r.stated == 0:
		return "refused"
	case r.half > useless:
		return "holds, uselessly wide"
	case r.refused > 0:
		return "holds, or refused"
	}
	return "holds"
}

// rows sums outcomes up, in the order of the plan.
func rows(all []outcome) (out []*row) {
	groups := map[[3]string][]outcome{}
	for _, o := range all {
		k := [3]string{o.Condition, o.Quantity, o.Host}
		groups[k] = append(groups[k], o)
	}
	for k, g := range groups {
		out = append(out, sum(k, g))
	}
	order := map[string]int{}
	for i, in := range instruments {
		order[in.family+": "+in.name] = i
	}
	place := func(r *row) int { return order[strings.SplitN(r.condition, " / ", 2)[0]] }
	slices.SortFunc(out, func(a, b *row) int {
		return cmp.Or(cmp.Compare(place(a), place(b)), strings.Compare(a.condition, b.condition), strings.Compare(a.quantity, b.quantity), strings.Compare(b.host, a.host))
	})
	return out
}

func sum(k [3]string, g []outcome) *row {
	r := &row{condition: k[0], quantity: k[1], host: k[2], n: len(g), warned: map[string]int{}, reasons: map[string]int{}}
	for _, in := range instruments {
		if strings.HasPrefix(r.condition, in.family+": "+in.name+" / ") {
			r.identifiable = in.identifiable
		}
	}
	var errs, abs, halves []float64
	for _, o := range g {
		for _, w := range o.Warned {
			if w != "short_measurement_duration" && w != "quick_mode" { // all are short
				r.warned[w]++
			}
		}
		switch {
		case !o.Valid && len(o.Reasons) > 0:
			r.refused++
			for _, w := range o.Reasons {
				r.reasons[w]++
			}
			continue
		case o.Said == nil || o.U == nil:
			r.bare++
			if o.Said == nil {
				continue
			}
		default:
			r.stated++
			halves = append(halves, 2**o.U/o.Truth)
			if math.Abs(*o.Said-o.Truth) <= 2**o.U {
				r.covered++
			}
		}
		errs = append(errs, (*o.Said-o.Truth)/o.Truth)
		abs = append(abs, math.Abs(*o.Said-o.Truth)/o.Truth)
	}
	for _, e := range errs {
		r.bias += e / float64(len(errs))
	}
	r.median, r.p95, r.half = quantile(abs, 0.5), quantile(abs, 0.95), quantile(halves, 0.5)
	return r
}

// quantile is the value below which the part q of values lies; NaN of none.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	v := slices.Sorted(slices.Values(values))
	at := q * float64(len(v)-1)
	i := int(at)
	return v[i] + (v[min(i+1, len(v)-1)]-v[i])*(at-float64(i))
}

func percent(v float64, sign string) string {
	if math.IsNaN(v) {
		return "–"
	}
	return fmt.Sprintf("%"+sign+".2f %%", 100*v)
}

// tables are one for each family, and one of all before them.
func tables(all []outcome) string {
	list := rows(all)
	var b strings.Builder
	b.WriteString(summary(list))
	b.WriteString(experiments(list))
	last := ""
	for _, r := range list {
		family, rest, _ := strings.Cut(r.condition, ": ")
		if family != last {
			fmt.Fprintf(&b, "\n## %s\n\n| instrument / load / GPUs | host | quantity | covered | refused | bias | median error | 95 %% of errors under | median half-width (2 u) | warned | |\n|---|---|---|---|---|---|---|---|---|---|---|\n", strings.ToUpper(family[:1])+family[1:])
			last = family
		}
		fmt.Fprintf(&b, "| %s | %s | `%s` | %s | %s | %s | %s | %s | %s | %s | %s |\n", rest, r.host, r.quantity, covered(r), refused(r),
			percent(r.bias*number(r.stated+r.bare), "+"), percent(r.median, ""), percent(r.p95, ""), percent(r.half, ""), most(r.warned, r.n), r.verdict())
	}
	return b.String()
}

// number is NaN for none, so that what is made of none shows as a dash.
func number(n int) float64 {
	if n == 0 {
		return math.NaN()
	}
	return 1
}

func covered(r *row) string {
	text := fmt.Sprintf("%d/%d", r.covered, r.stated)
	if r.bare > 0 {
		text += fmt.Sprintf(", %d without u", r.bare)
	}
	return text
}

func refused(r *row) string {
	if r.refused == 0 {
		return "0"
	}
	return fmt.Sprintf("%d: %s", r.refused, most(r.reasons, r.n))
}

// most are the codes that came up, the most frequent first.
func most(codes map[string]int, n int) string {
	keys := slices.SortedFunc(maps.Keys(codes), func(a, b string) int {
		return cmp.Or(cmp.Compare(codes[b], codes[a]), strings.Compare(a, b))
	})
	var out []string
	for _, k := range keys[:min(len(keys), 4)] {
		out = append(out, fmt.Sprintf("%s %d", k, codes[k]))
	}
	return strings.Join(out, ", ")
}

// summary counts each family's verdicts.
func summary(list []*row) string {
	type count struct{ holds, mixed, useless, refused, fails, few, n, stated, covered, wide int }
	var families []string
	counts := map[string]*count{}
	for _, r := range list {
		family, _, _ := strings.Cut(r.condition, ": ")
		key := family + "|" + r.host
		c := counts[key]
		if c == nil {
			c = &count{}
			counts[key], families = c, append(families, key)
		}
		switch r.verdict() {
		case "holds":
			c.holds++
		case "refused":
			c.refused++
		case "holds, uselessly wide":
			c.useless++
		case "**fails**":
			c.fails++
		case few:
			c.few++
		default:
			c.mixed++
		}
		c.n, c.stated, c.covered = c.n+r.n, c.stated+r.stated, c.covered+r.covered
		if r.identifiable && r.n >= judged && r.half > 1.5*r.p95 {
			c.wide++
		}
	}
	var b strings.Builder
	b.WriteString("| family | host | windows | intervals that hold the truth | conditions that hold | hold or are refused | refused | hold, uselessly wide | fail | too few windows | identifiable and wider than 1.5 × 95 % of errors |\n|---|---|---|---|---|---|---|---|---|---|---|\n")
	for _, key := range families {
		c := counts[key]
		family, host, _ := strings.Cut(key, "|")
		part := percent(number(c.stated)*float64(c.covered)/float64(max(c.stated, 1)), "")
		fmt.Fprintf(&b, "| %s | %s | %d | %s of %d | %d | %d | %d | %d | %d | %d | %d |\n", family, host, c.n, part, c.stated, c.holds, c.mixed, c.refused, c.useless, c.fails, c.few, c.wide)
	}
	return b.String()
}

// experiments sums up each quantity of whole experiments over all their conditions: there
// are few of each.
func experiments(list []*row) string {
	type count struct{ n, stated, covered, refused, bare int }
	var keys []string
	counts := map[string]*count{}
	for _, r := range list {
		if !strings.Contains(r.condition, " / run") {
			continue
		}
		key := fmt.Sprintf("| `%s` | %s |", r.quantity, r.host)
		if counts[key] == nil {
			counts[key], keys = &count{}, append(keys, key)
		}
		c := counts[key]
		c.n, c.stated, c.covered, c.refused, c.bare = c.n+r.n, c.stated+r.stated, c.covered+r.covered, c.refused+r.refused, c.bare+r.bare
	}
	if len(keys) == 0 {
		return ""
	}
	slices.Sort(keys)
	var b strings.Builder
	b.WriteString("\nWhole experiments (`llem run`), all conditions together:\n\n| quantity | host | experiments | intervals that hold the truth | refused | without u |\n|---|---|---|---|---|---|\n")
	for _, key := range keys {
		c := counts[key]
		part := percent(number(c.stated)*float64(c.covered)/float64(max(c.stated, 1)), "")
		fmt.Fprintf(&b, "%s %d | %s of %d | %d | %d |\n", key, c.n, part, c.stated, c.refused, c.bare)
	}
	return b.String()
}

// page is docs/accuracy-sensors.md.
func page(all []outcome, o *options) string {
	return fmt.Sprintf(`# Accuracy on sensors that behave otherwise

Which energies you can trust on a GPU whose sensors do not do what llem expects. Made by `+"`make accuracy`"+`: the real
binary measures stand-in GPUs (`+"`internal/meter/standin`"+`) through the real NVML binding, in windows of %g to %g s, or
%d refreshes longer where a refresh is so slow that llem would refuse them. The truth is the exact integral of the power that the stand-in drew between the record's own t0 and t1. The instruments are
those of `+"`bench/accuracy/instruments.go`"+`; they share nothing with the estimator.

An interval is the figure ± 2 u. A condition **holds** where at least 93 %% of its intervals contain the truth, is **refused**
where llem says that the figure is not valid and why, and **fails** otherwise; a figure that is called valid and has no u
fails too. One whose interval reaches further than 20 %% of the truth holds, uselessly wide. One of fewer than %d windows is not
judged; whole experiments are summed up below. Errors and widths are relative to the truth. A busy host has its cores kept busy by other processes; %s.

%s`, o.short.Seconds(), o.long.Seconds(), fewest, judged, loads(all), tables(all))
}

// loads says how busy the hosts were.
func loads(all []outcome) string {
	by := map[string][]float64{}
	for _, o := range all {
		by[o.Host] = append(by[o.Host], o.Load)
	}
	var out []string
	for _, host := range slices.Sorted(maps.Keys(by)) {
		out = append(out, fmt.Sprintf("the median load average of the %s one was %.1f", host, quantile(by[host], 0.5)))
	}
	return fmt.Sprintf("it has %d cores, and ", runtime.NumCPU()) + strings.Join(out, ", ")
}
