package record

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/llenergymeasure/llem/internal/load"
	"github.com/llenergymeasure/llem/internal/measure"
	"github.com/llenergymeasure/llem/internal/pattern"
	"github.com/llenergymeasure/llem/internal/result"
	"github.com/llenergymeasure/llem/internal/stats"
	"github.com/llenergymeasure/llem/internal/study"
)

func TestAClientThatMeasuresItselfIsBound(t *testing.T) {
	t.Parallel()
	const second = time.Second
	for _, c := range []struct {
		name    string
		cpu     time.Duration
		pattern string
		lagMS   float64
		readMS  float64
		itlMS   float64
		want    string
	}{ // what is bound is not ranked; what is only read late is
		{"little to do", second / 2, "closed", 0, 0.1, 20, ""},
		{"most of a core", 9 * second, "closed", 0, 0.1, 20, "client_bound: the client used 90 % of a core"},
		{"late at a constant rate", second, "constant", 11, 0.1, 20, "client_bound: requests left 11.0 ms late"},
		{"a little late", second, "constant", 9, 0.1, 20, ""},
		{"a closed loop has no schedule", second, "closed", 50, 0.1, 20, ""},
		{"late reads", second, "closed", 0, 2.1, 20, "reads_late: answers were read 2.1 ms late at the 99th percentile, of inter-token latencies of 20.0 ms"},
		{"late reads of what takes long", second, "closed", 0, 1.9, 20, ""},
		{"reads as late as they may be", second, "closed", 0, 0.5, 1, ""},
		{"a kernel that tells nothing", second, "closed", 0, -1, 20, "receipts_unknown: the kernel did not say"},
		{"late reads of single tokens", second, "closed", 0, 2.1, 0, "of times to first token of 15.0 ms"},
	} {
		w := &Window{Timings: load.List{}, Audit: load.Audit{CPU: c.cpu, Took: 10 * second}, ReadLag: &stats.Summary{P99: c.readMS}}
		if c.readMS < 0 {
			w.ReadLag = nil
		}
		fig := load.Figures{Lag: &stats.Summary{P99: c.lagMS}, TTFT: &stats.Summary{P99: 15}}
		if c.itlMS > 0 {
			fig.ITL = &stats.Summary{P99: c.itlMS}
		}
		got := ""
		for _, one := range w.clientWarnings(study.Workload{Load: pattern.Load{Pattern: c.pattern}}, fig) {
			got += one.String()
		}
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

// A request that finds no place is late by the server, which a rate that is bound
// allows for.
func TestAWaitForAPlaceIsNotTheClients(t *testing.T) {
	t.Parallel()
	for most, want := range map[int]int{0: 1, 8: 0} {
		w := &Window{Timings: load.List{}, Audit: load.Audit{Took: time.Second}}
		of := study.Workload{Load: pattern.Load{Pattern: "poisson", RatePerSecond: 1, MaxInFlight: most}}
		if got := w.clientWarnings(of, load.Figures{Lag: &stats.Summary{P99: 5000}}); len(got) != want {
			t.Errorf("at most %d in flight: %v", most, got)
		}
	}
}

// A check that died is said, whoever it is.
func TestAnInstrumentThatFailsIsSaid(t *testing.T) {
	t.Parallel()
	j := measure.Joules(10)
	good := Instrument{Name: "zeusd", Reading: measure.Reading{GPU: &j}}
	dead := Instrument{Name: "zeus", Err: errors.New("zeus: its child ended")}
	for _, c := range []struct {
		name   string
		others []Instrument
		nvml   figure
		want   []string
	}{
		{"both answer", []Instrument{good, good}, figure{method: "counter", energy: &j}, nil},
		{"the second died", []Instrument{good, dead}, figure{method: "counter", energy: &j}, []string{"instrument_failed: zeus: its child ended"}},
		{"NVML gave nothing", []Instrument{good}, figure{}, []string{"instrument_failed: NVML: a GPU gave neither"}},
	} {
		o := Observation{Instruments: c.others, Readings: Readings{Meter: "nvml"}, Window: &Window{Length: time.Minute}}
		o.owned(&result.Energy{}, c.nvml, []measure.Edges{{}})
		ok := len(o.Warnings) == len(c.want)
		for i := range min(len(c.want), len(o.Warnings)) {
			ok = ok && strings.HasPrefix(o.Warnings[i].String(), c.want[i])
		}
		if !ok {
			t.Errorf("%s: warnings %v, want %v", c.name, o.Warnings, c.want)
		}
	}
}
