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
	Experts      int64           `json:"num_local_experts"`
	ExpertsQwen  int64           `json:"num_experts"`
	ExpertsDeep  int64           `json:"n_routed_experts"`
	Vision       json.RawMessage `json:"vision_config"`
	// gpt2
	NEmbd     int64  `json:"n_embd"`
	NLayer    int64  `json:"n_layer"`
	NHead     int64  `json:"n_head"`
	Positions int64  `json:"n_positions"`
	NInner    *int64 `json:"n_inner"`
}

func readConfig(path string) (config, error) {
	var c config
	data, err := os.ReadFile(path)
	if err != nil {
		return c, err
	}
	if err := json.Unmarshal(data, &c); err != nil {
		return c, fmt.Errorf("%s: %w", path, err)
	}
	if c.ModelType == "gpt2" {
		c.Hidden, c.Layers, c.Heads, c.FFN = c.NEmbd, c.NLayer, c.NHead, 4*c.NEmbd
		if c.NInner != nil {
			c.FFN = *c.NInner
		}
	}
	return c, nil
}

// refuse names what this version cannot count.
func (c config) refuse() error {
	switch {
	case c.Experts > 1 || c.ExpertsQwen > 1 || c.ExpertsDeep > 1:
		return fmt.Errorf("%w: mixture-of-experts models are not in this version", ErrUnsupported)
	case len(c.Vision) > 0 && string(c.Vision) != "null":
		return fmt.Errorf("%w: models of several modalities are not in this version", ErrUnsupported)
	}
	return nil
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

// tied is whether the output layer shares the embedding's weights; transformers
// assumes so for gemma and gpt2 where the file is silent.
func (c config) tied() bool {
	if c.Tied != nil {
		return *c.Tied
	}
	switch c.ModelType {
	case "gemma", "gemma2", "gemma3_text", "gpt2":
		return true
	}
	return false
}

// shape adds to p what only config.json tells.
func (c config) shape(p *Parameters) {
	p.Layers, p.Hidden, p.Heads, p.HeadDim, p.Vocab = int(c.Layers), int(c.Hidden), int(c.Heads), int(c.headDim()), int(c.Vocab)
	if d := c.DType + c.DTypeNew; p.DType == "" && d != "" {
		p.DType = d
	}
}

// layers counts one block of each architecture.
var layers = map[string]func(config) int64{
	"llama":       llamaLayer,
	"mistral":     llamaLayer,
	"qwen2":       func(c config) int64 { return llamaLayer(c) + (c.Heads+2*c.kv())*c.headDim() }, // q, k, v biases
	"qwen3":       func(c config) int64 { return llamaLayer(c) + 2*c.headDim() },                  // q and k norms
	"gemma":       llamaLayer,
	"gemma2":      func(c config) int64 { return llamaLayer(c) + 2*c.Hidden },                 // two more norms
	"gemma3_text": func(c config) int64 { return llamaLayer(c) + 2*c.Hidden + 2*c.headDim() }, // and q and k norms
	"phi3":        llamaLayer,
	"phi":         phiLayer,
	"gpt2":        gpt2Layer,
}

// llamaLayer is grouped-query attention, a gated MLP and two norms.
func llamaLayer(c config) int64 {
	q, kv := c.Heads*c.headDim(), c.kv()*c.headDim()
	n := c.Hidden*(2*q+2*kv) + 3*c.Hidden*c.FFN + 2*c.Hidden
	if c.AttnBias {
		n += q + 2*kv + c.Hidden
	}
	if c.MLPBias {
		n += 2*c.FFN + c.Hidden
	}
	return n
}

// phiLayer has biases everywhere, a plain MLP and one norm.
func phiLayer(c config) int64 {
	q, kv := c.Heads*c.headDim(), c.kv()*c.headDim()
	return c.Hidden*(2*q+2*kv) + q + 2*kv + c.Hidden + 2*c.Hidden*c.FFN + c.FFN + c.Hidden + 2*c.Hidden
}

// gpt2Layer is fused attention, a plain MLP and two norms, all with biases.
func gpt2Layer(c config) int64 {
	h := c.Hidden
	return 4*h*h + 4*h + 2*h*c.FFN + c.FFN + h + 4*h
}

// count is the closed form.
func (c config) count() (Parameters, error) {
	layer, ok := layers[c.ModelType]
	if !ok {
		return Parameters{}, fmt.Errorf("%w: config.json says model_type %q, which this version does not know; safetensors or GGUF files would tell", ErrUnsupported, c.ModelType)
	}
	if c.Hidden <= 0 || c.Layers <= 0 || c.Heads <= 0 || c.FFN <= 0 || c.Vocab <= 0 {
		return Parameters{}, fmt.Errorf("%w: config.json lacks hidden_size, num_hidden_layers, num_attention_heads, intermediate_size or vocab_size", ErrUnsupported)
	}
	p := Parameters{Source: "config", Confidence: Medium, Embedding: c.Vocab * c.Hidden}
	norm := c.Hidden
	switch c.ModelType {
	case "gpt2":
		p.Embedding += c.Positions * c.Hidden
		norm = 2 * c.Hidden
	case "phi":
		norm = 2 * c.Hidden
	}
	p.NonEmbedding = c.Layers*layer(c) + norm
	if !c.tied() {
		p.LMHead = c.Vocab * c.Hidden
		if c.ModelType == "phi" {
			p.LMHead += c.Vocab
		}
	}
	p.Total = p.Embedding + p.NonEmbedding + p.LMHead
	c.shape(&p)
	return p, nil
}
