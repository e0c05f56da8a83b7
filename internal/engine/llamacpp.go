package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/study"
)

const (
	llamacppPort   = 8080
	llamacppCached = "llamacpp:prompt_tokens_cached_total" // of newer servers
)

// llamacpp is llama.cpp's own server.
var llamacpp = &Engine{
	name:    "llamacpp",
	aliases: []string{"llama.cpp", "llama-cpp", "llama-server"},
	traits: Traits{
		TokenIDs: true, IgnoreEOS: true, ReadOnly: true, Upstream: "ghcr.io/ggml-org/llama.cpp", Versions: "b4000 and later",
	},
	tag: llamacppTag,
	signs: signs{
		command: []string{"llama-server", "/app/tools.sh"},
		env:     []string{"LLAMA_ARG_HOST"},
		name:    `llama\.cpp|llamacpp`,
	},
	spec:    llamacppSpec,
	context: []string{"ctx-size", "c", "rope-scaling", "rope-scale", "override-kv"},
	key:     keyed{variable: "LLAMA_API_KEY", file: "api-key-file", flags: []string{"api-key"}},
	// A slot keeps its last prompt; without this the shared first token of two
	// prompts would be one less to compute.
	// Its own cuts are top_k 40, top_p 0.95 and min_p 0.05.
	body: map[string]any{"cache_prompt": false, "repeat_penalty": 1, "top_p": 1, "top_k": 0, "min_p": 0},
	// It says that it keeps a connection and closes it after each stream: what is
	// sent on it meanwhile is lost.
	oneShot:        true,      // seen of b11434, with its header "Keep-Alive: timeout=5, max=100"
	reset:          KeepsNone, // see body
	tokenizer:      llamacppTokenizer,
	owners:         []string{"llamacpp"},
	metrics:        "/metrics",
	countsWhenTold: true,
	counts: []metric{
		{of: Running, names: []string{"llamacpp:requests_processing"}},
		{of: Waiting, names: []string{"llamacpp:requests_deferred"}},
		// Those that were computed, to which the cached ones are added: other servers
		// count them all.
		{of: PromptTokens, names: []string{"llamacpp:prompt_tokens_total"}, plus: llamacppCached},
		{of: CachedTokens, names: []string{llamacppCached}},
		{of: OutputTokens, names: []string{"llamacpp:tokens_predicted_total"}},
		{of: PrefillSeconds, names: []string{"llamacpp:prompt_seconds_total"}},
		{of: DecodeSeconds, names: []string{"llamacpp:tokens_predicted_seconds_total"}},
		{of: Drafts, names: []string{"llamacpp:spec_decode_num_drafts_total"}},
		{of: AcceptedTokens, names: []string{"llamacpp:spec_decode_num_accepted_tokens_total"}},
	},
	more: llamacppProps,
	docs: docs{
		run:      "b11434 on a CPU, November 2026",
		hits:     "switched off for each request; counter, and each request's usage",
		always:   "`--metrics`, `--n-gpu-layers 999` with a GPU",
		asked:    "`--parallel` and `--ctx-size`: a slot for each request at once, each with room for the planned lengths, or for the longest prompt of a file; `--seed`; tensor: `--split-mode row`; pipeline: `--split-mode layer`",
		cacheOff: "it is off for each request (`cache_prompt: false`)",
		emptied:  "each request says `cache_prompt: false`",
		proven:   "each request's usage, or its counter",
		tried:    "run; restarted where the concurrency changes, which is on its command line (`--parallel`)",
	},
}

// llamacppTag is the server's: its repository has a tag for each of its programs, and no
// latest.
func llamacppTag(asked string, gpus bool) string {
	switch {
	case asked != "" && asked != "latest":
		return asked
	case gpus:
		return "server-cuda"
	}
	return "server"
}

// llamacppSpec gives the server a slot for each request at once, with room for
// the planned lengths: its own default shares one context over a fixed number of
// slots.
func llamacppSpec(e study.Experiment, h Host) (launch.Spec, error) {
	if err := ownDType(e); err != nil {
		return launch.Spec{}, err
	}
	split, err := llamacppSplit(e.Parallel)
	if err != nil {
		return launch.Spec{}, err
	}
	if h.Model.Path != "" && !h.Model.GGUF {
		return launch.Spec{}, fmt.Errorf("model %s: it reads GGUF files, and this is not one", e.Model)
	}
	var first []string
	switch {
	case names(e, h, "tools.sh"):
		first = []string{"--server"} // of the image with all tools
	case !names(e, h, "llama-server") && runsCommands(e, h):
		first = []string{llamacppProgram(h.Image)}
	}
	c := commandOf(e, first...)
	if h.Model.Path != "" {
		c.set("model", h.Model.Path, "m")
	} else {
		c.set("hf-repo", e.Model, "hf", "hfr")
	}
	c.set("alias", e.Model, "a")
	c.set("host", "0.0.0.0")
	c.set("port", strconv.Itoa(llamacppPort))
	slots := atOnce(e.Workload)
	c.set("parallel", strconv.Itoa(slots), "np")
	c.set("ctx-size", strconv.Itoa(slots*room(e.Workload, h)), "c")
	c.set("seed", strconv.FormatInt(e.Seed, 10), "s")
	c.set("metrics", "")
	if len(h.GPUs) > 0 {
		c.set("n-gpu-layers", "999", "ngl", "gpu-layers")
	}
	c.setUnless("", "split-mode", split, "sm")
	s := container("llamacpp", e, h, c)
	s.Port, s.ReadyPath = llamacppPort, "/health"
	env(&s, e, nil)
	return s, nil
}

// llamacppProgram is the server in an image that starts nothing else: as its command
// has it, or where llama.cpp's own images have it.
func llamacppProgram(img launch.Image) string {
	for _, w := range img.Cmd {
		if strings.HasSuffix(w, "llama-server") {
			return w
		}
	}
	return "/app/llama-server"
}

// llamacppSplit is how a model is spread over GPUs; empty: the server's own way.
func llamacppSplit(p study.Parallel) (string, error) {
	switch {
	case p.Tensor > 1 && p.Pipeline > 1:
		return "", fmt.Errorf("parallel.tensor: %d and parallel.pipeline: %d: it splits a model by rows (tensor) or by layers (pipeline), not by both", p.Tensor, p.Pipeline)
	case p.Tensor > 1:
		return "row", only(p, true, false, false)
	case p.Pipeline > 1:
		return "layer", only(p, false, true, false)
	}
	return "", only(p, false, false, false)
}

// atOnce is the most requests that a workload has in flight; for an open loop
// without a limit, a second's arrivals.
func atOnce(w study.Workload) int {
	switch l := w.Load; {
	case !l.Open():
		return min(l.Concurrency, w.Most())
	case l.MaxInFlight > 0:
		return min(l.MaxInFlight, w.Most())
	default:
		return max(1, min(max(l.AtOnce(), int(l.PeakRate()+1)), w.Most()))
	}
}

// room is the context of one request in tokens: its planned lengths and a margin
// for a chat's template and first token, in whole 256s, as servers round it. A
// prompt of a file is sent whole, however long it is, and Ollama cuts what has no
// room without a word.
func room(w study.Workload, h Host) int {
	const margin, step = 64, 256
	in := w.MaxInputTokens
	if h.LongestPrompt > 0 {
		in = h.LongestPrompt
	}
	return (in + w.MaxOutputTokens + margin + step - 1) / step * step
}

// llamacppProps reads the version and the context of one slot.
func llamacppProps(ctx context.Context, at Address, i *Info) error {
	var p struct {
		Build    string `json:"build_info"`
		Settings struct {
			Context int `json:"n_ctx"`
		} `json:"default_generation_settings"`
	}
	if err := getJSON(ctx, at, "/props", &p); err != nil {
		return err
	}
	if p.Build == "" && p.Settings.Context == 0 {
		return fmt.Errorf("%s/props is not that of llama.cpp", at)
	}
	i.Version, i.ContextLength = version(p.Build), p.Settings.Context
	return nil
}

// llamacppTokenizer is that of llama.cpp's server (tools/server/README.md).
var llamacppTokenizer = &tokenizer{
	body: func(_, text string) any { return map[string]any{"content": text, "add_special": true} },
	count: func(answer []byte) (int, error) {
		var a struct{ Tokens []int }
		err := json.Unmarshal(answer, &a)
		return len(a.Tokens), err
	},
}
