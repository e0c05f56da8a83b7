package harness

import (
	"time"

	"github.com/llenergymeasure/llem/internal/record"
)

// observe is all that the run has seen so far: what its phases filled in, and what it
// was prepared with. err is why it does not complete, or nil. It shares the window and
// lists with the run, which only appends to them.
func (x *run) observe(err error) record.Observation {
	o := x.obs
	o.Run.ID, o.Run.Version, o.Run.Ended, o.Run.Err = x.id, x.Version, time.Now(), err
	o.Run.Phases = x.times.phases
	if p := x.place; p != nil {
		o.Run.Study, o.Run.Cycles = new(p.Study), p.Cycles
	}
	o.Job = x.job
	o.Host = x.meters.gpus.host()
	for _, s := range x.lease.Settings(x.id) {
		o.Host.Settings = append(o.Host.Settings, record.Setting(s))
	}
	if x.server != nil {
		o.Server.Container = new(x.server.Info())
	}
	if x.kept != nil {
		o.Server.Kept = new(x.kept.Kept)
	}
	o.Readings, o.Instruments = x.meters.gpus.readings(o.Window), x.meters.others.observe()
	return o
}
