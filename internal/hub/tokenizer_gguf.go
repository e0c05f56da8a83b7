package hub

import (
	"fmt"
	"slices"
	"strings"
)

// Token types of GGUF (llama.h, enum llama_token_type).
const (
	ggufNormal      = 1
	ggufUserDefined = 4
)

// addsBOS are the pre-tokenizers of byte-level models for which llama.cpp sets a
// BOS where the file is silent (src/llama-vocab.cpp).
var addsBOS = []string{"llama3", "llama-v3", "llama-bpe", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2", "jina-v5-nano", "tekken", "chameleon"}

func (m ggufMeta) merges() map[[2]string]int {
	out := map[[2]string]int{}
	for rank, line := range m.texts("tokenizer.ggml.merges") {
		if a, b, ok := strings.Cut(line, " "); ok {
			out[[2]string{a, b}] = rank
		}
	}
	return out
}

// ggufVocabulary reads the tokenizer in a GGUF file's metadata.
func ggufVocabulary(path string) (Vocabulary, error) {
	m, err := readGGUFMeta(path, "tokenizer.ggml.")
	if err != nil {
		return Vocabulary{}, fmt.Errorf("%w: %w", errVocabulary, err)
	}
	t := &tokenizer{tokens: map[string]int{}, result: Vocabulary{BOS: -1, Source: path}}
	texts, types, scores := m.texts("tokenizer.ggml.tokens"), m.numbers("tokenizer.ggml.token_type"), m.numbers("tokenizer.ggml.scores")
	if len(texts) == 0 {
		return Vocabulary{}, fmt.Errorf("%w: %s holds no tokens", errVocabulary, path)
	}
	t.result.Size = len(texts)
	score := make(map[string]float64, len(texts))
	for id, text := range texts {
		kind := float64(ggufNormal)
		if id < len(types) {
			kind = types[id]
		}
		switch kind {
		case ggufNormal:
			t.tokens[text] = id
			if id < len(scores) {
				score[text] = scores[id]
			}
		case ggufUserDefined:
			t.carve(strings.NewReplacer("▁", " ", "Ġ", " ").Replace(text))
		}
	}
	if err := t.ggufKind(m, score); err != nil {
		return Vocabulary{}, fmt.Errorf("%w (%s)", err, path)
	}
	t.ggufEnds(m)
	return t.vocabulary()
}

// ggufKind reads how texts become tokens; what a file is silent of is
// llama.cpp's default.
func (t *tokenizer) ggufKind(m ggufMeta, score map[string]float64) error {
	bos, prefix := false, false
	switch kind := m.text("tokenizer.ggml.model"); kind {
	case "gpt2":
		t.space, t.whole = "Ġ", byMerges(m.merges(), t.tokens)
		bos = slices.Contains(addsBOS, m.text("tokenizer.ggml.pre"))
	case "gemma4":
		t.space, t.whole, bos = "▁", byMerges(m.merges(), t.tokens), true
	case "llama":
		t.space, t.whole = "▁", byScore(score, t.tokens)
		bos, prefix = true, true
	case "t5":
		t.space, t.whole = "▁", byLikelihood(score)
	default:
		return fmt.Errorf("%w: its tokenizer model is %q; gpt2, gemma4, llama and t5 are supported", errVocabulary, kind)
	}
	t.result.LeadingSpace = !m.flag("tokenizer.ggml.add_space_prefix", prefix)
	if m.flag("tokenizer.ggml.add_bos_token", bos) {
		if t.result.BOS = m.number("tokenizer.ggml.bos_token_id", -1); t.result.BOS >= 0 {
			t.result.Added++
		}
	}
	if m.flag("tokenizer.ggml.add_eos_token", m.text("tokenizer.ggml.model") == "t5") {
		t.result.Added++
	}
	return nil
}

// ggufEnds reads the tokens that end an answer.
func (t *tokenizer) ggufEnds(m ggufMeta) {
	for _, key := range []string{"eos_token_id", "eot_token_id", "eom_token_id"} {
		if id := m.number("tokenizer.ggml."+key, -1); id >= 0 {
			t.result.EOS = append(t.result.EOS, id)
		}
	}
	slices.Sort(t.result.EOS)
	t.result.EOS = slices.Compact(t.result.EOS)
}
