package hub

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// ggufTensor has its dimensions as ggml gives them: first what lies side by side.
type ggufTensor struct {
	name  string
	shape []int
	kind  uint32
}

// ggufFile is the header of a GGUF file of version 3. Values are strings, numbers and
// lists of numbers.
func ggufFile(meta map[string]any, tensors ...ggufTensor) []byte {
	le := binary.LittleEndian
	text := func(b []byte, s string) []byte { return append(le.AppendUint64(b, uint64(len(s))), s...) }
	b := le.AppendUint32([]byte("GGUF"), 3)
	b = le.AppendUint64(le.AppendUint64(b, uint64(len(tensors))), uint64(len(meta)))
	for _, key := range slices.Sorted(maps.Keys(meta)) {
		b = text(b, key)
		switch v := meta[key].(type) {
		case string:
			b = text(le.AppendUint32(b, ggufString), v)
		case int:
			b = le.AppendUint32(le.AppendUint32(b, 4), uint32(v))
		case []int:
			b = le.AppendUint64(le.AppendUint32(le.AppendUint32(b, ggufArray), 4), uint64(len(v)))
			for _, n := range v {
				b = le.AppendUint32(b, uint32(n))
			}
		default:
			panic(fmt.Sprintf("%s: %v", key, v))
		}
	}
	for _, t := range tensors {
		b = le.AppendUint32(text(b, t.name), uint32(len(t.shape)))
		for _, d := range t.shape {
			b = le.AppendUint64(b, uint64(d))
		}
		b = le.AppendUint64(le.AppendUint32(b, t.kind), 0)
	}
	return b
}

// smallGGUF is the header of a mixture of experts: 16 of width 96, 2 at work, and a block
// that predicts.
func smallGGUF(part map[string]any) []byte {
	meta := map[string]any{
		"general.architecture": "new", "general.file_type": 15, "new.block_count": 5, "new.nextn_predict_layers": 1, "new.embedding_length": 256, "new.vocab_size": 5000,
		"new.attention.head_count": []int{8, 8, 0, 8, 8}, "new.attention.head_count_kv": []int{2, 2, 0, 2, 2}, "new.attention.key_length": 32,
		"new.expert_count": 16, "new.expert_used_count": 2, "new.expert_feed_forward_length": 96, "new.feed_forward_length": 768,
	}
	maps.Copy(meta, part)
	list := []ggufTensor{{"token_embd.weight", []int{256, 5000}, 12}, {"per_layer_token_embd.weight", []int{128, 5000}, 12}, {"output_norm.weight", []int{256}, 0}, {"rope_freqs.weight", []int{64}, 0}}
	for i := range 5 {
		at := fmt.Sprintf("blk.%d.", i)
		list = append(list, ggufTensor{at + "ffn_gate_inp.weight", []int{256, 16}, 0}, ggufTensor{at + "ffn_gate_up_exps.weight", []int{256, 192, 16}, 12},
			ggufTensor{at + "ffn_down_exps.weight", []int{96, 256, 16}, 14}, ggufTensor{at + "ffn_up_shexp.weight", []int{256, 96}, 12})
		if i != 2 {
			list = append(list, ggufTensor{at + "attn_q.weight", []int{256, 256}, 12}, ggufTensor{at + "attn_output.weight", []int{256, 256}, 12})
		} else {
			list = append(list, ggufTensor{at + "ssm_in.weight", []int{256, 600}, 12}, ggufTensor{at + "ssm_a", []int{16}, 0})
		}
	}
	list = append(list, ggufTensor{"blk.4.nextn.eh_proj.weight", []int{512, 256}, 12})
	return ggufFile(meta, list...)
}

const (
	smallGGUFRouted = 4 * 16 * 3 * 96 * 256
	smallGGUFBody   = 4*(16*256+96*256) + 3*2*256*256 + 256*600 + 16 + 256
)

func TestGGUFIsCountedByTheSameRules(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.gguf")
	write(t, path, smallGGUF(nil))
	p, err := Inspect(Model{Path: path})
	holds(t, p, err, sums{smallGGUFBody + smallGGUFRouted + 5000*(256+128), smallGGUFBody + smallGGUFRouted/8}, 3)
	if p.DType != "q4_k_m" || p.Predicting == 0 {
		t.Errorf("%+v", p)
	}
}

func TestGGUFOfExpertsThatAreNotThereIsDoubtful(t *testing.T) {
	for name, part := range map[string]map[string]any{
		"more experts":  {"new.expert_count": 32},
		"another width": {"new.expert_feed_forward_length": 300},
		"more blocks":   {"new.block_count": 9},
		"fewer blocks":  {"new.block_count": 3},
		"no width":      {"new.embedding_length": 0},
	} {
		path := filepath.Join(t.TempDir(), "m.gguf")
		write(t, path, smallGGUF(part))
		if p, err := Inspect(Model{Path: path}); err == nil && p.Confidence != Low {
			t.Errorf("%s: %+v", name, p)
		}
	}
	path := filepath.Join(t.TempDir(), "m.gguf")
	write(t, path, smallGGUF(map[string]any{"new.expert_used_count": 0}))
	if p, err := Inspect(Model{Path: path}); err == nil {
		t.Errorf("nothing says how many work: %+v", p)
	}
}

func TestPartsOfASplitGGUFAreAddedUp(t *testing.T) {
	dir := t.TempDir()
	meta := map[string]any{"general.architecture": "new", "new.block_count": 2, "new.embedding_length": 8, "new.vocab_size": 100, "split.tensors.count": 3}
	write(t, filepath.Join(dir, "m-00001-of-00002.gguf"), ggufFile(meta, ggufTensor{"token_embd.weight", []int{8, 100}, 0}, ggufTensor{"blk.0.ffn_up.weight", []int{8, 16}, 0}))
	second := filepath.Join(dir, "m-00002-of-00002.gguf")
	write(t, second, ggufFile(map[string]any{}, ggufTensor{"blk.1.ffn_up.weight", []int{8, 16}, 0}))
	if p, err := Inspect(Model{Path: filepath.Join(dir, "m-00001-of-00002.gguf")}); err != nil || p.Total != 800+256 || p.Confidence != High {
		t.Errorf("%+v, %v", p, err)
	}
	if p, err := Inspect(Model{Path: dir}); err != nil || p.Total != 800+256 {
		t.Errorf("of the folder: %+v, %v", p, err)
	}
	write(t, second, ggufFile(map[string]any{}))
	if p, err := Inspect(Model{Path: dir}); err == nil || !strings.Contains(err.Error(), "2 tensors of 3") {
		t.Errorf("a tensor is missing: %+v, %v", p, err)
	}
}

// Bytes of a model's files that a disk or a stranger changed are an error or another
// number, never a panic, and no number is impossible.
func TestDamagedModelFilesDoNotPanic(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	config := []byte(`{"model_type":"new",` + smallShape + `,"num_experts":4,"num_experts_per_tok":1,"layer_types":["full_attention","full_attention","full_attention","full_attention"]}`)
	h := small(nil)
	header := h.file(t)
	dirs := [2]string{t.TempDir(), t.TempDir()}
	for i := range 3000 {
		files := map[string][]byte{"config.json": config, "model.safetensors": header}
		if i%3 == 0 {
			files = map[string][]byte{"m.gguf": smallGGUF(nil)}
		}
		names := slices.Sorted(maps.Keys(files))
		name := names[rng.IntN(len(names))]
		data := bytes.Clone(files[name])
		for range 1 + rng.IntN(3) {
			data[rng.IntN(len(data))] ^= 1 << rng.IntN(8)
		}
		files[name] = data[:len(data)-rng.IntN(2)*rng.IntN(len(data))]
		dir := dirs[min(i%3, 1)]
		for name, data := range files {
			write(t, filepath.Join(dir, name), data)
		}
		if p, err := Inspect(Model{Path: dir}); err == nil && (p.Used() <= 0 || p.Used() > p.Total || p.Active > p.Total || p.Total > maxElements) {
			t.Fatalf("%s after %d: %+v", name, i, p)
		}
		_ = (Model{Path: dir}).Context()
	}
}

func FuzzGGUFTensors(f *testing.F) {
	f.Add(smallGGUF(nil))
	f.Add([]byte("GGUF\x03\x00\x00\x00"))
	keep := func(key string) bool { return !strings.HasPrefix(key, "tokenizer.") }
	f.Fuzz(func(t *testing.T, data []byte) {
		meta, list, err := parseGGUF(bytes.NewReader(data), keep, true)
		if err != nil {
			return
		}
		if p, err := countGGUF(meta, list); err == nil && (p.Used() <= 0 || p.Used() > p.Total || p.Active > p.Total) {
			t.Errorf("%+v", p)
		}
	})
}
