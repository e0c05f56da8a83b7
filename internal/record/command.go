package record

import (
	"math"
	"slices"
	"time"

	"github.com/llenergymeasure/llem/internal/device"
	"github.com/llenergymeasure/llem/internal/measure"
	"github.com/llenergymeasure/llem/internal/meter/card"
	"github.com/llenergymeasure/llem/internal/result"
)

// driftThreshold is the default of measurement.thermal_drift_threshold_c.
const driftThreshold = 10

// Command is the record of one run of a program, whose exit code it was.
func (o Observation) Command(code int) result.CommandRun {
	o.Warnings = slices.Clip(o.Warnings)
	w := o.Window
	if short, ok := measure.ShortWindow(w.Length); ok {
		o.Warnings = append(o.Warnings, short)
	}
	out := result.CommandRun{
		StartedAt: w.T0.UTC(), Seconds: w.Length.Seconds(), ExitCode: code, CoverageK: 2,
		Components: map[string]float64{}, PerGPU: []result.GPUEnergy{}, CrossChecks: []result.CrossCheck{}, Host: hostEnergy(w.Host),
		MeasurementWarnings: []string{}, WarningSeverities: map[string]string{}, Valid: true, Reasons: []string{},
	}
	if o.Host.NoEnergy == "" {
		o.mapGPUs(&out)
		o.Warnings = append(o.Warnings, o.Readings.warnings()...)
	} else {
		o.warn("energy_unavailable", "%s", o.Host.NoEnergy)
	}
	for _, w := range o.Warnings {
		out.MeasurementWarnings = append(out.MeasurementWarnings, w.String())
		out.WarningSeverities[w.Code] = string(w.Severity)
		if w.Severity == measure.Invalid && !slices.Contains(out.Reasons, w.Code) {
			out.Valid, out.Reasons = false, append(out.Reasons, w.Code)
		}
	}
	return out
}

// mapGPUs adds what the GPUs used while the program ran.
func (o *Observation) mapGPUs(out *result.CommandRun) {
	devices, samples, from := o.Host.Devices, o.Readings.Samples, o.Readings.From
	to := from + o.Window.Length
	out.Scope, out.Gain = card.ScopeOf(devices), gainRecord(*o.Host.Gain)
	per := measure.WindowEnergy(samples, o.Host.sensors(), from, to)
	o.Warnings = append(o.Warnings, measure.GPUWarnings(measure.GPUFacts{Devices: devices, Samples: samples, From: from, To: to, Energies: per, DriftThreshold: driftThreshold})...)
	out.PeakPowerW, out.CrossChecks = peak(samples, len(devices), from, to), crossChecks(per)
	for i, g := range per {
		out.PerGPU = append(out.PerGPU, o.Host.energy(i, g, measure.ThrottledTimes(samples, int32(i), from, to)))
	}
	for i := range samples {
		s := &samples[i]
		if t := float64(s.TemperatureC); s.Has&device.HasTemperature != 0 && s.At >= from && s.At <= to && (out.MaxTemperatureC == nil || t > *out.MaxTemperatureC) {
			out.MaxTemperatureC = &t
		}
	}
	if idle := measure.Total(measure.EnergyBetween(samples, len(devices), from-time.Second, from)); idle != nil {
		out.IdlePowerW = new(float64(*idle))
	}
	total := measure.Total(per)
	if total == nil {
		o.warn("energy_unavailable", "%s", unread(o.Window.Length))
		return
	}
	out.Method, out.EnergyTotalJ = commonMethod(per), new(float64(*total))
	out.MeanPowerW = new(float64(*total) / out.Seconds)
	if u, components := measure.TotalU(per); u != nil {
		out.URepeatabilityJ = new(float64(*u))
		out.UAbsoluteJ = new(math.Hypot(float64(*u), float64(gainOf(out.Gain).U(*total))))
		for name, c := range components {
			out.Components[name] = float64(c)
		}
	}
}
