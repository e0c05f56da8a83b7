package report

import (
	"strings"

	"github.com/llenergymeasure/llem/internal/result"
)

// Command is the document of what a command used: the last run's figures, and over
// several runs their mean. Without runs it is empty.
func Command(c *result.Command) *Document {
	d := &Document{}
	if len(c.Runs) == 0 {
		return d
	}
	last := c.Runs[len(c.Runs)-1]
	d.title = say("%s, %s", strings.Join(c.Command, " "), plural(len(c.Runs), "run"))
	own := widthsOf(last.URepeatabilityJ, last.UAbsoluteJ, last.CoverageK, 1)
	one := say("%s%s", believed(both(last.EnergyTotalJ, own, "J"), allValid(last)), ofScope(last.Scope))
	switch {
	case c.EnergyMeanJ != nil:
		mean := withGain(c.EnergyMeanJ, c.EnergyInterval95J, 1, gainWidth(last.EnergyTotalJ, own))
		of := bothAs(c.EnergyMeanJ, mean, "J", "by their spread")
		d.row("energy", "%s (mean"+hard+"of"+hard+"%s"+hard+"runs and its 95"+hard+"% interval)", believed(of, allValid(c.Runs...)), len(c.Runs))
		d.row("last run", "%s", one)
	case c.NoGPUEnergy != nil:
		d.row("energy", "– (%s)", *c.NoGPUEnergy)
	default:
		d.row("energy", "%s", one)
	}
	if last.EnergyTotalJ != nil {
		d.uncertainty(own, last.CoverageK, last.Gain)
	}
	d.measured(c)
	d.perGPU(last.PerGPU, last.CoverageK)
	if last.MeanPowerW != nil || last.PeakPowerW != nil || last.IdlePowerW != nil {
		d.row("power", "%s mean, %s peak, %s idle before", unit(last.MeanPowerW, "W"), unit(last.PeakPowerW, "W"), unit(last.IdlePowerW, "W"))
	}
	d.row("time", "%s", unit(&last.Seconds, "s"))
	if t := last.MaxTemperatureC; t != nil {
		d.row("temperature", "%s at most", &figure{decimal: decimal{value: *t}, unit: "°C"})
	}
	if last.EnergyTotalJ != nil {
		d.row("method", "%s", last.Method)
		d.crossChecks(last.EnergyTotalJ, last.CrossChecks, last.CoverageK)
	}
	d.host(last.Host)
	if last.ExitCode != 0 {
		d.row("exit code", "%s", last.ExitCode)
	}
	d.failed(c.Runs)
	d.warn(last.MeasurementWarnings, last.WarningSeverities)
	return d
}

// allValid says that no run has a figure that is not to be believed.
func allValid(runs ...result.CommandRun) bool {
	for _, one := range runs {
		if one.EnergyTotalJ != nil && !one.Valid {
			return false
		}
	}
	return true
}

// measured says of which GPUs the figure is.
func (rs *rows) measured(c *result.Command) {
	if len(c.GPUs) == 0 {
		return
	}
	text := say(plural(len(c.GPUs), "GPU"))
	if len(c.GPUs) > 1 {
		text = say("%s, summed", text)
		if c.GPUsByDefault {
			text = say("%s: all of this host; --gpus chooses", text)
		}
	}
	for _, i := range c.GPUsLeftOut {
		text = say("%s; GPU"+hard+"%s is left out, in MIG mode", text, i)
	}
	rs.row("measured", "%s", text)
}

// failed says how many of several runs did.
func (rs *rows) failed(runs []result.CommandRun) {
	n := 0
	for _, one := range runs {
		if one.ExitCode != 0 {
			n++
		}
	}
	if len(runs) > 1 && n > 0 {
		rs.row("failed", "%s of %s runs failed", n, len(runs))
	}
}
