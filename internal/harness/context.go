package harness

import (
	"fmt"
	"slices"
	"strings"
)

// contextFlags are the engines' own flags for the context that a request may
// fill, by engine.
var contextFlags = map[string]string{
	"vllm": "max-model-len", "transformers": "max-model-len", "sglang": "context-length", "lmdeploy": "session-len",
	"tgi": "max-total-tokens", "tensorrt-llm": "max_seq_len", "llamacpp": "ctx-size", "ollama": "num_ctx",
}

// contextElse are other settings by which a model's context may come to be longer
// than its files say: short forms, scaled positions, fields of config.json that are
// set anew, and files of settings.
var contextElse = []string{
	"c", "max-position-embeddings", "rope-scaling", "rope-scale", "rope-scaling-factor", "rope-factor", "override-kv",
	"hf-overrides", "json-model-override-args", "config", "extra-llm-api-options",
}

// ownContext is whether engine.args sets a context.
func (x *run) ownContext() bool {
	for name, v := range x.exp.Engine.Args {
		if v == nil {
			continue
		}
		name = strings.ReplaceAll(strings.TrimLeft(name, "-"), "_", "-")
		name, _, _ = strings.Cut(name, ".") // hf-overrides.rope_scaling
		if slices.Contains(contextElse, name) {
			return true
		}
		for _, flag := range contextFlags {
			if name == strings.ReplaceAll(flag, "_", "-") {
				return true
			}
		}
	}
	return false
}

// fitsModel refuses lengths that the model's files have no context for, before
// anything is started. 0: they do not tell. What engine.args says of the context
// is the engine's to judge, and so is what a server that runs was started with.
func (x *run) fitsModel(context int) error {
	if x.running() || x.ownContext() {
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
	switch flag := contextFlags[x.eng.Name()]; {
	case x.running():
		return ", or start the server with a longer context"
	case flag != "":
		return ", or raise engine.args." + flag + " where the model takes more"
	}
	return ""
}
