package hub

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// headers are tensors of a model folder without data.
type headers map[string]tensor

// add adds tensors; of a name with * one for each block.
func (h headers) add(dtype string, blocks []int, shapes map[string][]int64) {
	for name, shape := range shapes {
		if !strings.Contains(name, "*") {
			h[name] = tensor{DType: dtype, Shape: shape}
			continue
		}
		for _, i := range blocks {
			h[strings.Replace(name, "*", fmt.Sprint(i), 1)] = tensor{DType: dtype, Shape: shape}
		}
	}
}

// span are from, from+step and so on, below to.
func span(from, to, step int) (out []int) {
	for i := from; i < to; i += step {
		out = append(out, i)
	}
	return out
}

func (h headers) file(t *testing.T) []byte {
	t.Helper()
	head := map[string]any{"__metadata__": map[string]string{"format": "pt"}}
	at := int64(0)
	for _, name := range sortedKeys(h) {
		x := h[name]
		n, err := x.elements()
		if err != nil {
			t.Fatal(err)
		}
		end := at + (n*bitsOf[x.DType]+7)/8
		head[name] = map[string]any{"dtype": x.DType, "shape": x.Shape, "data_offsets": []int64{at, end}}
		at = end
	}
	data, err := json.Marshal(head)
	if err != nil {
		t.Fatal(err)
	}
	return append(binary.LittleEndian.AppendUint64(nil, uint64(len(data))), data...)
}

// counted is what Inspect makes of a folder with this configuration and these tensors.
func (h headers) counted(t *testing.T, config string) (Parameters, error) {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "config.json"), []byte(config))
	if len(h) > 0 {
		write(t, filepath.Join(dir, "model.safetensors"), h.file(t))
	}
	return Inspect(Model{Path: dir})
}

// sums are what a model's roles add up to.
type sums struct{ total, n int64 }

func holds(t *testing.T, p Parameters, err error, want sums, attending int64) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if p.Total != want.total || p.Used() != want.n || p.Confidence != High {
		t.Errorf("total %d, N %d, confidence %s; want %d, %d, high\n%q", p.Total, p.Used(), p.Confidence, want.total, want.n, p.Notes)
	}
	var n int64
	for _, a := range p.Attention {
		n += a.Layers
	}
	if n != attending {
		t.Errorf("%d layers attend (%s), want %d", n, p.AttentionUnknown, attending)
	}
}

// Step-3.5-Flash: experts stacked in one tensor for each matrix.
func TestExpertsStackedUnderAnyName(t *testing.T) {
	h := headers{}
	all, sparse := span(0, 45, 1), span(3, 45, 1)
	h.add("BF16", nil, map[string][]int64{"model.embed_tokens.weight": {128896, 4096}, "lm_head.weight": {128896, 4096}, "model.norm.weight": {4096}})
	for _, i := range all {
		heads := int64(96)
		if i%4 == 0 {
			heads = 64
		}
		h.add("BF16", []int{i}, map[string][]int64{
			"model.layers.*.self_attn.q_proj.weight": {heads * 128, 4096}, "model.layers.*.self_attn.o_proj.weight": {4096, heads * 128}, "model.layers.*.self_attn.g_proj.weight": {heads, 4096},
		})
	}
	h.add("BF16", all, map[string][]int64{
		"model.layers.*.self_attn.k_proj.weight": {1024, 4096}, "model.layers.*.self_attn.v_proj.weight": {1024, 4096}, "model.layers.*.self_attn.q_norm.weight": {128},
		"model.layers.*.self_attn.k_norm.weight": {128}, "model.layers.*.input_layernorm.weight": {4096}, "model.layers.*.post_attention_layernorm.weight": {4096},
	})
	h.add("BF16", span(0, 3, 1), map[string][]int64{"model.layers.*.mlp.gate_proj.weight": {11264, 4096}, "model.layers.*.mlp.up_proj.weight": {11264, 4096}, "model.layers.*.mlp.down_proj.weight": {4096, 11264}})
	h.add("F32", sparse, map[string][]int64{"model.layers.*.moe.gate.weight": {288, 4096}, "model.layers.*.moe.router_bias": {288}})
	h.add("BF16", sparse, map[string][]int64{
		"model.layers.*.moe.gate_proj.weight": {288, 1280, 4096}, "model.layers.*.moe.up_proj.weight": {288, 1280, 4096}, "model.layers.*.moe.down_proj.weight": {288, 4096, 1280},
		"model.layers.*.share_expert.gate_proj.weight": {1280, 4096}, "model.layers.*.share_expert.up_proj.weight": {1280, 4096}, "model.layers.*.share_expert.down_proj.weight": {4096, 1280},
	})
	p, err := h.counted(t, `{"model_type":"step3p5","hidden_size":4096,"intermediate_size":11264,"num_attention_heads":64,"num_attention_groups":8,"head_dim":128,"num_hidden_layers":45,"vocab_size":128896,"moe_intermediate_size":1280,"moe_num_experts":288,"moe_top_k":8,"share_expert_dim":1280,"tie_word_embeddings":false,"num_nextn_predict_layers":3}`)
	holds(t, p, err, sums{196_956_130_368, 10_931_407_936}, 45)
	if p.Attention[1].Keys != 96*128 {
		t.Errorf("%+v; want layers with 96 heads", p.Attention)
	}
}

// Gemma 4 E2B: a table of the vocabulary for the layers, towers beside the model.
func TestTablesOfTheVocabularyAreEmbeddings(t *testing.T) {
	h := headers{}
	m := "model.language_model."
	h.add("BF16", nil, map[string][]int64{
		m + "embed_tokens.weight": {262144, 1536}, m + "embed_tokens_per_layer.weight": {262144, 35 * 256}, m + "per_layer_model_projection.weight": {35 * 256, 1536},
		m + "per_layer_projection_norm.weight": {256}, m + "norm.weight": {1536},
		"model.vision_tower.patch_embedder.input_proj.weight": {768, 768}, "model.embed_vision.embedding_projection.weight": {1536, 768},
		"model.audio_tower.output_proj.weight": {1536, 1024}, "model.embed_audio.embedding_projection.weight": {1536, 1536},
	})
	kinds := make([]string, 35)
	for i := range 35 {
		dim, width := int64(256), int64(6144)
		if kinds[i] = `"sliding_attention"`; i%5 == 4 {
			dim, kinds[i] = 512, `"full_attention"`
		}
		if i >= 15 {
			width *= 2
		} else {
			h.add("BF16", []int{i}, map[string][]int64{m + "layers.*.self_attn.k_proj.weight": {dim, 1536}, m + "layers.*.self_attn.v_proj.weight": {dim, 1536}, m + "layers.*.self_attn.k_norm.weight": {dim}})
		}
		h.add("BF16", []int{i}, map[string][]int64{
			m + "layers.*.self_attn.q_proj.weight": {8 * dim, 1536}, m + "layers.*.self_attn.o_proj.weight": {1536, 8 * dim}, m + "layers.*.self_attn.q_norm.weight": {dim},
			m + "layers.*.mlp.gate_proj.weight": {width, 1536}, m + "layers.*.mlp.up_proj.weight": {width, 1536}, m + "layers.*.mlp.down_proj.weight": {1536, width},
			m + "layers.*.per_layer_input_gate.weight": {256, 1536}, m + "layers.*.per_layer_projection.weight": {1536, 256}, m + "layers.*.layer_scalar": {1},
		})
		for _, norm := range []string{"input_layernorm", "post_attention_layernorm", "pre_feedforward_layernorm", "post_feedforward_layernorm", "post_per_layer_input_norm"} {
			h.add("BF16", []int{i}, map[string][]int64{m + "layers.*." + norm + ".weight": {1536}})
		}
	}
	p, err := h.counted(t, `{"model_type":"gemma4","text_config":{"model_type":"gemma4_text","hidden_size":1536,"num_hidden_layers":35,"intermediate_size":6144,"num_attention_heads":8,"num_key_value_heads":1,"head_dim":256,"global_head_dim":512,"vocab_size":262144,"vocab_size_per_layer_input":262144,"hidden_size_per_layer_input":256,"sliding_window":512,"tie_word_embeddings":true,"num_experts":null,"top_k_experts":null,"enable_moe_block":false,"layer_types":[`+strings.Join(kinds, ",")+`]},"vision_config":{"model_type":"gemma4_vision"},"tie_word_embeddings":true}`)
	holds(t, p, err, sums{4_628_569_379, 1_877_105_955}, 35)
	if p.Foreign != 5_701_632 {
		t.Errorf("%d parameters of towers, want 5701632", p.Foreign)
	}
}

// Qwen3-Next: blocks that predict, and layers that keep a state.
func TestBlocksThatPredictAreLeftOut(t *testing.T) {
	h := headers{}
	block := func(p string, full bool) {
		shapes := map[string][]int64{
			p + "mlp.gate.weight": {512, 2048}, p + "mlp.shared_expert.gate_proj.weight": {512, 2048}, p + "mlp.shared_expert.up_proj.weight": {512, 2048},
			p + "mlp.shared_expert.down_proj.weight": {2048, 512}, p + "mlp.shared_expert_gate.weight": {1, 2048}, p + "input_layernorm.weight": {2048}, p + "post_attention_layernorm.weight": {2048},
		}
		for e := range 512 {
			at := fmt.Sprintf("%smlp.experts.%d.", p, e)
			shapes[at+"gate_proj.weight"], shapes[at+"up_proj.weight"], shapes[at+"down_proj.weight"] = []int64{512, 2048}, []int64{512, 2048}, []int64{2048, 512}
		}
		if full {
			shapes[p+"self_attn.q_proj.weight"], shapes[p+"self_attn.o_proj.weight"] = []int64{8192, 2048}, []int64{2048, 4096}
			shapes[p+"self_attn.k_proj.weight"], shapes[p+"self_attn.v_proj.weight"] = []int64{512, 2048}, []int64{512, 2048}
			shapes[p+"self_attn.q_norm.weight"], shapes[p+"self_attn.k_norm.weight"] = []int64{256}, []int64{256}
		} else {
			shapes[p+"linear_attn.in_proj_qkvz.weight"], shapes[p+"linear_attn.in_proj_ba.weight"] = []int64{12288, 2048}, []int64{64, 2048}
			shapes[p+"linear_attn.conv1d.weight"], shapes[p+"linear_attn.out_proj.weight"] = []int64{8192, 1, 4}, []int64{2048, 4096}
			shapes[p+"linear_attn.A_log"], shapes[p+"linear_attn.dt_bias"], shapes[p+"linear_attn.norm.weight"] = []int64{32}, []int64{32}, []int64{128}
		}
		h.add("BF16", nil, shapes)
	}
	for i := range 48 {
		block(fmt.Sprintf("model.layers.%d.", i), i%4 == 3)
	}
	block("mtp.layers.0.", true)
	h.add("BF16", nil, map[string][]int64{
		"model.embed_tokens.weight": {151936, 2048}, "lm_head.weight": {151936, 2048}, "model.norm.weight": {2048},
		"mtp.fc.weight": {2048, 4096}, "mtp.norm.weight": {2048}, "mtp.pre_fc_norm_embedding.weight": {2048}, "mtp.pre_fc_norm_hidden.weight": {2048},
	})
	p, err := h.counted(t, `{"model_type":"qwen3_next","hidden_size":2048,"intermediate_size":5120,"num_hidden_layers":48,"num_attention_heads":16,"num_key_value_heads":2,"head_dim":256,"vocab_size":151936,"num_experts":512,"num_experts_per_tok":10,"moe_intermediate_size":512,"shared_expert_intermediate_size":512,"decoder_sparse_step":1,"mlp_only_layers":[],"full_attention_interval":4,"linear_num_value_heads":32,"tie_word_embeddings":false}`)
	holds(t, p, err, sums{79_674_391_296, 3_252_599_552}, 12)
}

// Qwen3-8B of MLX: eight parameters of four bits in a word.
func TestPackedWeightsAreUnpacked(t *testing.T) {
	h := headers{}
	quantised := func(blocks []int, name string, out, in int64) {
		h.add("U32", blocks, map[string][]int64{name + ".weight": {out, in / 8}})
		h.add("BF16", blocks, map[string][]int64{name + ".scales": {out, in / 64}, name + ".biases": {out, in / 64}})
	}
	quantised(nil, "model.embed_tokens", 151936, 4096)
	quantised(nil, "lm_head", 151936, 4096)
	all, p := span(0, 36, 1), "model.layers.*."
	for name, shape := range map[string][2]int64{
		"self_attn.q_proj": {4096, 4096}, "self_attn.k_proj": {1024, 4096}, "self_attn.v_proj": {1024, 4096}, "self_attn.o_proj": {4096, 4096},
		"mlp.gate_proj": {12288, 4096}, "mlp.up_proj": {12288, 4096}, "mlp.down_proj": {4096, 12288},
	} {
		quantised(all, p+name, shape[0], shape[1])
	}
	h.add("BF16", all, map[string][]int64{p + "self_attn.q_norm.weight": {128}, p + "self_attn.k_norm.weight": {128}, p + "input_layernorm.weight": {4096}, p + "post_attention_layernorm.weight": {4096}})
	h.add("BF16", nil, map[string][]int64{"model.norm.weight": {4096}})
	got, err := h.counted(t, `{"model_type":"qwen3","hidden_size":4096,"intermediate_size":12288,"num_hidden_layers":36,"num_attention_heads":32,"num_key_value_heads":8,"head_dim":128,"vocab_size":151936,"tie_word_embeddings":false,"quantization":{"group_size":64,"bits":4}}`)
	holds(t, got, err, sums{8_190_735_360, 6_946_075_648}, 36)
}
