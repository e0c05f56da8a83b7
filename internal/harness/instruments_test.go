package harness

import (
	"context"
	"testing"
	"time"

	"github.com/llenergymeasure/llem/internal/device"
	"github.com/llenergymeasure/llem/internal/measure"
	simulated "github.com/llenergymeasure/llem/internal/meter"
)

// meter is another's instrument that takes its time.
type meter struct {
	name  string
	takes time.Duration
}

func (m meter) Name() string                                       { return m.name }
func (m meter) Versions() map[string]string                        { return nil }
func (m meter) Begin(ctx context.Context) error                    { return measure.Sleep(ctx, m.takes) }
func (m meter) End(context.Context) (r measure.Reading, err error) { return r, nil }
func (m meter) Close() error                                       { return nil }

// However late an instrument answers, the edge comes after it and settles once.
func TestTheEdgeSettlesOnceAfterTheInstruments(t *testing.T) {
	t.Parallel()
	const late, refresh = 60 * time.Millisecond, 50 * time.Millisecond
	gpus, err := simulated.Simulate(nil, simulated.Simulated{Refresh: refresh}).Watch(make([]device.Device, 1))
	if err != nil {
		t.Fatal(err)
	}
	m := &meters{
		gpus:   &reader{refresh: []time.Duration{refresh}, recorder: measure.NewRecorder(gpus, 1, time.Hour)},
		others: instruments{{Instrument: meter{name: "zeusd", takes: late}}},
	}
	m.begin(t.Context())
	if first := m.gpus.recorder.Samples()[0].At; first < late {
		t.Errorf("the GPU was read %v after the instrument was asked, before its answer at %v", first, late)
	}
}
