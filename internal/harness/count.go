package harness

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/llenergymeasure/llem/internal/engine"
	"github.com/llenergymeasure/llem/internal/job"
)

// How many prompts of a file are counted beforehand, and how many at once.
const (
	mostCounted   = 5000
	countedAtOnce = 8
)

// count asks the server how many tokens the prompts of a file are, where it has
// a route for it, so that the record's counts are held against them, and refuses what
// its context cannot hold. A server that does not say is not asked again: its usage
// counts.
func (s *server) count(ctx context.Context) error {
	if s.job.Prompts.Counted != "" { // by the proof that a kept server is cold
		return nil
	}
	reqs := s.job.Prompts.Measured[:min(len(s.job.Prompts.Measured), s.job.Prompts.Schedule.N, mostCounted)] // those that are sent in any case
	counts := make([]int, len(reqs))
	if !s.countAll(ctx, counts) {
		return ctx.Err()
	}
	s.job.Prompts.Counted = "tokenize"
	for i, n := range counts {
		reqs[i].InputTokens = n
	}
	return fitsCounted(s.job, s.info.ContextLength, counts)
}

// countAll fills in the tokens of the first prompts; false where the server does not
// say.
func (s *server) countAll(ctx context.Context, counts []int) bool {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan int)
	var asking sync.WaitGroup
	for range countedAtOnce {
		asking.Go(func() {
			for i := range next {
				n, err := s.job.Engine.CountTokens(ctx, s.at(), s.info.Model, s.job.Prompts.Measured[i].Prompt)
				if err != nil {
					cancel(err)
				}
				counts[i] = n
			}
		})
	}
	for i := range counts {
		s.progress(int64(i), int64(len(counts)))
		select {
		case next <- i:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
	}
	close(next)
	asking.Wait()
	err := context.Cause(ctx)
	if err != nil && !errors.Is(err, engine.ErrNoCount) {
		s.log.Debug("the server counts no tokens", "error", hidden(s.job.Experiment.Hide, err))
	}
	return err == nil
}

// shownPrompt is how much of a prompt an error shows.
const shownPrompt = 40

// fitsCounted refuses prompts that leave no room for their answers in a context of so
// many tokens; 0: that is unknown.
func fitsCounted(j *job.Job, context int, counts []int) error {
	most := j.Experiment.Workload.MaxOutputTokens
	if context == 0 {
		return nil
	}
	over, first := 0, -1
	for i, n := range counts {
		if n+most > context {
			if over++; first < 0 {
				first = i
			}
		}
	}
	if over == 0 {
		return nil
	}
	text := []rune(j.Prompts.Measured[first].Prompt)
	return fmt.Errorf("workload.source: %d of %d prompts and their answers of workload.max_output_tokens %d do not fit the engine's context of %d: the first begins %q and is %d tokens to the server; leave them out, or lower max_output_tokens%s",
		over, len(counts), most, context, string(text[:min(len(text), shownPrompt)]), counts[first], j.RaiseContext())
}
