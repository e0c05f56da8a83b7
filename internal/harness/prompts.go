package harness

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/llenergymeasure/llem/internal/dataset"
	"github.com/llenergymeasure/llem/internal/hub"
	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/load"
	"github.com/llenergymeasure/llem/internal/result"
	"github.com/llenergymeasure/llem/internal/study"
)

// prompts are the requests of an experiment. Those of the window and those of
// the warmup are drawn apart, so that neither changes with the other.
type prompts struct {
	plan       load.Plan
	digest     string // of the prompts file; empty for synthetic ones
	left       map[string]int
	template   string         // by which that file's columns became prompts
	notSent    []string       // columns of it
	counted    string         // what counted the tokens of a file's prompts: tokenize; empty: only the server's usage does
	files      *dataset.Cache // of a study's points that are looked at one after the other; nil: of one experiment
	path       string         // of the prompts file, where it is a dataset's; else workload.source is
	commit     string         // of the dataset
	measured   []load.Request
	vocabulary load.Vocabulary // of synthetic ones
}

// open plans the load, and reads a trace and a prompts file, so that a bad line is
// known before anything starts. A dataset is found, or downloaded, as o says.
// Synthetic prompts wait for the vocabulary.
func (p *prompts) open(ctx context.Context, e study.Experiment, o hub.Options) error {
	w := e.Workload
	var err error
	if p.plan, err = load.New(w, e.Seed); err != nil || w.Source == "synthetic" {
		return err
	}
	p.path = w.Source
	if hub.IsDataset(w.Source) {
		o.Model = w.Source
		f, err := hub.EnsureDataset(ctx, o)
		if err != nil {
			return hubFault(fmt.Errorf("workload.source: %w", err))
		}
		p.path, p.commit = f.Path, f.Commit
	}
	return p.read(e)
}

func (p *prompts) read(e study.Experiment) error {
	w := e.Workload
	o := load.PromptsOptions{
		File: dataset.Options{Path: p.path, Name: w.Source, Column: w.Column, Template: w.Template}, Files: p.files,
		N: p.plan.N, Rest: !w.Load.Open() && w.MinSeconds > 0, OutputTokens: w.MaxOutputTokens, Shuffle: w.Order == "shuffled", Seed: e.Seed,
	}
	if o.N > w.Prompts {
		o.Seconds = w.MinSeconds
	}
	var file dataset.File
	var err error
	p.measured, file, err = load.ReadPrompts(o)
	p.digest, p.left, p.template, p.notSent = file.Digest, file.LeftOut, file.Template, file.NotSent
	return err
}

// openPrompts opens the run's prompts. A plan downloads none, and notes that the run
// would.
func (x *run) openPrompts(ctx context.Context) error {
	e := x.exp
	o := hub.Options{Pull: e.Engine.Pull, Progress: x.Observer.Progress}
	if f := x.From; f != nil && f.Requests.SourceCommit != nil && sourceOf(f) == e.Workload.Source {
		o.Revision = *f.Requests.SourceCommit
	}
	if x.planned {
		o.Pull = "never"
	}
	err := x.prompts.open(ctx, e, o)
	var has *launch.Fault
	switch {
	case x.planned && errors.Is(err, hub.ErrNotFound) && e.Engine.Pull != "never":
		x.fetchesPrompts = true
		return nil
	case err == nil || errors.As(err, &has):
		return err
	}
	return &launch.Fault{Kind: launch.ConfigFault, Err: err}
}

// sourceOf is where a record's prompts came from.
func sourceOf(r *result.Record) string {
	config, _ := r.Config.(map[string]any)
	workload, _ := config["workload"].(map[string]any)
	source, _ := workload["source"].(string)
	return source
}

// file is the digest of what tells the requests: the prompts file, the trace or the
// file of lengths; empty where there is none.
func (p *prompts) file() string { return cmp.Or(p.digest, p.plan.Trace.Digest, p.plan.Lengths) }

// mostAveraged bounds the requests that a plan's mean lengths are of.
const mostAveraged = 100_000

// sent is what is known of the prompts before anything starts.
func (p *prompts) sent(e study.Experiment) Sent {
	s := Sent{Template: p.template, NotSent: p.notSent}
	n := min(p.plan.N, mostAveraged)
	for i := range n {
		o := p.synthetic(e, 1)
		size := o.Size(i)
		s.Output += float64(size.Output) / float64(n)
		if e.Workload.Source == "synthetic" {
			s.Input += float64(size.Input) / float64(n)
		}
	}
	if s.Texts = len(p.measured); s.Texts > 0 {
		s.First = p.measured[0].Prompt
	}
	for _, r := range p.measured {
		s.Bytes += float64(len(r.Prompt)) / float64(s.Texts)
	}
	return s
}

// bytesPerToken is fewer than any language's text has in any model's tokens. A
// context that is sized by it holds the prompts, and not many times them; a text
// of stranger bytes is refused by its engine, or cut, which is warned of.
const bytesPerToken = 2

// longest is about how many tokens a prompt of a file has at most. 0: the prompts
// are synthetic.
func (p *prompts) longest() int {
	if p.digest == "" {
		return 0
	}
	n := 0
	for _, r := range p.measured {
		n = max(n, len(r.Prompt))
	}
	return (n + bytesPerToken - 1) / bytesPerToken
}

// make draws the window's first synthetic prompts, and sees that all can be. The others
// are made as they are needed, a few ahead.
func (p *prompts) make(e study.Experiment, v load.Vocabulary) error {
	p.vocabulary = v
	o := p.synthetic(e, p.plan.N)
	if err := o.Fit(); err != nil {
		return err
	}
	o.N = min(o.N, held(e))
	var err error
	p.measured, err = load.Synthetic(o)
	return err
}

// What prompts that are ready to be sent take in memory, about: their texts, ids and bodies.
const (
	heldBytes       = 16 << 20
	bytesPerPrompt  = 700
	bytesPerIDs     = 24 // of one token
	mostInFlightFor = 2  // places in flight that have a prompt ready
)

// held is how many prompts are made before the window: all of most loads.
func held(e study.Experiment) int {
	w := e.Workload
	return max(heldBytes/(bytesPerPrompt+bytesPerIDs*w.MaxInputTokens), mostInFlightFor*max(w.Load.Concurrency, w.Load.MaxInFlight, w.Load.AtOnce()), 64)
}

// spare draws synthetic prompts beyond those that are sent in any case, for a closed
// loop that goes on for seconds: n in all, as far as they are held.
func (p *prompts) spare(e study.Experiment, n int) {
	o := p.synthetic(e, min(n, held(e))-len(p.measured))
	o.First = len(p.measured)
	if o.N > 0 {
		if more, err := load.Synthetic(o); err == nil { // else there are not so many
			p.measured = append(p.measured, more...)
		}
	}
}

// planned is what is known of a request without its prompt, which may be made again.
func (p *prompts) planned(e study.Experiment) func(i int) load.Request {
	o := p.synthetic(e, 1)
	return func(i int) load.Request {
		if i < len(p.measured) {
			return p.measured[i]
		}
		size := o.Size(i)
		return load.Request{ID: i, InputTokens: size.Input, MaxOutputTokens: size.Output}
	}
}

// first are the first n requests, made again where they are not held.
func (p *prompts) first(e study.Experiment, n int) iter.Seq[load.Request] {
	more := p.more(e)
	return func(yield func(load.Request) bool) {
		for i := range n {
			var r load.Request
			if i < len(p.measured) {
				r = p.measured[i]
			} else if made, err := more(i); err == nil {
				r = made
			}
			if !yield(r) {
				return
			}
		}
	}
}

// more makes the window's prompts beyond those that were drawn before it; nil where
// they come from a file.
func (p *prompts) more(e study.Experiment) func(n int) (load.Request, error) {
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

// warmup is the i-th batch of n warmup requests: same lengths as the measured
// ones, never the same text.
func (p *prompts) warmup(e study.Experiment, i, n int) ([]load.Request, error) {
	if e.Workload.Source != "synthetic" {
		return load.Distinct(p.measured, i*n, n), nil
	}
	o := p.synthetic(e, n)
	o.Warmup, o.First = true, i*n
	return load.Synthetic(o)
}

func (p *prompts) synthetic(e study.Experiment, n int) load.SyntheticOptions {
	w := e.Workload
	return load.SyntheticOptions{
		N: n, InputTokens: w.MaxInputTokens, OutputTokens: w.MaxOutputTokens, Sizes: p.plan.Sizes, Prefix: w.Prefix.Length, Groups: w.Prefix.Groups, Seed: e.Seed, Vocabulary: p.vocabulary,
	}
}
