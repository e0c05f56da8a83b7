package harness

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/llenergymeasure/llem/internal/measure"
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

// still is a GPU whose counter never moves, so that an edge takes its longest.
type still struct {
	measure.Watcher
	read func()
}

func (s still) Sample(epoch time.Time, dst []measure.Sample) ([]measure.Sample, error) {
	s.read()
	return append(dst, measure.Sample{Has: measure.HasEnergy, At: time.Since(epoch)}), nil
}

// However late an instrument answers, the edge comes after it and settles once.
func TestTheEdgeSettlesOnceAfterTheInstruments(t *testing.T) {
	t.Parallel()
	const late, refresh = 60 * time.Millisecond, 50 * time.Millisecond
	var first time.Time
	w := still{read: func() {
		if first.IsZero() {
			first = time.Now()
		}
	}}
	x := &run{Runner: &Runner{}, others: []*instrument{{Instrument: meter{name: "zeusd", takes: late}}}, refresh: []time.Duration{refresh}}
	x.recorder = measure.NewRecorder(w, 1, time.Hour)
	start := time.Now()
	x.begin(t.Context())
	if early := first.Sub(start); early < late {
		t.Errorf("the GPU was read %v after the instrument was asked, before its answer at %v", early, late)
	}
}
