package harness

import (
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/llenergymeasure/llem/internal/load"
	"github.com/llenergymeasure/llem/internal/meter/card"
	"github.com/llenergymeasure/llem/internal/record"
)

// observe is all that the run has seen so far: what its phases filled in, and what it
// was prepared with. err is why it does not complete, or nil.
func (x *run) observe(err error) record.Observation {
	o := x.obs
	o.Run.Version, o.Run.Ended, o.Run.Err = x.Version, time.Now(), err
	if x.store != nil { // llem measure has no record
		o.Run.ID = x.id
	}
	if p := x.place; p != nil {
		o.Run.Study, o.Run.Cycles = new(p.StudyRun), p.cycles
	}
	o.Experiment = x.job.Experiment
	x.observeHost(&o.Host)
	x.observeServer(&o.Server)
	if c := x.job.Model.Sized; c != nil {
		o.Model = &record.Model{Parameters: c.Parameters, Commit: c.Commit, Fingerprint: c.Fingerprint, Err: c.Err}
	}
	p, e := &x.job.Prompts, x.job.Experiment
	o.Prompts = record.Prompts{
		Plan: p.Plan, File: p.File(), Digest: p.Digest, Commit: p.Commit, Template: p.Template, NotSent: p.NotSent, LeftOut: p.LeftOut,
		Vocabulary: p.Vocabulary.Source, Counted: p.Counted, Head: len(p.Vocabulary.Head), Planned: p.Planned(e),
		First: func(n int) iter.Seq[load.Request] { return p.First(e, n) },
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
	h.Machine, h.Daemon, h.Devices, h.NoEnergy = describeHost(), x.job.Daemon, x.job.GPUs, x.noEnergy
	if len(x.job.GPUs) > 0 {
		h.Gain = new(card.GainOf(x.job.GPUs))
	}
	for _, s := range x.lease.Settings(x.id) {
		h.Settings = append(h.Settings, record.Setting(s))
	}
}

func (x *run) observeServer(s *record.Server) {
	j := &x.job
	s.Engine, s.ToldBy, s.Image, s.Info = j.Engine, j.ToldBy, j.Image, x.info
	s.Served, s.Listed = j.Served, j.Listed
	s.KeyFrom, s.Headers = j.Credentials.From, slices.Sorted(maps.Keys(j.Credentials.Header))
	s.Overridden, s.LeftOut = j.Spec.Overridden, j.Spec.LeftOut
	if x.server != nil {
		s.Container = new(x.server.Info())
	}
	if x.kept != nil {
		s.Kept = new(x.kept.Kept)
	}
}
