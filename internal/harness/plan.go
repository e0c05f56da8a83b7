package harness

import (
	"context"
	"errors"
	"time"

	"github.com/llenergymeasure/llem/internal/engine"
	"github.com/llenergymeasure/llem/internal/study"
)

// Plan is the container that a run would start, as far as it can be told before.
type Plan struct {
	Spec     engine.Spec // without an engine's name: what it is shows when the image is here
	Pull     bool        // the image would be pulled
	Fetch    bool        // the model would be downloaded, and its path is not known
	Endpoint string      // of a server that already runs, in place of a container
	Busy     string      // why no GPUs are named, though some are asked for; empty: they are
}

// Plan says which container Execute would start for e. It looks at the image
// and the GPUs, and starts, pulls, locks and writes nothing.
func (r *Runner) Plan(ctx context.Context, e study.Experiment) (Plan, error) {
	looks := *r
	looks.WaitGPU = false
	x := &run{Runner: &looks, id: newID(), exp: e, planned: true, started: time.Now().UTC()}
	defer x.release()
	if err := x.prompts.open(e); err != nil {
		return Plan{}, &Fault{Kind: ConfigFault, Err: err}
	}
	if err := findModel(ctx, e); err != nil {
		return Plan{}, &Fault{Kind: ConfigFault, Err: err}
	}
	p := Plan{Pull: e.Engine.Pull == "always"}
	if err := x.findDaemon(ctx); err != nil {
		return Plan{}, err
	}
	err := x.findGPUs(ctx)
	if errors.Is(err, errBusy) {
		p.Busy, err = err.Error(), nil
	}
	if err != nil {
		return Plan{}, err
	}
	if x.running() {
		if err := x.findServer(ctx); err != nil {
			return Plan{}, err
		}
		return Plan{Spec: engine.Spec{Engine: x.eng.Name(), GPUs: uuids(x.devices)}, Busy: p.Busy, Endpoint: e.Engine.Endpoint}, nil
	}
	x.exp.Engine.Pull = "never"
	err = x.findEngine(ctx)
	if errors.Is(err, ErrNoImage) && e.Engine.Pull != "never" {
		p.Pull, err = true, nil
		if e.Engine.Name == "" {
			return p, nil
		}
		if x.eng, err = engine.Lookup(e.Engine.Name); err != nil {
			err = &Fault{Kind: ConfigFault, Err: err}
		}
	}
	if err != nil {
		return Plan{}, err
	}
	x.exp = e
	if err := x.findFiles(ctx); err != nil {
		return Plan{}, err
	}
	p.Fetch = x.fetches
	if p.Spec, err = x.spec(); err != nil {
		return Plan{}, &Fault{Kind: ConfigFault, Err: err}
	}
	return p, nil
}

// lock takes the locks of GPUs, or none where the run is only planned.
func (x *run) lock(uuids []string) (*Locks, error) {
	if x.planned {
		return nil, nil
	}
	return LockGPUs(uuids, x.id)
}
