package hub

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

var (
	sparseKey = regexp.MustCompile(`^(?:index_topk|sparse_\w*config|compress_ratios?|nsa_\w+|moba_\w+|sparse_attention\w*|use_sparse_attention)$`)
	stateKey  = regexp.MustCompile(`mamba|^ssm|rwkv|lightning|linear_attn|linear_num|lru_width|deltanet|conv_L_cache|state_size|time_mix|wkv|xlstm|retnet|hgrn|gated_linear`)
)

// layering is what a configuration says of which layers attend, and to what.
type layering struct {
	raw    object
	model  string // its model_type
	layers int64
	ahead  int64 // blocks that predict, whose kinds some lists give as well
}

// keepsState says whether the configuration speaks of layers that keep a state.
func (l layering) keepsState() bool { return l.raw.any(stateKey) || stateKey.MatchString(l.model) }

// kinds are those of all layers; said is whether the configuration says so itself.
func (l layering) kinds() (out []kind, said bool, why string) {
	if l.raw.any(sparseKey) {
		return nil, false, "its attention chooses among earlier tokens, and its cost is not that of all of them"
	}
	for _, find := range []func() ([]kind, string){l.byTypes, l.byPattern, l.byNumbers, l.byPlaces, l.byPeriod} {
		if out, why = find(); out != nil || why != "" {
			return out, true, why
		}
	}
	out, why = l.byWindow()
	return out, false, why
}

// window is the number of tokens that sliding attention sees; 0: not said.
func (l layering) window() int64 {
	r := &reader{object: l.raw}
	return r.value("sliding_window", "sliding_window_size", "attention_window_size", "window_size", "swa_window_size", "local_attention_window_size")
}

func (l layering) chunk() int64 {
	if n, ok := count(l.raw["attention_chunk_size"]); ok && n > 0 {
		return n
	}
	if l.model == "llama4_text" || l.model == "llama4" { // as transformers and llama.cpp assume
		return 8192
	}
	return 0
}

// byTypes reads a list of names, one a layer, or a pattern that repeats.
func (l layering) byTypes() ([]kind, string) {
	var names []string
	for _, key := range []string{"layer_types", "layers_block_type", "block_types", "_block_types", "attention_layers", "layers_types"} {
		if names = l.raw.names(key); names != nil {
			break
		}
	}
	repeats := l.raw.names("block_types") != nil || l.raw.names("_block_types") != nil
	switch n := int64(len(names)); {
	case n == 0:
		return nil, ""
	case n != l.layers && n != l.layers+l.ahead && (!repeats || n > l.layers):
		return nil, fmt.Sprintf("the configuration gives kinds of %d layers, and there are %d", n, l.layers)
	}
	out := make([]kind, l.layers)
	for i := range out {
		k, ok := l.named(names[i%len(names)])
		if !ok {
			return nil, fmt.Sprintf("a layer of kind %q is not known", names[i%len(names)])
		}
		out[i] = k
	}
	return out, ""
}

func (l layering) named(name string) (kind, bool) {
	name = strings.ToLower(name)
	holds := func(list ...string) bool {
		return slices.ContainsFunc(list, func(s string) bool { return strings.Contains(name, s) })
	}
	switch {
	case holds("linear", "mamba", "conv", "recurrent", "ssm", "delta", "kda", "lightning", "rwkv", "mlp", "moe", "no_op"):
		return kind{}, true
	case holds("sparse", "compress", "index"):
		return kind{}, false
	case holds("chunk"):
		return kind{true, l.chunk(), true}, l.chunk() > 0
	case holds("sliding", "local", "window", "swa"):
		return kind{true, l.window(), false}, l.window() > 0
	case holds("full", "global", "attention", "attn", "hybrid"):
		w := int64(0)
		if name == "attention" && l.raw["attention_window_size"] != nil { // RecurrentGemma's
			w = l.window()
		}
		return kind{true, w, false}, true
	}
	return kind{}, false
}

// byPattern reads one letter a layer: of Nemotron-H.
func (l layering) byPattern() ([]kind, string) {
	s := l.raw.text("hybrid_override_pattern", "hybrid_layer_pattern")
	if s == "" {
		return nil, ""
	}
	if int64(len(s)) != l.layers || strings.Trim(s, "M*-E") != "" {
		return nil, "the pattern of its layers cannot be read"
	}
	out := make([]kind, l.layers)
	for i := range out {
		out[i].attends = s[i] == '*'
	}
	return out, ""
}

// byNumbers reads a list of numbers, one a layer.
func (l layering) byNumbers() ([]kind, string) {
	r := &reader{object: l.raw}
	full, slides := r.list("attn_type_list"), r.list("hybrid_layer_pattern", "sliding_window_pattern")
	kv := uneven(r.list(kvKeys...))
	switch n := l.layers; {
	case int64(len(full)) >= n && n > 0:
		return build(n, func(i int64) kind { return kind{attends: full[i] == 1} }), ""
	case int64(len(slides)) >= n && l.window() > 0:
		return build(n, func(i int64) kind { return kind{attends: true, window: slides[i] * l.window()} }), ""
	case int64(len(kv)) >= n && slices.Min(kv) == 0: // of GGUF, and of models whose blocks differ
		return build(n, func(i int64) kind { return kind{attends: kv[i] > 0} }), ""
	}
	return nil, ""
}

func build(layers int64, of func(int64) kind) []kind {
	out := make([]kind, layers)
	for i := range out {
		out[i] = of(int64(i))
	}
	return out
}

// byPlaces reads the numbers of the layers that attend.
func (l layering) byPlaces() ([]kind, string) {
	r := &reader{object: l.raw}
	if list := r.list("attn_layer_indices", "full_attn_idxs", "attention_layers_idx"); len(list) > 0 {
		return build(l.layers, func(i int64) kind { return kind{attends: slices.Contains(list, i)} }), ""
	}
	if list := (&reader{object: l.raw.object("linear_attn_config")}).list("full_attn_layers"); len(list) > 0 { // from 1
		return build(l.layers, func(i int64) kind { return kind{attends: slices.Contains(list, i+1)} }), ""
	}
	if list := r.list("cross_attention_layers"); len(list) > 0 { // of images, which rest for text
		return build(l.layers, func(i int64) kind { return kind{attends: !slices.Contains(list, i)} }), ""
	}
	if list := r.list("global_attn_idx"); len(list) > 0 && l.window() > 0 {
		return build(l.layers, func(i int64) kind {
			if slices.Contains(list, i) {
				return kind{attends: true}
			}
			return kind{attends: true, window: l.window()}
		}), ""
	}
	return nil, ""
}

// byPeriod reads every how many layers one attends.
func (l layering) byPeriod() ([]kind, string) {
	r := &reader{object: l.raw}
	if n := r.value("attn_layer_period"); n > 0 {
		offset := r.value("attn_layer_offset")
		return build(l.layers, func(i int64) kind { return kind{attends: i%n == offset} }), ""
	}
	if n := r.value("full_attention_interval"); n > 0 {
		return build(l.layers, func(i int64) kind { return kind{attends: (i+1)%n == 0} }), ""
	}
	return nil, ""
}

// byWindow reads which layers see a window: all, or all but each so-many-th.
func (l layering) byWindow() ([]kind, string) {
	w := l.window()
	if said := l.raw.flag("use_sliding_window"); said != nil && !*said {
		w = 0
	}
	full, chunked := int64(0), false // every how many layers one sees all
	r := &reader{object: l.raw}
	switch n := r.value("sliding_window_pattern", "_sliding_window_pattern", "global_attn_every_n_layers"); {
	case l.chunk() > 0:
		w, full, chunked = l.chunk(), max(4, r.value("no_rope_layer_interval")), true
	case n > 0:
		full = n
	case l.raw.text("sliding_window_pattern") != "": // of letters, as LLLG
		full = int64(len(l.raw.text("sliding_window_pattern")))
	default:
		full = map[string]int64{"gemma2": 2, "gemma3_text": 6, "gemma3": 6, "gemma3n_text": 5, "gemma3n": 5, "cohere2": 4, "gpt_oss": 2, "gpt-oss": 2}[l.model]
	}
	if n, ok := count(l.raw["max_window_layers"]); ok && l.raw["use_sliding_window"] != nil { // Qwen's: layers from there on
		return build(l.layers, func(i int64) kind {
			if i >= n {
				return kind{attends: true, window: w}
			}
			return kind{attends: true}
		}), ""
	}
	return build(l.layers, func(i int64) kind {
		if w == 0 || full > 0 && (i+1)%full == 0 {
			return kind{attends: true}
		}
		return kind{true, w, chunked}
	}), ""
}
