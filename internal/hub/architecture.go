package hub

import (
	"fmt"
	"strings"
)

// architecture is how a decoder's blocks differ from others': all have attention,
// an MLP or experts, and norms.
type architecture struct {
	norms     int64 // vectors of a block's norms
	layerNorm bool  // norms have a bias
	plain     bool  // the MLP has two matrices, not three
	qkvBias   bool
	allBias   bool // every matrix has a bias
	mlpBias   bool // those of the MLP have
	headBias  bool
	qkHeads   bool // norms of queries and keys, one for all heads
	qkWhole   bool // norms of queries and keys, over all heads
}

// architectures by model_type, as transformers builds them.
var architectures = map[string]architecture{
	"llama":       {norms: 2},
	"mistral":     {norms: 2},
	"ministral":   {norms: 2},
	"smollm3":     {norms: 2},
	"granite":     {norms: 2},
	"phi3":        {norms: 2},
	"gemma":       {norms: 2},
	"gemma2":      {norms: 4},
	"gemma3_text": {norms: 4, qkHeads: true},
	"qwen2":       {norms: 2, qkvBias: true},
	"qwen3":       {norms: 2, qkHeads: true},
	"olmo2":       {norms: 2, qkWhole: true},
	"phi":         {norms: 1, layerNorm: true, plain: true, allBias: true, headBias: true},
	"gpt2":        {norms: 2, layerNorm: true, plain: true, allBias: true},
	"gpt_neox":    {norms: 2, layerNorm: true, plain: true, allBias: true},
	"starcoder2":  {norms: 2, layerNorm: true, plain: true, allBias: true},
	"falcon":      {norms: 2, layerNorm: true, plain: true},
	"mixtral":     {norms: 2},
	"qwen2_moe":   {norms: 2, qkvBias: true},
	"qwen3_moe":   {norms: 2, qkHeads: true},
	"olmoe":       {norms: 2, qkWhole: true},
	"phimoe":      {norms: 2, layerNorm: true},
	"granitemoe":  {norms: 2},
	"deepseek_v2": {norms: 2},
	"deepseek_v3": {norms: 2},
	"gpt_oss":     {norms: 2},
	"kimi_k2":     {norms: 2},
	"glm4_moe":    {norms: 2},
	"llama4_text": {norms: 2},
}

// architecture is c's, with what its own fields change.
func (c config) architecture() (architecture, error) {
	a, ok := architectures[c.ModelType]
	if !ok {
		return a, fmt.Errorf("%w: config.json says model_type %q, which this version does not know; safetensors or GGUF files are needed", ErrUnsupported, c.ModelType)
	}
	switch c.ModelType {
	case "falcon":
		a.allBias = c.Bias
		switch {
		case c.ParallelLN != nil:
			a.norms = *c.ParallelLN
		case !c.NewDecoder && (c.Parallel == nil || *c.Parallel):
			a.norms = 1
		}
	case "starcoder2":
		a.allBias = c.UseBias == nil || *c.UseBias
	case "glm4_moe":
		a.qkvBias, a.qkHeads = c.AttnBias, c.QKNorm
	case "phimoe":
		a.headBias = c.HeadBias
	}
	a.mlpBias = a.allBias || c.MLPBias
	return a, nil
}

// attention counts one block's.
func (a architecture) attention(c config) int64 {
	if c.KVRank > 0 {
		return c.latent.projections(c.Hidden, c.Heads)
	}
	q, kv := c.Heads*c.headDim(), c.kv()*c.headDim()
	n := c.Hidden * (2*q + 2*kv)
	switch {
	case a.allBias || c.AttnBias && c.ModelType != "glm4_moe":
		n += q + 2*kv + c.Hidden
	case a.qkvBias:
		n += q + 2*kv
	}
	switch {
	case a.qkHeads:
		n += 2 * c.headDim()
	case a.qkWhole:
		n += q + kv
	}
	if c.ModelType == "gpt_oss" {
		n += c.Heads // sinks
	}
	return n
}

// projections are of low rank, with norms between.
func (l latent) projections(hidden, heads int64) int64 {
	key := l.NopeDim + l.RopeDim
	n := hidden * heads * key
	if l.QRank != nil && *l.QRank > 0 {
		n = *l.QRank * (hidden + 1 + heads*key)
	}
	return n + hidden*(l.KVRank+l.RopeDim) + l.KVRank*(1+heads*(l.NopeDim+l.ValueDim)) + heads*l.ValueDim*hidden
}

// mlp counts a dense one of ffn.
func (a architecture) mlp(hidden, ffn int64) int64 {
	matrices := int64(3)
	if a.plain {
		matrices = 2
	}
	n := matrices * hidden * ffn
	if a.mlpBias {
		n += (matrices-1)*ffn + hidden
	}
	return n
}

// feedForward counts layer i's MLP or experts, and those of its parameters that
// work for no given token.
func (a architecture) feedForward(c config, i int64) (n, idle int64) {
	if !c.sparse(i) {
		ffn := c.FFN
		if c.DenseFFN > 0 {
			ffn = c.DenseFFN
		}
		return a.mlp(c.Hidden, ffn), 0
	}
	ffn, e := c.FFN, c.experts()
	if c.ExpertFFN > 0 {
		ffn = c.ExpertFFN
	}
	expert, router := a.mlp(c.Hidden, ffn), e*c.Hidden
	switch c.ModelType {
	case "gpt_oss":
		expert, router = expert+2*ffn+c.Hidden, router+e
	case "deepseek_v3", "kimi_k2", "glm4_moe":
		router += e // e_score_correction_bias
	}
	n = router + e*expert
	switch {
	case c.ModelType == "llama4_text":
		n += expert
	case c.SharedFFN > 0:
		n += a.mlp(c.Hidden, c.SharedFFN) + c.Hidden // and its gate
	default:
		n += a.mlp(c.Hidden, c.SharedExperts*ffn)
	}
	return n, (e - c.PerToken) * expert
}

// count is the closed form.
func (c config) count() (Parameters, error) {
	a, err := c.architecture()
	if err != nil {
		return Parameters{}, err
	}
	if err := c.complete(); err != nil {
		return Parameters{}, err
	}
	norm := c.Hidden
	if a.layerNorm {
		norm *= 2
	}
	p := Parameters{Source: "config", Confidence: Medium, Embedding: c.Vocab * c.Hidden, NonEmbedding: norm}
	if c.ModelType == "gpt2" {
		p.Embedding += c.Positions * c.Hidden
	}
	var idle int64
	for i := range c.Layers {
		n, resting := a.feedForward(c, i)
		p.NonEmbedding += a.attention(c) + n + a.norms*norm
		idle += resting
	}
	if !c.tied() {
		p.LMHead = c.Vocab * c.Hidden
		if a.headBias {
			p.LMHead += c.Vocab
		}
	}
	p.Total = p.Embedding + p.NonEmbedding + p.LMHead
	p.Active = p.Total - idle
	c.shape(&p)
	if p.Total > maxElements || p.NonEmbedding-idle <= 0 {
		return Parameters{}, fmt.Errorf("%w: config.json gives an impossible number of parameters", ErrUnsupported)
	}
	doubts := append(c.doubts(), c.mixture.doubts...)
	if len(c.unread) > 0 { // and a default was taken for it
		doubts = append(doubts, "keys of the configuration could not be read: "+strings.Join(c.unread, ", "))
	}
	if len(doubts) > 0 {
		p.Confidence, p.Notes = Low, doubts
	}
	p.Attention, p.AttentionUnknown = c.layout(nil, nil)
	p.Notes = append(p.Notes, c.remarks(p.Attention)...)
	return p, nil
}

// uneven says whether layers differ in their heads.
func (c config) uneven() bool {
	r := &reader{object: c.raw}
	return uneven(c.HeadList) != nil || uneven(r.list(kvKeys...)) != nil || uneven(r.list(headDimKeys...)) != nil
}

// complete refuses a configuration that does not tell the whole shape.
func (c config) complete() error {
	if err := c.sane(); err != nil {
		return err
	}
	var lacks []string
	for _, f := range []struct {
		name  string
		value int64
	}{
		{"hidden_size", c.Hidden}, {"num_hidden_layers", c.Layers}, {"num_attention_heads", c.Heads},
		{"intermediate_size", max(c.FFN, c.ExpertFFN)}, {"vocab_size", c.Vocab},
	} {
		if f.value <= 0 {
			lacks = append(lacks, f.name)
		}
	}
	switch {
	case len(lacks) > 0:
		return fmt.Errorf("%w: config.json lacks %s", ErrUnsupported, strings.Join(lacks, ", "))
	case c.uneven(), c.ExpertList != nil, c.PerTokenList != nil, c.raw.has("block_configs"):
		return fmt.Errorf("%w: config.json gives layers that differ, so only their tensors can be counted", ErrUnsupported)
	case c.experts() > 0 && (c.PerToken <= 0 || c.PerToken > c.experts()):
		return fmt.Errorf("%w: config.json has %d experts and does not say how many work for a token (num_experts_per_tok)", ErrUnsupported, c.experts())
	}
	return nil
}
