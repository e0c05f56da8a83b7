package job

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/llenergymeasure/llem/internal/engine"
	"github.com/llenergymeasure/llem/internal/hub"
	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/load"
	"github.com/llenergymeasure/llem/internal/study"
)

// Model is a model as far as this host has it.
type Model struct {
	Files      hub.Model        // zero: the engine or its server finds them, or they are not here
	Fetch      bool             // a run would download them, and where they lie is unknown
	Mount      engine.Model     // the files in the container; zero: the engine finds them
	Vocabulary *load.Vocabulary // which synthetic prompts are drawn from; nil: unknown, or the server tells it
	Sized      *Sized           // parameters; nil: not looked for
}

// Sized are a model's parameters, or why they are unknown.
type Sized struct {
	hub.Parameters
	Commit      string
	Fingerprint string // of a local model's files; empty: none or unknown
	Err         error
}

// LocalModel refuses a local model that is not there. A model that the engine
// knows by name is the engine's to find, and one of a server that already runs need
// not be here.
func LocalModel(ctx context.Context, e study.Experiment) error {
	if e.Engine.Endpoint != "" || !hub.IsPath(e.Model) {
		return nil
	}
	_, err := hub.Find(ctx, hub.Options{Model: e.Model, Revision: e.Revision})
	return config(err)
}

// findFiles finds the model's files on this host, or downloads them. A name that the
// engine gives meaning to is its own to find. Those of a model that a server already has
// are for synthetic prompts, parameters and FLOPs alone: text needs none of them.
func (f *Finder) findFiles(ctx context.Context, j *Job) (err error) {
	j.shareKey()
	switch {
	case j.Running():
		if j.Model.Files, err = f.servedModel(ctx, j); err != nil {
			j.Model.Sized = &Sized{Err: err}
		}
		return nil
	case j.ownName():
		return nil
	}
	j.Model.Files, err = f.fetchModel(ctx, j)
	return hubFault(err)
}

// ownName says that the model's name means something to the engine alone.
func (j *Job) ownName() bool { return j.Engine.Traits().OwnNames && !hub.IsPath(j.Experiment.Model) }

// takeFiles sees that the model's files can be used: that what is sent fits their
// context, that a container can be given them, and that synthetic prompts can be drawn.
func (j *Job) takeFiles() (err error) {
	m, synthetic := j.Model.Files, j.Experiment.Workload.Source == "synthetic"
	if j.Running() {
		return j.takeServed(synthetic)
	}
	if m.Path == "" {
		return nil
	}
	if err := j.fitsModel(m.Context()); err != nil {
		return config(err)
	}
	if j.Model.Mount, err = mounted(m.Path); err != nil {
		return launch.Faultf(launch.ConfigFault, "model: %w", err)
	}
	if !synthetic {
		return nil
	}
	v, err := m.Vocabulary()
	if err != nil {
		return launch.Faultf(launch.ConfigFault, "%w; or use a prompts file (workload.source)", err)
	}
	j.Model.Vocabulary = vocabulary(v)
	return nil
}

// takeServed is takeFiles for a server that already runs, of whose model only the
// words are needed.
func (j *Job) takeServed(synthetic bool) error {
	if !synthetic || j.Engine.Traits().Words {
		return nil
	}
	var err error
	if j.Model.Sized != nil {
		err = j.Model.Sized.Err
	} else {
		var v hub.Vocabulary
		if v, err = j.Model.Files.Vocabulary(); err == nil {
			j.Model.Vocabulary = vocabulary(v)
			return nil
		}
	}
	if fault := hubFault(err); launch.KindOf(fault) == launch.HostFault && errors.Is(err, hub.ErrUnreachable) {
		return fault
	}
	return config(NoWords(j.Experiment.Model, err))
}

// servedModel finds a served model's files, or downloads the small ones for synthetic
// prompts where its engine names models as the hub does. What a server calls a model
// that nobody named is no name of the hub's.
func (f *Finder) servedModel(ctx context.Context, j *Job) (hub.Model, error) {
	e := j.Experiment
	if j.Served.By == engine.ByOnly {
		return hub.Model{}, fmt.Errorf("no model was named, and what the server calls it (%s) names no files: set model to its folder or its id on the hub", j.Served.ID)
	}
	switch own := j.ownName(); {
	case own && !strings.Contains(e.Model, "/"):
		return hub.Model{}, fmt.Errorf("%s is the server's own name of its model and names no files: set model to its folder or its id on the hub, and engine.served_model to this", e.Model)
	case own || e.Workload.Source != "synthetic":
		return hub.Find(ctx, hub.Options{Model: e.Model, Revision: f.revision(e)})
	}
	return f.fetchModel(ctx, j)
}

// NoWords says what synthetic prompts lack, where why is why the words are not known.
func NoWords(model string, why error) error {
	return fmt.Errorf("synthetic prompts are drawn from the words of the model's tokenizer, and those of %s are not known (%w): set model to a folder or an id of the hub that has its tokenizer, or send text, which needs none: workload.source: FILE.jsonl", model, why)
}

// fetchModel finds the model, and downloads it where it may and must be. Of one
// whose weights nobody reads the small files are enough.
func (f *Finder) fetchModel(ctx context.Context, j *Job) (hub.Model, error) {
	e := j.Experiment
	_, dummy := j.Engine.Draws(e.Engine.Args)
	o := hub.Options{Model: e.Model, Revision: f.revision(e), Small: dummy || j.Running(), Pull: e.Engine.Pull, Progress: f.Progress}
	if _, err := hub.Find(ctx, o); errors.Is(err, hub.ErrNotFound) {
		if st, err := os.Stat(o.Model); err == nil && st.IsDir() && !hub.IsPath(o.Model) {
			return hub.Model{}, launch.Faultf(launch.ConfigFault, "model %s is not in the cache of the hub's models, and there is a folder of that name here: write ./%s for it", o.Model, o.Model)
		}
		if o.Pull != "never" {
			f.Say("downloading model " + o.Model)
		}
	}
	return hub.Ensure(ctx, o)
}

// revision is the model's: of a run that is done again, the very commit.
func (f *Finder) revision(e study.Experiment) string { return cmp.Or(f.Pins.Revision, e.Revision) }

// headersLimit bounds how long the hub is asked for them.
const headersLimit = 20 * time.Second

// Count takes the fingerprint of the model's files, and counts its parameters: from what
// is here, else, where that is too little, from the headers of its weights on the hub. A
// run does so beforehand, when asking the hub costs no energy that is measured. What it
// cannot find is in [Sized].
func (f *Finder) Count(ctx context.Context, j *Job) {
	m := j.Model.Files
	if m.Path == "" {
		return
	}
	c := &Sized{Commit: m.Commit}
	var err error
	if c.Fingerprint, err = hub.Fingerprint(m); err != nil {
		f.Log.Warn("the record will not tell the model's files from others", "error", err)
	}
	if c.Parameters, c.Err = hub.Inspect(m); errors.Is(c.Err, hub.ErrUnsupported) && m.Commit != "" && j.Experiment.Engine.Pull != "never" {
		ctx, cancel := context.WithTimeout(ctx, headersLimit) // they are for FLOPs alone
		defer cancel()
		p, err := hub.InspectRemote(ctx, hub.Options{Model: j.Experiment.Model, Revision: m.Commit})
		if err == nil {
			c.Parameters, c.Err = p, nil
		}
		f.Log.Debug("parameters from the hub", "error", err)
	}
	j.Model.Sized = c
}

// vocabulary is the model's words as the load draws from them.
func vocabulary(v hub.Vocabulary) *load.Vocabulary {
	out := &load.Vocabulary{Trim: !v.LeadingSpace, Source: "tokenizer.json"}
	if filepath.Ext(v.Source) == ".gguf" {
		out.Source = "gguf"
	}
	if v.BOS >= 0 {
		out.Head = []int{v.BOS}
	}
	for _, w := range v.Words {
		out.IDs, out.Texts = append(out.IDs, w.ID), append(out.Texts, w.Text)
	}
	return out
}
