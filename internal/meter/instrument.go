package meter

import (
	"context"
	"errors"
	"fmt"

	"github.com/llenergymeasure/llem/internal/measure"
)

// Instrument is another's meter, read by another's code: real Zeus and real
// CodeCarbon.
type Instrument struct {
	name     string
	versions map[string]string
	begin    func(context.Context) error
	end      func(context.Context) (measure.Reading, error)
	close    func() error
}

// Name is zeusd, zeus or codecarbon.
func (i *Instrument) Name() string { return i.name }

// Versions of what it is made of, by name.
func (i *Instrument) Versions() map[string]string { return i.versions }

// Begin opens the instrument's span.
func (i *Instrument) Begin(ctx context.Context) error { return i.begin(ctx) }

// End closes it and gives what was measured. GPUs are in the order in which they
// were named at its opening.
func (i *Instrument) End(ctx context.Context) (measure.Reading, error) { return i.end(ctx) }

// Close ends whatever the instrument runs.
func (i *Instrument) Close() error { return i.close() }

// OpenZeus starts Python's zeus.monitor on GPUs by NVML index. The error says
// how to install what is missing.
func OpenZeus(ctx context.Context, python string, gpus []int, log func(string)) (*Instrument, error) {
	c, i, err := openChild(ctx, python, question{Kind: "zeus", GPUs: gpus}, log)
	if err != nil {
		return nil, err
	}
	i.end = func(ctx context.Context) (measure.Reading, error) {
		var got struct {
			GPU []*float64 `json:"gpu_j"`
		}
		if err := c.ask(ctx, readTimeout, question{Op: "end"}, &got); err != nil {
			return measure.Reading{}, err
		}
		return perGPU("zeus", got.GPU, len(gpus))
	}
	return i, nil
}

// perGPU checks and adds the energies that an instrument gave for n GPUs.
func perGPU(name string, list []*float64, n int) (r measure.Reading, err error) {
	if len(list) != n {
		return r, fmt.Errorf("%s: energies of %d GPUs, %d were asked for", name, len(list), n)
	}
	var sum measure.Joules
	for _, e := range list {
		if e == nil || !(*e > 0) { // a counter that stood still all the window counts nothing
			return measure.Reading{}, fmt.Errorf("%s: no energy for a GPU: its counter is not supported or stood still", name)
		}
		r.PerGPU = append(r.PerGPU, measure.Joules(*e))
		sum += measure.Joules(*e)
	}
	r.GPU = &sum
	return r, nil
}

// OpenCodeCarbon starts Python's codecarbon for the host and GPUs by NVML index,
// with carbon by the energy mix of country, an ISO 3166 code of three letters.
func OpenCodeCarbon(ctx context.Context, python, country string, gpus []int, log func(string)) (*Instrument, error) {
	c, i, err := openChild(ctx, python, question{Kind: "codecarbon", GPUs: gpus, Country: country}, log)
	if err != nil {
		return nil, err
	}
	i.end = func(ctx context.Context) (measure.Reading, error) {
		var got emissions
		if err := c.ask(ctx, readTimeout, question{Op: "end"}, &got); err != nil {
			return measure.Reading{}, err
		}
		return got.reading(len(gpus))
	}
	return i, nil
}

// emissions are CodeCarbon's, null where it gave no number.
type emissions struct {
	GPU       *float64 `json:"gpu_total_j"`
	CPU       *float64 `json:"cpu_j"`
	CPUMethod string   `json:"cpu_method"`
	RAM       *float64 `json:"ram_j"`
	Emissions *float64 `json:"emissions_kg"`
	Energy    *float64 `json:"energy_kwh"`
	Country   string   `json:"country"`
	Source    string   `json:"source"`
	PUE       float64  `json:"pue"`
}

func (e *emissions) reading(gpus int) (r measure.Reading, err error) {
	for _, part := range []struct {
		name  string
		value *float64
	}{{"CPU's energy", e.CPU}, {"memory's energy", e.RAM}, {"amount of CO2eq", e.Emissions}, {"energy of all", e.Energy}} {
		if part.value == nil || *part.value < 0 {
			return r, fmt.Errorf("codecarbon: its %s is no figure: see its messages with --verbose", part.name)
		}
	}
	r = measure.Reading{
		CPU: measure.Joules(*e.CPU), CPUMethod: e.CPUMethod, CPUMeasured: e.CPUMethod == "intel_rapl",
		RAM: measure.Joules(*e.RAM), Carbon: &measure.Carbon{KgCO2eq: *e.Emissions, Country: e.Country, Source: e.Source, PUE: e.PUE},
	}
	if *e.Energy > 0 {
		r.Carbon.IntensityGPerKWh = *e.Emissions / *e.Energy * 1000
	}
	if gpus == 0 {
		return r, nil
	}
	// A counter that is missing is 0 kWh to CodeCarbon.
	if e.GPU == nil || !(*e.GPU > 0) {
		return r, errors.New("codecarbon: it counted no energy for the GPUs, which is no figure")
	}
	sum := measure.Joules(*e.GPU)
	r.GPU = &sum
	return r, nil
}

// question is a line to a child.
type question struct {
	Op      string `json:"op"`
	Kind    string `json:"kind,omitempty"`
	GPUs    []int  `json:"gpus"`
	Country string `json:"country,omitempty"`
}

// FindPackage looks for the instrument kind, zeus or codecarbon, in a Python, and
// gives its version and Python's by name. It imports neither, so that it is quick;
// whether the package works shows when it is opened. The error says how to install
// what is missing. It takes some seconds at most.
func FindPackage(ctx context.Context, python, kind string, log func(string)) (versions map[string]string, err error) {
	c, err := startChild(kind, python, log)
	if err != nil {
		return nil, err
	}
	var got struct{ Versions map[string]string }
	err = c.ask(ctx, findTimeout, question{Op: "find", Kind: kind, GPUs: []int{}}, &got)
	return got.Versions, errors.Join(err, c.close())
}

func openChild(ctx context.Context, python string, q question, log func(string)) (*pythonChild, *Instrument, error) {
	c, err := startChild(q.Kind, python, log)
	if err != nil {
		return nil, nil, err
	}
	q.Op = "open"
	if q.GPUs == nil {
		q.GPUs = []int{}
	}
	var got struct{ Versions map[string]string }
	if err := c.ask(ctx, openTimeout, q, &got); err != nil {
		return nil, nil, errors.Join(err, c.close())
	}
	return c, &Instrument{
		name: q.Kind, versions: got.Versions, close: c.close,
		begin: func(ctx context.Context) error {
			return c.ask(ctx, readTimeout, question{Op: "begin"}, &struct{}{})
		},
	}, nil
}
