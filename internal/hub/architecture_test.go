package hub

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"

	"strings"
	"testing"
)

// Configuration numbers are facts of the models, from their config.json. Totals
// are those of their repositories' safetensors (model pages of the Hugging Face
// hub); nonEmbedding and active are what their makers publish, to as many digits: Pythia
// and Qwen3 in their tables of sizes, the others in model cards or reports.
var published = []struct {
	name, config string
	total        int64
	nonEmbedding string // "" where none is published
	active       string
	noInput      bool // active is published without the input embedding
}{
	{"SmolLM2-135M", `{"model_type":"llama","hidden_size":576,"num_hidden_layers":30,"num_attention_heads":9,"num_key_value_heads":3,"intermediate_size":1536,"vocab_size":49152,"tie_word_embeddings":true}`, 134_515_008, "", "", false},
	{"Mistral-Nemo-2407", `{"model_type":"mistral","hidden_size":5120,"num_hidden_layers":40,"num_attention_heads":32,"num_key_value_heads":8,"head_dim":128,"intermediate_size":14336,"vocab_size":131072,"tie_word_embeddings":false}`, 12_247_782_400, "", "", false},
	{"gemma-3-1b", `{"model_type":"gemma3_text","hidden_size":1152,"num_hidden_layers":26,"num_attention_heads":4,"num_key_value_heads":1,"head_dim":256,"intermediate_size":6912,"vocab_size":262144}`, 999_885_952, "698M", "", false},
	{"phi-4", `{"model_type":"phi3","hidden_size":5120,"num_hidden_layers":40,"num_attention_heads":40,"num_key_value_heads":10,"intermediate_size":17920,"vocab_size":100352,"tie_word_embeddings":false}`, 14_659_507_200, "", "", false},
	{"starcoder2-3b", `{"model_type":"starcoder2","hidden_size":3072,"num_hidden_layers":30,"num_attention_heads":24,"num_key_value_heads":2,"intermediate_size":12288,"vocab_size":49152,"use_bias":true}`, 3_030_371_328, "", "", false},
	{"falcon-7b", `{"model_type":"falcon","hidden_size":4544,"num_hidden_layers":32,"num_attention_heads":71,"multi_query":true,"new_decoder_architecture":false,"parallel_attn":true,"bias":false,"vocab_size":65024}`, 6_921_720_704, "", "", false},
	{"pythia-1b", `{"model_type":"gpt_neox","hidden_size":2048,"num_hidden_layers":16,"num_attention_heads":8,"intermediate_size":8192,"vocab_size":50304,"tie_word_embeddings":false}`, 1_011_781_632, "805736448", "", false},
	{"pythia-6.9b", `{"model_type":"gpt_neox","hidden_size":4096,"num_hidden_layers":32,"num_attention_heads":32,"intermediate_size":16384,"vocab_size":50432,"tie_word_embeddings":false}`, 6_857_302_016, "6444163072", "", false},
	{"Qwen3-8B", `{"model_type":"qwen3","hidden_size":4096,"num_hidden_layers":36,"num_attention_heads":32,"num_key_value_heads":8,"head_dim":128,"intermediate_size":12288,"vocab_size":151936,"tie_word_embeddings":false}`, 8_190_735_360, "6.95B", "", false},
	{"Qwen2.5-7B", `{"model_type":"qwen2","hidden_size":3584,"num_hidden_layers":28,"num_attention_heads":28,"num_key_value_heads":4,"intermediate_size":18944,"vocab_size":152064,"tie_word_embeddings":false}`, 7_615_616_512, "6.53B", "", false},
	{"Mixtral-8x7B", `{"model_type":"mixtral","hidden_size":4096,"num_hidden_layers":32,"num_attention_heads":32,"num_key_value_heads":8,"intermediate_size":14336,"vocab_size":32000,"num_local_experts":8,"num_experts_per_tok":2,"tie_word_embeddings":false}`, 46_702_792_704, "", "12.9B", false},
	{"Qwen1.5-MoE-A2.7B", `{"model_type":"qwen2_moe","hidden_size":2048,"num_hidden_layers":24,"num_attention_heads":16,"num_key_value_heads":16,"intermediate_size":5632,"moe_intermediate_size":1408,"shared_expert_intermediate_size":5632,"num_experts":60,"num_experts_per_tok":4,"decoder_sparse_step":1,"vocab_size":151936,"tie_word_embeddings":false}`, 14_315_784_192, "", "2.7B", false},
	{"Qwen3-30B-A3B", `{"model_type":"qwen3_moe","hidden_size":2048,"num_hidden_layers":48,"num_attention_heads":32,"num_key_value_heads":4,"head_dim":128,"intermediate_size":6144,"moe_intermediate_size":768,"num_experts":128,"num_experts_per_tok":8,"decoder_sparse_step":1,"mlp_only_layers":[],"vocab_size":151936,"tie_word_embeddings":false}`, 30_532_122_624, "29.9B", "3B", false},
	{"Qwen3-235B-A22B", `{"model_type":"qwen3_moe","hidden_size":4096,"num_hidden_layers":94,"num_attention_heads":64,"num_key_value_heads":4,"head_dim":128,"intermediate_size":12288,"moe_intermediate_size":1536,"num_experts":128,"num_experts_per_tok":8,"decoder_sparse_step":1,"mlp_only_layers":[],"vocab_size":151936,"tie_word_embeddings":false}`, 235_093_634_560, "234B", "22B", false},
	{"OLMoE-1B-7B", `{"model_type":"olmoe","hidden_size":2048,"num_hidden_layers":16,"num_attention_heads":16,"num_key_value_heads":16,"intermediate_size":1024,"num_experts":64,"num_experts_per_tok":8,"vocab_size":50304,"tie_word_embeddings":false}`, 6_919_161_856, "", "1.3B", false},
	{"granite-3.0-1b-a400m", `{"model_type":"granitemoe","hidden_size":1024,"num_hidden_layers":24,"num_attention_heads":16,"num_key_value_heads":8,"intermediate_size":512,"num_local_experts":32,"num_experts_per_tok":8,"vocab_size":49155,"tie_word_embeddings":true}`, 1_334_628_352, "", "0.4B", false},
	{"Phi-3.5-MoE", `{"model_type":"phimoe","hidden_size":4096,"num_hidden_layers":32,"num_attention_heads":32,"num_key_value_heads":8,"intermediate_size":6400,"num_local_experts":16,"num_experts_per_tok":2,"attention_bias":true,"lm_head_bias":true,"vocab_size":32064,"tie_word_embeddings":false}`, 41_873_153_344, "", "6.6B", false},
	{"gpt-oss-20b", `{"model_type":"gpt_oss","hidden_size":2880,"num_hidden_layers":24,"num_attention_heads":64,"num_key_value_heads":8,"head_dim":64,"intermediate_size":2880,"num_local_experts":32,"num_experts_per_tok":4,"experts_per_token":4,"attention_bias":true,"vocab_size":201088,"tie_word_embeddings":false}`, 20_914_757_184, "", "3.61B", true},
	{"gpt-oss-120b", `{"model_type":"gpt_oss","hidden_size":2880,"num_hidden_layers":36,"num_attention_heads":64,"num_key_value_heads":8,"head_dim":64,"intermediate_size":2880,"num_local_experts":128,"num_experts_per_tok":4,"experts_per_token":4,"attention_bias":true,"vocab_size":201088,"tie_word_embeddings":false}`, 116_829_156_672, "", "5.13B", true},
	{"DeepSeek-V2-Lite", `{"model_type":"deepseek_v2","hidden_size":2048,"num_hidden_layers":27,"num_attention_heads":16,"num_key_value_heads":16,"intermediate_size":10944,"moe_intermediate_size":1408,"n_routed_experts":64,"n_shared_experts":2,"num_experts_per_tok":6,"first_k_dense_replace":1,"moe_layer_freq":1,"q_lora_rank":null,"kv_lora_rank":512,"qk_nope_head_dim":128,"qk_rope_head_dim":64,"v_head_dim":128,"vocab_size":102400,"tie_word_embeddings":false}`, 15_706_484_224, "", "", false},
	{"DeepSeek-V2", `{"model_type":"deepseek_v2","hidden_size":5120,"num_hidden_layers":60,"num_attention_heads":128,"num_key_value_heads":128,"intermediate_size":12288,"moe_intermediate_size":1536,"n_routed_experts":160,"n_shared_experts":2,"num_experts_per_tok":6,"first_k_dense_replace":1,"moe_layer_freq":1,"q_lora_rank":1536,"kv_lora_rank":512,"qk_nope_head_dim":128,"qk_rope_head_dim":64,"v_head_dim":128,"vocab_size":102400,"tie_word_embeddings":false}`, 235_741_434_880, "", "21B", false},
	{"DeepSeek-V3", `{"model_type":"deepseek_v3","hidden_size":7168,"num_hidden_layers":61,"num_attention_heads":128,"num_key_value_heads":128,"intermediate_size":18432,"moe_intermediate_size":2048,"n_routed_experts":256,"n_shared_experts":1,"num_experts_per_tok":8,"first_k_dense_replace":3,"moe_layer_freq":1,"q_lora_rank":1536,"kv_lora_rank":512,"qk_nope_head_dim":128,"qk_rope_head_dim":64,"v_head_dim":128,"vocab_size":129280,"tie_word_embeddings":false}`, 671_026_419_200, "", "37B", true},
}

// digits writes n as want is written.
func digits(n int64, want string) string {
	unit, suffix := 1.0, ""
	switch {
	case strings.HasSuffix(want, "B"):
		unit, suffix = 1e9, "B"
	case strings.HasSuffix(want, "M"):
		unit, suffix = 1e6, "M"
	}
	_, fraction, _ := strings.Cut(strings.TrimSuffix(want, suffix), ".")
	return fmt.Sprintf("%.*f%s", len(fraction), float64(n)/unit, suffix)
}

func TestPublishedSizes(t *testing.T) {
	for _, tc := range published {
		t.Run(tc.name, func(t *testing.T) {
			c, err := parseConfig([]byte(tc.config))
			if err != nil {
				t.Fatal(err)
			}
			p, err := c.count()
			if err != nil {
				t.Fatal(err)
			}
			if p.Total != tc.total {
				t.Errorf("total = %d, want %d", p.Total, tc.total)
			}
			if got := digits(p.NonEmbedding, tc.nonEmbedding); tc.nonEmbedding != "" && got != tc.nonEmbedding {
				t.Errorf("non-embedding = %s, want %s", got, tc.nonEmbedding)
			}
			active := p.Active
			if tc.noInput {
				active -= p.Embedding
			}
			if got := digits(active, tc.active); tc.active != "" && got != tc.active {
				t.Errorf("active = %s, want %s", got, tc.active)
			}
			if c.experts() == 0 && p.Active != p.Total {
				t.Errorf("active = %d of %d in a dense model", p.Active, p.Total)
			}
		})
	}
}

func TestExpertsOfSafetensorsAreActiveByTheirShare(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "model.safetensors"), safetensors(t, map[string][]int64{
		"model.embed_tokens.weight": {100, 8}, "lm_head.weight": {100, 8}, "model.layers.0.mlp.gate.weight": {4, 8},
		"model.layers.0.mlp.experts.0.up_proj.weight": {16, 8}, "model.layers.0.mlp.experts.1.up_proj.weight": {16, 8},
		"model.layers.0.mlp.experts.2.up_proj.weight": {16, 8}, "model.layers.0.mlp.experts.3.up_proj.weight": {16, 8},
		"model.layers.0.mlp.shared_experts.up_proj.weight": {16, 8},
		"model.layers.1.mlp.shared_experts.up_proj.weight": {16, 8}, // predicts further ahead
		"vision_tower.patch.weight":                        {50, 8},
	}, "BF16"))
	write(t, filepath.Join(dir, "config.json"), []byte(`{"model_type":"qwen9_moe","num_hidden_layers":1,"num_experts":4,"num_experts_per_tok":1}`))
	p, err := Inspect(Model{Path: dir})
	if err != nil {
		t.Fatal(err)
	}
	if p.Total != 1600+32+5*128 || p.Active != p.Total-3*128 || p.NonEmbedding != 32+5*128 {
		t.Errorf("total %d, active %d, non-embedding %d", p.Total, p.Active, p.NonEmbedding)
	}
}

func TestExpertsOfGGUFAreActiveByTheirShare(t *testing.T) {
	meta := ggufMeta{
		"general.architecture": "x", "x.block_count": 2.0, "x.nextn_predict_layers": 1.0, "x.embedding_length": 8.0, "x.vocab_size": 10.0,
		"x.expert_count": 4.0, "x.expert_used_count": 1.0, "x.expert_feed_forward_length": 12.0, "x.attention.head_count": 1.0,
	}
	p, err := countGGUF(meta, map[string]tensor{
		"token_embd.weight": {DType: "F32", Shape: []int64{10, 8}}, "output.weight": {DType: "F32", Shape: []int64{10, 8}},
		"blk.0.ffn_gate_inp.weight": {DType: "F32", Shape: []int64{4, 8}}, "blk.0.ffn_up_exps.weight": {DType: "F32", Shape: []int64{4, 12, 8}},
		"blk.0.ffn_down_exps.weight": {DType: "F32", Shape: []int64{4, 8, 12}}, "blk.0.ffn_up_shexp.weight": {DType: "F32", Shape: []int64{12, 8}},
		"blk.1.nextn.eh_proj.weight": {DType: "F32", Shape: []int64{8, 16}},
	})
	if err != nil || p.Total != 2*80+32+768+96 || p.NonEmbedding != 32+768+96 || p.Active != p.Total-768*3/4 || p.Confidence != High {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestTiedWeightsThatAFileHoldsTwiceCountOnce(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "model.safetensors"), safetensors(t, map[string][]int64{"model.embed_tokens.weight": {100, 8}, "lm_head.weight": {100, 8}, "x.weight": {8}}, "BF16"))
	write(t, filepath.Join(dir, "config.json"), []byte(`{"model_type":"llama","num_hidden_layers":1,"tie_word_embeddings":true}`))
	if p, err := Inspect(Model{Path: dir}); err != nil || p.Total != 808 || p.LMHead != 0 {
		t.Errorf("got %+v, %v; want 808 parameters", p, err)
	}
}

func TestExpertsWithoutAConfigurationAreUnknown(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "model.safetensors"), safetensors(t, map[string][]int64{"model.layers.0.mlp.experts.0.up_proj.weight": {16, 8}}, "BF16"))
	if p, err := Inspect(Model{Path: dir}); !errors.Is(err, ErrUnsupported) {
		t.Errorf("got %+v, %v; want ErrUnsupported", p, err)
	}
}

// The language model's part of several modalities is what its tokens cost.
func TestTextPartOfSeveralModalities(t *testing.T) {
	text := published[2]
	var inner map[string]any
	if err := json.Unmarshal([]byte(text.config), &inner); err != nil {
		t.Fatal(err)
	}
	outer, err := json.Marshal(map[string]any{"model_type": "gemma3", "text_config": inner, "vision_config": map[string]int{"hidden_size": 1}})
	if err != nil {
		t.Fatal(err)
	}
	c, err := parseConfig(outer)
	if err != nil {
		t.Fatal(err)
	}
	if p, err := c.count(); err != nil || p.Total != text.total {
		t.Errorf("total = %d, %v; want %d", p.Total, err, text.total)
	}
}

func TestByName(t *testing.T) {
	for name, want := range map[string][2]int64{
		"owner/Some-8B-Instruct": {8e9, 8e9}, "o/x-30B-A3B": {30e9, 3e9}, "x-0.5b": {5e8, 5e8}, "SmolThing-135M": {135e6, 135e6},
		"Mixtral-8x7B": {}, "gpt2": {}, "o/v3": {}, "a8bit-model": {},
	} {
		p, ok := ByName(name)
		if ok != (want[0] > 0) || p.Total != want[0] || p.Active != want[1] || ok && p.Confidence != Low {
			t.Errorf("%s: %+v, %v; want %v", name, p, ok, want)
		}
	}
}
