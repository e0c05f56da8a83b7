package harness

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/measure"
	"github.com/llenergymeasure/llem/internal/record"
	"github.com/llenergymeasure/llem/internal/study"
)

// instrument is another's meter in this run.
type instrument struct {
	Instrument
	began, ended time.Time // the call that opened it, and the answer that closed it
	reading      measure.Reading
	err          error // why there is no reading
}

// instruments are those of a run. The first owns the figure.
type instruments []*instrument

// openInstruments opens what energy.backend names, or with auto the first that
// is there: Zeus for GPUs, CodeCarbon for a host without. zeus takes the daemon
// and the Python package where both are there: the second checks the first. What was
// opened must be closed, after an error too.
func (r *Runner) openInstruments(ctx context.Context, e study.Energy, gpus *reader) (list instruments, err error) {
	auto := e.Backend == "auto"
	var names []string
	switch {
	case e.Backend == "codecarbon", auto && len(gpus.devices) == 0:
		names = []string{"codecarbon"}
	case e.Backend == "zeus" && len(gpus.devices) == 0:
		return nil, launch.Faultf(launch.ConfigFault, "energy.backend zeus is not available: %s", gpus.noEnergy)
	case auto, e.Backend == "zeus":
		names = []string{"zeusd", "zeus"}
	}
	var errs []error
	for _, name := range names {
		if r.OpenInstrument == nil || auto && len(list) > 0 {
			break
		}
		i, err := r.OpenInstrument(ctx, name, InstrumentOptions{Devices: gpus.devices, Python: e.Python, Country: e.Country})
		if err != nil {
			errs = append(errs, err)
			r.Log.Debug("instrument", "name", name, "error", err)
			continue
		}
		list = append(list, &instrument{Instrument: i})
	}
	if ctx.Err() != nil {
		return list, launch.Faultf(launch.InterruptFault, "interrupted")
	}
	if len(list) == 0 && !auto && len(names) > 0 {
		return nil, launch.Faultf(launch.ConfigFault, "energy.backend %s is not available: %w", e.Backend, errors.Join(errs...))
	}
	return list, nil
}

func (list instruments) close(log *slog.Logger) {
	for _, i := range list {
		if err := i.Close(); err != nil {
			log.Warn("close "+i.Name(), "error", err)
		}
	}
}

// all does something to every instrument at once and waits for the last.
func (list instruments) all(do func(*instrument)) (done <-chan struct{}) {
	out := make(chan struct{})
	var wg sync.WaitGroup
	for _, i := range list {
		wg.Go(func() { do(i) })
	}
	go func() { wg.Wait(); close(out) }()
	return out
}

func (list instruments) begin(ctx context.Context) {
	<-list.all(func(i *instrument) {
		i.began = time.Now()
		i.err = i.Begin(ctx)
	})
}

// end closes their spans, until done is closed.
func (list instruments) end(ctx context.Context) (done <-chan struct{}) {
	return list.all(func(i *instrument) {
		if i.err == nil {
			i.reading, i.err = i.End(ctx)
			i.ended = time.Now()
		}
	})
}

func (list instruments) observe() (out []record.Instrument) {
	for _, i := range list {
		out = append(out, record.Instrument{Name: i.Name(), Versions: i.Versions(), Began: i.began, Ended: i.ended, Reading: i.reading, Err: i.err})
	}
	return out
}
