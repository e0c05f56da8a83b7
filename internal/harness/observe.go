package harness

import (
	"time"

	"github.com/llenergymeasure/llem/internal/meter/card"
	"github.com/llenergymeasure/llem/internal/record"
)

// observe is all that the run has seen so far: what its phases filled in, and what it
// was prepared with. err is why it does not complete, or nil. It shares the window and
// lists with the run, which only appends to them.
func (x *run) observe(err error) record.Observation {
	o := x.obs
	o.Run.Version, o.Run.Ended, o.Run.Err = x.Version, time.Now(), err
	if x.store != nil { // llem measure has no record
		o.Run.ID = x.id
	}
	if p := x.place; p != nil {
		o.Run.Study, o.Run.Cycles = new(p.Study), p.Cycles
	}
	o.Job = x.job
	x.observeHost(&o.Host)
	if x.server != nil {
		o.Server.Container = new(x.server.Info())
	}
	if x.kept != nil {
		o.Server.Kept = new(x.kept.Kept)
	}
	if rec := x.recorder; rec != nil {
		o.Readings.Epoch, o.Readings.Samples = rec.Epoch(), rec.Samples()
		o.Readings.Failed, o.Readings.Dropped, o.Readings.Lost = rec.Trouble()
		if o.Window != nil {
			o.Readings.From = o.Window.T0.Sub(rec.Epoch())
		}
	}
	for _, i := range x.others {
		o.Instruments = append(o.Instruments, record.Instrument{Name: i.Name(), Versions: i.Versions(), Began: i.began, Ended: i.ended, Reading: i.reading, Err: i.err})
	}
	return o
}

func (x *run) observeHost(h *record.Host) {
	h.Machine, h.Devices = describeHost(), x.job.GPUs
	if len(h.Devices) > 0 {
		h.Gain = new(card.GainOf(h.Devices))
	}
	for _, s := range x.lease.Settings(x.id) {
		h.Settings = append(h.Settings, record.Setting(s))
	}
}
