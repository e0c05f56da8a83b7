package report

import (
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"github.com/llenergymeasure/llem/internal/result"
	"github.com/llenergymeasure/llem/internal/stats"
)

// Options of the table.
type Options struct {
	Width   int  // of the terminal: 60 to 80 columns of it are used; 0 is unknown and takes 80
	Grouped bool // thousands stand apart, for people: 12 345; else a number is one word, for scripts
}

// Table writes the record r of the directory dir.
func Table(w io.Writer, r *result.Record, dir string, opt Options) error {
	p := newPrinter(r, opt)
	p.head()
	p.energy()
	if r.WindowSeconds != nil {
		p.work()
		p.latency()
		p.flops()
	}
	p.protocol()
	p.warnings()
	p.files(dir)
	return p.print(w)
}

// head says first what must not be missed: that the run did not complete, and
// the energy or why there is none.
func (p *printer) head() {
	r := p.r
	status := strings.ToUpper(r.Status)
	switch why := firstLine(r.Error); {
	case r.Status == result.Completed:
	case why == "" || why == r.Status:
		p.wrap("", "  ", dash(status))
	default:
		p.wrap(status+": ", "  ", why)
	}
	switch r.State {
	case result.Altered:
		p.wrap("ALTERED: ", "  ", "the record is not as it was written")
	case result.Unfinished:
		p.wrap("UNFINISHED: ", "  ", "the run has not ended yet, or llem was killed after its window; llem clean finishes the record")
	}
	p.headline()
	image := dash(r.Engine.Image)
	if r.Engine.ImageDigest != nil {
		_, digest, _ := strings.Cut(*r.Engine.ImageDigest, "@")
		image += " " + shorten(digest)
	} else if r.Engine.ImageID != "" {
		image += " (local, " + shorten(r.Engine.ImageID) + ")"
	}
	if r.Name != "" {
		p.wrap("", "  ", r.Name)
	}
	model := dash(r.Model.ID)
	if as := r.Engine.ServedModel; as != nil && *as != r.Model.ID {
		model += ", which the server calls " + *as
	}
	p.row("model", "%s", model)
	p.row("engine", "%s", dash(r.Engine.Called()))
	if r.Engine.Endpoint != nil {
		p.row("endpoint", "%s", *r.Engine.Endpoint)
	} else {
		p.row("image", "%s", image)
	}
	for _, g := range r.Environment.GPUs {
		p.row(fmt.Sprintf("GPU %d", g.Index), "%s, driver %s%s", dash(g.Name), dash(g.Driver), p.settings(g.UUID))
	}
}

// settings are what was set on a GPU for the run.
func (p *printer) settings(uuid string) string {
	text := ""
	for _, s := range p.r.Environment.GPUSettings {
		if s.UUID != uuid {
			continue
		}
		if s.PowerLimitW != nil {
			text += ", power limit " + short(*s.PowerLimitW) + hard + "W"
		}
		if s.SMClockMHz != nil {
			text += ", SM clock " + grouped(int64(*s.SMClockMHz)) + hard + "MHz"
		}
	}
	return text
}

func (p *printer) work() {
	r := p.r
	p.section("Work")
	p.row("window", "%s", unit(r.WindowSeconds, "s"))
	p.row("requests", "%s completed, %s failed", grouped(int64(r.Requests.Completed)), grouped(int64(r.Requests.Failed)))
	p.row("tokens", "%s in, %s out (%s)", countOr(r.Tokens.Input, "unknown"), countOr(r.Tokens.Output, "unknown"), counter(r.Tokens))
	if s := r.Requests.SharedTokens; s != nil {
		p.row("shared prefixes", "%s tokens by design, %s found in the prefix cache", grouped(*s), found(r))
	}
	per := ""
	if len(r.Environment.GPUs) > 1 {
		per = fmt.Sprintf(" (%s per GPU)", unit(r.TokensPerSecondPerGPU, "tokens/s"))
	}
	p.row("throughput", "%s%s", orWhy(r, unit(r.TokensPerSecond, "tokens/s"), "tokens_per_second"), per)
	p.slo(r.SLO)
	p.account(r.Engine.Counters)
	p.host(r.Energy.Host)
}

// counter names what counted a run's tokens; of older records it is of both.
func counter(t result.Tokens) string {
	switch {
	case t.InputSource != "" && t.Input == nil && t.Output == nil:
		return "nothing counted them"
	case t.InputSource == "", t.InputSource == t.Source:
		return "counted by: " + dash(t.Source)
	case t.Input == nil:
		return "counted by: " + t.Source
	case t.Output == nil:
		return "counted by: " + t.InputSource
	}
	return "counted by: " + t.InputSource + ", " + t.Source
}

// orWhy is a figure, and in place of none why there is none.
func orWhy(r *result.Record, figure, path string) string {
	if why := r.Unknown[path]; why != "" && r.Requests.Completed > 0 { // else the head says why
		return "– (" + why + ")"
	}
	return figure
}

// absent is a row of latencies that are not known.
func (p *printer) absent(name, why string) {
	if why == "" || p.r.Requests.Completed == 0 { // the head says why
		fmt.Fprintf(&p.b, "  %-20s %10s\n", name, "–")
		return
	}
	p.row(name, "– (%s)", why)
}

// found is how many prompt tokens the engine says that it found in its prefix cache.
func found(r *result.Record) string {
	n := r.Tokens.Cached
	if n == nil && r.Engine.Counters != nil {
		n = r.Engine.Counters.CachedTokens
	}
	if n == nil {
		return "nobody says how many"
	}
	return grouped(*n)
}

// slo is what came within the limits that were given.
func (p *printer) slo(s *result.SLO) {
	if s == nil {
		return
	}
	var limits []string
	for _, l := range []struct {
		name string
		v    *float64
	}{{"TTFT", s.TTFTMS}, {"TPOT", s.TPOTMS}, {"E2E", s.E2EMS}} {
		if l.v != nil {
			limits = append(limits, l.name+hard+"≤"+hard+short(*l.v)+hard+"ms")
		}
	}
	p.row("within the SLO", "%s of %s (%s), %s", countOr(wide(s.RequestsGood), "unknown"), plural(p.r.Requests.Completed+p.r.Requests.Failed, "request"), strings.Join(limits, ", "),
		known(unit(s.RequestsPerSecond, "requests/s"), unit(s.OutputTokensPerSecond, "tokens/s"), both(s.EnergyPerGoodTokenJ, withGain(s.EnergyPerGoodTokenJ, s.UEnergyPerGoodTokenJ, p.r.Energy.CoverageK, gainWidth(p.r.EnergyTotalJ, totalWidths(p.r))), "J/good token")))
}

// account is where the engine itself says that its requests spent their time.
func (p *printer) account(c *result.EngineCounters) {
	if c == nil {
		return
	}
	var parts []string
	for _, s := range []struct {
		name string
		v    *float64
	}{{"queued", c.QueueSeconds}, {"prefill", c.PrefillSeconds}, {"decode", c.DecodeSeconds}} {
		if s.v != nil {
			parts = append(parts, s.name+hard+unit(s.v, "s"))
		}
	}
	if c.AcceptanceLength != nil {
		parts = append(parts, number(*c.AcceptanceLength)+hard+"tokens accepted a step")
	}
	if n := c.Preemptions; n != nil && *n > 0 {
		parts = append(parts, plural(int(*n), "preemption"))
	}
	if len(parts) > 0 {
		p.row("by the engine", "%s (summed over requests)", strings.Join(parts, ", "))
	}
}

// host gives the energy of the host's CPUs, which no GPU figure contains.
func (p *printer) host(h *result.HostEnergy) {
	if h == nil {
		return
	}
	memory := ""
	if h.DRAMJ != nil {
		memory = ", memory " + unit(h.DRAMJ, "J")
	}
	p.row("host", "CPU %s%s (in no figure above, by %s)", unit(h.PackageJ, "J"), memory, h.Method)
}

func (p *printer) latency() {
	l := p.r.Latency
	fmt.Fprintf(&p.b, "\n%-22s %10s %10s %10s %10s %10s\n", "Latency (ms)", "mean", "p50", "p90", "p99", "max")
	for _, row := range []struct {
		name string
		s    *result.Summary
		path string
		show bool
	}{
		{"first token (TTFT)", l.TTFT, "latency.ttft_ms", true}, {"per token (TPOT)", l.TPOT, "latency.tpot_ms", true}, {"between chunks (ITL)", l.ITL, "latency.itl_ms", true},
		{"whole answer (E2E)", l.E2E, "latency.e2e_ms", true}, {"TTFT as scheduled", l.TTFTScheduled, "", l.TTFTScheduled != nil}, {"E2E as scheduled", l.E2EScheduled, "", l.E2EScheduled != nil},
	} {
		switch {
		case !row.show:
		case row.s == nil:
			p.absent(row.name, p.r.Unknown[row.path])
		default:
			p.summary(row.name, row.s)
		}
	}
}

// summary gives the whole row the digits that its mean is worth.
func (p *printer) summary(name string, s *result.Summary) {
	digits := 2
	if a := math.Abs(s.Mean); a > 0 {
		digits = min(max(0, 3-stats.Exponent(a, 3)), 3)
	}
	fmt.Fprintf(&p.b, "  %-20s", name)
	for _, v := range []float64{s.Mean, s.P50, s.P90, s.P99, s.Max} {
		text := fixed(v, digits)
		if columns(text) > 10 {
			text = number(v)
		}
		fmt.Fprintf(&p.b, " %10s", text)
	}
	fmt.Fprintln(&p.b)
}

func (p *printer) flops() {
	f := p.r.FLOPs
	if f == nil {
		return
	}
	p.section("FLOPs")
	n, basis := f.N, ""
	if n == nil {
		n = oldN(p.r.Model)
	}
	if f.Basis != nil {
		basis = " " + *f.Basis
	}
	if f.Value == nil {
		p.row("2·N·tokens", "– (%s)", dash(strings.Join(f.Notes, "; ")))
		return
	}
	p.row("2·N·tokens", "%s (N%s=%s%s%s, confidence %s)", si(f.Value, "FLOP"), hard, hard, count(n), basis, dash(deref(f.Confidence)))
	if deref(f.Confidence) != "high" && len(f.Notes) > 1 {
		p.row("doubt of N", "%s", f.Notes[1])
	}
	p.row("with attention, head", "%s", si(f.Total, "FLOP"))
	p.row("rate", "%s", known(si(f.FLOPsPerSecond, "FLOP/s"), siBoth(f.FLOPsPerJoule, widthsOf(f.UFLOPsPerJoule, f.UFLOPsPerJouleAbsolute, p.r.Energy.CoverageK, 1), "FLOP/J")))
}

// oldN is N of a record that does not hold it.
func oldN(m result.Model) *int64 {
	n := m.ParametersNonEmbedding
	if n == nil || m.ParametersTotal == nil || m.ParametersActive == nil {
		return n
	}
	active := *n - (*m.ParametersTotal - *m.ParametersActive)
	return &active
}

func (p *printer) protocol() {
	r := p.r
	if r.Warmup == nil && r.Engine.StartupSeconds == nil && r.Client.CPUSeconds == nil {
		return
	}
	p.section("Protocol")
	if w := r.Warmup; w != nil {
		p.row("warmup", "%s", warmup(w))
		p.row("thermal floor", "%s", seconds(w.ThermalFloorSeconds))
	}
	if s := r.Engine.StartupSeconds; s != nil {
		e := r.Engine
		w := withGain(e.StartupEnergyJ, e.UStartupEnergyJ, r.Energy.CoverageK, gainWidth(r.EnergyTotalJ, totalWidths(r)))
		p.row("startup", "%s", known(seconds(*s), both(e.StartupEnergyJ, w, "J")))
	}
	if c := r.Client; c.CPUSeconds != nil {
		p.row("client", "%s of CPU, lag p99 %s send, %s read, %s", seconds(*c.CPUSeconds), late(c.SendLagMS), late(c.ReadLagMS), dash(strings.ReplaceAll(r.Engine.Route, "_", " ")))
	}
}

func late(s *result.Summary) string {
	if s == nil {
		return "–"
	}
	return fixed(s.P99, 3) + hard + "ms"
}

func warmup(w *result.Warmup) string {
	if w.MaxPrompts == 0 {
		return "none (cold start)"
	}
	return fmt.Sprintf("%s in %s%s", plural(w.IterationsCompleted, "iteration"), seconds(w.DurationSeconds), converged(w))
}

func converged(w *result.Warmup) string {
	switch {
	case w.Converged == nil:
		return ""
	case !*w.Converged:
		return ", did not converge"
	case w.FinalCV == nil:
		return ", converged"
	}
	return fmt.Sprintf(", converged at CV"+hard+"%.3f", *w.FinalCV)
}

// warnings come worst first.
func (p *printer) warnings() {
	if len(p.r.MeasurementWarnings) == 0 {
		return
	}
	p.section("Warnings")
	order := []string{"invalid", "doubt", "note", ""}
	list := slices.Clone(p.r.MeasurementWarnings)
	severity := func(w string) string {
		code, _, _ := strings.Cut(w, ":")
		return p.r.WarningSeverities[code]
	}
	slices.SortStableFunc(list, func(a, b string) int {
		return slices.Index(order, severity(a)) - slices.Index(order, severity(b))
	})
	for _, w := range list {
		p.wrap(fmt.Sprintf("  %-8s ", clean(dash(severity(w)))), "           ", w)
	}
}

func (p *printer) files(dir string) {
	p.section("Files")
	// A path is for copying: never broken, not even at a space.
	p.row("result", "%s", strings.ReplaceAll(filepath.Join(dir, result.RecordFile), " ", hard))
	beside := slices.DeleteFunc([]string{p.r.Timeseries, p.r.RequestsFile, p.r.SamplesFile}, func(f string) bool { return f == "" })
	if len(beside) > 0 {
		p.row("beside it", "%s", strings.Join(beside, ", "))
	}
}
