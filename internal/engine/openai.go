package engine

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/llenergymeasure/llem/internal/load"
	"github.com/llenergymeasure/llem/internal/study"
)

// openai is an engine whose server speaks OpenAI's HTTP API. It differs from its
// peers in data, and in how its container is started.
type openai struct {
	name   string
	traits Traits
	signs  signs
	spec   func(study.Experiment, Host) (Spec, error)

	// In every request, beneath workload.extra_body: what leaves the distribution of
	// the next token as the model made it. Engines have penalties and cuts of their
	// own, or take the model's (generation_config.json), and would be asked for
	// unequal work.
	body       map[string]any
	key        keyed
	oneShot    bool // it closes a connection after each stream, and says that it keeps it
	continuous bool // usage can be had with every chunk

	owners  []string // what /v1/models says of who owns the model
	version []string // routes whose answer has a version, the newest servers' first; none: it does not tell
	metrics string   // route; empty: it has none in Prometheus' format
	// countsWhenTold says that its servers show metrics only where their flags ask for it.
	countsWhenTold bool
	counts         []metric
	reset          func(ctx context.Context, at Address) (how string, err error) // empties the prefix cache; nil: it cannot be
	// tokenizer is its route that counts a text's tokens; nil: it has none, or none that
	// is known here.
	tokenizer *tokenizer
	more      func(ctx context.Context, at Address, i *Info) error // what only this server tells; nil: nothing
}

func (o *openai) Name() string   { return o.name }
func (o *openai) Traits() Traits { return o.traits }

// dialect is how engines of this kind are told from others, whatever they are
// wrapped in.
func (o *openai) dialect() *openai { return o }

func (o *openai) Spec(e study.Experiment, h Host) (Spec, error) {
	s, err := o.spec(e, h)
	if err != nil {
		return s, err
	}
	s.Cmd, err = arguments(e, h, s.Cmd)
	return s, err
}

func (o *openai) Client(at Address, c ClientOptions) load.Client {
	extra := maps.Clone(o.body)
	if extra == nil {
		extra = map[string]any{}
	}
	maps.Copy(extra, c.ExtraBody)
	return load.NewOpenAI(load.OpenAIOptions{
		BaseURL: at.URL, Header: at.Header, API: c.API, Model: c.Model, Seed: c.Seed, Temperature: c.Temperature,
		IgnoreEOS: c.IgnoreEOS && o.traits.IgnoreEOS, ExtraBody: extra, Timeout: c.Timeout, KeepText: c.KeepText,
		Connections: c.Connections, Bounded: c.Bounded, H2C: c.H2C, ContinuousUsage: o.continuous, SendText: !o.traits.TokenIDs, OneShot: o.oneShot,
	})
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

// Probe asks /v1/models, of it for a served model, and the engine's own routes.
func (o *openai) Probe(ctx context.Context, at Address, model string) (Info, error) {
	var m models
	if err := getJSON(ctx, at, "/v1/models", &m); err != nil && !(o.name == OpenAI && unlisted(err)) {
		return Info{}, err
	}
	if len(m.Data) == 0 && o.name != OpenAI {
		return Info{}, fmt.Errorf("%s/v1/models lists no model", at)
	}
	d := m.of(model)
	i := Info{
		Engine: owner(d.OwnedBy), Model: d.ID, ContextLength: d.ContextLength, DType: d.DType,
		ParametersTotal: d.Total, ParametersNonEmbedding: d.NonEmbedding, ParametersActive: d.Active,
		Vocabulary: d.Vocabulary, HiddenSize: d.Hidden, Layers: d.Layers, AttentionHeads: d.Heads, HeadDim: d.HeadDim,
	}
	for _, route := range o.version {
		var v struct{ Version string }
		if err := getJSON(ctx, at, route, &v); err == nil { // an imitation may not have it
			i.Version = version(v.Version)
			break
		}
	}
	if o.more != nil {
		if err := o.more(ctx, at, &i); err != nil {
			return i, err
		}
	}
	return i, nil
}

// Counters reads the server's metrics; nil where it has none, or was not told to
// serve them.
func (o *openai) Counters(ctx context.Context, at Address) (Counters, error) {
	if o.metrics == "" {
		return nil, nil
	}
	return counters(ctx, at, o.metrics, o.counts)
}

// CanReset says whether the server's prefix cache can be emptied.
func (o *openai) CanReset() bool { return o.reset != nil }

// ResetCache empties it, and says how.
func (o *openai) ResetCache(ctx context.Context, at Address) (string, error) {
	return o.reset(ctx, at)
}

// owner is the engine whose servers say that they own their models by this name.
func owner(by string) string {
	for _, o := range dialects() {
		if slices.Contains(o.owners, by) {
			return o.name
		}
	}
	return ""
}
