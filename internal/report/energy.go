package report

import (
	"fmt"
	"math"
	"strings"

	"github.com/llenergymeasure/llem/internal/result"
)

// headline says first what the run was for: joules per output token, or that
// there is no such figure and why.
func (d *Document) headline(r *result.Record) {
	reasons := strings.Join(r.Energy.Reasons, ", ")
	switch {
	case r.EnergyTotalJ == nil && r.Status != result.Completed && r.WindowSeconds == nil:
		return // the run did not come so far, which was said
	case r.EnergyTotalJ == nil && reasons == "":
		d.note("NO ENERGY FIGURE", "the GPUs gave no reading")
	case r.EnergyTotalJ == nil:
		d.note("NO ENERGY FIGURE", "%s", reasons)
	case !r.Energy.Valid:
		d.note("INVALID ENERGY", "%s; %s", headFigure(r), dash(reasons))
	default:
		d.note("ENERGY", "%s", headFigure(r))
	}
}

// headFigure is the run's figure with both of its intervals. Papers copy this line: it must not
// look surer than it is.
func headFigure(r *result.Record) prose {
	v, w, name := r.EnergyPerOutputToken, perTokenWidths(r), "J per output token"
	if v == nil {
		v, w, name = r.EnergyTotalJ, totalWidths(r), "J in all"
	}
	unsure := ""
	if !w.known() {
		unsure = ", uncertainty not known"
	}
	return say("%s%s%s", both(v, w, name), unsure, ofScope(r.Energy.Scope))
}

// ofScope says what a figure is of, where that is not GPUs alone.
func ofScope(scope string) string {
	switch scope {
	case "host":
		return " (of the host, not of a GPU)"
	case "module":
		return " (of the module: GPU, CPU and their memory)"
	}
	return ""
}

// widths are half of a figure's two 95 % intervals: on one card, and with the gain
// of its sensor besides. 0 is not known.
type widths struct{ repeatability, absolute float64 }

// widthsOf are k·u/n; what cannot be a width is not known.
func widthsOf(repeatability, absolute *float64, k, n float64) (w widths) {
	for _, c := range []struct {
		u  *float64
		to *float64
	}{{repeatability, &w.repeatability}, {absolute, &w.absolute}} {
		if c.u != nil && isWidth(k**c.u/n) {
			*c.to = k * *c.u / n
		}
	}
	return w
}

func (w widths) known() bool { return w.repeatability > 0 || w.absolute > 0 }

// gainWidth is the part of the absolute interval that the sensor's gain has, as a
// share of v; 0 where it is not known.
func gainWidth(v *float64, w widths) float64 {
	if v == nil || *v == 0 || !w.known() {
		return 0
	}
	return math.Sqrt(max(0, w.absolute*w.absolute-w.repeatability*w.repeatability)) / math.Abs(*v)
}

// withGain are the widths of a figure v that is known to k·u on one card, by a sensor
// whose gain is known to a share of v; 0 is not known.
func withGain(v, u *float64, k, share float64) widths {
	w := widthsOf(u, nil, k, 1)
	if v != nil && share > 0 && w.repeatability > 0 {
		w.absolute = math.Hypot(w.repeatability, share**v)
	}
	return w
}

func perTokenWidths(r *result.Record) widths {
	return widthsOf(meterU(r), absoluteU(r), r.Energy.CoverageK, 1)
}

func totalWidths(r *result.Record) widths {
	return widthsOf(r.Energy.URepeatabilityJ, r.Energy.UAbsoluteJ, r.Energy.CoverageK, 1)
}

// shareOf are those of v, which is the total over a count.
func shareOf(r *result.Record, v *float64) widths {
	if v == nil || r.EnergyTotalJ == nil || !(*v > 0) || !(*r.EnergyTotalJ > 0) {
		return widths{}
	}
	return widthsOf(r.Energy.URepeatabilityJ, r.Energy.UAbsoluteJ, r.Energy.CoverageK, *r.EnergyTotalJ / *v)
}

func adjustedWidths(r *result.Record) widths {
	return widthsOf(r.Energy.UAdjustedJ, r.Energy.UAdjustedAbsoluteJ, r.Energy.CoverageK, 1)
}

// believed marks a figure that is not to be.
func believed(f *figure, valid bool) *figure {
	if f != nil {
		f.invalid = !valid
	}
	return f
}

func (d *Document) energy(r *result.Record) {
	e := r.Energy
	if r.EnergyTotalJ == nil && r.BaselinePowerW == nil {
		return // the head says why, and rows of dashes would not
	}
	s := d.section("Energy", fields)
	if r.EnergyTotalJ == nil {
		s.baseline(r)
		return
	}
	scope := ofScope(e.Scope)
	s.row("per output token", "%s%s", believed(both(r.EnergyPerOutputToken, perTokenWidths(r), "J/token"), e.Valid), scope)
	if e.PerTotalTokenJ != nil {
		s.row("per token, in + out", "%s", both(e.PerTotalTokenJ, shareOf(r, e.PerTotalTokenJ), "J/token"))
	}
	if e.PerRequestJ != nil {
		s.row("per request", "%s", both(e.PerRequestJ, shareOf(r, e.PerRequestJ), "J"))
	}
	s.row("total", "%s%s", believed(both(r.EnergyTotalJ, totalWidths(r), "J"), e.Valid), scope)
	s.row("adjusted", "%s", both(r.EnergyAdjustedJ, adjustedWidths(r), "J"))
	s.uncertainty(totalWidths(r), e.CoverageK, e.Gain)
	if e.Scope == "host" {
		s.row("power", "%s mean", unit(e.MeanPowerW, "W"))
	} else {
		s.baseline(r)
		s.row("power", "%s mean, %s peak, %s engine idle", unit(e.MeanPowerW, "W"), unit(e.PeakPowerW, "W"), plusMinus(e.EngineIdlePowerW, e.UEngineIdlePowerW, e.CoverageK, 1, "W"))
	}
	s.row("method", "%s by %s", dash(e.Method), dash(e.Backend))
	s.crossChecks(r.EnergyTotalJ, e.CrossChecks, e.CoverageK)
	s.perGPU(e.PerGPU, e.CoverageK)
	s.codeCarbon(e.CodeCarbon)
	if of := e.Steady; of != nil && of.EnergyJ != nil {
		gain := gainWidth(r.EnergyTotalJ, totalWidths(r))
		s.row("steady slice", "%s", both(of.JoulesPerToken, withGain(of.JoulesPerToken, of.UPerTokenJ, e.CoverageK, gain), "J/token"))
		s.row("", "%s in %s", plusMinus(of.EnergyJ, of.UJ, e.CoverageK, 1, "J"), unit(&of.Seconds, "s"))
	}
}

// uncertainty says what the two intervals are, and what they leave out; then how far the
// sensors' gain is taken to be off, and on whose word.
func (rs *rows) uncertainty(w widths, k float64, g *result.Gain) {
	if w.known() {
		about := ""
		if k == 2 {
			about = ", about 95" + hard + "%"
		}
		rs.row("uncertainty", "each ± is k"+hard+"="+hard+"%s%s. Repeatability is the meter's own, for runs on one card, without the spread of repeated runs. Absolute has the gain of the card's sensor too. A ± without a name is repeatability.", short(k, ""), about)
	}
	switch {
	case w.absolute == 0:
	case g == nil:
		rs.row("sensor gain", "± 5"+hard+"% taken for every card by the llem that wrote this, uncharacterised")
	default:
		rs.row("sensor gain", "±"+hard+"%s at most, %s: %s", short(100*g.HalfWidth, "%"), dash(g.Standing), dash(g.Source))
	}
}

func (rs *rows) baseline(r *result.Record) {
	b := r.Energy.Baseline
	if b == nil {
		rs.row("baseline", "%s", unit(r.BaselinePowerW, "W"))
		return
	}
	note := say("over %s", age(b.DurationSeconds))
	if b.Cached {
		note = say("cached, %s old", age(b.AgeSeconds))
	}
	rs.row("baseline", "%s (%s)", plusMinus(r.BaselinePowerW, b.UW, r.Energy.CoverageK, 1, "W"), note)
}

// crossChecks give other instruments' figures, and how far they are off.
func (rs *rows) crossChecks(total *float64, checks []result.CrossCheck, k float64) {
	for _, c := range checks {
		var off prose
		if total != nil && *total != 0 && c.DifferenceJ != nil {
			off = say(" (%s)", percent(*c.DifferenceJ / *total))
		}
		rs.row("cross-check", "%s by %s%s", plusMinus(&c.EnergyJ, c.UJ, k, 1, "J"), dash(c.Method), off)
	}
}

// codeCarbon gives what CodeCarbon says beside the GPUs' energy.
func (rs *rows) codeCarbon(c *result.CodeCarbon) {
	if c == nil {
		return
	}
	how := "estimated by " + c.CPUMethod
	if c.CPUMeasured {
		how = "measured"
	}
	rs.row("CodeCarbon", "CPU %s (%s), memory %s (estimated)", unit(&c.CPUJ, "J"), how, unit(&c.RAMJ, "J"))
	rs.row("carbon", "%s CO2eq (%s, %s, PUE %s)", value(c.EmissionsKg*1000, "g"), unit(&c.IntensityGPerKWh, "g/kWh"), c.Country, value(c.PUE, ""))
}

// perGPU has a row for each of several GPUs; one is the total.
func (rs *rows) perGPU(list []result.GPUEnergy, k float64) {
	if len(list) < 2 {
		return
	}
	for _, g := range list {
		rs.row(fmt.Sprintf("GPU %d", g.Index), "%s, %s mean", plusMinus(g.EnergyJ, g.UJ, k, 1, "J"), unit(g.MeanPowerW, "W"))
	}
}
