package harness

import (
	"github.com/llenergymeasure/llem/internal/load"
	"github.com/llenergymeasure/llem/internal/study"
)

// prompts are the requests of an experiment. Those of the window and those of
// the warmup are drawn apart, so that neither changes with the other.
type prompts struct {
	digest     string // of the prompts file; empty for synthetic ones
	measured   []load.Request
	vocabulary load.Vocabulary // of synthetic ones
}

// open reads a prompts file, so that a bad line is known before anything
// starts. Synthetic prompts wait for the vocabulary.
func (p *prompts) open(e study.Experiment) error {
	w := e.Workload
	if w.Source == "synthetic" {
		return nil
	}
	var err error
	p.measured, p.digest, err = load.ReadJSONL(load.JSONLOptions{
		Path: w.Source, N: w.Prompts, OutputTokens: w.MaxOutputTokens, Shuffle: w.Order == "shuffled", Seed: e.Seed,
	})
	return err
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

// make draws the window's synthetic prompts.
func (p *prompts) make(e study.Experiment, v load.Vocabulary) error {
	var err error
	p.vocabulary = v
	p.measured, err = load.Synthetic(p.synthetic(e, e.Workload.Prompts))
	return err
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
		N: n, InputTokens: w.MaxInputTokens, OutputTokens: w.MaxOutputTokens, Seed: e.Seed, Vocabulary: p.vocabulary,
	}
}
