package job

import (
	"cmp"
	"context"
	"fmt"
	"iter"

	"github.com/llenergymeasure/llem/internal/dataset"
	"github.com/llenergymeasure/llem/internal/hub"
	"github.com/llenergymeasure/llem/internal/load"
	"github.com/llenergymeasure/llem/internal/study"
)

// Prompts are the requests of an experiment. Those of the window and those of
// the warmup are drawn apart, so that neither changes with the other.
type Prompts struct {
	Schedule   load.Schedule
	Digest     string // of the prompts file; empty for synthetic ones
	LeftOut    map[string]int
	Template   string          // by which that file's columns became prompts
	NotSent    []string        // columns of it
	Counted    string          // what counted the tokens of a file's prompts: tokenize; empty: only the server's usage does
	Commit     string          // of a dataset; empty: the file is the user's
	Fetch      bool            // a run would download the dataset, and they are unknown
	Measured   []load.Request  // of the window; synthetic ones are those that Draw made ahead
	Vocabulary load.Vocabulary // of synthetic ones; zero before Draw
}

// Prompts plans the load, and reads a trace and a prompts file, so that a bad line is
// known before anything starts. A dataset is found, or downloaded, as engine.pull says.
// Synthetic prompts wait for the vocabulary.
func (f *Finder) Prompts(ctx context.Context, j *Job) error {
	return config(f.openPrompts(ctx, j.Experiment, &j.Prompts))
}

func (f *Finder) openPrompts(ctx context.Context, e study.Experiment, p *Prompts) (err error) {
	w := e.Workload
	if p.Schedule, err = load.New(w, e.Seed); err != nil || w.Source == "synthetic" {
		return err
	}
	path := w.Source
	if hub.IsDataset(w.Source) {
		got, err := hub.EnsureDataset(ctx, hub.Options{Model: w.Source, Revision: f.Pins.Dataset, Pull: e.Engine.Pull, Progress: f.Progress})
		if err != nil {
			return hubFault(fmt.Errorf("workload.source: %w", err))
		}
		path, p.Commit = got.Path, got.Commit
	}
	o := load.PromptsOptions{
		File: dataset.Options{Path: path, Name: w.Source, Column: w.Column, Template: w.Template}, Files: f.Files,
		N: p.Schedule.N, Rest: !w.Load.Open() && w.MinSeconds > 0, OutputTokens: w.MaxOutputTokens, Shuffle: w.Order == "shuffled", Seed: e.Seed,
	}
	if o.N > w.Prompts {
		o.Seconds = w.MinSeconds
	}
	var file dataset.File
	p.Measured, file, err = load.ReadPrompts(o)
	p.Digest, p.LeftOut, p.Template, p.NotSent = file.Digest, file.LeftOut, file.Template, file.NotSent
	return err
}

// File is the digest of what tells the requests: the prompts file, the trace or the
// file of lengths; empty without such a file.
func (p *Prompts) File() string { return cmp.Or(p.Digest, p.Schedule.Trace.Digest, p.Schedule.Lengths) }

// CountedBy names what counted the tokens of prompts before they were sent, exactly as
// they were sent: the vocabulary that their ids were drawn from, or the server's route
// of plain prompts. Empty: nothing did.
func (j *Job) CountedBy() string {
	p := &j.Prompts
	switch {
	case j.Experiment.Workload.API != "completions": // a template adds to them
		return ""
	case p.Vocabulary.Source != "" && !j.Engine.Traits().TokenIDs: // the text of the ids may be read as others
		return ""
	}
	return cmp.Or(p.Vocabulary.Source, p.Counted)
}

// bytesPerToken is fewer than any language's text has in any model's tokens. A
// context that is sized by it holds the prompts, and not many times them; a text
// of stranger bytes is refused by its engine, or cut, which is warned of.
const bytesPerToken = 2

// longest is about how many tokens a prompt of a file has at most. 0: the prompts
// are synthetic.
func (p *Prompts) longest() int {
	if p.Digest == "" {
		return 0
	}
	n := 0
	for _, r := range p.Measured {
		n = max(n, len(r.Prompt))
	}
	return (n + bytesPerToken - 1) / bytesPerToken
}

// Draw makes the window's first synthetic prompts, and sees that all can be. The others
// are made as they are needed, a few ahead.
func (p *Prompts) Draw(e study.Experiment, v load.Vocabulary) error {
	p.Vocabulary = v
	o := p.synthetic(e, p.Schedule.N)
	if err := o.Fit(); err != nil {
		return err
	}
	o.N = min(o.N, Held(e))
	var err error
	p.Measured, err = load.Synthetic(o)
	return err
}

// What prompts that are ready to be sent take in memory, about: their texts, ids and bodies.
const (
	heldBytes       = 16 << 20
	bytesPerPrompt  = 700
	bytesPerIDs     = 24 // of one token
	mostInFlightFor = 2  // places in flight that have a prompt ready
)

// Held is how many prompts are made before the window: all of most loads.
func Held(e study.Experiment) int {
	w := e.Workload
	return max(heldBytes/(bytesPerPrompt+bytesPerIDs*w.MaxInputTokens), mostInFlightFor*max(w.Load.Concurrency, w.Load.MaxInFlight, w.Load.AtOnce()), 64)
}

// Spare draws synthetic prompts beyond those that are sent in any case, for a closed
// loop that goes on for seconds: n in all, as far as they are held.
func (p *Prompts) Spare(e study.Experiment, n int) {
	o := p.synthetic(e, min(n, Held(e))-len(p.Measured))
	o.First = len(p.Measured)
	if o.N > 0 {
		if more, err := load.Synthetic(o); err == nil { // else there are not so many
			p.Measured = append(p.Measured, more...)
		}
	}
}

// Planned is what is known of a request without its prompt, which may be made again.
func (p *Prompts) Planned(e study.Experiment) func(i int) load.Request {
	o := p.synthetic(e, 1)
	return func(i int) load.Request {
		if i < len(p.Measured) {
			return p.Measured[i]
		}
		size := o.Size(i)
		return load.Request{ID: i, InputTokens: size.Input, MaxOutputTokens: size.Output}
	}
}

// First are the first n requests, made again where they are not held.
func (p *Prompts) First(e study.Experiment, n int) iter.Seq[load.Request] {
	more := p.More(e)
	return func(yield func(load.Request) bool) {
		for i := range n {
			var r load.Request
			if i < len(p.Measured) {
				r = p.Measured[i]
			} else if made, err := more(i); err == nil {
				r = made
			}
			if !yield(r) {
				return
			}
		}
	}
}

// More makes the window's prompts beyond those that were drawn before it; nil where
// they come from a file.
func (p *Prompts) More(e study.Experiment) func(n int) (load.Request, error) {
	if e.Workload.Source != "synthetic" {
		return nil
	}
	o := p.synthetic(e, 1)
	return func(n int) (load.Request, error) {
		o.First = n
		one, err := load.Synthetic(o)
		if err != nil {
			return load.Request{}, err
		}
		return one[0], nil
	}
}

// Warmup is the i-th batch of n warmup requests: same lengths as the measured
// ones, never the same text.
func (p *Prompts) Warmup(e study.Experiment, i, n int) ([]load.Request, error) {
	if e.Workload.Source != "synthetic" {
		return load.Distinct(p.Measured, i*n, n), nil
	}
	o := p.synthetic(e, n)
	o.Warmup, o.First = true, i*n
	return load.Synthetic(o)
}

func (p *Prompts) synthetic(e study.Experiment, n int) load.SyntheticOptions {
	w := e.Workload
	return load.SyntheticOptions{
		N: n, InputTokens: w.MaxInputTokens, OutputTokens: w.MaxOutputTokens, Sizes: p.Schedule.Sizes, Prefix: w.Prefix.Length, Groups: w.Prefix.Groups, Seed: e.Seed, Vocabulary: p.Vocabulary,
	}
}
