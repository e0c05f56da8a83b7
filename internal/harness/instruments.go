package harness

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/load"
	"github.com/llenergymeasure/llem/internal/measure"
	"github.com/llenergymeasure/llem/internal/result"
	"github.com/llenergymeasure/llem/internal/stats"
	"github.com/llenergymeasure/llem/internal/study"
)

// instrument is another's meter in this run.
type instrument struct {
	Instrument
	began, ended time.Time // the call that opened it, and the answer that closed it
	reading      measure.Reading
	err          error // why there is no reading
}

// backend is the name under which energy.backend knows the instrument.
func (i *instrument) backend() string { return strings.TrimSuffix(i.Name(), "d") }

// reach is how far the instrument's span may go beyond the window.
func (i *instrument) reach(w *work) (early, late time.Duration) {
	return w.t0.Sub(i.began), i.ended.Sub(w.t0.Add(w.window))
}

// owner is the instrument that owns the figure; nil: NVML does.
func (x *run) owner() *instrument {
	if len(x.others) == 0 {
		return nil
	}
	return x.others[0]
}

// hostScope says that the figure is the host's, since there is no GPU.
func (x *run) hostScope() bool { return len(x.others) > 0 && len(x.job.GPUs) == 0 }

// instrumentRecords are the record's account of the instruments.
func (x *run) instrumentRecords() []result.Instrument {
	out := []result.Instrument{}
	for _, i := range x.others {
		r := result.Instrument{Name: i.Name(), Versions: i.Versions()}
		switch {
		case i.err != nil:
			r.Error = ptr(i.err.Error())
		case x.work != nil && !i.ended.IsZero():
			early, late := i.reach(x.work)
			r.EarlyMS, r.LateMS = ptr(early.Seconds()*1000), ptr(late.Seconds()*1000)
		}
		out = append(out, r)
	}
	return out
}

// read is an instrument's figure of all GPUs; edges are what is not known of
// counters that are read when it suits.
func (x *run) read(i *instrument, edges []measure.Edges) figure {
	f := figure{method: i.Name()}
	switch {
	case i.err != nil:
		f.why = i.err.Error()
		return f
	case i.reading.GPU == nil:
		f.why = i.Name() + " gave no energy of GPUs"
		return f
	}
	f.energy = i.reading.GPU
	early, late := i.reach(x.work)
	per := make([]measure.DeviceEnergy, len(edges))
	for g, e := range edges {
		if u, ok := e.Figure(early, late); ok {
			per[g].U, per[g].Components = &u.U, u.Components
		}
	}
	f.u, f.components = measure.TotalU(per)
	return f
}

// owned puts the owner's figure in the place of NVML's, which checks it, as do
// the other instruments.
func (x *run) owned(en *result.Energy, driver figure, edges []measure.Edges) figure {
	owner := x.owner()
	own := x.read(owner, edges)
	for i := range en.CrossChecks { // the integral, which was held against NVML's own figure
		en.CrossChecks[i].DifferenceJ = nil
		if own.energy != nil {
			en.CrossChecks[i].DifferenceJ = ptr(en.CrossChecks[i].EnergyJ - float64(*own.energy))
		}
	}
	if driver.energy == nil {
		driver.why = "NVML: " + unread(x.work.window)
	}
	checks := []figure{driver}
	for _, i := range x.others[1:] {
		checks = append(checks, x.read(i, edges))
	}
	for _, c := range checks {
		if c.energy == nil {
			x.warn("instrument_failed", "%s", c.why)
			continue
		}
		check := result.CrossCheck{Method: c.method, EnergyJ: float64(*c.energy), UJ: joules(c.u)}
		if own.energy != nil {
			check.DifferenceJ = ptr(float64(*c.energy - *own.energy))
			if !own.agrees(c) {
				x.warn("sensor_disagreement", "%s says %s J, %s %s J", own.method, stats.Fixed(float64(*own.energy), 1), c.method, stats.Fixed(float64(*c.energy), 1))
			}
		}
		en.CrossChecks = append(en.CrossChecks, check)
	}
	if own.energy == nil {
		return own
	}
	for g := range owner.reading.PerGPU {
		e := float64(owner.reading.PerGPU[g])
		per := &en.PerGPU[g]
		per.EnergyJ, per.Method, per.UJ = &e, own.method, nil
		per.MeanPowerW = ptr(e / x.work.window.Seconds())
		early, late := owner.reach(x.work)
		if u, ok := edges[g].Figure(early, late); ok {
			per.UJ = ptr(float64(u.U))
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

// codeCarbon is all that CodeCarbon gave; nil where it was not asked or failed.
func (x *run) codeCarbon() *result.CodeCarbon {
	for _, i := range x.others {
		c := i.reading.Carbon
		if c == nil {
			continue
		}
		return &result.CodeCarbon{
			GPUJ: joules(i.reading.GPU), CPUJ: float64(i.reading.CPU), CPUMethod: i.reading.CPUMethod, CPUMeasured: i.reading.CPUMeasured,
			RAMJ: float64(i.reading.RAM), EmissionsKg: c.KgCO2eq, Country: c.Country,
			IntensityGPerKWh: c.IntensityGPerKWh, IntensitySource: c.Source, PUE: c.PUE,
		}
	}
	return nil
}

// mapHostScope maps the energy of a host without a GPU, by CodeCarbon.
func (x *run) mapHostScope(r *result.Record, en *result.Energy, fig load.Figures) {
	o := x.owner()
	en.Scope, en.Backend = measure.ScopeHost, o.backend()
	var why string
	switch {
	case x.work == nil || x.work.window <= 0:
		why = "the window was not reached"
	case o.err != nil:
		why = o.err.Error()
		x.warn("energy_unavailable", "%s", why)
	default:
		sum := o.reading.CPU + o.reading.RAM
		x.mapFigure(r, en, figure{method: o.Name(), energy: &sum}, fig)
		en.Method = o.Name()
		how := "a model of the CPU"
		if o.reading.CPUMeasured {
			how = "RAPL"
		}
		x.warn("energy_scope_host", "CPU by %s (%s), memory by a model of it: an estimate of the host, not of a GPU", how, o.reading.CPUMethod)
		return
	}
	en.Valid, en.Reasons = false, []string{why}
}

// findInstruments opens what energy.backend names, or with auto the first that
// is there: Zeus for GPUs, CodeCarbon for a host without. zeus takes the daemon
// and the Python package where both are there: the second checks the first.
func (x *run) findInstruments(ctx context.Context, e study.Energy) error {
	auto := e.Backend == "auto"
	var names []string
	switch {
	case e.Backend == "codecarbon", auto && len(x.job.GPUs) == 0:
		names = []string{"codecarbon"}
	case e.Backend == "zeus" && len(x.job.GPUs) == 0:
		return launch.Faultf(launch.ConfigFault, "energy.backend zeus is not available: %s", x.noEnergy)
	case auto, e.Backend == "zeus":
		names = []string{"zeusd", "zeus"}
	}
	var errs []error
	for _, name := range names {
		if x.OpenInstrument == nil || auto && len(x.others) > 0 {
			break
		}
		i, err := x.OpenInstrument(ctx, name, InstrumentOptions{Devices: x.job.GPUs, Python: e.Python, Country: e.Country})
		if err != nil {
			errs = append(errs, err)
			x.Log.Debug("instrument", "name", name, "error", err)
			continue
		}
		x.others = append(x.others, &instrument{Instrument: i})
	}
	if ctx.Err() != nil {
		return launch.Faultf(launch.InterruptFault, "interrupted")
	}
	if len(x.others) == 0 && !auto && len(names) > 0 {
		return launch.Faultf(launch.ConfigFault, "energy.backend %s is not available: %w", e.Backend, errors.Join(errs...))
	}
	return nil
}

func (x *run) closeInstruments() {
	for _, i := range x.others {
		if err := i.Close(); err != nil {
			x.Log.Warn("close "+i.Name(), "error", err)
		}
	}
	x.others = nil
}

// all does something to every instrument at once and waits for the last.
func (x *run) all(do func(*instrument)) (done <-chan struct{}) {
	out := make(chan struct{})
	var wg sync.WaitGroup
	for _, i := range x.others {
		wg.Go(func() { do(i) })
	}
	go func() { wg.Wait(); close(out) }()
	return out
}

// begin opens the instruments, and then reads the GPUs at the window's opening
// edge, which so is fresh and settles once, however late an instrument answers.
// That they open as much earlier is in their uncertainty.
func (x *run) begin(ctx context.Context) {
	<-x.all(func(i *instrument) {
		i.began = time.Now()
		i.err = i.Begin(ctx)
	})
	x.settle(ctx)
}

// end closes the instruments while the GPUs are read at the closing edge. What
// was measured is kept when the user has stopped the run.
func (x *run) end(ctx context.Context) {
	kept := context.WithoutCancel(ctx)
	done := x.all(func(i *instrument) {
		if i.err == nil {
			i.reading, i.err = i.End(kept)
			i.ended = time.Now()
		}
	})
	x.unwind(ctx)
	<-done
}
