package harness

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"

	"github.com/llenergymeasure/llem/internal/engine"
	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/lease"
	"github.com/llenergymeasure/llem/internal/study"
)

// Plan is the container that a run would start, as far as it can be told before.
type Plan struct {
	Spec     launch.Spec   // without an engine's name: what it is shows when the image is here
	Pull     bool          // the image would be pulled
	Image    string        // what would be pulled for a bare engine name; empty: the image as it is named
	Fetch    bool          // the model would be downloaded, and its path is not known
	Prompts  bool          // the dataset of the prompts would be
	Endpoint string        // of a server that already runs, in place of a container
	Served   string        // what it calls the model
	Key      string        // where the key comes from that is sent; empty: none is
	Sends    int           // requests of an open loop; 0: a closed one
	Schedule time.Duration // when the last of them is due, since the first
	TimeUnit string        // of a trace's times, as they were read; empty: there is none
	Sent     Sent
	Busy     string // why no GPUs are named, though some are asked for; empty: they are
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

// Plan says which container Execute would start for e. It looks at the image
// and the GPUs, and starts, pulls, locks and writes nothing.
func (r *Runner) Plan(ctx context.Context, e study.Experiment) (Plan, error) {
	x := &run{Runner: r, id: newID(), exp: e, planned: true, started: time.Now().UTC()}
	defer x.release()
	p := Plan{Pull: e.Engine.Pull == "always", Endpoint: e.Engine.Endpoint}
	for _, look := range []func(context.Context, *Plan) error{x.planHost, x.planServer} {
		if err := look(ctx, &p); err != nil {
			return Plan{}, x.hidden(err)
		}
	}
	return p, nil
}

// planHost looks at prompts, model, daemon and GPUs.
func (x *run) planHost(ctx context.Context, p *Plan) error {
	if err := x.openPrompts(ctx); err != nil {
		return err
	}
	p.Prompts = x.fetchesPrompts
	if load := x.prompts.plan; x.exp.Workload.Load.Open() {
		p.Sends = load.N
		p.Schedule, _ = load.Pattern.At(load.N - 1)
		p.TimeUnit = load.Trace.Unit
	}
	p.Sent = x.prompts.sent(x.exp)
	if err := findModel(ctx, x.exp); err != nil {
		return &launch.Fault{Kind: launch.ConfigFault, Err: err}
	}
	if err := x.findDaemon(ctx); err != nil {
		return err
	}
	err := x.findGPUs(ctx)
	if errors.Is(err, lease.ErrBusy) || noGPU(err) {
		p.Busy, err = err.Error(), nil
	}
	return err
}

// planServer looks at the image and makes the container's spec. An image that is
// not here has none, unless its engine is named.
func (x *run) planServer(ctx context.Context, p *Plan) error {
	if x.running() {
		err := x.findServer(ctx)
		if err == nil {
			p.Spec = launch.Spec{Engine: x.eng.Name(), GPUs: lease.UUIDs(x.devices)}
			p.Served, p.Key = x.served.ID, x.sent.from
		}
		return err
	}
	if err := x.findKey(); err != nil {
		return err
	}
	asked := x.exp.Engine.Pull
	x.exp.Engine.Pull = "never"
	err := x.findEngine(ctx)
	if errors.Is(err, launch.ErrNoImage) && asked != "never" {
		p.Pull, err = true, nil
		name := x.exp.Engine.Name
		if upstream, bare := engine.Upstream(x.exp.Engine.Image, x.onGPUs()); bare {
			p.Image = upstream
			name = cmp.Or(name, strings.SplitN(x.exp.Engine.Image, ":", 2)[0])
		}
		if name == "" {
			return nil
		}
		if x.eng, err = engine.Lookup(name); err != nil {
			err = &launch.Fault{Kind: launch.ConfigFault, Err: err}
		}
	}
	x.exp.Engine.Pull = asked
	if err != nil {
		return err
	}
	x.shareKey()
	if err := x.findFiles(ctx); err != nil {
		return err
	}
	p.Fetch = x.fetches
	if p.Spec, err = x.spec(); err != nil {
		return &launch.Fault{Kind: launch.ConfigFault, Err: err}
	}
	return nil
}
