package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/llenergymeasure/llem/internal/device"
	"github.com/llenergymeasure/llem/internal/harness"
	"github.com/llenergymeasure/llem/internal/measure"
	"github.com/llenergymeasure/llem/internal/meter"
)

// openGPUs is meter.Open for the harness.
func openGPUs(context.Context) (device.Session, error) {
	g, err := meter.Open()
	if errors.Is(err, meter.ErrNoLibrary) || errors.Is(err, meter.ErrUnavailable) {
		return nil, noGPU{err}
	}
	return g, err
}

// noGPU is harness.ErrNoGPU in the meter's words.
type noGPU struct{ error }

func (noGPU) Is(target error) bool { return target == harness.ErrNoGPU }
func (n noGPU) Unwrap() error      { return n.error }

// openHost finds the host's own energy counters. LLEM_POWERCAP names their folder
// where the host's /sys lies elsewhere, as in a container.
func openHost() (measure.HostReader, error) {
	dir := os.Getenv("LLEM_POWERCAP")
	if dir == "" {
		dir = meter.Powercap
	}
	r, err := meter.OpenRAPL(dir)
	if err != nil {
		return nil, err
	}
	return r, nil
}

// pythonFor is the Python of another's meter: the experiment's, else the host's.
func pythonFor(experiment string) string {
	return cmp.Or(experiment, os.Getenv("LLEM_PYTHON"), "python3")
}

// zeusdSocket is where Zeus's daemon listens.
func zeusdSocket() string { return cmp.Or(os.Getenv("ZEUSD_SOCK_PATH"), meter.ZeusdSocket) }

// openInstrument opens another's meter.
func (a *app) openInstrument(ctx context.Context, name string, opt harness.InstrumentOptions) (harness.Instrument, error) {
	indices := make([]int, len(opt.Devices))
	for i, d := range opt.Devices {
		indices[i] = d.Index
	}
	python := pythonFor(opt.Python)
	log := func(line string) { a.log.Debug(name, "says", line) }
	var i *meter.Instrument
	var err error
	switch name {
	case "zeusd":
		i, err = meter.OpenZeusd(ctx, zeusdSocket(), opt.Devices)
	case "zeus":
		i, err = meter.OpenZeus(ctx, python, indices, log)
	case "codecarbon":
		i, err = meter.OpenCodeCarbon(ctx, python, opt.Country, indices, log)
	default:
		err = fmt.Errorf("no instrument is called %s", name)
	}
	if err != nil {
		return nil, err
	}
	return i, nil
}
