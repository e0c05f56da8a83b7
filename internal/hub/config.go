package hub

import (
	"fmt"
	"io"
	"os"
	"slices"
)

// config is what is read of a model's configuration: config.json of transformers,
// params.json of Mistral, or the metadata of a GGUF file. 0 is unknown.
type config struct {
	ModelType    string
	Hidden       int64
	Layers       int64
	Heads        int64
	HeadList     []int64 // of each layer, where they differ
	KVHeads      *int64
	HeadDimField *int64
	FFN          int64
	Vocab        int64
	Tables       []int64 // rows that a table of embeddings may have beside Vocab
	Positions    int64
	Tied         *bool
	TiedOuter    *bool // of the whole model, where the language model is a part of it
	AttnBias     bool
	MLPBias      bool
	DType        string
	QKNorm       bool
	UseBias      *bool
	HeadBias     bool
	raw          object // the language model's part
	whole        object
	unread       []string // keys that could not be read
	gguf         bool     // it is the metadata of a GGUF file, whose files share the embedding by leaving the output layer out
	mixture
	latent
	falcon
}

// latent is DeepSeek's attention over a compressed cache.
type latent struct {
	QRank    *int64
	KVRank   int64
	NopeDim  int64
	RopeDim  int64
	ValueDim int64
}

type falcon struct {
	MultiQuery *bool
	NewDecoder bool
	Parallel   *bool
	ParallelLN *int64
	Bias       bool
}

// maxConfig bounds a configuration. Some list a label for each of a million classes.
const maxConfig = 16 << 20

func readConfig(path string) (config, error) {
	f, err := os.Open(path)
	if err != nil {
		return config{}, err
	}
	defer f.Close()
	c, err := parseConfigFrom(f)
	if err != nil {
		return c, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

func parseConfigFrom(r io.Reader) (config, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxConfig+1))
	switch {
	case err != nil:
		return config{}, err
	case len(data) > maxConfig:
		return config{}, fmt.Errorf("longer than %d MiB", maxConfig>>20)
	}
	return parseConfig(data)
}

// parseConfig reads a configuration; of a model of several modalities, the language
// model's part of it.
func parseConfig(data []byte) (config, error) {
	whole, err := parseObject(data)
	if err != nil {
		return config{}, err
	}
	return newConfig(whole), nil
}

// Keys by which configurations name the same quantity, the most usual first.
var (
	hiddenKeys   = []string{"hidden_size", "n_embd", "d_model", "model_dim", "dim", "n_embed", "embed_dim", "emb_dim"}
	layersKeys   = []string{"num_hidden_layers", "n_layer", "n_layers", "num_layers", "num_transformer_layers"}
	headsKeys    = []string{"num_attention_heads", "n_head", "n_heads", "num_heads", "num_query_heads"}
	kvKeys       = []string{"num_key_value_heads", "num_kv_heads", "n_kv_heads", "n_head_kv", "num_attention_groups", "multi_query_group_num", "kv_n_heads"}
	headDimKeys  = []string{"head_dim", "attention_head_dim", "kv_channels", "head_size", "d_kv"}
	ffnKeys      = []string{"intermediate_size", "ffn_hidden_size", "n_inner", "ffn_dim", "d_ff", "mlp_hidden_size", "hidden_dim", "inner_hidden_size"}
	vocabKeys    = []string{"vocab_size", "padded_vocab_size", "n_vocab", "vocabulary_size"}
	positionKeys = []string{"max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "max_sequence_length", "seq_length"}
)

func newConfig(whole object) config {
	raw := language(whole, 0)
	r := &reader{object: raw}
	c := config{
		ModelType: raw.text("model_type"), raw: raw, whole: whole,
		Hidden: r.value(hiddenKeys...), Layers: r.value(layersKeys...), Heads: r.value(headsKeys...), HeadList: r.list(headsKeys...),
		KVHeads: r.number(kvKeys...), HeadDimField: r.number(headDimKeys...), FFN: r.value(ffnKeys...),
		Vocab: r.value(vocabKeys...), Positions: r.value(positionKeys...),
		Tied: raw.flag("tie_word_embeddings", "share_input_output_layers", "tie_embeddings", "tied_embeddings", "tie_embedding"), TiedOuter: whole.flag("tie_word_embeddings"),
		AttnBias: raw.truthy("attention_bias"), MLPBias: raw.truthy("mlp_bias"), QKNorm: raw.truthy("use_qk_norm"),
		UseBias: raw.flag("use_bias"), HeadBias: raw.truthy("lm_head_bias"),
		DType: raw.text("dtype", "torch_dtype"),
	}
	if c.DType == "" {
		c.DType = whole.text("dtype", "torch_dtype")
	}
	for _, key := range []string{"padded_vocab_size", "embedding_size", "vocab_size_per_layer_input"} {
		if n, ok := count(raw[key]); ok && n > 0 {
			c.Tables = append(c.Tables, n)
		}
	}
	if c.KVHeads == nil {
		sub := &reader{object: raw.object("attn_config")}
		c.KVHeads = sub.number(kvKeys...)
	}
	if c.FFN == 0 {
		sub := &reader{object: raw.object("ffn_config")}
		c.FFN = sub.value(ffnKeys...)
	}
	c.latent = latent{
		QRank: r.number("q_lora_rank"), KVRank: r.value("kv_lora_rank"), NopeDim: r.value("qk_nope_head_dim"),
		RopeDim: r.value("qk_rope_head_dim"), ValueDim: r.value("v_head_dim"),
	}
	c.mixture = newMixture(r)
	c.unread = r.unread
	if c.FFN == 0 && (c.ModelType == "gpt2" || c.ModelType == "falcon") {
		c.FFN = 4 * c.Hidden
	}
	if c.ModelType == "falcon" {
		c.falcon = newFalcon(r)
		c.KVHeads = c.falcon.kvHeads(c.KVHeads)
	}
	return c
}

// parts are the keys under which a model of several modalities keeps its language
// model's configuration.
var parts = []string{"text_config", "llm_config", "language_config", "thinker_config", "language_model_config", "text_model_config", "lm_config", "llm"}

// language finds the language model's part. What it leaves out is taken from the whole.
func language(o object, depth int) object {
	var part object
	for _, key := range parts {
		if sub := o.object(key); len(sub) > 0 {
			part = sub
			break
		}
	}
	if part == nil && !describes(o) {
		part = onlyPart(o)
	}
	if part == nil || depth > 3 {
		return o
	}
	part = language(part, depth+1)
	out := object{}
	for key, v := range o {
		if _, nested := v.(map[string]any); !nested && key != "model_type" && key != "tie_word_embeddings" && !describes(part) {
			out[key] = v
		}
	}
	for key, v := range part {
		out[key] = v
	}
	return out
}

// describes says whether an object gives the size of a decoder.
func describes(o object) bool {
	any := func(keys []string) bool { return slices.ContainsFunc(keys, func(k string) bool { return o[k] != nil }) }
	return any(hiddenKeys) && any(layersKeys) && any(vocabKeys)
}

// onlyPart is the one nested object that describes a decoder of text.
func onlyPart(o object) (out object) {
	for key, v := range o {
		sub, _ := v.(map[string]any)
		if sub == nil || foreignWords(key) || !describes(sub) {
			continue
		}
		if out != nil {
			return nil
		}
		out = sub
	}
	return out
}

func newFalcon(r *reader) falcon {
	return falcon{
		MultiQuery: r.flag("multi_query"), NewDecoder: r.truthy("new_decoder_architecture"), Parallel: r.flag("parallel_attn"),
		ParallelLN: r.number("num_ln_in_parallel_attn"), Bias: r.truthy("bias"),
	}
}

// kvHeads are those that count, of which only a new decoder's are as given; nil: as many
// as heads.
func (f falcon) kvHeads(given *int64) *int64 {
	switch one := int64(1); {
	case f.NewDecoder:
		return given
	case f.MultiQuery == nil || *f.MultiQuery:
		return &one
	}
	return nil
}

// headDims are those that transformers assumes where a configuration is silent.
var headDims = map[string]int64{"gemma": 256, "gemma2": 256, "gemma3_text": 256, "qwen3": 128, "qwen3_moe": 128, "gpt_oss": 64, "glm4_moe": 128}

func (c config) headDim() int64 {
	if c.HeadDimField != nil && *c.HeadDimField > 0 {
		return *c.HeadDimField
	}
	if d := headDims[c.ModelType]; d > 0 {
		return d
	}
	if c.Heads == 0 {
		return 0
	}
	return c.Hidden / c.Heads
}

func (c config) kv() int64 {
	if c.KVHeads != nil {
		return *c.KVHeads
	}
	return c.Heads
}

// tied is whether the output layer shares the embedding's weights; transformers
// assumes so for some where the file is silent.
func (c config) tied() bool {
	for _, said := range []*bool{c.Tied, c.TiedOuter} {
		if said != nil {
			return *said
		}
	}
	return slices.Contains([]string{"gemma", "gemma2", "gemma3_text", "gpt2", "falcon", "starcoder2", "cohere", "cohere2"}, c.ModelType)
}

// shape adds to p what only the configuration tells.
func (c config) shape(p *Parameters) {
	p.Layers, p.Hidden, p.Heads, p.HeadDim, p.Vocab = int(c.Layers), int(c.Hidden), int(c.Heads), int(c.headDim()), int(c.Vocab)
	if c.KVRank > 0 { // keys and values differ; what counts is their mean
		p.HeadDim = int(c.NopeDim+c.RopeDim+c.ValueDim) / 2
	}
	if p.DType == "" && c.DType != "" {
		p.DType = Precision(c.DType)
	}
}
