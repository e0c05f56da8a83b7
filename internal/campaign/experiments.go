package campaign

import (
	"context"
	"errors"
	"fmt"

	"github.com/llenergymeasure/llem/internal/dataset"
	"github.com/llenergymeasure/llem/internal/hub"
	"github.com/llenergymeasure/llem/internal/job"
	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/study"
)

// Experiments are those of the points that a plan runs, which are made one at a time.
type Experiments struct {
	plan    *study.Plan
	restore func(study.Experiment) (study.Experiment, error) // puts secrets back
}

// AsWritten are the experiments of p, whose secrets are not looked for.
func AsWritten(p *study.Plan) Experiments {
	return Experiments{p, func(e study.Experiment) (study.Experiment, error) { return e, nil }}
}

// at is the experiment of a point.
func (x Experiments) at(point int) (study.Experiment, error) {
	e, err := x.plan.Experiment(point)
	if err == nil {
		e, err = x.restore(e)
	}
	if err != nil {
		return e, &launch.Fault{Kind: launch.ConfigFault, Err: err}
	}
	return e, nil
}

// Each calls do with every experiment and the number of its point, from 0. It ends at the
// first error.
func (x Experiments) Each(do func(point int, e study.Experiment) error) error {
	for _, i := range x.plan.Runnable() {
		e, err := x.at(i)
		if err == nil {
			err = do(i, e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Distinct are the experiments that differ in what key says of them.
func (x Experiments) Distinct(key func(study.Experiment) string) ([]study.Experiment, error) {
	var out []study.Experiment
	seen := map[string]bool{}
	err := x.Each(func(_ int, e study.Experiment) error {
		if k := key(e); !seen[k] {
			seen[k] = true
			out = append(out, e)
		}
		return nil
	})
	return out, err
}

// Needs is one experiment for all that need the same image, model and dataset.
func (x Experiments) Needs() ([]study.Experiment, error) {
	return x.Distinct(func(e study.Experiment) string {
		g := e.Engine
		return fmt.Sprint(g.Image, "\x00", g.Pull, "\x00", g.Name, "\x00", g.Endpoint, "\x00", e.Model, "\x00", e.Revision, "\x00", g.Args, "\x00", e.GPUs.Mode, "\x00", datasetOf(e))
	})
}

// datasetOf is that of an experiment's prompts; empty: they are from none.
func datasetOf(e study.Experiment) string {
	if !hub.IsDataset(e.Workload.Source) {
		return ""
	}
	return e.Workload.Source
}

// Unfit says why points cannot be run whose prompts or trace are not to be had: a file
// that is missing, damaged or too short.
func (x Experiments) Unfit(ctx context.Context) (map[int]string, error) {
	out := map[int]string{}
	seen := map[string]string{}
	files := &dataset.Cache{}
	err := x.Each(func(i int, e study.Experiment) error {
		w := e.Workload
		if w.Source == "synthetic" && w.Load.File == "" && w.Lengths.File == "" {
			return nil
		}
		key := fmt.Sprintf("%+v", w)
		why, known := seen[key]
		if !known {
			j := job.Job{Experiment: e}
			j.Experiment.Engine.Pull = "never" // it only looks
			err := (&job.Finder{Files: files}).Prompts(ctx, &j)
			if err != nil && (!errors.Is(err, hub.ErrNotFound) || e.Engine.Pull == "never") {
				why = e.Hide(err.Error())
			}
			seen[key] = why
		}
		if why != "" {
			out[i] = why
		}
		return nil
	})
	return out, err
}

// possible refuses a plan that no executor can carry out.
func (x Experiments) possible() error {
	if n := x.plan.Nameless(); n > 0 {
		return launch.Faultf(launch.ConfigFault, "%d points name neither an image nor a server: give engine.image in the study, or --image", n)
	}
	return x.Each(func(i int, e study.Experiment) error {
		if e.Model == "" {
			return launch.Faultf(launch.ConfigFault, "point %s names no model, and a study's server may come to serve another: set model, or engine.served_model to what the server at %s calls it", x.plan.Points[i].Name, e.Engine.Endpoint)
		}
		return nil
	})
}
