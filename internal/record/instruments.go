package record

import (
	"strings"
	"time"

	"github.com/llenergymeasure/llem/internal/load"
	"github.com/llenergymeasure/llem/internal/measure"
	"github.com/llenergymeasure/llem/internal/result"
	"github.com/llenergymeasure/llem/internal/stats"
)

// backend is the name under which energy.backend knows the instrument.
func (i *Instrument) backend() string { return strings.TrimSuffix(i.Name, "d") }

// reach is how far the instrument's span may go beyond the window.
func (i *Instrument) reach(w *Window) (early, late time.Duration) {
	return w.T0.Sub(i.Began), i.Ended.Sub(w.T0.Add(w.Length))
}

// instrumentsOf are the record's account of the instruments; w may be nil.
func instrumentsOf(list []Instrument, w *Window) []result.Instrument {
	out := []result.Instrument{}
	for _, i := range list {
		r := result.Instrument{Name: i.Name, Versions: i.Versions}
		switch {
		case i.Err != nil:
			r.Error = new(i.Err.Error())
		case w != nil && !i.Ended.IsZero():
			early, late := i.reach(w)
			r.EarlyMS, r.LateMS = new(early.Seconds()*1000), new(late.Seconds()*1000)
		}
		out = append(out, r)
	}
	return out
}

// figure is the instrument's energy of all GPUs; edges are what is not known of
// counters that are read when it suits.
func (i *Instrument) figure(w *Window, edges []measure.Edges) figure {
	f := figure{method: i.Name}
	switch {
	case i.Err != nil:
		f.why = i.Err.Error()
		return f
	case i.Reading.GPU == nil:
		f.why = i.Name + " gave no energy of GPUs"
		return f
	}
	f.energy = i.Reading.GPU
	early, late := i.reach(w)
	per := make([]measure.DeviceEnergy, len(edges))
	for g, e := range edges {
		if u, ok := e.Figure(early, late); ok {
			per[g].U, per[g].Components = &u.U, u.Components
		}
	}
	f.u, f.components = measure.TotalU(per)
	return f
}

// owned puts the owner's figure in the place of the driver's, which checks it, as do
// the other instruments.
func (o *Observation) owned(en *result.Energy, driver figure, edges []measure.Edges) figure {
	owner := &o.Instruments[0]
	own := owner.figure(o.Window, edges)
	for i := range en.CrossChecks { // the integral, which was held against NVML's own figure
		en.CrossChecks[i].DifferenceJ = nil
		if own.energy != nil {
			en.CrossChecks[i].DifferenceJ = new(en.CrossChecks[i].EnergyJ - float64(*own.energy))
		}
	}
	if driver.energy == nil {
		driver.why = strings.ToUpper(o.Readings.Meter) + ": " + unread(o.Window.Length)
	}
	checks := []figure{driver}
	for _, i := range o.Instruments[1:] {
		checks = append(checks, i.figure(o.Window, edges))
	}
	for _, c := range checks {
		if c.energy == nil {
			o.warn("instrument_failed", "%s", c.why)
			continue
		}
		check := result.CrossCheck{Method: c.method, EnergyJ: float64(*c.energy), UJ: joules(c.u)}
		if own.energy != nil {
			check.DifferenceJ = new(float64(*c.energy - *own.energy))
			if !own.agrees(c) {
				o.warn("sensor_disagreement", "%s says %s J, %s %s J", own.method, stats.Fixed(float64(*own.energy), 1), c.method, stats.Fixed(float64(*c.energy), 1))
			}
		}
		en.CrossChecks = append(en.CrossChecks, check)
	}
	if own.energy == nil {
		return own
	}
	for g := range owner.Reading.PerGPU {
		e := float64(owner.Reading.PerGPU[g])
		per := &en.PerGPU[g]
		per.EnergyJ, per.Method, per.UJ = &e, own.method, nil
		per.MeanPowerW = new(e / o.Window.Length.Seconds())
		early, late := owner.reach(o.Window)
		if u, ok := edges[g].Figure(early, late); ok {
			per.UJ = new(float64(u.U))
		}
	}
	return own
}

// agrees compares two instruments, and widens f where they do not agree.
func (f *figure) agrees(other figure) bool {
	if f.u == nil || other.u == nil {
		return true // nothing says how far they may be apart
	}
	mine := measure.Figure{Energy: *f.energy, U: *f.u, Components: f.components}
	others := measure.Figure{Energy: *other.energy, U: *other.u, Components: other.components}
	compare := mine.CompareCounter // which Zeus and CodeCarbon read, too
	if strings.Contains(other.method, measure.MethodIntegral) {
		compare = mine.Compare
	}
	ok := compare(&others)
	f.u = &mine.U
	return ok
}

// codeCarbonOf is all that CodeCarbon gave; nil where it was not asked or failed.
func codeCarbonOf(list []Instrument) *result.CodeCarbon {
	for _, i := range list {
		c := i.Reading.Carbon
		if c == nil {
			continue
		}
		return &result.CodeCarbon{
			GPUJ: joules(i.Reading.GPU), CPUJ: float64(i.Reading.CPU), CPUMethod: i.Reading.CPUMethod, CPUMeasured: i.Reading.CPUMeasured,
			RAMJ: float64(i.Reading.RAM), EmissionsKg: c.KgCO2eq, Country: c.Country,
			IntensityGPerKWh: c.IntensityGPerKWh, IntensitySource: c.Source, PUE: c.PUE,
		}
	}
	return nil
}

// mapHostScope maps the energy of a host without a GPU, by CodeCarbon.
func (o *Observation) mapHostScope(r *result.Record, en *result.Energy, fig load.Figures) {
	owner := &o.Instruments[0]
	en.Scope, en.Backend = measure.ScopeHost, owner.backend()
	var why string
	switch {
	case o.Window == nil || o.Window.Length <= 0:
		why = "the window was not reached"
	case owner.Err != nil:
		why = owner.Err.Error()
		o.warn("energy_unavailable", "%s", why)
	default:
		sum := owner.Reading.CPU + owner.Reading.RAM
		o.mapFigure(r, en, figure{method: owner.Name, energy: &sum}, fig)
		en.Method = owner.Name
		how := "a model of the CPU"
		if owner.Reading.CPUMeasured {
			how = "RAPL"
		}
		o.warn("energy_scope_host", "CPU by %s (%s), memory by a model of it: an estimate of the host, not of a GPU", how, owner.Reading.CPUMethod)
		return
	}
	en.Valid, en.Reasons = false, []string{why}
}
