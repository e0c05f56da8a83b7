package meter

import (
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/llenergymeasure/llem/internal/device"
	"github.com/llenergymeasure/llem/internal/measure"
	"github.com/llenergymeasure/llem/internal/meter/card"
	"github.com/llenergymeasure/llem/internal/record"
)

func TestNewVariant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		at := slices.IndexFunc(rows, func(r Row) bool { return r.Name == "rocm" })
		if at < 0 {
			t.Fatalf("%d rows, and none is rocm", len(rows))
		}
		rows[0].Open = func(Options) (device.Session, error) { return nil, ErrNoLibrary }
		if here, err := Open(); err != nil || here.Name() != "rocm" {
			t.Errorf("on a host without the first meter's driver: %v, %v", here, err)
		}
		l := new(Load)
		g, err := rows[at].Open(Options{Load: l})
		if err != nil {
			t.Fatal(err)
		}
		es, from, to := window(t, g, func() { requests(l, 1, 20*time.Second) })
		e := es[0]
		if truth := g.(*rocm).used(to) - g.(*rocm).used(from); e.U == nil || math.Abs(float64(*e.Energy)-truth) > 3*float64(*e.U) {
			t.Errorf("%+v, and it used %g J", e, truth)
		}
		devices, err := g.Select(t.Context(), []string{"0"})
		if err != nil {
			t.Fatal(err)
		}
		if gain := card.GainOf(devices); gain.Standing != measure.Uncharacterised || card.ScopeOf(devices) != measure.ScopeGPU {
			t.Errorf("%+v", gain)
		}
		l.Set(1)
		w, _ := g.Watch(devices)
		samples, _ := w.Sample(from, nil)
		facts := measure.GPUFacts{Devices: devices, Samples: samples, To: samples[0].At + time.Second, Energies: []measure.DeviceEnergy{{Samples: 10}}}
		o := record.Observation{Host: record.Host{Devices: devices}, Readings: record.Readings{Meter: g.Name(), Samples: samples}}
		for row := range o.Samples() {
			if by := record.Of(o).Energy.Backend; row.Source != "rocm" || by != "rocm" {
				t.Errorf("a reading by %s, energy by %s", row.Source, by)
			}
		}
		if got := measure.GPUWarnings(facts); len(got) != 1 || !strings.Contains(got[0].Message, "software power cap in 1 of 1 readings") {
			t.Errorf("%v", got)
		}
	})
}
