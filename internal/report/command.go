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
	switch {
	case c.EnergyMeanJ != nil:
		p.row("energy", "%s (mean of %d runs, 95"+hard+"%% interval of their spread)", plusMinus(c.EnergyMeanJ, c.EnergyInterval95J, 1, 1, "J"), len(c.Runs))
		p.row("last run", "%s", plusMinus(last.EnergyTotalJ, last.URepeatabilityJ, last.CoverageK, 1, "J"))
	case len(c.GPUs) == 0:
		p.row("energy", "– (no NVIDIA GPU; only the host was measured)")
	default:
		p.row("energy", "%s", plusMinus(last.EnergyTotalJ, last.URepeatabilityJ, last.CoverageK, 1, "J"))
	}
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
	failed := 0
	for _, one := range c.Runs {
		if one.ExitCode != 0 {
			failed++
		}
	}
	if len(c.Runs) > 1 && failed > 0 {
		p.row("failed", "%d of %d runs failed", failed, len(c.Runs))
	}
	p.warnings()
	return p.print(w)
}
