package job

import (
	"context"
	"fmt"

	"github.com/llenergymeasure/llem/internal/device"
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
// GPUs is taken. With pull: never it only looks whether they are here. Which image a bare
// engine name means depends on whether there are gpus.
func (f *Finder) Pull(ctx context.Context, e study.Experiment, gpus []device.Device) (Pulled, error) {
	j := &Job{Experiment: e, GPUs: gpus}
	if err := f.pullImage(ctx, j); err != nil {
		return Pulled{}, err
	}
	out := Pulled{Image: j.Image}
	if source := e.Workload.Source; hub.IsDataset(source) {
		var err error
		f.Say("prompts " + source)
		if out.Prompts, err = hub.EnsureDataset(ctx, hub.Options{Model: source, Pull: e.Engine.Pull, Progress: f.Progress}); err != nil {
			return Pulled{}, hubFault(fmt.Errorf("workload.source: %w", err))
		}
	}
	if j.Engine != nil {
		out.Engine = j.Engine.Name()
	}
	if j.Running() && e.Workload.Source != "synthetic" { // text needs no file of the model
		return out, nil
	}
	small := j.Running() // its server has the weights
	if j.Engine != nil {
		if e.Model == "" || j.ownName() {
			return out, nil
		}
		_, dummy := j.Engine.Draws(e.Engine.Args)
		small = small || dummy
	}
	o := hub.Options{Model: e.Model, Revision: e.Revision, Small: small, Progress: f.Progress}
	var err error
	if e.Engine.Pull == "never" {
		o.Pull = e.Engine.Pull
		out.Model.Model, err = hub.Ensure(ctx, o)
	} else {
		f.Say("model " + e.Model)
		out.Model, err = hub.Pull(ctx, o)
	}
	return out, hubFault(err)
}

// pullImage finds or pulls the image and tells the engine from it, or looks the
// named engine of a running server up.
func (f *Finder) pullImage(ctx context.Context, j *Job) (err error) {
	g := j.Experiment.Engine
	if !j.Running() {
		return f.findEngine(ctx, j)
	}
	if g.Name != "" {
		j.Engine, err = engine.Lookup(g.Name)
		return config(err)
	}
	if err := f.findKey(j); err != nil {
		return err
	}
	seen, err := engine.Look(ctx, j.At(g.Endpoint), false)
	if err != nil {
		return launch.Faultf(launch.ConfigFault, "engine.endpoint: %w; or name the engine with --engine or engine.name", err)
	}
	name, _, _ := seen.Tell()
	j.Engine, err = engine.Lookup(name)
	return err
}
