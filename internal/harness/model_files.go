package harness

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/llenergymeasure/llem/internal/engine"
	"github.com/llenergymeasure/llem/internal/hub"
	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/load"
	"github.com/llenergymeasure/llem/internal/result"
)

// findFiles finds the model's files on this host, or downloads them, and what
// synthetic prompts are drawn from. A name that the engine gives meaning to is
// its own to find.
func (x *run) findFiles(ctx context.Context) error {
	if x.running() {
		return x.servedFiles(ctx)
	}
	if x.eng.Traits().OwnNames && !hub.IsPath(x.exp.Model) {
		return nil
	}
	m, err := x.fetchModel(ctx)
	if x.planned && errors.Is(err, hub.ErrNotFound) && x.exp.Engine.Pull != "never" {
		x.fetches = true
		return nil
	}
	if err != nil {
		return hubFault(err)
	}
	if !x.planned {
		x.count(ctx, m)
	}
	if err := x.fitsModel(m.Context()); err != nil {
		return &launch.Fault{Kind: launch.ConfigFault, Err: err}
	}
	if x.model, err = mounted(m.Path); err != nil {
		return &launch.Fault{Kind: launch.ConfigFault, Err: fmt.Errorf("model: %w", err)}
	}
	if x.exp.Workload.Source != "synthetic" {
		return nil
	}
	v, err := m.Vocabulary()
	if err != nil {
		return launch.Faultf(launch.ConfigFault, "%w; or use a prompts file (workload.source)", err)
	}
	x.vocabulary = vocabulary(v)
	return nil
}

// servedFiles looks for the files of a model that a server already has: they are for
// synthetic prompts, parameters and FLOPs alone. Text needs none of them, and nobody is
// asked for what is not on this host.
func (x *run) servedFiles(ctx context.Context) error {
	synthetic := x.exp.Workload.Source == "synthetic"
	m, err := x.servedModel(ctx, synthetic)
	switch {
	case err == nil && !x.planned:
		x.count(ctx, m)
	case err != nil:
		x.sized = &sized{err: err}
	}
	if !synthetic || x.eng.Traits().Words {
		return nil
	}
	if err == nil {
		var v hub.Vocabulary
		if v, err = m.Vocabulary(); err == nil {
			x.vocabulary = vocabulary(v)
			return nil
		}
	}
	if f := hubFault(err); launch.KindOf(f) == launch.HostFault && errors.Is(err, hub.ErrUnreachable) {
		return f
	}
	return &launch.Fault{Kind: launch.ConfigFault, Err: noWords(x.exp.Model, err)}
}

// servedModel finds a served model's files, or downloads the small ones for synthetic
// prompts where its engine names models as the hub does. What a server calls a model
// that nobody named is no name of the hub's.
func (x *run) servedModel(ctx context.Context, synthetic bool) (hub.Model, error) {
	if x.served.By == engine.ByOnly {
		return hub.Model{}, fmt.Errorf("no model was named, and what the server calls it (%s) names no files: set model to its folder or its id on the hub", x.served.ID)
	}
	own := x.eng.Traits().OwnNames && !hub.IsPath(x.exp.Model)
	switch {
	case own && !strings.Contains(x.exp.Model, "/"):
		return hub.Model{}, fmt.Errorf("%s is the server's own name of its model and names no files: set model to its folder or its id on the hub, and engine.served_model to this", x.exp.Model)
	case own || !synthetic:
		return hub.Find(ctx, hub.Options{Model: x.exp.Model, Revision: x.revision()})
	}
	return x.fetchModel(ctx)
}

// noWords says what synthetic prompts lack.
func noWords(model string, why error) error {
	return fmt.Errorf("synthetic prompts are drawn from the words of the model's tokenizer, and those of %s are not known (%w): set model to a folder or an id of the hub that has its tokenizer, or send text, which needs none: workload.source: FILE.jsonl", model, why)
}

// fetchModel finds the model, and downloads it where it may and must be. Of one
// whose weights nobody reads the small files are enough.
func (x *run) fetchModel(ctx context.Context) (hub.Model, error) {
	_, dummy := x.eng.Draws(x.exp.Engine.Args)
	o := hub.Options{
		Model: x.exp.Model, Revision: x.revision(), Small: dummy || x.running(), Pull: x.exp.Engine.Pull, Progress: x.Observer.Progress,
	}
	if x.planned {
		o.Pull = "never"
	}
	if _, err := hub.Find(ctx, o); errors.Is(err, hub.ErrNotFound) {
		if st, err := os.Stat(o.Model); err == nil && st.IsDir() && !hub.IsPath(o.Model) {
			return hub.Model{}, launch.Faultf(launch.ConfigFault, "model %s is not in the cache of the hub's models, and there is a folder of that name here: write ./%s for it", o.Model, o.Model)
		}
		if o.Pull != "never" {
			x.Observer.Say("downloading model " + x.exp.Model)
		}
	}
	return hub.Ensure(ctx, o)
}

// revision is the model's: of a run that is done again, the very commit.
func (x *run) revision() string {
	if f := x.From; f != nil && f.Model.Revision != nil && f.Model.ID == x.exp.Model && revisionOf(f) == x.exp.Revision {
		return *f.Model.Revision
	}
	return x.exp.Revision
}

// revisionOf is what a record's configuration asked for.
func revisionOf(r *result.Record) string {
	config, _ := r.Config.(map[string]any)
	revision, _ := config["revision"].(string)
	return revision
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

// wordsOf is the vocabulary of synthetic prompts: the model's own, else the bytes
// that the server takes as tokens.
func (x *run) wordsOf() (load.Vocabulary, error) {
	if i := x.info; i.TextHigh > 0 {
		return load.Bytes(i.TextLow, i.TextHigh, i.ByteLevel), nil
	}
	if x.vocabulary == nil {
		return load.Vocabulary{}, noWords(x.exp.Model, errors.New("neither its server nor a file on this host tells them"))
	}
	return *x.vocabulary, nil
}
