package job

import (
	"cmp"
	"context"
	"errors"
	"strings"

	"github.com/llenergymeasure/llem/internal/device"
	"github.com/llenergymeasure/llem/internal/engine"
	"github.com/llenergymeasure/llem/internal/hub"
	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/study"
)

// DryRun is what a run would start and send, as far as it is known before. The job's
// Fetch fields say what a run would download.
type DryRun struct {
	Job   *Job   // its spec names no engine where that shows when the image is here
	Pull  bool   // the image would be pulled
	Image string // what would be pulled for a bare engine name; empty: the image as it is named
	Busy  string // why no GPUs are named, though some are asked for; empty: they are
}

// DryRun finds what a run of e would start and send. It looks at the image and at what
// selectGPUs says, and starts, pulls and downloads nothing. The job is there beside an
// error, as far as it was made.
func (f *Finder) DryRun(ctx context.Context, e study.Experiment, r Run, selectGPUs func(context.Context) (gpus []device.Device, busy string, err error)) (DryRun, error) {
	asked := e.Engine.Pull
	e.Engine.Pull = "never"
	j := &Job{Experiment: e, Run: r}
	defer func() { j.Experiment.Engine.Pull = asked }()
	d := DryRun{Job: j, Pull: asked == "always"}
	missing := func(err error) bool { return asked != "never" && errors.Is(err, hub.ErrNotFound) }
	err := f.Prompts(ctx, j)
	if j.Prompts.Fetch = missing(err); err != nil && !j.Prompts.Fetch {
		return d, err
	}
	if err := LocalModel(ctx, e); err != nil {
		return d, err
	}
	if err := f.Daemon(ctx, j); err != nil {
		return d, err
	}
	if j.GPUs, d.Busy, err = selectGPUs(ctx); err != nil {
		return d, err
	}
	if j.Running() {
		return d, f.Server(ctx, j)
	}
	if err := f.findKey(j); err != nil {
		return d, err
	}
	err = f.findEngine(ctx, j)
	if asked != "never" && errors.Is(err, launch.ErrNoImage) {
		d.Pull = true
		d.Image, err = lookup(j)
	}
	if err != nil || j.Engine == nil {
		return d, err
	}
	err = f.findFiles(ctx, j)
	if j.Model.Fetch = missing(err); err != nil && !j.Model.Fetch {
		return d, err
	}
	return d, j.complete()
}

// lookup finds the engine of a job whose image is not here by its name; none, where the
// image is to tell it. upstream is the image that a bare engine name means.
func lookup(j *Job) (upstream string, err error) {
	g := j.Experiment.Engine
	name := g.Name
	upstream, bare := engine.Upstream(g.Image, j.onGPUs())
	if bare {
		name = cmp.Or(name, strings.SplitN(g.Image, ":", 2)[0])
	}
	if name != "" {
		j.Engine, err = engine.Lookup(name)
	}
	return upstream, config(err)
}

// Sent is what would be sent, as far as it is known before.
type Sent struct {
	Texts    int      // prompts of a file; 0: they are synthetic, or the file is not here
	Bytes    float64  // of one, in the mean
	First    string   // of them, whole
	Template string   // by which they were made of the file's columns
	NotSent  []string // columns of it
	Input    float64  // tokens of a synthetic prompt, in the mean; 0: it is a file's
	Output   float64  // tokens of an answer, at most, in the mean
}

// mostAveraged bounds the requests that mean lengths are of.
const mostAveraged = 100_000

// Sent is what is known of the prompts before anything starts.
func (p *Prompts) Sent(e study.Experiment) Sent {
	s := Sent{Template: p.Template, NotSent: p.NotSent}
	n := min(p.Schedule.N, mostAveraged)
	o := p.synthetic(e, 1)
	for i := range n {
		size := o.Size(i)
		s.Output += float64(size.Output) / float64(n)
		if e.Workload.Source == "synthetic" {
			s.Input += float64(size.Input) / float64(n)
		}
	}
	if s.Texts = len(p.Measured); s.Texts > 0 {
		s.First = p.Measured[0].Prompt
	}
	for _, r := range p.Measured {
		s.Bytes += float64(len(r.Prompt)) / float64(s.Texts)
	}
	return s
}
