package hub

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// Totals are published; configuration numbers are facts of the models.
func TestConfigTotalsAreThePublishedOnes(t *testing.T) {
	for _, tc := range []struct {
		name, config string
		total        int64
	}{
		{"Llama-3.1-8B", `{"model_type":"llama","hidden_size":4096,"num_hidden_layers":32,"num_attention_heads":32,"num_key_value_heads":8,"intermediate_size":14336,"vocab_size":128256,"tie_word_embeddings":false}`, 8_030_261_248},
		{"Llama-3.2-1B", `{"model_type":"llama","hidden_size":2048,"num_hidden_layers":16,"num_attention_heads":32,"num_key_value_heads":8,"head_dim":64,"intermediate_size":8192,"vocab_size":128256,"tie_word_embeddings":true}`, 1_235_814_400},
		{"Llama-2-7B", `{"model_type":"llama","hidden_size":4096,"num_hidden_layers":32,"num_attention_heads":32,"intermediate_size":11008,"vocab_size":32000,"tie_word_embeddings":false}`, 6_738_415_616},
		{"TinyLlama-1.1B", `{"model_type":"llama","hidden_size":2048,"num_hidden_layers":22,"num_attention_heads":32,"num_key_value_heads":4,"intermediate_size":5632,"vocab_size":32000,"tie_word_embeddings":false}`, 1_100_048_384},
		{"Mistral-7B-v0.1", `{"model_type":"mistral","hidden_size":4096,"num_hidden_layers":32,"num_attention_heads":32,"num_key_value_heads":8,"intermediate_size":14336,"vocab_size":32000,"tie_word_embeddings":false}`, 7_241_732_096},
		{"Qwen2-0.5B", `{"model_type":"qwen2","hidden_size":896,"num_hidden_layers":24,"num_attention_heads":14,"num_key_value_heads":2,"intermediate_size":4864,"vocab_size":151936,"tie_word_embeddings":true}`, 494_032_768},
		{"Qwen2.5-7B", `{"model_type":"qwen2","hidden_size":3584,"num_hidden_layers":28,"num_attention_heads":28,"num_key_value_heads":4,"intermediate_size":18944,"vocab_size":152064,"tie_word_embeddings":false}`, 7_615_616_512},
		{"Qwen3-0.6B", `{"model_type":"qwen3","hidden_size":1024,"num_hidden_layers":28,"num_attention_heads":16,"num_key_value_heads":8,"head_dim":128,"intermediate_size":3072,"vocab_size":151936,"tie_word_embeddings":true}`, 596_049_920},
		{"Qwen3-8B", `{"model_type":"qwen3","hidden_size":4096,"num_hidden_layers":36,"num_attention_heads":32,"num_key_value_heads":8,"head_dim":128,"intermediate_size":12288,"vocab_size":151936,"tie_word_embeddings":false}`, 8_190_735_360},
		{"gemma-2b", `{"model_type":"gemma","hidden_size":2048,"num_hidden_layers":18,"num_attention_heads":8,"num_key_value_heads":1,"head_dim":256,"intermediate_size":16384,"vocab_size":256000}`, 2_506_172_416},
		{"gemma-2-2b", `{"model_type":"gemma2","hidden_size":2304,"num_hidden_layers":26,"num_attention_heads":8,"num_key_value_heads":4,"head_dim":256,"intermediate_size":9216,"vocab_size":256000}`, 2_614_341_888},
		{"gpt2", `{"model_type":"gpt2","n_embd":768,"n_layer":12,"n_head":12,"n_positions":1024,"vocab_size":50257}`, 124_439_808},
		{"phi-2", `{"model_type":"phi","hidden_size":2560,"num_hidden_layers":32,"num_attention_heads":32,"intermediate_size":10240,"vocab_size":51200,"tie_word_embeddings":false}`, 2_779_683_840},
		{"Phi-3-mini", `{"model_type":"phi3","hidden_size":3072,"num_hidden_layers":32,"num_attention_heads":32,"num_key_value_heads":32,"intermediate_size":8192,"vocab_size":32064,"tie_word_embeddings":false}`, 3_821_079_552},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, "config.json"), []byte(tc.config))
			p, err := Inspect(Model{Path: dir})
			if err != nil {
				t.Fatal(err)
			}
			if p.Total != tc.total || p.Confidence != Medium || p.Source != "config" {
				t.Errorf("total = %d (%s, %s), want %d", p.Total, p.Source, p.Confidence, tc.total)
			}
			if p.Embedding+p.LMHead+p.NonEmbedding != p.Total {
				t.Errorf("%d + %d + %d ≠ %d", p.Embedding, p.LMHead, p.NonEmbedding, p.Total)
			}
		})
	}
}

func safetensors(t *testing.T, tensors map[string][]int64, dtype string) []byte {
	t.Helper()
	header := map[string]any{"__metadata__": map[string]string{"format": "pt"}}
	for name, shape := range tensors {
		header[name] = map[string]any{"dtype": dtype, "shape": shape, "data_offsets": []int{0, 0}}
	}
	data, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	return append(binary.LittleEndian.AppendUint64(nil, uint64(len(data))), data...)
}

func TestSafetensorsSingleFile(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "model.safetensors"), safetensors(t, map[string][]int64{
		"model.embed_tokens.weight": {100, 8}, "lm_head.weight": {100, 8}, "model.layers.0.mlp.up_proj.weight": {16, 8},
		"model.norm.weight": {8}, "model.layers.0.mlp.up_proj.weight_scale": {16, 1},
	}, "BF16"))
	write(t, filepath.Join(dir, "config.json"), []byte(`{"model_type":"new","hidden_size":8,"num_hidden_layers":1,"num_attention_heads":2,"vocab_size":100}`))
	p, err := Inspect(Model{Path: dir})
	if err != nil {
		t.Fatal(err)
	}
	if p.Total != 800+800+128+8 || p.NonEmbedding != 136 || p.Source != "safetensors" || p.Confidence != High {
		t.Errorf("got %+v", p)
	}
}

func TestSafetensorsIndexAndItsMissingShard(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "model.safetensors.index.json"), []byte(`{"weight_map":{"a":"one.safetensors","b":"two.safetensors"}}`))
	write(t, filepath.Join(dir, "one.safetensors"), safetensors(t, map[string][]int64{"a.weight": {2, 3}}, "F16"))
	if _, err := Inspect(Model{Path: dir}); err == nil || !strings.Contains(err.Error(), "two.safetensors") {
		t.Errorf("err = %v, want the missing shard named", err)
	}
	write(t, filepath.Join(dir, "two.safetensors"), safetensors(t, map[string][]int64{"b.weight": {4}}, "F16"))
	if p, err := Inspect(Model{Path: dir}); err != nil || p.Total != 10 {
		t.Errorf("got %+v, %v; want 10 parameters", p, err)
	}
}

func TestUnsupportedModelsAreUnknownNotWrong(t *testing.T) {
	for name, cfg := range map[string]string{
		"mixture":  `{"model_type":"mixtral","hidden_size":1,"num_hidden_layers":1,"num_attention_heads":1,"intermediate_size":1,"vocab_size":1,"num_local_experts":8}`,
		"vision":   `{"model_type":"gemma3","vision_config":{"x":1}}`,
		"foreign":  `{"model_type":"mamba","hidden_size":1,"num_hidden_layers":1,"num_attention_heads":1,"intermediate_size":1,"vocab_size":1}`,
		"missing":  `{"model_type":"llama"}`,
		"not JSON": `{`,
	} {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "config.json"), []byte(cfg))
		if p, err := Inspect(Model{Path: dir}); !errors.Is(err, ErrUnsupported) {
			t.Errorf("%s: %+v, %v; want ErrUnsupported", name, p, err)
		}
	}
}

func TestPackedWeightsFallBackOnTheConfiguration(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "model.safetensors"), safetensors(t, map[string][]int64{"model.layers.0.q_proj.qweight": {8, 8}}, "I32"))
	write(t, filepath.Join(dir, "config.json"), []byte(`{"model_type":"llama","hidden_size":8,"num_hidden_layers":1,"num_attention_heads":2,"intermediate_size":16,"vocab_size":10}`))
	p, err := Inspect(Model{Path: dir})
	if err != nil || p.Source != "config" {
		t.Errorf("got %+v, %v; want the configuration's count", p, err)
	}
}

func TestFind(t *testing.T) {
	cache := t.TempDir()
	hash := strings.Repeat("ab", 20)
	write(t, filepath.Join(cache, "models--o--n", "refs", "main"), []byte(hash+"\n"))
	write(t, filepath.Join(cache, "models--o--n", "snapshots", hash, "config.json"), []byte("{}"))
	for _, revision := range []string{"", "main", hash} {
		m, err := Find(t.Context(), Options{Model: "o/n", Revision: revision, CacheDir: cache})
		if err != nil || m.Commit != hash {
			t.Errorf("revision %q: %+v, %v", revision, m, err)
		}
	}
	for _, o := range []Options{{Model: "o/other"}, {Model: "o/n", Revision: "dev"}, {Model: "/no/such"}, {Model: "./x.gguf"}} {
		o.CacheDir = cache
		if _, err := Find(t.Context(), o); !errors.Is(err, ErrNotFound) {
			t.Errorf("Find(%+v) = %v, want ErrNotFound", o, err)
		}
	}
	for _, o := range []Options{{Model: "../../etc"}, {Model: "a/../b"}, {Model: "o/n", Revision: "../../x"}} {
		o.CacheDir = cache
		if _, err := Find(t.Context(), o); err == nil {
			t.Errorf("Find(%+v) found something", o)
		}
	}
}

func FuzzHeader(f *testing.F) {
	f.Add([]byte("\x02\x00\x00\x00\x00\x00\x00\x00{}"))
	f.Add([]byte("\xff\xff\xff\xff\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, data []byte) {
		_ = readHeader(bytes.NewReader(data), int64(len(data)), func(name string, x tensor) error {
			if n, err := x.elements(); err == nil && n < 0 {
				t.Errorf("shape %v has %d elements", x.Shape, n)
			}
			return nil
		})
	})
}
