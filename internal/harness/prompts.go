package harness

import (
	"errors"
	"fmt"

	"github.com/llenergymeasure/llem/internal/engine"
	"github.com/llenergymeasure/llem/internal/load"
	"github.com/llenergymeasure/llem/internal/study"
)

// prompts are the requests of an experiment. Those of the window and those of
// the warmup are drawn apart, so that neither changes with the other.
type prompts struct {
	digest   string // of the prompts file; empty for synthetic ones
	measured []load.Request
}

// open reads a prompts file, so that a bad line is known before anything
// starts. Synthetic prompts wait for the engine's vocabulary.
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

// make draws the window's synthetic prompts from the vocabulary that the
// server named.
func (p *prompts) make(e study.Experiment, info engine.Info) error {
	if e.Workload.Source != "synthetic" {
		return nil
	}
	if info.TextHigh == 0 {
		return errors.New("the engine names no vocabulary to draw synthetic prompts from; use a prompts file (workload.source)")
	}
	w := e.Workload
	if n := w.MaxInputTokens + w.MaxOutputTokens; info.ContextLength > 0 && n > info.ContextLength {
		return fmt.Errorf("workload.max_input_tokens %d and max_output_tokens %d do not fit the engine's context of %d", w.MaxInputTokens, w.MaxOutputTokens, info.ContextLength)
	}
	var err error
	p.measured, err = load.Synthetic(synthetic(e, info, w.Prompts))
	return err
}

// warmup is the i-th batch of n warmup requests: same lengths as the measured
// ones, never the same text.
func (p *prompts) warmup(e study.Experiment, info engine.Info, i, n int) ([]load.Request, error) {
	if e.Workload.Source != "synthetic" {
		return load.Distinct(p.measured, i*n, n), nil
	}
	o := synthetic(e, info, n)
	o.Warmup, o.First = true, i*n
	return load.Synthetic(o)
}

func synthetic(e study.Experiment, info engine.Info, n int) load.SyntheticOptions {
	w := e.Workload
	return load.SyntheticOptions{
		N: n, InputTokens: w.MaxInputTokens, OutputTokens: w.MaxOutputTokens, Seed: e.Seed,
		Low: info.TextLow, High: info.TextHigh, AsText: info.ByteLevel,
	}
}
