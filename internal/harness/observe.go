package harness

import (
	"time"

	"github.com/llenergymeasure/llem/internal/record"
)

// observe is all that was seen so far: what the phases filled in o, and what the run is
// measured with. err is why it does not complete, or nil. It shares the window and lists
// with o, which are only appended to.
func (u *setup) observe(o record.Observation, err error) record.Observation {
	o.Run.Ended, o.Run.Err = time.Now(), err
	o.Host = u.meters.gpus.host()
	for _, s := range u.place.pool.lease.Settings(o.Job.Run.ID) {
		o.Host.Settings = append(o.Host.Settings, record.Setting(s))
	}
	if u.server != nil {
		o.Server = u.server.observe()
	}
	if u.origin == fromBefore {
		o.Server.Kept = new(u.server.container.Kept)
	}
	o.Readings, o.Instruments = u.meters.gpus.readings(o.Window), u.meters.others.observe()
	return o
}
