package report

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"github.com/llenergymeasure/llem/internal/result"
	"github.com/llenergymeasure/llem/internal/stats"
)

// Record is the document of one record, which lies in the directory dir.
func Record(r *result.Record, dir string) *Document {
	d := &Document{}
	d.head(r)
	d.energy(r)
	if r.WindowSeconds != nil {
		d.work(r)
		d.latency(r)
		d.flops(r)
	}
	d.protocol(r)
	d.warn(r.MeasurementWarnings, r.WarningSeverities)
	d.files(r, dir)
	return d
}

// head says first what must not be missed: that the run did not complete, and
// the energy, or why it is not known.
func (d *Document) head(r *result.Record) {
	status := strings.ToUpper(r.Status)
	switch why := firstLine(r.Error); {
	case r.Status == result.Completed:
	case why == "" || why == r.Status:
		d.note("", "%s", dash(status))
	default:
		d.note(status, "%s", why)
	}
	switch r.State {
	case result.Altered:
		d.note("ALTERED", "the record is not as it was written")
	case result.Unfinished:
		d.note("UNFINISHED", "the run has not ended yet, or llem was killed after its window; llem clean finishes the record")
	}
	d.headline(r)
	image := dash(r.Engine.Image)
	if r.Engine.ImageDigest != nil {
		_, digest, _ := strings.Cut(*r.Engine.ImageDigest, "@")
		image += " " + shorten(digest)
	} else if r.Engine.ImageID != "" {
		image += " (local, " + shorten(r.Engine.ImageID) + ")"
	}
	if r.Name != "" {
		d.note("", "%s", r.Name)
	}
	model := dash(r.Model.ID)
	if as := r.Engine.ServedModel; as != nil && *as != r.Model.ID {
		model += ", which the server calls " + *as
	}
	d.row("model", "%s", model)
	d.row("engine", "%s", dash(r.Engine.Called()))
	if r.Engine.Endpoint != nil {
		d.row("endpoint", "%s", *r.Engine.Endpoint)
	} else {
		d.row("image", "%s", image)
	}
	for _, g := range r.Environment.GPUs {
		d.row(fmt.Sprintf("GPU %d", g.Index), "%s, driver %s%s", dash(g.Name), dash(g.Driver), settings(r, g.UUID))
	}
}

// settings are what was set on a GPU for the run.
func settings(r *result.Record, uuid string) (out prose) {
	for _, s := range r.Environment.GPUSettings {
		if s.UUID != uuid {
			continue
		}
		if s.PowerLimitW != nil {
			out = append(out, say(", power limit %s", short(*s.PowerLimitW, "W"))...)
		}
		if s.SMClockMHz != nil {
			out = append(out, say(", SM clock %s", whole(float64(*s.SMClockMHz), "MHz"))...)
		}
	}
	return out
}

func (d *Document) latency(r *result.Record) {
	s, l := d.section("Latency (ms)", latencyTable), r.Latency
	for _, c := range []string{"mean", "p50", "p90", "p99", "max"} {
		s.columns = append(s.columns, column{title: c})
	}
	for _, of := range []struct {
		name string
		s    *result.Summary
		path string
		show bool
	}{
		{"first token (TTFT)", l.TTFT, "latency.ttft_ms", true}, {"per token (TPOT)", l.TPOT, "latency.tpot_ms", true}, {"between chunks (ITL)", l.ITL, "latency.itl_ms", true},
		{"whole answer (E2E)", l.E2E, "latency.e2e_ms", true}, {"TTFT as scheduled", l.TTFTScheduled, "", l.TTFTScheduled != nil}, {"E2E as scheduled", l.E2EScheduled, "", l.E2EScheduled != nil},
	} {
		why := r.Unknown[of.path]
		switch {
		case !of.show:
		case of.s != nil:
			s.rows = append(s.rows, row{label: of.name, cells: summary(of.s)})
		case why == "" || r.Requests.Completed == 0: // the head says why
			s.row(of.name, "–")
		default:
			s.row(of.name, "– (%s)", why)
		}
	}
}

// summary gives the whole row the digits that its mean is worth.
func summary(s *result.Summary) (cells []prose) {
	digits := 2
	if a := math.Abs(s.Mean); a > 0 {
		digits = min(max(0, 3-stats.Exponent(a, 3)), 3)
	}
	for _, v := range []float64{s.Mean, s.P50, s.P90, s.P99, s.Max} {
		cells = append(cells, say("%s", &figure{decimal: decimal{v, digits, false}}))
	}
	return cells
}

func (d *Document) flops(r *result.Record) {
	f := r.FLOPs
	if f == nil {
		return
	}
	s := d.section("FLOPs", fields)
	if f.Value == nil {
		s.row("2·N·tokens", "– (%s)", dash(strings.Join(f.Notes, "; ")))
		return
	}
	basis := ""
	if f.Basis != nil {
		basis = " " + *f.Basis
	}
	s.row("2·N·tokens", "%s (N"+hard+"="+hard+"%s%s, confidence %s)", si(f.Value, "FLOP"), si(parameters(r), ""), basis, dash(deref(f.Confidence)))
	if deref(f.Confidence) != "high" && len(f.Notes) > 1 {
		s.row("doubt of N", "%s", f.Notes[1])
	}
	s.row("with attention, head", "%s", si(f.Total, "FLOP"))
	s.row("rate", "%s", known(si(f.FLOPsPerSecond, "FLOP/s"), siBoth(f.FLOPsPerJoule, widthsOf(f.UFLOPsPerJoule, f.UFLOPsPerJouleAbsolute, r.Energy.CoverageK, 1), "FLOP/J")))
}

// parameters are N, also of a record that does not hold it; nil where it is not known.
func parameters(r *result.Record) *float64 {
	m := r.Model
	n := m.ParametersNonEmbedding
	switch {
	case r.FLOPs.N != nil:
		n = r.FLOPs.N
	case n != nil && m.ParametersTotal != nil && m.ParametersActive != nil:
		active := *n - (*m.ParametersTotal - *m.ParametersActive)
		n = &active
	}
	if n == nil {
		return nil
	}
	v := float64(*n)
	return &v
}

func (d *Document) protocol(r *result.Record) {
	e, c := r.Engine, r.Client
	if r.Warmup == nil && e.StartupSeconds == nil && c.CPUSeconds == nil {
		return
	}
	s := d.section("Protocol", fields)
	if w := r.Warmup; w != nil {
		s.row("warmup", "%s", warmup(w))
		s.row("thermal floor", "%s", seconds(w.ThermalFloorSeconds))
	}
	if e.StartupSeconds != nil {
		w := withGain(e.StartupEnergyJ, e.UStartupEnergyJ, r.Energy.CoverageK, gainWidth(r.EnergyTotalJ, totalWidths(r)))
		s.row("startup", "%s", known(seconds(*e.StartupSeconds), both(e.StartupEnergyJ, w, "J")))
	}
	if c.CPUSeconds != nil {
		s.row("client", "%s of CPU, lag p99 %s send, %s read, %s", seconds(*c.CPUSeconds), late(c.SendLagMS), late(c.ReadLagMS), dash(strings.ReplaceAll(e.Route, "_", " ")))
	}
}

func late(s *result.Summary) *figure {
	if s == nil {
		return nil
	}
	return &figure{decimal: decimal{s.P99, 3, false}, unit: "ms"}
}

func warmup(w *result.Warmup) prose {
	if w.MaxPrompts == 0 {
		return say("none (cold start)")
	}
	out := say("%s in %s", plural(w.IterationsCompleted, "iteration"), seconds(w.DurationSeconds))
	switch {
	case w.Converged == nil:
		return out
	case !*w.Converged:
		return say("%s, did not converge", out)
	case w.FinalCV == nil:
		return say("%s, converged", out)
	}
	return say("%s, converged at CV"+hard+"%s", out, &figure{decimal: decimal{*w.FinalCV, 3, false}})
}

func (d *Document) files(r *result.Record, dir string) {
	s := d.section("Files", fields)
	s.row("result", "%s", unbroken(filepath.Join(dir, result.RecordFile)))
	beside := slices.DeleteFunc([]string{r.Timeseries, r.RequestsFile, r.SamplesFile}, func(f string) bool { return f == "" })
	if len(beside) > 0 {
		s.row("beside it", "%s", strings.Join(beside, ", "))
	}
}
