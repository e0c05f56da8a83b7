package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/llenergymeasure/llem/internal/campaign"
	"github.com/llenergymeasure/llem/internal/harness"
	"github.com/llenergymeasure/llem/internal/job"
	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/measure"
	"github.com/llenergymeasure/llem/internal/study"
)

type pullCmd struct {
	Config string `arg:"" optional:"" predictor:"yaml" help:"Experiment or study file; see llem config init."`

	Image  *string `help:"Container image of the engine." placeholder:"IMAGE"`
	Engine *string `predictor:"engine" help:"Engine's name, where it cannot be told from the image." placeholder:"NAME"`
	Model  *string `help:"Model to pull." placeholder:"MODEL"`
	JSON   bool    `name:"json" help:"Print what is here now as JSON; of a study one object for each."`
}

// pulled is what --json prints.
type pulled struct {
	Engine *string      `json:"engine"` // null: told from its server when it runs
	Image  *pulledImage `json:"image"`  // null: a server already runs
	Model  *pulledModel `json:"model"`  // null: its name is the engine's own
	// Prompts is null where they are from no dataset.
	Prompts *pulledPrompts `json:"prompts"`
}

type pulledImage struct {
	Ref    string  `json:"ref"`
	Digest *string `json:"digest"` // null: it was never pulled or pushed
	ID     string  `json:"id"`
	Bytes  int64   `json:"size_bytes"`
}

type pulledModel struct {
	ID      string  `json:"id"`
	Commit  *string `json:"commit"` // null: it is a file or folder of the user's
	Path    string  `json:"path"`
	Files   int     `json:"files"`
	Bytes   int64   `json:"size_bytes"`
	Fetched int64   `json:"downloaded_bytes"`
}

type pulledPrompts struct {
	Source string `json:"source"`
	Commit string `json:"commit"`
	Path   string `json:"path"`
}

func (c *pullCmd) Run(a *app) error {
	flags, err := (&runCmd{Image: c.Image, Engine: c.Engine, Model: c.Model}).sets()
	if err != nil {
		return usageError{err}
	}
	list, err := c.needs(flags)
	if err != nil {
		return err
	}
	watch := &observer{w: a.stderr, bars: a.out.stderr, quiet: a.quiet, terminal: isTerminal(a.out.stderr), phase: measure.Preflight.String()}
	key, headers := credentials()
	r := &harness.Runner{APIKey: key, Headers: headers, OpenGPUs: openGPUs, Log: a.log, Observer: watch}
	if slices.ContainsFunc(list, func(e study.Experiment) bool { return e.Engine.Endpoint == "" }) {
		d, err := a.openLauncher(a.ctx, launch.Options{Say: watch.Say})
		if err != nil {
			return err
		}
		defer d.Close()
		r.Launcher = d
	}
	for _, e := range list {
		p, err := r.Pull(a.ctx, e)
		watch.clear()
		if err != nil {
			return err
		}
		if err := c.print(a, pulledOf(e, p)); err != nil {
			return err
		}
	}
	return nil
}

// needs are the experiments whose images and models are pulled: one, or of a study
// those that differ in them.
func (c *pullCmd) needs(flags []study.Set) ([]study.Experiment, error) {
	in, err := readInput(c.Config, flags, false)
	if err != nil {
		return nil, err
	}
	if !study.IsStudy(in.Data) {
		e, err := oneExperiment(in)
		return []study.Experiment{e}, err
	}
	s, err := campaign.New(in)
	if err != nil {
		return nil, err
	}
	if n := s.Plan.Nameless(); n > 0 {
		return nil, usageError{fmt.Errorf("%s: %d points name no image: give engine.image, or --image", in.Name, n)}
	}
	return campaign.AsWritten(s.Plan).Needs()
}

func pulledOf(e study.Experiment, p job.Pulled) pulled {
	var out pulled
	if p.Engine != "" {
		out.Engine = &p.Engine
	}
	if i := p.Image; i.ID != "" {
		out.Image = &pulledImage{Ref: i.Ref, ID: i.ID, Bytes: i.SizeBytes}
		if i.Digest != "" {
			out.Image.Digest = &i.Digest
		}
	}
	if m := p.Model; m.Path != "" {
		out.Model = &pulledModel{ID: e.Model, Path: m.Path, Files: m.Files, Bytes: m.Bytes, Fetched: m.Fetched}
		if m.Commit != "" {
			out.Model.Commit = &m.Commit
		}
	}
	if f := p.Prompts; f.Path != "" {
		out.Prompts = &pulledPrompts{Source: e.Workload.Source, Commit: f.Commit, Path: f.Path}
	}
	return out
}

func (c *pullCmd) print(a *app, p pulled) error {
	if c.JSON {
		enc := json.NewEncoder(a.stdout)
		enc.SetIndent("", "  ")
		return enc.Encode(p)
	}
	var b strings.Builder
	if i := p.Image; i != nil {
		fmt.Fprintf(&b, "image   %s\n        %s, %s\n", i.Ref, i.name(), sizeOf(i.Bytes))
	}
	switch m := p.Model; {
	case m == nil:
		fmt.Fprintf(&b, "model   is the engine's own to find\n")
	case m.Commit == nil:
		fmt.Fprintf(&b, "model   %s\n", m.Path)
	case m.Files == 0:
		fmt.Fprintf(&b, "model   %s\n        commit %s in %s\n", m.ID, *m.Commit, m.Path)
	default:
		fmt.Fprintf(&b, "model   %s\n        commit %s in %s\n        %d files of %s, %s downloaded\n", m.ID, *m.Commit, m.Path, m.Files, sizeOf(m.Bytes), sizeOf(m.Fetched))
	}
	if f := p.Prompts; f != nil {
		fmt.Fprintf(&b, "prompts %s\n        commit %s in %s\n", f.Source, f.Commit, f.Path)
	}
	_, err := a.stdout.Write([]byte(b.String()))
	return err
}

// name is what the image is the same by anywhere, else on this host.
func (i *pulledImage) name() string {
	if i.Digest != nil {
		return *i.Digest
	}
	return i.ID
}
