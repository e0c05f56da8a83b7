package main

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/blas/blas32"
)

// greedy runs a prompt and n greedy tokens in one sequence and returns the
// tokens and the logits of the last one.
func greedy(m *model, prompt []int, n int) (out []int, logits []float32) {
	c := m.newCache(len(prompt) + n)
	rows := make([]position, len(prompt))
	for i, t := range prompt {
		rows[i] = position{token: t, at: i, cache: c}
	}
	logits = m.forward(rows, 1).Data
	for range n {
		out = append(out, pick(logits, 0, true, nil))
		logits = m.forward([]position{{token: out[len(out)-1], at: c.n, cache: c}}, 1).Data
	}
	return out, logits
}

func randomPrompt(seed uint64, n int) []int {
	rng := rand.New(rand.NewPCG(seed, 0))
	out := make([]int, n)
	for i := range out {
		out[i] = textLow + rng.IntN(textHigh-textLow)
	}
	return out
}

// After every token: the same logits as from all tokens computed at once.
func TestTheCacheChangesNothing(t *testing.T) {
	m := newModel(presets["tiny"], 1)
	prompt := randomPrompt(1, 12)
	for n := range 20 {
		out, cached := greedy(m, prompt, n)
		_, whole := greedy(m, append(slices.Clone(prompt), out...), 0)
		for i := range whole {
			if d := math.Abs(float64(whole[i] - cached[i])); d > 1e-4 {
				t.Fatalf("after %d tokens logit %d is %g with the cache and %g without", n, i, cached[i], whole[i])
			}
		}
	}
}

// The product of a layer as its definition has it, in double precision: one
// position, all parts written out.
func TestABlockIsWhatLlamaDefines(t *testing.T) {
	s := shape{hidden: 8, layers: 1, heads: 4, kvHeads: 2, ffn: 12}
	m := newModel(s, 3)
	tokens := []int{65, 66, 67}
	rows := make([]position, len(tokens))
	c := m.newCache(len(tokens))
	for i, tok := range tokens {
		rows[i] = position{token: tok, at: i, cache: c}
	}
	got := m.forward(rows, 1).Data
	want := plainForward(m, tokens)
	for i := range want {
		if d := math.Abs(float64(got[i]) - want[i]); d > 1e-5 {
			t.Fatalf("logit %d is %g, want %g", i, got[i], want[i])
		}
	}
}

type vec = []float64

func apply(w blas32.General, x vec) vec {
	out := make(vec, w.Rows)
	for i := range out {
		for j, v := range x {
			out[i] += float64(w.Data[i*w.Stride+j]) * v
		}
	}
	return out
}

func norm(x vec) vec {
	var sum float64
	for _, v := range x {
		sum += v * v
	}
	out := make(vec, len(x))
	for i, v := range x {
		out[i] = v / math.Sqrt(sum/float64(len(x))+1e-5)
	}
	return out
}

// turn is RoPE on one head: the pair (i, i+d/2) turns by at·10000^(−2i/d).
func turn(x vec, at int) vec {
	d := len(x)
	out := make(vec, d)
	for i := range d / 2 {
		angle := float64(at) * math.Pow(10000, -2*float64(i)/float64(d))
		re, im := x[i], x[i+d/2]
		out[i], out[i+d/2] = re*math.Cos(angle)-im*math.Sin(angle), re*math.Sin(angle)+im*math.Cos(angle)
	}
	return out
}

// plainForward computes the last position's logits of a one-layer model from
// the definitions alone.
func plainForward(m *model, tokens []int) vec {
	d, b := m.headDim(), m.blocks[0]
	var xs, keys, values []vec
	for at, tok := range tokens {
		x := make(vec, m.hidden)
		for j := range x {
			x[j] = float64(m.embedding.Data[tok*m.hidden+j])
		}
		k, v := apply(b.k, norm(x)), apply(b.v, norm(x))
		for h := range m.kvHeads {
			copy(k[h*d:], turn(k[h*d:(h+1)*d], at))
		}
		xs, keys, values = append(xs, x), append(keys, k), append(values, v)
	}
	at := len(tokens) - 1
	x := xs[at]
	q := apply(b.q, norm(x))
	mixed := make(vec, m.hidden)
	for h := range m.heads {
		kv := h / (m.heads / m.kvHeads) // neighbouring heads share one
		qh := turn(q[h*d:(h+1)*d], at)
		var weights vec
		var sum float64
		for i := range tokens {
			dot := 0.0
			for j := range d {
				dot += qh[j] * keys[i][kv*d+j]
			}
			weights = append(weights, math.Exp(dot/math.Sqrt(float64(d))))
			sum += weights[i]
		}
		for i := range tokens {
			for j := range d {
				mixed[h*d+j] += weights[i] / sum * values[i][kv*d+j]
			}
		}
	}
	for j, v := range apply(b.o, mixed) {
		x[j] += v
	}
	gate, up := apply(b.gate, norm(x)), apply(b.up, norm(x))
	for j, g := range gate {
		gate[j] = g / (1 + math.Exp(-g)) * up[j]
	}
	for j, v := range apply(b.down, gate) {
		x[j] += v
	}
	return apply(m.lmHead, norm(x))
}

func TestMultiplyAddsAreThoseOfTheFormula(t *testing.T) {
	for _, name := range []string{"tiny", "small"} {
		s := presets[name]
		m := newModel(s, 1)
		for _, c := range [][2]int{{1, 0}, {1, 1}, {13, 7}, {64, 2}, {65, 20}, {200, 1}} {
			m.work = work{}
			greedy(m, randomPrompt(2, c[0]), c[1])
			n := int64(c[0] + c[1])
			matrices := s.parametersNonEmbedding() - int64((2*s.layers+1)*s.hidden) // norms multiply no matrix
			for part, v := range map[string][2]int64{
				"layers":    {m.work.layers.Load(), matrices * n},
				"lm_head":   {m.work.lmHead.Load(), int64(c[1]+1) * vocabulary * int64(s.hidden)},
				"attention": {m.work.attention.Load(), int64(s.layers*s.hidden) * n * (n + 1)},
			} {
				if v[0] != v[1] {
					t.Errorf("%s, %d in and %d out: %s did %d multiply-adds, want %d", name, c[0], c[1], part, v[0], v[1])
				}
			}
		}
	}
}

// tensors counts the numbers that a model holds: in its blocks and last norm,
// and in embedding and output layer.
func tensors(m *model) (blocks, ends int64) {
	n := len(m.norm)
	for _, b := range m.blocks {
		for _, w := range []blas32.General{b.q, b.k, b.v, b.o, b.gate, b.up, b.down} {
			n += len(w.Data)
		}
		n += len(b.norm1) + len(b.norm2)
	}
	return int64(n), int64(len(m.embedding.Data) + len(m.lmHead.Data))
}

func TestParametersAreTheSumOfTheTensors(t *testing.T) {
	for name, want := range map[string]float64{"tiny": 0.857e6, "small": 4.86e6, "medium": 25.5e6, "large": 96.8e6} {
		s := presets[name]
		if got := float64(s.parametersTotal()); math.Abs(got-want)/want > 0.002 {
			t.Errorf("%s has %.3g parameters, the README says %.3g", name, got, want)
		}
		s.layers = min(s.layers, 6) // all blocks are alike, and drawing them takes seconds
		blocks, ends := tensors(newModel(s, 1))
		if blocks != s.parametersNonEmbedding() || blocks+ends != s.parametersTotal() {
			t.Errorf("%s: %d parameters in its blocks and %d at its ends, it says %d of %d", name, blocks, ends, s.parametersNonEmbedding(), s.parametersTotal())
		}
	}
}

// Each key-value head serves the query heads next to each other: with values
// that name their head, every query head reads the name of its own.
func TestQueryHeadsShareKeyValueHeads(t *testing.T) {
	for name, s := range presets {
		s.layers = 1
		m := &model{shape: s}
		c := m.newCache(3)
		for kv := range s.kvHeads {
			for i := range c.v[kv] {
				c.v[kv][i] = float32(kv + 1)
			}
		}
		out := make([]float32, s.hidden)
		m.attend(0, position{at: 2, cache: c}, make([]float32, s.hidden), out)
		for i, got := range out {
			head := i / s.headDim()
			if want := float32(head/(s.heads/s.kvHeads) + 1); math.Abs(float64(got-want)) > 1e-6 {
				t.Fatalf("%s: query head %d reads key-value head %g, want %g", name, head, got-1, want-1)
			}
		}
	}
}

func TestTheSeedDrawsTheWeights(t *testing.T) {
	text := func(seed int64) []int {
		out, _ := greedy(newModel(presets["tiny"], seed), []int{65, 66}, 30)
		return out
	}
	a := text(1)
	if !slices.Equal(a, text(1)) {
		t.Error("the same seed gave another text")
	}
	if slices.Equal(a, text(2)) {
		t.Error("another seed gave the same text")
	}
}

func TestPick(t *testing.T) {
	logits := make([]float32, vocabulary)
	logits[eos], logits['x'], logits[10] = 9, 5, 99 // a line feed is no candidate
	if got := pick(logits, 0, true, nil); got != 'x' {
		t.Errorf("the best is %d", got)
	}
	if got := pick(logits, 0, false, nil); got != eos {
		t.Errorf("the end mark was passed over for %d", got)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	seen := map[int]int{}
	for range 2000 {
		id := pick(logits, 1, true, rng)
		if id < textLow || id >= textHigh {
			t.Fatalf("drew %d", id)
		}
		seen[id]++
	}
	// e⁵ against 94 of weight 1.
	if share := float64(seen['x']) / 2000; math.Abs(share-148.4/242.4) > 0.05 {
		t.Errorf("x was drawn in %.2f of the cases", share)
	}
}
