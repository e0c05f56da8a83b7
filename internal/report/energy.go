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

func figure(r *result.Record) string {
	if r.EnergyPerOutputToken == nil {
		return unit(r.EnergyTotalJ, "J in all")
	}
	if r.Energy.Scope == "host" {
		return perToken(r, "J per output token") + " (of the host, not of a GPU)"
	}
	return perToken(r, "J per output token")
}

func perToken(r *result.Record, name string) string {
	if n := r.Tokens.Output; n != nil && *n > 0 {
		return plusMinus(r.EnergyPerOutputToken, r.Energy.URepeatabilityJ, r.Energy.CoverageK, float64(*n), name)
	}
	return unit(r.EnergyPerOutputToken, name)
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
	if e.Scope == "host" {
		mark += " (of the host, not of a GPU)"
	}
	p.section("Energy")
	p.row("per output token", "%s%s", perToken(r, "J/token"), mark)
	if e.PerTotalTokenJ != nil {
		p.row("per token, in + out", "%s", unit(e.PerTotalTokenJ, "J/token"))
	}
	if e.PerRequestJ != nil {
		p.row("per request", "%s", unit(e.PerRequestJ, "J"))
	}
	p.row("total", "%s%s", plusMinus(r.EnergyTotalJ, e.URepeatabilityJ, e.CoverageK, 1, "J"), mark)
	p.row("adjusted", "%s", plusMinus(r.EnergyAdjustedJ, e.UAdjustedJ, e.CoverageK, 1, "J"))
	p.uncertainty()
	if e.Scope == "host" {
		p.row("power", "%s mean", unit(e.MeanPowerW, "W"))
	} else {
		p.baseline()
		p.row("power", "%s mean, %s peak, %s engine idle", unit(e.MeanPowerW, "W"), unit(e.PeakPowerW, "W"), unit(e.EngineIdlePowerW, "W"))
	}
	p.row("method", "%s by %s", dash(e.Method), dash(e.Backend))
	p.crossChecks(r.EnergyTotalJ, e.CrossChecks)
	p.perGPU(e.PerGPU, e.CoverageK)
	p.codeCarbon(e.CodeCarbon)
	if s := e.Steady; s != nil && s.EnergyJ != nil {
		p.row("steady slice", "%s in %s, %s", plusMinus(s.EnergyJ, s.UJ, e.CoverageK, 1, "J"), unit(&s.Seconds, "s"), plusMinus(s.JoulesPerToken, s.UPerTokenJ, e.CoverageK, 1, "J/token"))
	}
}

// uncertainty says what the sign ± stands for, and how wide it is in the absolute.
func (p *printer) uncertainty() {
	e := p.r.Energy
	if e.URepeatabilityJ == nil || !(e.CoverageK > 0) {
		return
	}
	p.share("± is", e.CoverageK)
	list := []absolute{{e.UPerOutputTokenAbsoluteJ, "J/token"}, {e.UAbsoluteJ, "J total"}, {e.UAdjustedAbsoluteJ, "J adjusted"}}
	if f := p.r.FLOPs; f != nil && f.FLOPsPerJoule != nil && f.UFLOPsPerJouleAbsolute != nil {
		scale, prefix := decimal(*f.FLOPsPerJoule)
		u := *f.UFLOPsPerJouleAbsolute / scale
		list = append(list, absolute{&u, prefix + "FLOP/J"})
	}
	p.absolute(e.CoverageK, list...)
}

// share says that what stands after ± is the meter's share, and with what coverage.
func (p *printer) share(what string, k float64) {
	share := ""
	if k == 2 {
		share = ", about 95" + hard + "%"
	}
	p.row("uncertainty", "%s the meter's own (k%s=%s%s%s), without the spread of repeated runs", what, hard, hard, short(k), share)
}

// absolute is a figure's standard uncertainty with the gain of the sensor, and the
// figure's unit and name.
type absolute struct {
	u    *float64
	name string
}

// absolute gives those that are known.
func (p *printer) absolute(k float64, list ...absolute) {
	var parts []string
	for _, a := range list {
		if a.u != nil && isWidth(k**a.u) {
			parts = append(parts, within(k**a.u, strings.ReplaceAll(a.name, " ", hard)))
		}
	}
	if len(parts) > 0 {
		p.row("absolute", "%s, with the sensor's gain", strings.Join(parts, ", "))
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
