package report

import (
	"fmt"
	"strings"

	"github.com/llenergymeasure/llem/internal/result"
)

// headline says first what the run was for: joules per output token, or that
// there is no such figure and why.
func (p *printer) headline() {
	r := p.r
	reasons := strings.Join(r.Energy.Reasons, ", ")
	switch {
	case r.EnergyTotalJ == nil && r.Status != result.Completed && r.WindowSeconds == nil:
		return // the run did not come so far, which was said
	case r.EnergyTotalJ == nil && reasons == "":
		p.wrap("NO ENERGY FIGURE: ", "  ", "the GPUs gave no reading")
	case r.EnergyTotalJ == nil:
		p.wrap("NO ENERGY FIGURE: ", "  ", reasons)
	case !r.Energy.Valid:
		p.wrap("INVALID ENERGY: ", "  ", figure(r)+"; "+dash(reasons))
	default:
		p.wrap("ENERGY: ", "  ", figure(r))
	}
}

// figure is the run's with both of its intervals. Papers copy this line: it must not
// look surer than it is.
func figure(r *result.Record) string {
	v, w, name := r.EnergyPerOutputToken, perTokenWidths(r), "J per output token"
	if v == nil {
		v, w, name = r.EnergyTotalJ, totalWidths(r), "J in all"
	}
	text := both(v, w, name)
	if !w.known() {
		text += ", uncertainty not known"
	}
	return text + ofScope(r.Energy.Scope)
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

func (p *printer) energy() {
	r, e := p.r, p.r.Energy
	switch {
	case r.EnergyTotalJ == nil && r.BaselinePowerW == nil:
		return // the head says why, and rows of dashes would not
	case r.EnergyTotalJ == nil:
		p.section("Energy")
		p.baseline()
		return
	}
	mark := ""
	if !e.Valid {
		mark = " INVALID"
	}
	scope := ofScope(e.Scope)
	p.section("Energy")
	p.row("per output token", "%s%s", both(r.EnergyPerOutputToken, perTokenWidths(r), "J/token"+mark), scope)
	if e.PerTotalTokenJ != nil {
		p.row("per token, in + out", "%s", both(e.PerTotalTokenJ, shareOf(r, e.PerTotalTokenJ), "J/token"))
	}
	if e.PerRequestJ != nil {
		p.row("per request", "%s", both(e.PerRequestJ, shareOf(r, e.PerRequestJ), "J"))
	}
	p.row("total", "%s%s", both(r.EnergyTotalJ, totalWidths(r), "J"+mark), scope)
	p.row("adjusted", "%s", both(r.EnergyAdjustedJ, adjustedWidths(r), "J"))
	p.uncertainty(totalWidths(r), e.CoverageK)
	p.gain(totalWidths(r), e.Gain)
	if e.Scope == "host" {
		p.row("power", "%s mean", unit(e.MeanPowerW, "W"))
	} else {
		p.baseline()
		p.row("power", "%s mean, %s peak, %s engine idle", unit(e.MeanPowerW, "W"), unit(e.PeakPowerW, "W"), plusMinus(e.EngineIdlePowerW, e.UEngineIdlePowerW, e.CoverageK, 1, "W"))
	}
	p.row("method", "%s by %s", dash(e.Method), dash(e.Backend))
	p.crossChecks(r.EnergyTotalJ, e.CrossChecks)
	p.perGPU(e.PerGPU, e.CoverageK)
	p.codeCarbon(e.CodeCarbon)
	if s := e.Steady; s != nil && s.EnergyJ != nil {
		gain := gainWidth(r.EnergyTotalJ, totalWidths(r))
		p.row("steady slice", "%s", both(s.JoulesPerToken, withGain(s.JoulesPerToken, s.UPerTokenJ, e.CoverageK, gain), "J/token"))
		p.row("", "%s in %s", plusMinus(s.EnergyJ, s.UJ, e.CoverageK, 1, "J"), unit(&s.Seconds, "s"))
	}
}

// uncertainty says what the two intervals are, and what they leave out.
func (p *printer) uncertainty(w widths, k float64) {
	if !w.known() {
		return
	}
	share := ""
	if k == 2 {
		share = ", about 95" + hard + "%"
	}
	p.row("uncertainty", "each ± is k%s=%s%s%s. Repeatability is the meter's own, for runs on one card, without the spread of repeated runs. Absolute has the gain of the card's sensor too. A ± without a name is repeatability.", hard, hard, short(k), share)
}

// gain says how far the sensors' gain is taken to be off, and on whose word.
func (p *printer) gain(w widths, g *result.Gain) {
	switch {
	case w.absolute == 0:
	case g == nil:
		p.row("sensor gain", "± 5"+hard+"%% taken for every card by the llem that wrote this, uncharacterised")
	default:
		p.row("sensor gain", "±"+hard+"%s"+hard+"%% at most, %s: %s", short(100*g.HalfWidth), dash(g.Standing), dash(g.Source))
	}
}

func (p *printer) baseline() {
	b := p.r.Energy.Baseline
	if b == nil {
		p.row("baseline", "%s", unit(p.r.BaselinePowerW, "W"))
		return
	}
	note := "over " + age(b.DurationSeconds)
	if b.Cached {
		note = "cached, " + age(b.AgeSeconds) + " old"
	}
	p.row("baseline", "%s (%s)", plusMinus(p.r.BaselinePowerW, b.UW, p.r.Energy.CoverageK, 1, "W"), note)
}

// crossChecks give other instruments' figures, and how far they are off.
func (p *printer) crossChecks(total *float64, checks []result.CrossCheck) {
	for _, c := range checks {
		off := ""
		if total != nil && *total != 0 && c.DifferenceJ != nil {
			off = " (" + percent(*c.DifferenceJ / *total) + ")"
		}
		p.row("cross-check", "%s by %s%s", plusMinus(&c.EnergyJ, c.UJ, p.r.Energy.CoverageK, 1, "J"), dash(c.Method), off)
	}
}

// codeCarbon gives what CodeCarbon says beside the GPUs' energy.
func (p *printer) codeCarbon(c *result.CodeCarbon) {
	if c == nil {
		return
	}
	how := "estimated by " + c.CPUMethod
	if c.CPUMeasured {
		how = "measured"
	}
	p.row("CodeCarbon", "CPU %s (%s), memory %s (estimated)", unit(&c.CPUJ, "J"), how, unit(&c.RAMJ, "J"))
	grams := c.EmissionsKg * 1000
	p.row("carbon", "%s CO2eq (%s, %s, PUE %s)", unit(&grams, "g"), unit(&c.IntensityGPerKWh, "g/kWh"), c.Country, number(c.PUE))
}

// perGPU has a row for each of several GPUs; one is the total.
func (p *printer) perGPU(list []result.GPUEnergy, k float64) {
	if len(list) < 2 {
		return
	}
	for _, g := range list {
		p.row(fmt.Sprintf("GPU %d", g.Index), "%s, %s mean", plusMinus(g.EnergyJ, g.UJ, k, 1, "J"), unit(g.MeanPowerW, "W"))
	}
}
