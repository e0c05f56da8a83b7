package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/llenergymeasure/llem/internal/result"
)

// Command writes what a command used: the last run's figures, and over several
// runs their mean.
func Command(w io.Writer, c *result.Command, opt Options) error {
	if len(c.Runs) == 0 {
		return nil
	}
	last := c.Runs[len(c.Runs)-1]
	p := newPrinter(&result.Record{Energy: result.Energy{CoverageK: last.CoverageK}, MeasurementWarnings: last.MeasurementWarnings, WarningSeverities: last.WarningSeverities}, opt)
	p.wrap("", "  ", strings.Join(c.Command, " ")+", "+plural(len(c.Runs), "run"))
	fmt.Fprintln(&p.b)
	own := widthsOf(last.URepeatabilityJ, last.UAbsoluteJ, last.CoverageK, 1)
	gain := gainWidth(last.EnergyTotalJ, own)
	one := both(last.EnergyTotalJ, own, "J"+void(c.Runs[len(c.Runs)-1:])) + ofScope(last.Scope)
	switch {
	case c.EnergyMeanJ != nil:
		mean := withGain(c.EnergyMeanJ, c.EnergyInterval95J, 1, gain)
		p.row("energy", "%s (mean"+hard+"of"+hard+"%d"+hard+"runs and its 95"+hard+"%% interval)", bothAs(c.EnergyMeanJ, mean, "J"+void(c.Runs), "by their spread"), len(c.Runs))
		p.row("last run", "%s", one)
	case c.NoGPUEnergy != nil:
		p.row("energy", "– (%s)", *c.NoGPUEnergy)
	default:
		p.row("energy", "%s", one)
	}
	if last.EnergyTotalJ != nil {
		p.uncertainty(own, last.CoverageK)
		p.gain(own, last.Gain)
	}
	p.measured(c)
	p.perGPU(last.PerGPU, last.CoverageK)
	if last.MeanPowerW != nil || last.PeakPowerW != nil || last.IdlePowerW != nil {
		p.row("power", "%s mean, %s peak, %s idle before", unit(last.MeanPowerW, "W"), unit(last.PeakPowerW, "W"), unit(last.IdlePowerW, "W"))
	}
	p.row("time", "%s", unit(&last.Seconds, "s"))
	if last.MaxTemperatureC != nil {
		p.row("temperature", "%.0f"+hard+"°C at most", *last.MaxTemperatureC)
	}
	if last.EnergyTotalJ != nil {
		p.row("method", "%s", last.Method)
		p.crossChecks(last.EnergyTotalJ, last.CrossChecks)
	}
	p.host(last.Host)
	if last.ExitCode != 0 {
		p.row("exit code", "%d", last.ExitCode)
	}
	p.failed(c.Runs)
	p.warnings()
	return p.print(w)
}

// void marks a figure of runs of which one does not stand.
func void(runs []result.CommandRun) string {
	for _, one := range runs {
		if one.EnergyTotalJ != nil && !one.Valid {
			return " INVALID"
		}
	}
	return ""
}

// measured says of which GPUs the figure is.
func (p *printer) measured(c *result.Command) {
	if len(c.GPUs) == 0 {
		return
	}
	text := plural(len(c.GPUs), "GPU")
	if len(c.GPUs) > 1 {
		text += ", summed"
		if c.GPUsByDefault {
			text += ": all of this host; --gpus chooses"
		}
	}
	for _, i := range c.GPUsLeftOut {
		text += fmt.Sprintf("; GPU"+hard+"%d is left out, in MIG mode", i)
	}
	p.row("measured", "%s", text)
}

// failed says how many of several runs did.
func (p *printer) failed(runs []result.CommandRun) {
	n := 0
	for _, one := range runs {
		if one.ExitCode != 0 {
			n++
		}
	}
	if len(runs) > 1 && n > 0 {
		p.row("failed", "%d of %d runs failed", n, len(runs))
	}
}
