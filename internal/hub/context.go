package hub

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Context is the most tokens, of prompt and answer together, that the model's own
// files give it: config.json of a folder, else the metadata of a GGUF file. 0: they
// do not tell. Where positions are scaled it is the scaled length, and rather too
// long a one than too short, as engines differ in how they take it.
func (m Model) Context() int {
	path := m.Path
	if !strings.HasSuffix(path, ".gguf") {
		if c, err := readConfig(filepath.Join(path, "config.json")); err == nil {
			return contextOf(c.raw, c.whole)
		}
		files, _ := filepath.Glob(filepath.Join(escape(path), "*.gguf"))
		if len(files) != 1 {
			return 0
		}
		path = files[0]
	}
	meta, _, err := readGGUF(path, func(key string) bool { return !strings.HasPrefix(key, "tokenizer.") }, false)
	if err != nil {
		return 0
	}
	return max(0, meta.number(meta.text("general.architecture")+".context_length", 0))
}

// contextOf is the context that a configuration gives: by the language model's part of it,
// or where that is silent by the whole.
func contextOf(raw, whole object) int {
	longest := 0
	for _, o := range []object{raw, whole} {
		n := 0
		for _, key := range []string{"max_position_embeddings", "n_positions"} {
			if at, ok := count(o[key]); ok {
				n = max(n, int(at))
			}
		}
		// rope_parameters is of transformers 5
		if longest = max(n, stretched(n, o.object("rope_scaling")), stretched(n, o.object("rope_parameters"))); longest > 0 {
			break
		}
	}
	return longest
}

// ownLength are the kinds of scaling whose max_position_embeddings is the scaled
// length already (vllm/config/model.py, _get_and_verify_max_len).
var ownLength = []string{"llama3", "longrope", "su"}

// stretched is n positions with scaling.
func stretched(n int, scaling object) int {
	if scaling == nil || slices.Contains(ownLength, scaling.text("rope_type")+scaling.text("type")) {
		return n
	}
	if original, ok := count(scaling["original_max_position_embeddings"]); ok && original > 0 {
		n = int(original)
	}
	factor, err := strconv.ParseFloat(fmt.Sprint(scaling["factor"]), 64)
	if err != nil || factor < 1 || factor > 1<<20 {
		factor = 1
	}
	return int(float64(n) * factor)
}
