package report

import (
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Lines of what differs, at most; the rest is in the JSON.
const mostDiffering = 16

// Text writes the comparison for people.
func (c *Comparison) Text(w io.Writer, opt Options) error {
	p := newPrinter(nil, opt)
	p.comparison(c)
	p.repeats(c)
	return p.print(w)
}

// comparison is everything but where the results lie.
func (p *printer) comparison(c *Comparison) {
	n := 0
	for _, point := range c.Points {
		n += len(point.all)
	}
	fmt.Fprintf(&p.b, "%s, %s\n", plural(len(c.Points), "point"), plural(n, "result"))
	p.differing(c.Differs)
	p.pointTables(c)
	p.differences(c)
	p.drift(c)
	p.doubts(c)
	p.apart(c)
}

// repeats says which results each point is made of.
func (p *printer) repeats(c *Comparison) {
	if !slices.ContainsFunc(c.Points, func(point Point) bool { return len(point.Results) > 0 }) {
		return
	}
	p.section("Results")
	for _, point := range c.Points {
		for _, dir := range point.Results {
			p.row(point.Label, "%s", strings.ReplaceAll(dir, " ", hard))
		}
	}
}

// differing are what is not the same for all, each on one line.
func (p *printer) differing(list []Differs) {
	if len(list) == 0 {
		return
	}
	p.section("What differs")
	shown := list[:min(mostDiffering, len(list))]
	wide := 0
	for _, d := range shown {
		wide = min(30, max(wide, columns(d.Key)))
	}
	for _, d := range shown {
		labels := map[string][]string{}
		var order []string
		for _, label := range slices.SortedFunc(maps.Keys(d.Values), byLabel) {
			v := d.short(label)
			if labels[v] == nil {
				order = append(order, v)
			}
			labels[v] = append(labels[v], label)
		}
		var parts []string
		for _, v := range order {
			parts = append(parts, strings.Join(labels[v], ",")+" "+v)
		}
		line := clean(fmt.Sprintf("  %-*s  %s", wide, d.Key, strings.Join(parts, "; ")))
		if columns(line) > p.width {
			line = string([]rune(line)[:p.width-1]) + "…"
		}
		fmt.Fprintln(&p.b, line)
	}
	if more := len(list) - mostDiffering; more > 0 {
		fmt.Fprintf(&p.b, "  and %s: --json has them\n", plural(more, "more"))
	}
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

// pointTables are the points that may be ranked: energy, then the rest.
func (p *printer) pointTables(c *Comparison) {
	list := c.comparable()
	var speed []*Point // what is known of points without an energy figure
	for i := range c.Points {
		if q := &c.Points[i]; len(q.runs) == 0 && q.TokensPerSecond != nil {
			speed = append(speed, q)
		}
	}
	if len(list) > 0 {
		p.energyTable(list)
		p.speedTable(list)
		fmt.Fprintln(&p.b)
		p.wrap("  ", "  ", "± runs, like a ± beside a figure, is the 95"+hard+"% t-interval of the mean over runs; ± absolute has the gain of the card's sensor too. Spread is one run's standard deviation, meter its own standard uncertainty on one card. * no other point has both less J/token and more tokens/s, by the means.")
	}
	if len(speed) > 0 {
		p.unmetered(speed)
	}
}

// unmetered are points without an energy figure, with how fast they were.
func (p *printer) unmetered(list []*Point) {
	name := p.width - 54
	fmt.Fprintf(&p.b, "\n%-*s %4s %20s %20s\n", name+6, "Without energy", "runs", "tokens/s", "TTFT p50 ms")
	for _, point := range list {
		fmt.Fprintf(&p.b, "  %-3s %s %4d %20s %20s\n", point.Label, pad(clean(dash(point.Name)), name), point.Completed, meanText(point.TokensPerSecond), meanText(point.TTFTP50MS))
	}
	fmt.Fprintln(&p.b)
	p.wrap("  ", "  ", "± is the 95"+hard+"% t-interval of the mean over runs.")
}

func (p *printer) energyTable(list []*Point) {
	name := p.width - 54
	fmt.Fprintf(&p.b, "\n%-*s %4s %10s %9s %10s %8s\n", name+6, "Point", "runs", "J/token", "± runs", "± absolute", "spread")
	for _, point := range list {
		mark := " "
		if point.Pareto {
			mark = "*"
		}
		e := point.EnergyPerOutputTokenJ
		s := state(&e.Mean, point.widths())
		fmt.Fprintf(&p.b, "%s %-3s %s %4d %10s %9s %10s %8s\n", mark, point.Label, pad(clean(dash(point.Name)), name), len(point.runs), s.value, s.repeatability, s.absolute, share(e.SD, e.Mean))
	}
}

func (p *printer) speedTable(list []*Point) {
	wide := (p.width-15)/3 - 1
	fmt.Fprintf(&p.b, "\n%-5s %*s %*s %*s %8s\n", "", wide, "tokens/s", wide, "TTFT p50 ms", wide, "mean W", "meter")
	for _, point := range list {
		fmt.Fprintf(&p.b, "  %-3s %*s %*s %*s %8s\n", point.Label, wide, meanText(point.TokensPerSecond), wide, meanText(point.TTFTP50MS), wide, meanText(point.MeanPowerW), share(point.UMeterJ, point.EnergyPerOutputTokenJ.Mean))
	}
}

// pad cuts or fills text to so many columns. It cuts in the middle, since names of a
// study's points differ in their ends.
func pad(text string, n int) string {
	if all := []rune(text); len(all) > n {
		head := (n - 1) / 3
		return string(all[:head]) + "…" + string(all[len(all)-(n-1-head):])
	}
	return text + strings.Repeat(" ", n-columns(text))
}

func meanText(m *Mean) string {
	if m == nil {
		return "–"
	}
	return strings.TrimRight(plusMinus(&m.Mean, m.Interval95, 1, 1, ""), hard)
}

// share is part as a percentage of whole.
func share(part *float64, whole float64) string {
	if part == nil {
		return "–"
	}
	return short(100**part/whole) + hard + "%"
}

func (p *printer) differences(c *Comparison) {
	switch {
	case c.Versus == "":
		fmt.Fprintln(&p.b)
		p.wrap("", "  ", "No result has an energy figure that may be ranked.")
		return
	case len(c.Differences) == 0:
		fmt.Fprintln(&p.b)
		p.wrap("", "  ", "There is nothing to compare "+c.Versus+" with.")
		return
	}
	p.section("Against " + c.Versus)
	other := false
	for _, d := range c.Differences {
		p.wrap("  ", "    ", bind(d.Sentence))
		other = other || d.OtherGPUs
	}
	var notes []string
	switch {
	case c.Comparisons == 1:
		notes = append(notes, fmt.Sprintf("Where there is no difference, the chance that a verdict says one is at most %s"+hard+"%%, under the assumptions below.", short(100*c.Alpha)))
	case c.Comparisons > 1:
		notes = append(notes, fmt.Sprintf("%d verdicts, with Holm's correction: the chance that any of them says a difference that is not there is at most %s"+hard+"%%, under the assumptions below; ± is at the level of each.", c.Comparisons, short(100*c.Alpha)))
	}
	notes = append(notes, c.Assumes...)
	if slices.ContainsFunc(c.Differences, func(d Difference) bool { return d.NoVerdict != nil && *d.NoVerdict != noSpread }) {
		notes = append(notes, "For a verdict run the points in turns on the same GPUs, three times each at least: as a study (execution.order shuffle or interleave), or by hand as A B A B A B.")
	}
	if other {
		notes = append(notes, "Other GPUs: other devices of the same model. Their sensors' gains differ by what no repeat shows; the interval includes it.")
	}
	if len(notes) > 0 {
		fmt.Fprintln(&p.b)
	}
	for _, n := range notes {
		p.wrap("  ", "  ", n)
	}
}

// bind keeps numbers together with their units and signs.
func bind(sentence string) string {
	return strings.NewReplacer(" ± ", hard+"±"+hard, " %", hard+"%").Replace(sentence)
}

// doubts are what to know of the repeats of points that are ranked.
func (p *printer) doubts(c *Comparison) {
	first := true
	for _, point := range c.comparable() {
		var parts []string
		for _, code := range slices.Sorted(maps.Keys(point.Doubts)) {
			parts = append(parts, fmt.Sprintf("%s (%d"+hard+"of"+hard+"%d)", code, point.Doubts[code], len(point.runs)))
		}
		if point.Devices > 1 {
			parts = append(parts, fmt.Sprintf("its runs were on %d different sets of GPUs, whose sensors differ", point.Devices))
		}
		if len(parts) == 0 {
			continue
		}
		if first {
			p.section("Doubts")
			first = false
		}
		p.row(point.Label, "%s", strings.Join(parts, ", "))
	}
}

// reasons name each result that was left out, those for one reason together.
func reasons(list []Left) (out []string) {
	by := map[string][]string{}
	for _, l := range list {
		by[l.Reason] = append(by[l.Reason], strings.ReplaceAll(l.Result, " ", hard))
	}
	for _, l := range list {
		switch all := by[l.Reason]; {
		case all == nil: // told already
		case len(all) == 1:
			out = append(out, all[0]+": "+l.Reason)
		default:
			out = append(out, fmt.Sprintf("%d results, %s and on: %s", len(all), all[0], l.Reason))
		}
		by[l.Reason] = nil
	}
	return out
}

// figures are those of a point that stands apart.
func (point *Point) figures() string {
	text := bothAs(&point.EnergyPerOutputTokenJ.Mean, point.widths(), "J/token", "over runs")
	if point.TokensPerSecond != nil {
		text += ", " + strings.ReplaceAll(meanText(point.TokensPerSecond), hard, " ") + " tokens/s"
	}
	return bind(text)
}

// apart are the points and results that stand in no order, and why.
func (p *printer) apart(c *Comparison) {
	first := true
	line := func(label, text string) {
		if first {
			p.section("Apart, not ranked")
			first = false
		}
		p.row(label, "%s", text)
	}
	for _, point := range c.Points {
		if len(point.runs) > 0 && len(point.Apart) > 0 {
			line(point.Label, dash(point.Name)+", "+point.figures()+": "+strings.Join(point.Apart, "; "))
		}
		for _, reason := range reasons(point.LeftOut) {
			line(point.Label, reason)
		}
	}
}
