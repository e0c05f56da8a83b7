package report

import (
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/llenergymeasure/llem/internal/result"
)

// Options of the table.
type Options struct {
	Width int // of the terminal; warnings are wrapped to it
}

// printer builds the table; its lines are written at once at the end.
type printer struct {
	b     strings.Builder
	r     *result.Record
	width int
}

// Table writes the record r of the directory dir.
func Table(w io.Writer, r *result.Record, dir string, opt Options) error {
	p := printer{r: r, width: max(60, opt.Width)}
	p.head()
	p.energy()
	if p.r.WindowSeconds != nil {
		p.work()
		p.latency()
		p.flops()
	}
	p.protocol()
	p.warnings()
	p.files(dir)
	_, err := io.WriteString(w, p.b.String())
	return err
}

// row writes "  label   value", sanitised.
func (p *printer) row(label, format string, args ...any) {
	fmt.Fprintf(&p.b, "  %-20s %s\n", label, clean(fmt.Sprintf(format, args...)))
}

func (p *printer) section(name string) { fmt.Fprintf(&p.b, "\n%s\n", name) }

// clean drops control characters.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, s)
}

// head says first what must not be missed: that there is no energy figure, or
// that the run did not complete.
func (p *printer) head() {
	r := p.r
	if r.Status != result.Completed {
		fmt.Fprintf(&p.b, "%s: %s\n", strings.ToUpper(r.Status), clean(strings.TrimSpace(firstLine(r.Error))))
	}
	if r.EnergyTotalJ == nil && r.Status == result.Completed {
		fmt.Fprintf(&p.b, "NO ENERGY FIGURE: %s\n", clean(strings.Join(orList(r.Energy.Reasons, "the GPUs gave no reading"), "; ")))
	}
	image := r.Engine.Image
	if r.Engine.ImageDigest != nil {
		_, digest, _ := strings.Cut(*r.Engine.ImageDigest, "@")
		image += " " + shorten(digest)
	} else if r.Engine.ImageID != "" {
		image += " (local, " + shorten(r.Engine.ImageID) + ")"
	}
	fmt.Fprintln(&p.b, clean(r.Name))
	p.row("model", "%s", r.Model.ID)
	p.row("engine", "%s", strings.TrimSpace(r.Engine.Name+" "+r.Engine.Version))
	p.row("image", "%s", image)
	for _, g := range r.Environment.GPUs {
		p.row(fmt.Sprintf("GPU %d", g.Index), "%s, driver %s", g.Name, g.Driver)
	}
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

func orList(v []string, other string) []string {
	if len(v) == 0 {
		return []string{other}
	}
	return v
}

// shorten keeps the first 12 digits of a digest.
func shorten(digest string) string {
	algorithm, hex, ok := strings.Cut(digest, ":")
	if !ok || len(hex) < 12 {
		return digest
	}
	return algorithm + ":" + hex[:12]
}

func (p *printer) energy() {
	r, e := p.r, p.r.Energy
	switch {
	case r.EnergyTotalJ == nil && r.BaselinePowerW == nil:
		return // the head says why, and rows of dashes would not
	case r.EnergyTotalJ == nil:
		p.section("Energy")
		p.row("baseline", "%s%s", unit(r.BaselinePowerW, "W"), baselineNote(e.Baseline))
		return
	}
	p.section("Energy")
	p.row("per output token", "%s", perToken(r))
	mark := ""
	if !e.Valid {
		mark = "  INVALID: " + strings.Join(e.Reasons, ", ")
	}
	p.row("total", "%s%s", plusMinus(r.EnergyTotalJ, e.URepeatabilityJ, e.CoverageK, 1, "J"), mark)
	p.row("adjusted", "%s", plusMinus(r.EnergyAdjustedJ, e.UAdjustedJ, e.CoverageK, 1, "J"))
	p.row("baseline", "%s%s", unit(r.BaselinePowerW, "W"), baselineNote(e.Baseline))
	p.row("power", "%s mean, %s peak, %s engine idle", unit(e.MeanPowerW, "W"), unit(e.PeakPowerW, "W"), unit(e.EngineIdlePowerW, "W"))
	p.row("method", "%s by %s%s", e.Method, e.Backend, crossNote(r))
	if len(e.PerGPU) > 1 {
		for _, g := range e.PerGPU {
			p.row(fmt.Sprintf("GPU %d", g.Index), "%s, %s mean", unit(g.EnergyJ, "J"), unit(g.MeanPowerW, "W"))
		}
	}
	if s := e.Steady; s != nil && s.EnergyJ != nil {
		p.row("steady slice", "%s in %s s, %s", unit(s.EnergyJ, "J"), number(s.Seconds), unit(s.JoulesPerToken, "J/token"))
	}
}

func perToken(r *result.Record) string {
	if r.EnergyPerOutputToken == nil || r.Tokens.Output == 0 {
		return unit(r.EnergyPerOutputToken, "J/token")
	}
	return plusMinus(r.EnergyPerOutputToken, r.Energy.URepeatabilityJ, r.Energy.CoverageK, float64(r.Tokens.Output), "J/token")
}

func baselineNote(b *result.Baseline) string {
	switch {
	case b == nil:
		return ""
	case b.Cached:
		return fmt.Sprintf("  (cached, %s s old)", number(b.AgeSeconds))
	}
	return fmt.Sprintf("  (over %s s)", number(b.DurationSeconds))
}

func crossNote(r *result.Record) string {
	for _, c := range r.Energy.CrossChecks {
		return fmt.Sprintf("; cross-check %s: %s J (%+.2f %%)", c.Method, number(c.EnergyJ), 100*c.DifferenceJ / *r.EnergyTotalJ)
	}
	return ""
}

func (p *printer) work() {
	r := p.r
	p.section("Work")
	p.row("window", "%s", unit(r.WindowSeconds, "s"))
	p.row("requests", "%d completed, %d failed", r.Requests.Completed, r.Requests.Failed)
	p.row("tokens", "%s in, %s out (counted by: %s)", grouped(r.Tokens.Input), grouped(r.Tokens.Output), dash(r.Tokens.Source))
	per := ""
	if len(r.Environment.GPUs) > 1 {
		per = fmt.Sprintf(" (%s per GPU)", unit(r.TokensPerSecondPerGPU, "tokens/s"))
	}
	p.row("throughput", "%s%s", unit(r.TokensPerSecond, "tokens/s"), per)
}

func dash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}

func (p *printer) latency() {
	l := p.r.Latency
	fmt.Fprintf(&p.b, "\n%-22s %10s %10s %10s %10s %10s\n", "Latency (ms)", "mean", "p50", "p90", "p99", "max")
	for _, row := range []struct {
		name string
		s    *result.Summary
		show bool
	}{
		{"first token (TTFT)", l.TTFT, true}, {"per token (TPOT)", l.TPOT, true}, {"between chunks (ITL)", l.ITL, true},
		{"whole answer (E2E)", l.E2E, true}, {"TTFT as scheduled", l.TTFTScheduled, l.TTFTScheduled != nil}, {"E2E as scheduled", l.E2EScheduled, l.E2EScheduled != nil},
	} {
		switch {
		case !row.show:
		case row.s == nil:
			fmt.Fprintf(&p.b, "  %-20s %10s\n", row.name, "–")
		default:
			s := row.s
			fmt.Fprintf(&p.b, "  %-20s %10.2f %10.2f %10.2f %10.2f %10.2f\n", row.name, s.Mean, s.P50, s.P90, s.P99, s.Max)
		}
	}
}

func (p *printer) flops() {
	f := p.r.FLOPs
	if f == nil {
		return
	}
	p.section("FLOPs")
	if f.Value == nil {
		p.row("2·N·tokens", "–  (%s)", strings.Join(f.Notes, "; "))
		return
	}
	p.row("2·N·tokens", "%s (N = %s, confidence %s)", si(f.Value, "FLOP"), count(p.r.Model.ParametersNonEmbedding), dash(deref(f.Confidence)))
	p.row("with attention, head", "%s", si(f.Total, "FLOP"))
	p.row("rate", "%s", known(si(f.FLOPsPerSecond, "FLOP/s"), si(f.FLOPsPerJoule, "FLOP/J")))
}

// known joins what is not a dash; a dash when nothing is.
func known(values ...string) string {
	values = slices.DeleteFunc(values, func(v string) bool { return v == "–" })
	if len(values) == 0 {
		return "–"
	}
	return strings.Join(values, ", ")
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func (p *printer) protocol() {
	p.section("Protocol")
	if w := p.r.Warmup; w != nil {
		state := ""
		switch {
		case w.Converged != nil && *w.Converged:
			state = fmt.Sprintf(", converged at CV %.3f", *w.FinalCV)
		case w.Converged != nil:
			state = ", did not converge"
		}
		p.row("warmup", "%s in %s s%s", plural(w.IterationsCompleted, "iteration"), number(w.DurationSeconds), state)
		p.row("thermal floor", "%s s", number(w.ThermalFloorSeconds))
	}
	if p.r.Engine.StartupSeconds != nil {
		p.row("startup", "%s", known(unit(p.r.Engine.StartupSeconds, "s"), unit(p.r.Engine.StartupEnergyJ, "J")))
	}
	if c := p.r.Client; c.CPUSeconds != nil {
		lag := "–"
		if c.SendLagMS != nil {
			lag = fmt.Sprintf("%.3f ms", c.SendLagMS.P99)
		}
		p.row("client", "%s CPU s, send lag p99 %s, %s", number(*c.CPUSeconds), lag, dash(strings.ReplaceAll(p.r.Engine.Route, "_", " ")))
	}
}

// warnings come worst first.
func (p *printer) warnings() {
	if len(p.r.MeasurementWarnings) == 0 {
		return
	}
	p.section("Warnings")
	order := []string{"invalid", "doubt", "note"}
	list := slices.Clone(p.r.MeasurementWarnings)
	rank := func(w string) int {
		code, _, _ := strings.Cut(w, ":")
		return slices.Index(order, p.r.WarningSeverities[code])
	}
	slices.SortStableFunc(list, func(a, b string) int { return rank(a) - rank(b) })
	for _, w := range list {
		code, _, _ := strings.Cut(w, ":")
		severity := dash(p.r.WarningSeverities[code])
		wrap(&p.b, fmt.Sprintf("  %-8s", severity), "           ", clean(w), p.width)
	}
}

// wrap writes text below a first prefix, later lines below another.
func wrap(b *strings.Builder, first, rest, text string, width int) {
	line := first
	empty := true
	for word := range strings.FieldsSeq(text) {
		if !empty && len([]rune(line))+1+len([]rune(word)) > width {
			fmt.Fprintln(b, line)
			line, empty = rest, true
		}
		if !empty || line == first {
			line += " "
		}
		line += word
		empty = false
	}
	fmt.Fprintln(b, line)
}

func (p *printer) files(dir string) {
	p.section("Files")
	p.row("result", "%s", filepath.Join(dir, result.RecordFile))
	var beside []string
	for _, f := range []string{p.r.Timeseries, p.r.RequestsFile, p.r.SamplesFile} {
		if f != "" {
			beside = append(beside, f)
		}
	}
	p.row("beside it", "%s", strings.Join(beside, ", "))
}

// unit prints a value with four significant digits, or a dash.
func unit(v *float64, u string) string {
	if v == nil {
		return "–"
	}
	return number(*v) + " " + u
}

// plusMinus prints v ± k·u/n with the digits that u leaves.
func plusMinus(v, u *float64, k, n float64, name string) string {
	if v == nil || u == nil || *u <= 0 {
		return unit(v, name)
	}
	half := k * *u / n
	digits := max(0, 1-int(math.Floor(math.Log10(half))))
	return fmt.Sprintf("%.*f ± %.*f %s", digits, *v, digits, half, name)
}

// number prints about four significant digits without an exponent.
func number(v float64) string {
	a := math.Abs(v)
	switch {
	case a >= 1000:
		return groupedFloat(v)
	case a == 0:
		return "0"
	}
	digits := max(0, 3-int(math.Floor(math.Log10(a))))
	return strconv.FormatFloat(v, 'f', min(digits, 9), 64)
}

func groupedFloat(v float64) string { return grouped(int64(math.Round(v))) }

// grouped writes thousands apart: 12 345.
func grouped(n int64) string {
	s := strconv.FormatInt(max(n, -n), 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + " " + s[i:]
	}
	if n < 0 {
		return "-" + s
	}
	return s
}

// si prints with a decimal prefix.
func si(v *float64, u string) string {
	if v == nil {
		return "–"
	}
	x, prefix := *v, ""
	for _, next := range []string{"k", "M", "G", "T", "P", "E"} {
		if math.Abs(x) < 999.95 {
			break
		}
		x, prefix = x/1000, next
	}
	return number(x) + " " + prefix + u
}

func count(n *int64) string {
	if n == nil {
		return "–"
	}
	v := float64(*n)
	return strings.TrimSpace(si(&v, ""))
}
