package harness

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/measure"
	"github.com/llenergymeasure/llem/internal/study"
)

// instrument is another's meter in this run.
type instrument struct {
	Instrument
	began, ended time.Time // the call that opened it, and the answer that closed it
	reading      measure.Reading
	err          error // why there is no reading
}

// hostScope says that the figure is the host's, since there is no GPU.
func (x *run) hostScope() bool { return len(x.others) > 0 && len(x.job.GPUs) == 0 }

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
		return launch.Faultf(launch.ConfigFault, "energy.backend zeus is not available: %s", x.obs.Host.NoEnergy)
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
