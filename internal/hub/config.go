package hub

import (
	"encoding/json"
	"fmt"
	"os"
)

// config is what is read of a config.json of transformers.
type config struct {
	ModelType    string          `json:"model_type"`
	Hidden       int64           `json:"hidden_size"`
	Layers       int64           `json:"num_hidden_layers"`
	Heads        int64           `json:"num_attention_heads"`
	KVHeads      *int64          `json:"num_key_value_heads"`
	HeadDimField *int64          `json:"head_dim"`
	FFN          int64           `json:"intermediate_size"`
	Vocab        int64           `json:"vocab_size"`
	Tied         *bool           `json:"tie_word_embeddings"`
	AttnBias     bool            `json:"attention_bias"`
	MLPBias      bool            `json:"mlp_bias"`
	DType        string          `json:"torch_dtype"`
	DTypeNew     string          `json:"dtype"`
	Text         json.RawMessage `json:"text_config"`
	QKNorm       bool            `json:"use_qk_norm"`
	UseBias      *bool           `json:"use_bias"`
	HeadBias     bool            `json:"lm_head_bias"`
	mixture
	latent
	gpt2
	falcon
}

// mixture is what tells of experts.
type mixture struct {
	ExpertsLocal  int64   `json:"num_local_experts"`
	ExpertsQwen   int64   `json:"num_experts"`
	ExpertsDeep   int64   `json:"n_routed_experts"`
	PerToken      int64   `json:"num_experts_per_tok"`
	PerTokenOSS   int64   `json:"experts_per_token"`
	ExpertFFN     int64   `json:"moe_intermediate_size"`
	SharedFFN     int64   `json:"shared_expert_intermediate_size"`
	SharedExperts int64   `json:"n_shared_experts"`
	FirstDense    int64   `json:"first_k_dense_replace"`
	Every         any     `json:"moe_layer_freq"` // a number, or a list that others use
	SparseStep    int64   `json:"decoder_sparse_step"`
	DenseOnly     []int64 `json:"mlp_only_layers"`
	Interleave    int64   `json:"interleave_moe_layer_step"`
	DenseFFN      int64   `json:"intermediate_size_mlp"` // of llama4
}

// latent is DeepSeek's attention over a compressed cache.
type latent struct {
	QRank    *int64 `json:"q_lora_rank"`
	KVRank   int64  `json:"kv_lora_rank"`
	NopeDim  int64  `json:"qk_nope_head_dim"`
	RopeDim  int64  `json:"qk_rope_head_dim"`
	ValueDim int64  `json:"v_head_dim"`
}

type gpt2 struct {
	NEmbd     int64  `json:"n_embd"`
	NLayer    int64  `json:"n_layer"`
	NHead     int64  `json:"n_head"`
	Positions int64  `json:"n_positions"`
	NInner    *int64 `json:"n_inner"`
}

type falcon struct {
	MultiQuery *bool  `json:"multi_query"`
	NumKV      *int64 `json:"num_kv_heads"`
	NewDecoder bool   `json:"new_decoder_architecture"`
	Parallel   *bool  `json:"parallel_attn"`
	ParallelLN *int64 `json:"num_ln_in_parallel_attn"`
	Bias       bool   `json:"bias"`
	FFNHidden  int64  `json:"ffn_hidden_size"`
}

func readConfig(path string) (config, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return config{}, err
	}
	c, err := parseConfig(data)
	if err != nil {
		return c, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// parseConfig reads a config.json; of a model of several modalities, the language
// model's part of it.
func parseConfig(data []byte) (config, error) {
	var c config
	if err := json.Unmarshal(data, &c); err != nil {
		return c, err
	}
	if len(c.Text) > 0 && string(c.Text) != "null" {
		outer := c
		c = config{Tied: outer.Tied, DType: outer.DType, DTypeNew: outer.DTypeNew}
		if err := json.Unmarshal(outer.Text, &c); err != nil {
			return c, err
		}
		c.Text = outer.Text
	}
	switch c.ModelType {
	case "gpt2":
		c.Hidden, c.Layers, c.Heads, c.FFN = c.NEmbd, c.NLayer, c.NHead, 4*c.NEmbd
		if c.NInner != nil {
			c.FFN = *c.NInner
		}
	case "falcon":
		c.readFalcon()
	}
	return c, nil
}

func (c *config) readFalcon() {
	if c.FFN = c.FFNHidden; c.FFN == 0 {
		c.FFN = 4 * c.Hidden
	}
	switch one := int64(1); {
	case c.NewDecoder:
		c.KVHeads = c.NumKV
	case c.MultiQuery == nil || *c.MultiQuery:
		c.KVHeads = &one
	}
}

func (c config) headDim() int64 {
	if c.HeadDimField != nil && *c.HeadDimField > 0 {
		return *c.HeadDimField
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

// experts are the routed ones of a layer; 0 of a dense model.
func (c config) experts() int64 {
	if n := max(c.ExpertsLocal, c.ExpertsQwen, c.ExpertsDeep); n > 1 {
		return n
	}
	return 0
}

func (c config) perToken() int64 { return max(c.PerToken, c.PerTokenOSS) }

// sparse is whether layer i has experts.
func (c config) sparse(i int64) bool {
	every := int64(1)
	if n, ok := c.Every.(float64); ok && n > 1 {
		every = int64(n)
	}
	for _, dense := range c.DenseOnly {
		if i == dense {
			return false
		}
	}
	return c.experts() > 0 && i >= c.FirstDense && i%every == 0 && (i+1)%max(1, c.SparseStep) == 0 && (i+1)%max(1, c.Interleave) == 0
}

// tied is whether the output layer shares the embedding's weights; transformers
// assumes so for some where the file is silent.
func (c config) tied() bool {
	if c.Tied != nil {
		return *c.Tied
	}
	switch c.ModelType {
	case "gemma", "gemma2", "gemma3_text", "gpt2", "falcon", "starcoder2":
		return true
	}
	return false
}

// shape adds to p what only config.json tells.
func (c config) shape(p *Parameters) {
	p.Layers, p.Hidden, p.Heads, p.HeadDim, p.Vocab = int(c.Layers), int(c.Hidden), int(c.Heads), int(c.headDim()), int(c.Vocab)
	if c.KVRank > 0 { // keys and values differ; what counts is their mean
		p.HeadDim = int(c.NopeDim+c.RopeDim+c.ValueDim) / 2
	}
	if d := c.DType + c.DTypeNew; p.DType == "" && d != "" {
		p.DType = Precision(d)
	}
}
