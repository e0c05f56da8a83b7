package harness

import (
	"context"
	"errors"
	"fmt"

	"github.com/llenergymeasure/llem/internal/engine"
	"github.com/llenergymeasure/llem/internal/hub"
	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/study"
)

// Pulled is what an experiment needs and what is on this host now.
type Pulled struct {
	Image  launch.Image // zero where a server already runs
	Engine string       // empty: unknown until its server is asked
	Model  hub.Pulled   // zero where the model's name is the engine's own
	// Prompts is the dataset's file; zero where they are from none.
	Prompts hub.DataFile
}

// Pull brings an experiment's image and model onto this host, before time on its
// GPUs is taken. With pull: never it only looks whether they are here.
func (r *Runner) Pull(ctx context.Context, e study.Experiment) (Pulled, error) {
	x := &run{Runner: r, exp: e, planned: true}
	if err := x.pullImage(ctx); err != nil {
		return Pulled{}, err
	}
	out := Pulled{Image: x.image}
	if source := datasetOf(e); source != "" {
		var err error
		x.Observer.Say("prompts " + source)
		if out.Prompts, err = hub.EnsureDataset(ctx, hub.Options{Model: source, Pull: e.Engine.Pull, Progress: x.Observer.Progress}); err != nil {
			return Pulled{}, hubFault(fmt.Errorf("workload.source: %w", err))
		}
	}
	if x.running() && e.Workload.Source != "synthetic" { // text needs no file of the model
		if x.eng != nil {
			out.Engine = x.eng.Name()
		}
		return out, nil
	}
	small := x.running() // its server has the weights
	if x.eng != nil {
		out.Engine = x.eng.Name()
		if e.Model == "" || x.eng.Traits().OwnNames && !hub.IsPath(e.Model) {
			return out, nil
		}
		_, dummy := x.eng.Draws(x.exp.Engine.Args)
		small = small || dummy
	}
	o := hub.Options{Model: e.Model, Revision: e.Revision, Small: small, Progress: x.Observer.Progress}
	var err error
	if e.Engine.Pull == "never" {
		o.Pull = e.Engine.Pull
		out.Model.Model, err = hub.Ensure(ctx, o)
	} else {
		x.Observer.Say("model " + e.Model)
		out.Model, err = hub.Pull(ctx, o)
	}
	return out, hubFault(err)
}

// pullImage finds or pulls the image and tells the engine from it, or looks the
// named engine of a running server up.
func (x *run) pullImage(ctx context.Context) (err error) {
	if !x.running() {
		x.lookForGPUs(ctx)
		return x.findEngine(ctx)
	}
	if x.exp.Engine.Name != "" {
		if x.eng, err = engine.Lookup(x.exp.Engine.Name); err != nil {
			return &launch.Fault{Kind: launch.ConfigFault, Err: err}
		}
		return nil
	}
	if err := x.findKey(); err != nil {
		return err
	}
	seen, err := engine.Look(ctx, x.address(x.exp.Engine.Endpoint), false)
	if err != nil {
		return launch.Faultf(launch.ConfigFault, "engine.endpoint: %w; or name the engine with --engine or engine.name", err)
	}
	name, _, _ := seen.Tell()
	x.eng, err = engine.Lookup(name)
	return err
}

// lookForGPUs sees whether there are GPUs, on which it depends what image a bare
// engine name stands for. None are taken.
func (x *run) lookForGPUs(ctx context.Context) {
	if x.exp.GPUs.Mode == "none" {
		return
	}
	gpus, err := x.OpenGPUs(ctx)
	if err != nil {
		x.Log.Debug("look for GPUs", "error", err)
		return
	}
	defer gpus.Close()
	if x.devices, err = gpus.Devices(ctx); err != nil {
		x.Log.Debug("look for GPUs", "error", err)
	}
}

// hubFault gives an error of a download its kind.
func hubFault(err error) error {
	var has *launch.Fault
	switch {
	case err == nil, errors.Is(err, context.Canceled), errors.As(err, &has):
		return err
	case errors.Is(err, hub.ErrNotFound), errors.Is(err, hub.ErrDenied):
		return &launch.Fault{Kind: launch.ConfigFault, Err: err}
	}
	return &launch.Fault{Kind: launch.HostFault, Err: err}
}
