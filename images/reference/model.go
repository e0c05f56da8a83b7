package main

import (
	"math"
	"math/rand/v2"
	"sync/atomic"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"
)

// The tokenizer is byte-level: a token id below 256 is that byte. Answers are
// drawn from printable ASCII and the end mark, so that every token is text.
const (
	eos        = 256
	vocabulary = 272 // 257 used, padded to a multiple of 16
	textLow    = 32
	textHigh   = 127
)

// shape of a Llama-architecture decoder. The output layer is not tied to the
// embedding.
type shape struct {
	hidden, layers, heads, kvHeads, ffn int
}

func (s shape) headDim() int { return s.hidden / s.heads }
func (s shape) kvDim() int   { return s.kvHeads * s.headDim() }

// presets by name, from about 1 M to 100 M parameters.
var presets = map[string]shape{
	"tiny":   {hidden: 128, layers: 4, heads: 4, kvHeads: 2, ffn: 384},
	"small":  {hidden: 256, layers: 6, heads: 8, kvHeads: 4, ffn: 768},
	"medium": {hidden: 512, layers: 8, heads: 8, kvHeads: 4, ffn: 1536},
	"large":  {hidden: 768, layers: 14, heads: 12, kvHeads: 4, ffn: 2304},
}

// parametersNonEmbedding are all but the input embeddings and the output
// layer.
func (s shape) parametersNonEmbedding() int64 {
	layer := 2*s.hidden*s.hidden + 2*s.hidden*s.kvDim() + 3*s.hidden*s.ffn + 2*s.hidden
	return int64(s.layers*layer + s.hidden)
}

func (s shape) parametersTotal() int64 {
	return s.parametersNonEmbedding() + 2*vocabulary*int64(s.hidden)
}

// layer holds one block's weights; a matrix is [out × in], row by row.
type layer struct {
	norm1, norm2   []float32
	q, k, v, o     blas32.General
	gate, up, down blas32.General
}

type model struct {
	shape
	embedding blas32.General
	blocks    []layer
	norm      []float32
	lmHead    blas32.General
	inverse   []float64 // RoPE frequencies
	work      work
}

// work counts the multiply-adds that were really done.
type work struct{ layers, attention, lmHead atomic.Int64 }

// newModel draws every weight from seed, uniform with variance 1/in, so that
// activations neither vanish nor explode.
func newModel(s shape, seed int64) *model {
	rng := rand.New(rand.NewPCG(uint64(seed), 0x6c6c656d))
	draw := func(out, in int) blas32.General {
		a := float32(math.Sqrt(3 / float64(in)))
		m := blas32.General{Rows: out, Cols: in, Stride: in, Data: make([]float32, out*in)}
		for i := range m.Data {
			m.Data[i] = a * (2*rng.Float32() - 1)
		}
		return m
	}
	ones := func() []float32 {
		v := make([]float32, s.hidden)
		for i := range v {
			v[i] = 1
		}
		return v
	}
	m := &model{shape: s, embedding: draw(vocabulary, s.hidden), norm: ones()}
	for range s.layers {
		m.blocks = append(m.blocks, layer{
			norm1: ones(), norm2: ones(),
			q: draw(s.hidden, s.hidden), k: draw(s.kvDim(), s.hidden), v: draw(s.kvDim(), s.hidden), o: draw(s.hidden, s.hidden),
			gate: draw(s.ffn, s.hidden), up: draw(s.ffn, s.hidden), down: draw(s.hidden, s.ffn),
		})
	}
	m.lmHead = draw(vocabulary, s.hidden)
	for i := range s.headDim() / 2 {
		m.inverse = append(m.inverse, math.Pow(10000, -2*float64(i)/float64(s.headDim())))
	}
	return m
}

// cache holds one request's keys and values: per layer and key-value head,
// [position × headDim].
type cache struct {
	k, v [][]float32
	n    int // positions filled
}

func (m *model) newCache(positions int) *cache {
	c := &cache{}
	for range m.layers * m.kvHeads {
		c.k = append(c.k, make([]float32, positions*m.headDim()))
		c.v = append(c.v, make([]float32, positions*m.headDim()))
	}
	return c
}

// position is one row of a forward pass: a token and where it stands.
type position struct {
	token int
	at    int
	cache *cache
}

// forward runs rows through all layers and returns the logits of the last
// `logits` rows. Rows of one request must be in order; each attends to all
// earlier positions of its own cache.
func (m *model) forward(rows []position, logits int) blas32.General {
	x := matrix(len(rows), m.hidden)
	for i, r := range rows {
		copy(x.Data[i*m.hidden:], m.embedding.Data[r.token*m.hidden:(r.token+1)*m.hidden])
	}
	for l := range m.blocks {
		m.block(l, rows, x)
	}
	for i, r := range rows {
		r.cache.n = max(r.cache.n, rows[i].at+1)
	}
	tail := blas32.General{Rows: logits, Cols: m.hidden, Stride: m.hidden, Data: x.Data[(len(rows)-logits)*m.hidden:]}
	return m.product(rmsNorm(tail, m.norm), m.lmHead, &m.work.lmHead)
}

func (m *model) block(l int, rows []position, x blas32.General) {
	b := &m.blocks[l]
	n := rmsNorm(x, b.norm1)
	q := m.product(n, b.q, &m.work.layers)
	k := m.product(n, b.k, &m.work.layers)
	v := m.product(n, b.v, &m.work.layers)
	for i, r := range rows {
		m.rotate(q.Data[i*m.hidden:(i+1)*m.hidden], r.at)
		m.rotate(k.Data[i*m.kvDim():(i+1)*m.kvDim()], r.at)
		m.remember(l, r, k.Data[i*m.kvDim():], v.Data[i*m.kvDim():])
	}
	att := matrix(len(rows), m.hidden)
	for i, r := range rows {
		m.attend(l, r, q.Data[i*m.hidden:], att.Data[i*m.hidden:])
	}
	add(x, m.product(att, b.o, &m.work.layers))
	n = rmsNorm(x, b.norm2)
	gate, up := m.product(n, b.gate, &m.work.layers), m.product(n, b.up, &m.work.layers)
	for i, g := range gate.Data { // SwiGLU
		gate.Data[i] = g / (1 + float32(math.Exp(-float64(g)))) * up.Data[i]
	}
	add(x, m.product(gate, b.down, &m.work.layers))
}

// product is x·wᵀ and counts its multiply-adds. gonum sums each element along
// one row of x and one of w, so that a row's result does not depend on which
// other rows are in the batch (a test holds it).
func (m *model) product(x, w blas32.General, count *atomic.Int64) blas32.General {
	y := matrix(x.Rows, w.Rows)
	blas32.Gemm(blas.NoTrans, blas.Trans, 1, x, w, 0, y)
	count.Add(int64(x.Rows) * int64(w.Rows) * int64(w.Cols))
	return y
}

// rotate applies RoPE to each head of v.
func (m *model) rotate(v []float32, at int) {
	half := m.headDim() / 2
	for h := 0; h < len(v); h += m.headDim() {
		for i := range half {
			sin, cos := math.Sincos(float64(at) * m.inverse[i])
			a, b := v[h+i], v[h+half+i]
			v[h+i] = a*float32(cos) - b*float32(sin)
			v[h+half+i] = b*float32(cos) + a*float32(sin)
		}
	}
}

func (m *model) remember(l int, r position, k, v []float32) {
	d := m.headDim()
	for h := range m.kvHeads {
		copy(r.cache.k[l*m.kvHeads+h][r.at*d:(r.at+1)*d], k[h*d:])
		copy(r.cache.v[l*m.kvHeads+h][r.at*d:(r.at+1)*d], v[h*d:])
	}
}

// attend is grouped-query attention of one position over its cache.
func (m *model) attend(l int, r position, q, out []float32) {
	d, n := m.headDim(), r.at+1
	scores := blas32.Vector{N: n, Inc: 1, Data: make([]float32, n)}
	scale := 1 / float32(math.Sqrt(float64(d)))
	for h := range m.heads {
		kv := l*m.kvHeads + h*m.kvHeads/m.heads
		keys := blas32.General{Rows: n, Cols: d, Stride: d, Data: r.cache.k[kv][:n*d]}
		values := blas32.General{Rows: n, Cols: d, Stride: d, Data: r.cache.v[kv][:n*d]}
		blas32.Gemv(blas.NoTrans, scale, keys, blas32.Vector{N: d, Inc: 1, Data: q[h*d : (h+1)*d]}, 0, scores)
		softmax(scores.Data)
		blas32.Gemv(blas.Trans, 1, values, scores, 0, blas32.Vector{N: d, Inc: 1, Data: out[h*d : (h+1)*d]})
		m.work.attention.Add(2 * int64(n) * int64(d))
	}
}

func matrix(rows, cols int) blas32.General {
	return blas32.General{Rows: rows, Cols: cols, Stride: cols, Data: make([]float32, rows*cols)}
}

func add(x, y blas32.General) {
	for i, v := range y.Data {
		x.Data[i] += v
	}
}

func rmsNorm(x blas32.General, weight []float32) blas32.General {
	out := matrix(x.Rows, x.Cols)
	for i := range x.Rows {
		row := x.Data[i*x.Stride : i*x.Stride+x.Cols]
		var sum float64
		for _, v := range row {
			sum += float64(v) * float64(v)
		}
		scale := float32(1 / math.Sqrt(sum/float64(x.Cols)+1e-5))
		for j, v := range row {
			out.Data[i*x.Cols+j] = v * scale * weight[j]
		}
	}
	return out
}

func softmax(v []float32) {
	top := v[0]
	for _, x := range v {
		top = max(top, x)
	}
	var sum float32
	for i, x := range v {
		v[i] = float32(math.Exp(float64(x - top)))
		sum += v[i]
	}
	for i := range v {
		v[i] /= sum
	}
}

// pick chooses the next token: the best at temperature 0, else drawn. Only
// printable ASCII and, unless it is ignored, the end mark are candidates.
func pick(logits []float32, temperature float64, ignoreEOS bool, rng *rand.Rand) int {
	ids := make([]int, 0, textHigh-textLow+1)
	for id := textLow; id < textHigh; id++ {
		ids = append(ids, id)
	}
	if !ignoreEOS {
		ids = append(ids, eos)
	}
	best := ids[0]
	for _, id := range ids {
		if logits[id] > logits[best] {
			best = id
		}
	}
	if temperature == 0 {
		return best
	}
	weights := make([]float64, len(ids))
	var sum float64
	for i, id := range ids {
		weights[i] = math.Exp(float64(logits[id]-logits[best]) / temperature)
		sum += weights[i]
	}
	at := rng.Float64() * sum
	for i, w := range weights {
		if at -= w; at < 0 {
			return ids[i]
		}
	}
	return best
}
