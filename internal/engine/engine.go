package engine

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/load"
	"github.com/llenergymeasure/llem/internal/study"
)

// Engine is one kind of LLM server: how to start it and how to talk to it. All that
// differs between engines is in its row: a literal of this type in the engine's file.
// Every server has OpenAI's API.
type Engine struct {
	name    string
	aliases []string // other names that people use
	traits  Traits
	// tag is that of its upstream's image, by the one that was asked for; empty: none was.
	// Nil: the one that was asked for, else latest.
	tag   func(asked string, gpus bool) string
	signs signs
	// spec is pure: the same experiment and host give the same spec.
	spec func(study.Experiment, Host) (launch.Spec, error)

	// context are the flags in engine.args by which the context of a request becomes
	// another than the model's files say; the first is the engine's own flag for it.
	context []string
	dummy   string // the flag that has weights drawn, and not loaded, by the value dummy; empty: it has none
	// uncached are the flags in engine.args, each with its value, by which the server
	// keeps no prompt to find it again.
	uncached map[string]any

	// In every request, beneath workload.extra_body: what leaves the distribution of
	// the next token as the model made it. Engines have penalties and cuts of their
	// own, or take the model's (generation_config.json), and would be asked for
	// unequal work.
	body map[string]any
	// sampling is the same for an engine whose requests have no fields for it: parameters
	// of the model, which load sets.
	sampling   map[string]any
	key        keyed
	oneShot    bool // it closes a connection after each stream, and says that it keeps it
	continuous bool // usage can be had with every chunk

	owners  []string // what /v1/models says of who owns the model
	version []string // routes whose answer has a version, the newest servers' first; none: it does not tell
	metrics string   // route; empty: it has none in Prometheus' format
	// countsWhenTold says that its servers show metrics only where their flags ask for it.
	countsWhenTold bool
	counts         []metric
	// reset is the route that empties the prefix cache, or KeepsNone; empty: it cannot be
	// emptied.
	reset string
	sync  string // route that answers when nothing runs or waits and the device is idle; empty: it has none
	// tokenizer is its route that counts a text's tokens; nil: it has none, or none that
	// is known here.
	tokenizer *tokenizer
	more      func(ctx context.Context, at Address, i *Info) error // what only this server tells; nil: nothing
	// probe takes the place of /v1/models, version and more; nil: they are asked.
	probe func(ctx context.Context, at Address) (Info, error)
	// load makes a server ready that is up before it has its model; nil: it has it.
	load func(ctx context.Context, at Address, e study.Experiment, h Host) (served string, err error)

	docs docs
}

// docs is what the documentation says of an engine, as Markdown, where its row does not
// say it already. A test writes the tables from both.
type docs struct {
	run      string // what was run of it, and then how; empty: it is by specification alone
	image    string // where its image is from, of one without an upstream
	counts   string // when it counts; empty: always
	hits     string // who tells how much of a prompt was found in the prefix cache
	always   string // what llem sets
	asked    string // what llem sets by the experiment
	cacheOff string // what switches the prefix cache off, where uncached does not say it
	emptied  string // what there is to say of reset
	proven   string // who tells that the cache is empty
	tried    string // how that was checked
}

// Name is what the engine is called in records and by engine.name.
func (e *Engine) Name() string { return e.name }

// Traits are what its API can do.
func (e *Engine) Traits() Traits { return e.traits }

// Spec is the container of an experiment on this host.
func (e *Engine) Spec(exp study.Experiment, h Host) (launch.Spec, error) {
	s, err := e.spec(exp, h)
	if err != nil {
		return s, err
	}
	s.Cmd, err = arguments(exp, h, s.Cmd)
	return s, err
}

// Client speaks the engine's API at at.
func (e *Engine) Client(at Address, c ClientOptions) load.Client {
	extra := maps.Clone(e.body)
	if extra == nil {
		extra = map[string]any{}
	}
	maps.Copy(extra, c.ExtraBody)
	return load.NewOpenAI(load.OpenAIOptions{
		BaseURL: at.URL, Header: at.Header, API: c.API, Model: c.Model, Seed: c.Seed, Temperature: c.Temperature,
		IgnoreEOS: c.IgnoreEOS && e.traits.IgnoreEOS, ExtraBody: extra, Timeout: c.Timeout, KeepText: c.KeepText,
		Connections: c.Connections, Bounded: c.Bounded, H2C: c.H2C, ContinuousUsage: e.continuous, SendText: !e.traits.TokenIDs, OneShot: e.oneShot,
	})
}

// Load makes a server of the Spec of exp and h ready for exp's requests, and says the
// name by which they ask for the model; empty: there was nothing to do.
func (e *Engine) Load(ctx context.Context, at Address, exp study.Experiment, h Host) (served string, err error) {
	if e.load == nil {
		return "", nil
	}
	return e.load(ctx, at, exp, h)
}

// Sync returns when the server's device is idle. Info.SyncRoute says whether it has a
// route for it.
func (e *Engine) Sync(ctx context.Context, at Address) error {
	_, err := fetch(ctx, http.MethodPost, at, e.sync)
	return err
}

// ContextFlag is the engine's flag for the context of a request; empty: it has none.
func (e *Engine) ContextFlag() string {
	if len(e.context) == 0 {
		return ""
	}
	return e.context[0]
}

// SetsContext says whether engine.args may make the context another than the model's
// files say.
func (e *Engine) SetsContext(args map[string]any) bool {
	for name, v := range args {
		name, _, _ = strings.Cut(spelled(name), ".") // hf-overrides.rope_scaling
		if v != nil && slices.ContainsFunc(e.context, func(flag string) bool { return spelled(flag) == name }) {
			return true
		}
	}
	return false
}

// Draws says whether the engine draws its weights and loads none, and by what one knows.
func (e *Engine) Draws(args map[string]any) (why string, ok bool) {
	if e.traits.Dummy {
		return "the " + e.name + " engine draws its weights from a seed", true
	}
	for name, v := range args {
		if e.dummy != "" && spelled(name) == e.dummy && v == "dummy" {
			return "engine.args." + name + ": dummy", true
		}
	}
	return "", false
}

// models is an answer of /v1/models, with what some servers add to OpenAI's.
type models struct {
	Data []modelInfo `json:"data"`
}

// of is what the list says of a model; empty: of the first.
func (m models) of(model string) modelInfo {
	i := 0
	if model != "" {
		i = slices.IndexFunc(m.Data, func(d modelInfo) bool { return d.ID == model })
	}
	if i < 0 || i >= len(m.Data) {
		return modelInfo{ID: model}
	}
	return m.Data[i]
}

type modelInfo struct {
	ID            string `json:"id"`
	OwnedBy       string `json:"owned_by"`
	ContextLength int    `json:"max_model_len"`
	Total         int64  `json:"parameters_total"`
	NonEmbedding  int64  `json:"parameters_non_embedding"`
	Active        int64  `json:"parameters_active"` // of a mixture of experts
	DType         string `json:"dtype"`
	Vocabulary    int    `json:"vocab_size"`
	Hidden        int    `json:"hidden_size"`
	Layers        int    `json:"num_layers"`
	Heads         int    `json:"num_heads"`
	HeadDim       int    `json:"head_dim"`
}

// Probe asks a server what it is, of it for a served model; empty: the first that is
// listed.
func (e *Engine) Probe(ctx context.Context, at Address, model string) (i Info, err error) {
	if e.probe != nil {
		i, err = e.probe(ctx, at)
	} else {
		i, err = e.ask(ctx, at, model)
	}
	i.SyncRoute = err == nil && e.sync != ""
	return i, err
}

// ask asks /v1/models and the engine's own routes.
func (e *Engine) ask(ctx context.Context, at Address, model string) (Info, error) {
	var m models
	if err := getJSON(ctx, at, "/v1/models", &m); err != nil && !(e.traits.Running && unlisted(err)) {
		return Info{}, err
	}
	if len(m.Data) == 0 && !e.traits.Running {
		return Info{}, fmt.Errorf("%s/v1/models lists no model", at)
	}
	d := m.of(model)
	i := Info{
		Engine: owner(d.OwnedBy), Model: d.ID, ContextLength: d.ContextLength, DType: d.DType,
		ParametersTotal: d.Total, ParametersNonEmbedding: d.NonEmbedding, ParametersActive: d.Active,
		Vocabulary: d.Vocabulary, HiddenSize: d.Hidden, Layers: d.Layers, AttentionHeads: d.Heads, HeadDim: d.HeadDim,
	}
	for _, route := range e.version {
		var v struct{ Version string }
		if err := getJSON(ctx, at, route, &v); err == nil { // an imitation may not have it
			i.Version = version(v.Version)
			break
		}
	}
	if e.more != nil {
		if err := e.more(ctx, at, &i); err != nil {
			return i, err
		}
	}
	return i, nil
}

// Counters reads the server's metrics; nil where it has none, or its flags do not ask
// for them.
func (e *Engine) Counters(ctx context.Context, at Address) (Counters, error) {
	if e.metrics == "" {
		return nil, nil
	}
	return counters(ctx, at, e.metrics, e.counts)
}

// owner is the engine whose servers say that they own their models by this name.
func owner(by string) string {
	for _, e := range engines {
		if slices.Contains(e.owners, by) {
			return e.name
		}
	}
	return ""
}
