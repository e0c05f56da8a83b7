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
	p := printer{width: max(60, opt.Width), r: &result.Record{
		EnergyTotalJ: last.EnergyTotalJ, MeasurementWarnings: last.MeasurementWarnings, WarningSeverities: last.WarningSeverities,
		Energy: result.Energy{CrossChecks: last.CrossChecks},
	}}
	fmt.Fprintf(&p.b, "%s, %s\n\n", clean(strings.Join(c.Command, " ")), plural(len(c.Runs), "run"))
	if c.EnergyMeanJ != nil {
		p.row("energy", "%s  (mean of %d runs, 95 %% interval of their spread)", plusMinus(c.EnergyMeanJ, c.EnergyInterval95J, 1, 1, "J"), len(c.Runs))
		p.row("last run", "%s", plusMinus(last.EnergyTotalJ, last.URepeatabilityJ, last.CoverageK, 1, "J"))
	} else {
		p.row("energy", "%s", plusMinus(last.EnergyTotalJ, last.URepeatabilityJ, last.CoverageK, 1, "J"))
	}
	if len(last.PerGPU) > 1 {
		for _, g := range last.PerGPU {
			p.row(fmt.Sprintf("GPU %d", g.Index), "%s, %s mean", plusMinus(g.EnergyJ, g.UJ, last.CoverageK, 1, "J"), unit(g.MeanPowerW, "W"))
		}
	}
	p.row("power", "%s mean, %s peak, %s idle before", unit(last.MeanPowerW, "W"), unit(last.PeakPowerW, "W"), unit(last.IdlePowerW, "W"))
	p.row("time", "%s", unit(&last.Seconds, "s"))
	if last.MaxTemperatureC != nil {
		p.row("temperature", "%.0f °C at most", *last.MaxTemperatureC)
	}
	if last.EnergyTotalJ != nil {
		p.row("method", "%s%s", last.Method, crossNote(p.r))
	}
	if last.ExitCode != 0 {
		p.row("exit code", "%d", last.ExitCode)
	}
	p.warnings()
	_, err := io.WriteString(w, p.b.String())
	return err
}
