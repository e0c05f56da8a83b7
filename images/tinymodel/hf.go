package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
)

// writeFolder writes what transformers' from_pretrained reads.
func writeFolder(dir string, m *model) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, content := range map[string]any{
		"config.json":            m.config(),
		"generation_config.json": map[string]any{"bos_token_id": begin, "eos_token_id": end, "pad_token_id": pad},
		"tokenizer.json":         m.tokenizer(),
		"tokenizer_config.json":  m.tokenizerConfig(),
	} {
		b, err := encode(content)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			return err
		}
	}
	b, err := m.safetensors()
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "model.safetensors"), b, 0o644)
}

func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	err := e.Encode(v)
	return b.Bytes(), err
}

func (m *model) config() map[string]any {
	return map[string]any{
		"architectures":           []string{"LlamaForCausalLM"},
		"model_type":              "llama",
		"vocab_size":              vocabularySize,
		"hidden_size":             width,
		"intermediate_size":       feed,
		"num_hidden_layers":       layers,
		"num_attention_heads":     heads,
		"num_key_value_heads":     kvHeads,
		"head_dim":                headWidth,
		"hidden_act":              "silu",
		"max_position_embeddings": m.context,
		"rms_norm_eps":            normEps,
		"rope_theta":              ropeBase,
		"tie_word_embeddings":     false,
		"attention_bias":          false,
		"mlp_bias":                false,
		"bos_token_id":            begin,
		"eos_token_id":            end,
		"pad_token_id":            pad,
		"torch_dtype":             "bfloat16",
		"use_cache":               true,
	}
}

func (m *model) tokenizer() map[string]any {
	vocab := map[string]int{}
	for id, t := range m.tokens {
		vocab[t] = id
	}
	var added []map[string]any
	for id, t := range marks {
		added = append(added, map[string]any{"id": id, "content": t, "special": true,
			"single_word": false, "lstrip": false, "rstrip": false, "normalized": false})
	}
	bytelevel := map[string]any{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}
	special := map[string]any{"SpecialToken": map[string]any{"id": marks[begin], "type_id": 0}}
	sequence := func(id string, n int) map[string]any {
		return map[string]any{"Sequence": map[string]any{"id": id, "type_id": n}}
	}
	return map[string]any{
		"version": "1.0", "truncation": nil, "padding": nil, "normalizer": nil,
		"added_tokens":  added,
		"pre_tokenizer": bytelevel,
		"decoder":       bytelevel,
		"post_processor": map[string]any{
			"type":   "TemplateProcessing",
			"single": []any{special, sequence("A", 0)},
			"pair":   []any{special, sequence("A", 0), sequence("B", 1)},
			"special_tokens": map[string]any{
				marks[begin]: map[string]any{"id": marks[begin], "ids": []int{begin}, "tokens": []string{marks[begin]}},
			},
		},
		"model": map[string]any{
			"type": "BPE", "dropout": nil, "unk_token": nil, "continuing_subword_prefix": nil,
			"end_of_word_suffix": nil, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
			"vocab": vocab, "merges": m.merges,
		},
	}
}

func (m *model) tokenizerConfig() map[string]any {
	return map[string]any{
		"tokenizer_class":              "PreTrainedTokenizerFast",
		"bos_token":                    marks[begin],
		"eos_token":                    marks[end],
		"pad_token":                    marks[pad],
		"model_max_length":             m.context,
		"clean_up_tokenization_spaces": false,
		"chat_template":                chatTemplate,
	}
}

// safetensors is the whole file, in bfloat16: the length of the header, the
// header, the numbers.
func (m *model) safetensors() ([]byte, error) {
	type entry struct {
		Dtype   string `json:"dtype"`
		Shape   []int  `json:"shape"`
		Offsets [2]int `json:"data_offsets"`
	}
	header := map[string]any{"__metadata__": map[string]string{"format": "pt"}}
	var data []byte
	for _, t := range m.tensors {
		from := len(data)
		for _, x := range t.data {
			data = binary.LittleEndian.AppendUint16(data, uint16(math.Float32bits(x)>>16))
		}
		shape := []int{t.rows, t.cols}
		if t.norm {
			shape = []int{t.cols}
		}
		header[t.hf] = entry{"BF16", shape, [2]int{from, len(data)}}
	}
	h, err := json.Marshal(header)
	if err != nil {
		return nil, fmt.Errorf("model.safetensors: %w", err)
	}
	h = append(h, bytes.Repeat([]byte{' '}, (8-len(h)%8)%8)...)
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(h)))
	return append(append(b, h...), data...), nil
}
