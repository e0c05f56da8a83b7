package harness

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/llenergymeasure/llem/internal/measure"
	meters "github.com/llenergymeasure/llem/internal/meter"
	"github.com/llenergymeasure/llem/internal/result"
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

// A check that died is said, whoever it is.
func TestAnInstrumentThatFailsIsSaid(t *testing.T) {
	t.Parallel()
	j := measure.Joules(10)
	good := func() *instrument {
		return &instrument{Instrument: meter{name: "zeusd"}, reading: measure.Reading{GPU: &j}}
	}
	dead := func() *instrument {
		return &instrument{Instrument: meter{name: "zeus"}, err: errors.New("zeus: its child ended")}
	}
	for _, c := range []struct {
		name   string
		others []*instrument
		nvml   figure
		want   []string
	}{
		{"both answer", []*instrument{good(), good()}, figure{method: "counter", energy: &j}, nil},
		{"the second died", []*instrument{good(), dead()}, figure{method: "counter", energy: &j}, []string{"instrument_failed: zeus: its child ended"}},
		{"NVML gave nothing", []*instrument{good()}, figure{}, []string{"instrument_failed: NVML: a GPU gave neither"}},
	} {
		x := &run{Runner: &Runner{}, others: c.others, work: &work{window: time.Minute}}
		x.owned(&result.Energy{}, c.nvml, []measure.Edges{{}})
		ok := len(x.warnings) == len(c.want)
		for i := range min(len(c.want), len(x.warnings)) {
			ok = ok && strings.HasPrefix(x.warnings[i].String(), c.want[i])
		}
		if !ok {
			t.Errorf("%s: warnings %v, want %v", c.name, x.warnings, c.want)
		}
	}
}

// However late an instrument answers, the edge comes after it and settles once.
func TestTheEdgeSettlesOnceAfterTheInstruments(t *testing.T) {
	t.Parallel()
	const late, refresh = 60 * time.Millisecond, 50 * time.Millisecond
	gpus, err := meters.Simulate(nil, meters.Simulated{Refresh: refresh}).Watch(make([]measure.Device, 1))
	if err != nil {
		t.Fatal(err)
	}
	x := &run{Runner: &Runner{}, others: []*instrument{{Instrument: meter{name: "zeusd", takes: late}}}, refresh: []time.Duration{refresh}}
	x.recorder = measure.NewRecorder(gpus, 1, time.Hour)
	x.begin(t.Context())
	if first := x.recorder.Samples()[0].At; first < late {
		t.Errorf("the GPU was read %v after the instrument was asked, before its answer at %v", first, late)
	}
}
