package report

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// mostDiffering is how many rows of what differs there are; the rest is in the JSON.
const mostDiffering = 16

// Document is the comparison for people.
func (c *Comparison) Document() *Document {
	d := &Document{}
	d.comparison(c)
	d.add(c.repeats())
	return d
}

// comparison is everything but where the results lie.
func (d *Document) comparison(c *Comparison) {
	n := 0
	for _, point := range c.Points {
		n += len(point.all)
	}
	d.note("", "%s, %s", plural(len(c.Points), "point"), plural(n, "result"))
	d.add(differing(c.Differs))
	d.energies(c.comparable())
	d.add(c.unmetered())
	d.differences(c)
	d.add(c.drift())
	d.add(c.doubts())
	d.add(c.apart())
}

// repeats says which results each point is made of.
func (c *Comparison) repeats() *section {
	s := &section{name: "Results"}
	for _, point := range c.Points {
		for _, dir := range point.Results {
			s.row(point.Label, "%s", unbroken(dir))
		}
	}
	return s
}

// differing are what is not the same for all.
func differing(list []Differs) *section {
	s := &section{name: "What differs", kind: openings}
	for _, one := range list[:min(mostDiffering, len(list))] {
		labels := map[string][]string{}
		var order []string
		for _, label := range slices.SortedFunc(maps.Keys(one.Values), byLabel) {
			v := one.short(label)
			if labels[v] == nil {
				order = append(order, v)
			}
			labels[v] = append(labels[v], label)
		}
		for i, v := range order {
			order[i] = strings.Join(labels[v], ",") + " " + v
		}
		s.row(one.Key, "%s", strings.Join(order, "; "))
	}
	if more := len(list) - mostDiffering; more > 0 {
		s.row("", "and %d"+hard+"more: --json has them", more)
	}
	return s
}

// device is a GPU's UUID, of which the first digits are printed.
var device = regexp.MustCompile(`(GPU-[0-9a-f]{8})-[0-9a-f-]+`)

// short is a point's value with short UUIDs, where they tell all values apart.
func (d Differs) short(label string) string {
	cut := device.ReplaceAllString(d.Values[label], "$1")
	for _, v := range d.Values {
		if v != d.Values[label] && device.ReplaceAllString(v, "$1") == cut {
			return d.Values[label]
		}
	}
	return cut
}

// byLabel has Z before A1.
func byLabel(a, b string) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a[1:]+a[:1], b[1:]+b[:1])
}

// energies are two tables of the points that may be ranked: energy, then the rest.
func (d *Document) energies(list []*Point) {
	if len(list) == 0 {
		return
	}
	energy, speed := d.section("Point", energyTable), d.section("", speedTable)
	energy.columns = []column{{words: true}, {title: "runs"}, {title: "J/token"}, {title: "± runs"}, {title: "± absolute"}, {title: "spread"}}
	speed.columns = []column{{title: "tokens/s"}, {title: "TTFT p50 ms"}, {title: "mean W"}, {title: "meter"}}
	for _, point := range list {
		mark := ""
		if point.Pareto {
			mark = "*"
		}
		e := point.EnergyPerOutputTokenJ
		of := stated(&e.Mean, point.widths())
		energy.cells(mark, point.Label, dash(point.Name), len(point.runs), of[0], of[1], of[2], share(e.SD, e.Mean))
		speed.cells("", point.Label, point.TokensPerSecond.figure(), point.TTFTP50MS.figure(), point.MeanPowerW.figure(), share(point.UMeterJ, e.Mean))
	}
	speed.note("", "± runs, like a ± beside a figure, is the 95"+hard+"% t-interval of the mean over runs; ± absolute has the gain of the card's sensor too. Spread is one run's standard deviation, meter its own standard uncertainty on one card. * no other point has both less J/token and more tokens/s, by the means.")
}

// unmetered are the points without an energy figure of which it is known how fast they were.
func (c *Comparison) unmetered() *section {
	s := &section{name: "Without energy", kind: unmeteredTable, columns: []column{{words: true}, {title: "runs"}, {title: "tokens/s"}, {title: "TTFT p50 ms"}}}
	for _, point := range c.Points {
		if len(point.runs) == 0 && point.TokensPerSecond != nil {
			s.cells("", point.Label, dash(point.Name), point.Completed, point.TokensPerSecond.figure(), point.TTFTP50MS.figure())
		}
	}
	s.note("", "± is the 95"+hard+"% t-interval of the mean over runs.")
	return s
}

// figure is the mean with its interval.
func (m *Mean) figure() *figure {
	if m == nil {
		return nil
	}
	return plusMinus(&m.Mean, m.Interval95, 1, 1, "")
}

func (d *Document) differences(c *Comparison) {
	switch {
	case c.Versus == "":
		d.section("No result has an energy figure that may be ranked.", sentences)
		return
	case len(c.Differences) == 0:
		d.section("There is nothing to compare "+c.Versus+" with.", sentences)
		return
	}
	s := d.section("Against "+c.Versus, sentences)
	for _, one := range c.Differences {
		s.row("", "%s", bind(one.Sentence))
	}
	alpha := short(100*c.Alpha, "%")
	switch {
	case c.Comparisons == 1:
		s.note("", "Where there is no difference, the chance that a verdict says one is at most %s, under the assumptions below.", alpha)
	case c.Comparisons > 1:
		s.note("", "%s verdicts, with Holm's correction: the chance that any of them says a difference that is not there is at most %s, under the assumptions below; ± is at the level of each.", c.Comparisons, alpha)
	}
	for _, assumed := range c.Assumes {
		s.note("", "%s", assumed)
	}
	if slices.ContainsFunc(c.Differences, func(d Difference) bool { return d.NoVerdict != nil && *d.NoVerdict != noSpread }) {
		s.note("", "For a verdict run the points in turns on the same GPUs, three times each at least: as a study (execution.order shuffle or interleave), or by hand as A B A B A B.")
	}
	if slices.ContainsFunc(c.Differences, func(d Difference) bool { return d.OtherGPUs }) {
		s.note("", "Other GPUs: other devices of the same model. Their sensors' gains differ by what no repeat shows; the interval includes it.")
	}
}

// bind keeps numbers together with their units and signs.
func bind(sentence string) string {
	return strings.NewReplacer(" ± ", hard+"±"+hard, " %", hard+"%").Replace(sentence)
}

// drift is what the runs show of it, where they do.
func (c *Comparison) drift() *section {
	s := &section{name: "Drift"}
	for _, one := range c.Differences {
		var parts []prose
		if one.TrendP != nil && *one.TrendP < driftShown {
			parts = append(parts, say("%s from the first run to the last (p"+hard+"%s)", signed(*one.TrendPct, "%"), short(*one.TrendP, "")))
		}
		if one.DependenceP != nil && *one.DependenceP < driftShown {
			parts = append(parts, say("each run resembles the one before, or is its opposite: correlation %s (p"+hard+"%s)", signed(*one.Dependence, ""), short(*one.DependenceP, "")))
		}
		if parts != nil {
			s.row(c.Versus+", "+one.Label, "%s", joined("; ", parts...))
		}
	}
	return s
}

// doubts are what to know of the repeats of points that are ranked.
func (c *Comparison) doubts() *section {
	s := &section{name: "Doubts"}
	for _, point := range c.comparable() {
		var parts []string
		for _, code := range slices.Sorted(maps.Keys(point.Doubts)) {
			parts = append(parts, fmt.Sprintf("%s (%d"+hard+"of"+hard+"%d)", code, point.Doubts[code], len(point.runs)))
		}
		if point.Devices > 1 {
			parts = append(parts, fmt.Sprintf("its runs were on %d different sets of GPUs, whose sensors differ", point.Devices))
		}
		if parts != nil {
			s.row(point.Label, "%s", strings.Join(parts, ", "))
		}
	}
	return s
}

// reasons name each result that was left out, those for one reason together.
func reasons(list []Left) (out []string) {
	by := map[string][]string{}
	for _, l := range list {
		by[l.Reason] = append(by[l.Reason], unbroken(l.Result))
	}
	for _, l := range list {
		switch all := by[l.Reason]; {
		case all == nil: // it is in out
		case len(all) == 1:
			out = append(out, all[0]+": "+l.Reason)
		default:
			out = append(out, fmt.Sprintf("%d results, %s and on: %s", len(all), all[0], l.Reason))
		}
		by[l.Reason] = nil
	}
	return out
}

// apart are the points and results that are in no order, and why.
func (c *Comparison) apart() *section {
	s := &section{name: "Apart, not ranked"}
	for _, point := range c.Points {
		if len(point.runs) > 0 && len(point.Apart) > 0 {
			energy := say("%s, %s", dash(point.Name), bothAs(&point.EnergyPerOutputTokenJ.Mean, point.widths(), "J/token", "over runs"))
			if speed := point.TokensPerSecond.figure(); speed != nil {
				energy = say("%s, %s tokens/s", energy, speed)
			}
			s.row(point.Label, "%s: %s", energy, strings.Join(point.Apart, "; "))
		}
		for _, reason := range reasons(point.LeftOut) {
			s.row(point.Label, "%s", reason)
		}
	}
	return s
}
