package hub

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// place is where a tensor lies: in block of a stack, under path, or in no block.
type place struct {
	stack string // the name before the first number: model.layers
	block int64  // −1: in no block
	path  []string
}

func locate(name string) place {
	parts := strings.Split(name, ".")
	for i, p := range parts {
		if n, err := strconv.ParseInt(p, 10, 32); err == nil && n >= 0 && i > 0 {
			return place{strings.Join(parts[:i], "."), n, parts[i+1:]}
		}
	}
	return place{"", -1, parts}
}

// stack is a row of blocks of the same kind: the decoder, a tower, the experts of
// a model without blocks.
type stack struct {
	name   string
	blocks map[int64]bool
	n      int64 // parameters
	hidden bool  // it has the decoder's width
}

// stacks finds them all.
func stacks(list []weight, hidden int64) map[string]*stack {
	out := map[string]*stack{}
	for _, w := range list {
		at := locate(w.name)
		if at.block < 0 {
			continue
		}
		s := out[at.stack]
		if s == nil {
			s = &stack{name: at.stack, blocks: map[int64]bool{}}
			out[at.stack] = s
		}
		s.blocks[at.block] = true
		s.n += w.n
		s.hidden = s.hidden || slices.Contains(w.shape, hidden)
	}
	return out
}

// first says whether blocks 0 to n−1 are all there.
func (s *stack) first(n int64) bool {
	for i := range n {
		if !s.blocks[i] {
			return false
		}
	}
	return true
}

// decoder chooses the stack that is the language model: as many blocks as the
// configuration has layers, of its width, and no tower or prediction block by name.
// whole is false where none fits, and the largest is taken.
func decoder(all map[string]*stack, layers, ahead int64) (out *stack, whole bool) {
	rank := func(s *stack) (r int) {
		if !foreignWords(s.name) && !predicts(s.name) {
			r += 8
		}
		if layers > 0 && s.first(layers) {
			r += 4
		}
		if s.hidden {
			r += 2
		}
		if n := int64(len(s.blocks)); n == layers || n == layers+ahead {
			r++
		}
		return r
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		s := all[name]
		if out == nil || rank(s) > rank(out) || rank(s) == rank(out) && s.n > out.n {
			out = s
		}
	}
	return out, out != nil && rank(out) >= 14
}

// Words of names by which towers of other modalities, and what joins them to the
// language model, are known. Structure is looked at first: they lie in no block of
// the decoder. The joints are words that a model of text may use as well.
var (
	senses = set("vision", "visual", "image", "images", "img", "video", "audio", "speech", "voice", "sound", "acoustic")
	towers = set("tower", "vit", "siglip", "clip", "whisper", "multimodal", "talker", "tts", "token2wav", "code2wav")
	joints = set("projector", "connector", "resampler", "aligner", "perceiver", "qformer", "patch", "pixel", "vpm", "apm", "codec", "mm", "multi", "vae", "mlp1",
		"view", "adapter", "newline", "seperator")
	predictors = set("mtp", "nextn", "eagle", "eagle3", "medusa", "hydra", "draft", "drafter", "speculator", "predict", "predictor", "predictors", "lookahead")
)

func set(list ...string) map[string]bool {
	out := map[string]bool{}
	for _, s := range list {
		out[s] = true
	}
	return out
}

func hasWord(name string, set map[string]bool) bool {
	return slices.ContainsFunc(nameWords(name), func(w string) bool { return set[w] })
}

func foreignWords(name string) bool { return towerWords(name) || hasWord(name, joints) }
func towerWords(name string) bool   { return hasWord(name, senses) || hasWord(name, towers) }
func predicts(name string) bool     { return hasWord(name, predictors) }

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
