package job

import (
	"fmt"

	"github.com/llenergymeasure/llem/internal/load"
)

// fitsModel refuses lengths that the model's files have no context for, before
// anything is started. 0: they do not tell. What engine.args says of the context
// is the engine's to judge, and so is what a server that runs was started with.
func (j *Job) fitsModel(context int) error {
	if j.Running() || j.Engine.SetsContext(j.Experiment.Engine.Args) {
		return nil
	}
	return j.Fits("the model's context", context)
}

// Fits refuses synthetic prompts and answers that are longer together than a
// context in tokens; 0: unknown.
func (j *Job) Fits(whose string, context int) error {
	w := j.Experiment.Workload
	n := w.MaxInputTokens + w.MaxOutputTokens
	if w.Source != "synthetic" || context <= 0 || n <= context {
		return nil
	}
	if w.Load.Recorded() {
		return fitsTrace(j.Prompts.Schedule, whose, context, j.RaiseContext())
	}
	return fmt.Errorf("workload.max_input_tokens %d and workload.max_output_tokens %d are %d tokens and do not fit %s of %d: lower one of them%s", w.MaxInputTokens, w.MaxOutputTokens, n, whose, context, j.RaiseContext())
}

// fitsTrace is Fits for a trace, whose requests differ in length.
func fitsTrace(s load.Schedule, whose string, context int, raise string) error {
	t := s.Trace
	for _, a := range t.Arrivals {
		if a.Input+a.Output > context {
			return fmt.Errorf("workload.load.file: %s:%d: a prompt of %d tokens and an answer of %d do not fit %s of %d: take the request out%s", t.Path, a.Line, a.Input, a.Output, whose, context, raise)
		}
	}
	return nil
}

// RaiseContext says how the context is raised, as the end of a sentence; empty: it cannot be.
func (j *Job) RaiseContext() string {
	switch flag := j.Engine.ContextFlag(); {
	case j.Running():
		return ", or start the server with a longer context"
	case flag != "":
		return ", or raise engine.args." + flag + " where the model takes more"
	}
	return ""
}
