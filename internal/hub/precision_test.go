package hub

import (
	"path/filepath"
	"testing"
)

func TestPrecisionHasOneVocabulary(t *testing.T) {
	for name, want := range map[string]string{
		"MOSTLY_F16": "f16", "ALL_F32": "f32", "MOSTLY_BF16": "bf16", "MOSTLY_Q4_K_M": "q4_k_m", "F16": "f16", "BF16": "bf16",
		"F8_E4M3": "f8_e4m3", "torch.bfloat16": "bf16", "float16": "f16", "float32": "f32", "auto": "auto", "": "",
		"Unknown": "", "GGUFFileType(99)": "",
	} {
		if got := Precision(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

func TestOneModelHasOnePrecisionInEveryFormat(t *testing.T) {
	gguf := filepath.Join(t.TempDir(), "m.gguf")
	write(t, gguf, ggufFile(map[string]any{
		"general.architecture": "llama", "general.file_type": 0, "llama.block_count": 1, "llama.embedding_length": 8, "llama.vocab_size": 10,
	}, ggufTensor{"token_embd.weight", []int{8, 10}, 0}, ggufTensor{"blk.0.ffn_up.weight", []int{8, 16}, 0}))
	dir := t.TempDir()
	write(t, filepath.Join(dir, "config.json"), []byte(`{"model_type":"llama","hidden_size":8,"num_hidden_layers":1,"num_attention_heads":2,"intermediate_size":16,"vocab_size":10,"torch_dtype":"float32"}`))
	for _, path := range []string{gguf, dir} {
		if p, err := Inspect(Model{Path: path}); err != nil || p.DType != "f32" {
			t.Errorf("%s: %q, %v; want f32", path, p.DType, err)
		}
	}
}
