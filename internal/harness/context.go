package harness

import "fmt"

// fitsModel refuses lengths that the model's files have no context for, before
// anything is started. 0: they do not tell. What engine.args says of the context
// is the engine's to judge, and so is what a server that runs was started with.
func (x *run) fitsModel(context int) error {
	if x.running() || x.eng.SetsContext(x.exp.Engine.Args) {
		return nil
	}
	return x.fits("the model's context", context)
}

// fitsServer refuses lengths that the server, by its own word, has no context for.
func (x *run) fitsServer() error { return x.fits("the engine's context", x.info.ContextLength) }

// fits refuses synthetic prompts and answers that are longer together than a
// context in tokens; 0: unknown.
func (x *run) fits(whose string, context int) error {
	w := x.exp.Workload
	n := w.MaxInputTokens + w.MaxOutputTokens
	if w.Source != "synthetic" || context <= 0 || n <= context {
		return nil
	}
	if w.Load.Recorded() {
		return x.fitsTrace(whose, context)
	}
	return fmt.Errorf("workload.max_input_tokens %d and workload.max_output_tokens %d are %d tokens and do not fit %s of %d: lower one of them%s", w.MaxInputTokens, w.MaxOutputTokens, n, whose, context, x.raiseContext())
}

// fitsTrace is fits for a trace, of which every request has lengths of its own.
func (x *run) fitsTrace(whose string, context int) error {
	t := x.prompts.plan.Trace
	for _, a := range t.Arrivals {
		if a.Input+a.Output > context {
			return fmt.Errorf("workload.load.file: %s:%d: a prompt of %d tokens and an answer of %d do not fit %s of %d: take the request out%s", t.Path, a.Line, a.Input, a.Output, whose, context, x.raiseContext())
		}
	}
	return nil
}

// raiseContext says how the context is raised.
func (x *run) raiseContext() string {
	switch flag := x.eng.ContextFlag(); {
	case x.running():
		return ", or start the server with a longer context"
	case flag != "":
		return ", or raise engine.args." + flag + " where the model takes more"
	}
	return ""
}
