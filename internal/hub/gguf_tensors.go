package hub

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// ggmlTypes by number (ggml/include/ggml.h, enum ggml_type).
var ggmlTypes = map[uint64]string{
	0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 6: "Q5_0", 7: "Q5_1", 8: "Q8_0", 9: "Q8_1", 10: "Q2_K", 11: "Q3_K", 12: "Q4_K", 13: "Q5_K",
	14: "Q6_K", 15: "Q8_K", 16: "IQ2_XXS", 17: "IQ2_XS", 18: "IQ3_XXS", 19: "IQ1_S", 20: "IQ4_NL", 21: "IQ3_S", 22: "IQ2_S", 23: "IQ4_XS",
	24: "I8", 25: "I16", 26: "I32", 27: "I64", 28: "F64", 29: "IQ1_M", 30: "BF16", 34: "TQ1_0", 35: "TQ2_0", 39: "MXFP4",
}

// fileTypes by number (llama.cpp/include/llama.h, enum llama_ftype).
var fileTypes = map[int]string{
	0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K", 11: "Q3_K_S", 12: "Q3_K_M", 13: "Q3_K_L",
	14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S", 17: "Q5_K_M", 18: "Q6_K", 19: "IQ2_XXS", 20: "IQ2_XS", 21: "Q2_K_S", 22: "IQ3_XS", 23: "IQ3_XXS",
	24: "IQ1_S", 25: "IQ4_NL", 26: "IQ3_S", 27: "IQ3_M", 28: "IQ2_S", 29: "IQ2_M", 30: "IQ4_XS", 31: "IQ1_M", 32: "BF16", 36: "TQ1_0",
	37: "TQ2_0", 38: "MXFP4_MOE",
}

// tensors reads the descriptions of n tensors.
func (r *ggufReader) tensors(n uint64) map[string]tensor {
	if n > maxTensors {
		r.fail("%d tensors", n)
	}
	out := map[string]tensor{}
	for ; n > 0 && r.err == nil; n-- {
		name, rank := r.name(), r.uint(4)
		if rank > maxRank {
			r.fail("tensor %.120q has %d dimensions", name, rank)
		}
		t := tensor{Shape: make([]int64, min(rank, maxRank))}
		for i := range t.Shape {
			if d := r.uint(8); d <= maxElements {
				t.Shape[len(t.Shape)-1-i] = int64(d) // ggml has first what lies side by side
			} else {
				r.fail("tensor %.120q has a dimension of %d", name, d)
			}
		}
		kind := r.uint(4)
		if t.DType = ggmlTypes[kind]; t.DType == "" {
			t.DType = fmt.Sprintf("type %d", kind)
		}
		r.uint(8) // offset
		if _, twice := out[name]; twice {
			r.fail("there are two tensors %.120q", name)
		}
		out[name] = t
	}
	return out
}

// fromGGUF counts the tensors of a GGUF file, and of the others that it is split in.
func fromGGUF(path string) (Parameters, error) {
	parts, err := ggufParts(path)
	if err != nil {
		return Parameters{}, err
	}
	keep := func(key string) bool { return !strings.HasPrefix(key, "tokenizer.") }
	var meta ggufMeta
	all := map[string]tensor{}
	for i, file := range parts {
		m, tensors, err := readGGUF(file, keep, true)
		if err != nil {
			return Parameters{}, err
		}
		if i == 0 {
			meta = m
		}
		for name, t := range tensors {
			if _, twice := all[name]; twice {
				return Parameters{}, fmt.Errorf("GGUF header of %s: %.120q is in another file as well", file, name)
			}
			all[name] = t
		}
	}
	if want := meta.number("split.tensors.count", len(all)); want != len(all) {
		return Parameters{}, fmt.Errorf("GGUF file %s: its parts hold %d tensors of %d", path, len(all), want)
	}
	return countGGUF(meta, all)
}

// ggufParts are the files of a model that is split, named as llama-gguf-split does.
func ggufParts(path string) ([]string, error) {
	at := part.FindStringSubmatchIndex(path)
	if at == nil {
		return []string{path}, nil
	}
	n, err := strconv.Atoi(path[at[2]:at[3]])
	if err != nil || n < 1 || n > maxShards {
		return nil, fmt.Errorf("%s: there are not so many files", path)
	}
	var out []string
	for i := range n {
		name := fmt.Sprintf("%s-%05d-of-%s.gguf", path[:at[0]], i+1, path[at[2]:at[3]])
		if _, err := os.Stat(name); errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("%s is missing: download the model again", name)
		}
		out = append(out, name)
	}
	return out, nil
}

// oneSplit says whether files are the parts of one.
func oneSplit(files []string) bool {
	parts, err := ggufParts(files[0])
	return err != nil || slices.Equal(parts, files)
}

func countGGUF(meta ggufMeta, all map[string]tensor) (Parameters, error) {
	c := meta.config()
	if err := c.sane(); err != nil {
		return Parameters{}, err
	}
	var list []weight
	for _, name := range sortedKeys(all) {
		t := all[name]
		n, err := t.elements()
		if err != nil {
			return Parameters{}, &nameError{name, err}
		}
		if n > 0 && !buffer(name, t) && !strings.HasPrefix(t.DType, "I32") && !strings.HasPrefix(t.DType, "I64") {
			list = append(list, weight{name, n, t.Shape, t.DType})
		}
	}
	p, err := newTally(c, list).parameters("gguf")
	if err != nil {
		return p, err
	}
	if kind, ok := count(meta["general.file_type"]); ok {
		if name := fileTypes[int(kind)]; name != "" {
			p.DType = Precision(name)
		}
	}
	return p, nil
}

// ggufKeys are the metadata of an architecture by the keys of a config.json.
var ggufKeys = map[string]string{
	"embedding_length": "hidden_size", "attention.head_count": "num_attention_heads", "attention.head_count_kv": "num_key_value_heads",
	"attention.key_length": "head_dim", "feed_forward_length": "intermediate_size", "vocab_size": "vocab_size", "context_length": "max_position_embeddings",
	"expert_count": "num_experts", "expert_used_count": "num_experts_per_tok", "expert_feed_forward_length": "moe_intermediate_size",
	"expert_shared_feed_forward_length": "shared_expert_intermediate_size", "expert_shared_count": "n_shared_experts", "leading_dense_block_count": "first_k_dense_replace",
	"nextn_predict_layers": "num_nextn_predict_layers", "attention.sliding_window": "sliding_window", "attention.sliding_window_pattern": "sliding_window_pattern", "attention.chunk_size": "attention_chunk_size",
	"attention.indexer.top_k": "index_topk", "embedding_length_per_layer_input": "hidden_size_per_layer_input", "full_attention_interval": "full_attention_interval",
}

// config is the metadata as a configuration.
func (m ggufMeta) config() config {
	architecture := m.text("general.architecture")
	o := object{"model_type": architecture}
	for key, v := range m {
		rest, ok := strings.CutPrefix(key, architecture+".")
		if !ok {
			continue
		}
		if known := ggufKeys[rest]; known != "" {
			o[known] = v
		} else {
			o[strings.ReplaceAll(rest, ".", "_")] = v
		}
	}
	m.latent(architecture, o)
	if _, ok := o["vocab_size"]; !ok {
		if n, ok := m["tokenizer.ggml.tokens"].(int); ok {
			o["vocab_size"] = float64(n)
		}
	}
	if layers := m.number(architecture+".block_count", 0); layers > 0 {
		o["num_hidden_layers"] = float64(layers - min(layers, m.number(architecture+".nextn_predict_layers", 0)))
	}
	c := newConfig(o)
	c.gguf = true
	return c
}

// latent takes the dimensions of a compressed cache from lengths of keys and values.
func (m ggufMeta) latent(architecture string, o object) {
	number := func(key string) float64 { return float64(m.number(architecture+".attention."+key, 0)) }
	rank, rope := number("kv_lora_rank"), float64(m.number(architecture+".rope.dimension_count", 0))
	key, value := number("key_length_mla"), number("value_length_mla")
	if key == 0 {
		key, value = number("key_length"), number("value_length")
	}
	if rank > 0 && key >= rope {
		o["kv_lora_rank"], o["q_lora_rank"] = rank, number("q_lora_rank")
		o["qk_rope_head_dim"], o["qk_nope_head_dim"], o["v_head_dim"] = rope, key-rope, value
	} else if value > 0 && value != key {
		o["v_head_dim"] = value
	}
}
