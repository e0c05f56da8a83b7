package main

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// The shape: a Llama whose matrices are multiples of 256, as quantisers want.
const (
	width      = 256
	layers     = 4
	heads      = 4
	kvHeads    = 2
	headWidth  = width / heads
	feed       = 768
	normEps    = 1e-5
	ropeBase   = 10000
	logitScale = 3 // the standard deviation of a word's logit
)

// model is what both writers write.
type model struct {
	vocabulary
	context int
	tensors []tensor
}

// tensor is one matrix in rows, or one vector where rows is 1 and norm is set.
type tensor struct {
	hf, gguf   string
	rows, cols int
	norm       bool
	heads      int // of a query or key matrix, whose rows GGUF orders otherwise
	data       []float32
}

// newModel draws the weights. The first of the width's numbers carries no
// meaning: it is the same for every token, no layer reads or writes it, and so
// the last matrix can hold it against the tokens that are no words, at every
// place of every text.
func newModel(seed uint64, context int, eos bool) *model {
	m := &model{vocabulary: newVocabulary(), context: context}
	r := rand.New(rand.NewPCG(seed, 0))
	const constant = 8
	embedding := m.matrix(r, "model.embed_tokens", "token_embd", vocabularySize, width, 1)
	for t := range vocabularySize {
		embedding[t*width] = constant
	}
	for i := range layers {
		m.layer(r, i)
	}
	m.vector("model.norm", "output_norm", 1)
	output := m.matrix(r, "lm_head", "output", vocabularySize, width, logitScale/math.Sqrt(width))
	for t := range vocabularySize {
		row := output[t*width : (t+1)*width]
		row[0] = 0
		if t < m.words {
			clear(row)
			row[0] = -32
		}
	}
	if eos {
		// The largest of 1700 normal numbers is about 3.3 standard deviations up:
		// with that logit, the end is the likeliest token at some places.
		output[end*width] = float32(round(3.3 * logitScale / constant * residual))
	}
	return m
}

// residual is about the size of the numbers that the last layer leaves.
const residual = 1.5

func (m *model) layer(r *rand.Rand, i int) {
	hf, gguf := fmt.Sprintf("model.layers.%d.", i), fmt.Sprintf("blk.%d.", i)
	scale := 1 / math.Sqrt(width)
	m.vector(hf+"input_layernorm", gguf+"attn_norm", 0)
	m.matrix(r, hf+"self_attn.q_proj", gguf+"attn_q", heads*headWidth, width, scale)
	m.tensors[len(m.tensors)-1].heads = heads
	m.matrix(r, hf+"self_attn.k_proj", gguf+"attn_k", kvHeads*headWidth, width, scale)
	m.tensors[len(m.tensors)-1].heads = kvHeads
	m.matrix(r, hf+"self_attn.v_proj", gguf+"attn_v", kvHeads*headWidth, width, scale)
	clear(m.matrix(r, hf+"self_attn.o_proj", gguf+"attn_output", width, heads*headWidth, scale)[:heads*headWidth])
	m.vector(hf+"post_attention_layernorm", gguf+"ffn_norm", 0)
	m.matrix(r, hf+"mlp.gate_proj", gguf+"ffn_gate", feed, width, scale)
	m.matrix(r, hf+"mlp.up_proj", gguf+"ffn_up", feed, width, scale)
	clear(m.matrix(r, hf+"mlp.down_proj", gguf+"ffn_down", width, feed, 1/math.Sqrt(feed))[:feed])
}

// matrix adds one of normal numbers and returns them.
func (m *model) matrix(r *rand.Rand, hf, gguf string, rows, cols int, scale float64) []float32 {
	data := make([]float32, rows*cols)
	for i := range data {
		data[i] = round(r.NormFloat64() * scale)
	}
	m.tensors = append(m.tensors, tensor{hf: hf + ".weight", gguf: gguf + ".weight", rows: rows, cols: cols, data: data})
	return data
}

// vector adds a norm's weights: ones, after the first.
func (m *model) vector(hf, gguf string, first float32) {
	data := make([]float32, width)
	for i := range data {
		data[i] = 1
	}
	data[0] = first
	m.tensors = append(m.tensors, tensor{hf: hf + ".weight", gguf: gguf + ".weight", rows: 1, cols: width, norm: true, data: data})
}

// round gives the nearest number that bfloat16 and float16 both hold exactly:
// seven bits after the first, none smaller than 2^-14.
func round(x float64) float32 {
	if math.Abs(x) < 0x1p-14 {
		return 0
	}
	bits := math.Float32bits(float32(x)) + 0x8000
	return math.Float32frombits(bits &^ 0xffff)
}
