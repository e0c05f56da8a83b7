package harness

import (
	"context"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/llenergymeasure/llem/internal/device"
	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/measure"
	simulated "github.com/llenergymeasure/llem/internal/meter"
	"github.com/llenergymeasure/llem/internal/result"
)

// loaded is a server that tells simulated GPUs how many requests it has in flight, of a
// most that it takes.
type loaded struct {
	http.Handler
	most int
	load simulated.Load

	mu sync.Mutex
	n  int
}

func (l *loaded) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		l.move(1)
		defer l.move(-1)
	}
	l.Handler.ServeHTTP(w, r)
}

func (l *loaded) move(by int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.n += by
	l.load.Set(float64(l.n) / float64(l.most))
}

// turns are taken by tests on simulated GPUs: all of these have the same UUIDs, by which they
// are locked.
var turns sync.Mutex

func takeTurn(t *testing.T) {
	turns.Lock()
	t.Cleanup(turns.Unlock)
}

// A whole run of an engine's stand-in on simulated GPUs has the energy that they used.
func TestARunsEnergyIsThatOfItsGPUs(t *testing.T) {
	t.Parallel()
	takeTurn(t)
	f := &fake{odd: func(io.Writer, int, int, int) bool { time.Sleep(150 * time.Millisecond); return false }}
	w := &watching{}
	r := f.runner(t, w)
	l := &loaded{Handler: f, most: 4}
	s := httptest.NewServer(l)
	t.Cleanup(s.Close)
	f.url = s.URL
	// Some readings lie in each refresh, and 20 refreshes in the window, on a busy machine too.
	sim := simulated.Simulate(&l.load, simulated.Simulated{Refresh: 60 * time.Millisecond})
	r.OpenGPUs = func(context.Context) (device.Session, error) { return sim, nil }
	out, err := r.Execute(t.Context(), experiment(t, "workload: {prompts: 40, max_input_tokens: 8, max_output_tokens: 4, load: {concurrency: 4}}\nenergy: {backend: auto}\n"))
	if err != nil {
		t.Fatal(err)
	}
	asWritten(t, out.Dir)
	rec := out.Record
	if rec.EnergyTotalJ == nil || rec.Energy.URepeatabilityJ == nil || rec.WindowSeconds == nil {
		t.Fatalf("no energy: %+v, %v", rec.Energy, rec.MeasurementWarnings)
	}
	from := *rec.WindowStart
	truth := float64(sim.Truth(0, from, from.Add(time.Duration(*rec.WindowSeconds*float64(time.Second)))))
	if u := *rec.Energy.URepeatabilityJ; math.Abs(*rec.EnergyTotalJ-truth) > 3*u || rec.Status != result.Completed {
		t.Errorf("%s: %.2f ± %.2f J, and the GPU used %.2f J; %v", rec.Status, *rec.EnergyTotalJ, 2*u, truth, rec.MeasurementWarnings)
	}
	if rec.Energy.Backend != sim.Name() {
		t.Errorf("energy by %s", rec.Energy.Backend)
	}
	if g := rec.Environment.GPUs; len(g) != 1 || g[0].Name != "Simulated GPU" || len(rec.Energy.PerGPU) != 1 || rec.Energy.PerGPU[0].Method != measure.MethodAligned {
		t.Errorf("%+v, %+v", g, rec.Energy.PerGPU)
	}
}

// counted counts the readings of a session's GPUs.
type counted struct {
	device.Session
	reads atomic.Int64
}

func (c *counted) Watch(d []device.Device) (device.Watcher, error) {
	w, err := c.Session.Watch(d)
	return &countedWatcher{w, c}, err
}

type countedWatcher struct {
	device.Watcher
	c *counted
}

func (w *countedWatcher) Sample(epoch time.Time, dst []device.Sample) ([]device.Sample, error) {
	defer w.c.reads.Add(1)
	return w.Watcher.Sample(epoch, dst)
}

// A run that fails before its window is observed with all readings that have the phase of
// the failure: those up to the record, from which verify computes its figures again.
func TestReadingsBetweenAFailureAndTheRecordAreObserved(t *testing.T) {
	t.Parallel()
	takeTurn(t)
	f := &fake{fails: 1}
	w := &watching{}
	r := f.runner(t, w)
	c := &counted{Session: simulated.Simulate(nil)}
	r.OpenGPUs = func(context.Context) (device.Session, error) { return c, nil }
	e := experiment(t, "")
	warmup := func() (n int) {
		paths, err := filepath.Glob(filepath.Join(e.Output.Dir, "*", result.SamplesFile))
		if err != nil || len(paths) != 1 {
			t.Fatal(paths, err)
		}
		rows, err := result.ReadSamples(paths[0])
		if err != nil {
			t.Fatal(err)
		}
		for i := range rows {
			if rows[i].Phase == measure.WarmupPhase.String() {
				n++
			}
		}
		return n
	}
	observed := 0
	w.at = func(phase string) {
		switch phase {
		case measure.Record.String():
			for seen := c.reads.Load(); c.reads.Load() < seen+5; {
				time.Sleep(time.Millisecond)
			}
		case measure.After.String():
			observed = warmup()
		}
	}
	out, err := r.Execute(t.Context(), e)
	if launch.KindOf(err) != launch.ExperimentFault || out.Dir == "" {
		t.Fatal(err)
	}
	if all := warmup(); observed < 5 || all != observed {
		t.Errorf("%d readings of the warmup, and %d of them were observed", all, observed)
	}
	asWritten(t, out.Dir)
}

// A meter that is asked for by name is not another one.
func TestAMeterThatIsAskedForIsNoOther(t *testing.T) {
	t.Parallel()
	f := &fake{}
	r := f.runner(t, &watching{})
	r.OpenGPUs = func(context.Context) (device.Session, error) { return simulated.Simulate(nil), nil }
	_, err := r.Execute(t.Context(), experiment(t, "energy: {backend: nvml}\n"))
	if launch.KindOf(err) != launch.ConfigFault || !strings.Contains(err.Error(), "are read by simulated") {
		t.Error(err)
	}
}
