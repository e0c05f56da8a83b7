package hub

import (
	"fmt"
	"strings"
	"testing"
)

// A small decoder as Qwen3 is built: width 256, 4 blocks, 8 heads of 32 with 2 of
// keys, 768 in the MLP, 5000 tokens.
const (
	smallShape  = `"hidden_size":256,"num_hidden_layers":4,"num_attention_heads":8,"num_key_value_heads":2,"head_dim":32,"intermediate_size":768,"vocab_size":5000,"tie_word_embeddings":false`
	smallTable  = 5000 * 256
	smallLayer  = 2*256*256 + 2*64*256 + 3*768*256 + 2*32 + 2*256
	smallN      = 4*smallLayer + 256
	smallTotal  = smallN + 2*smallTable
	smallAttend = 2*256*256 + 2*64*256 + 2*32 + 2*256 // of a block, without its MLP
)

// linears are the matrices of one of its blocks, which files pack.
var linears = map[string][2]int64{
	"self_attn.q_proj": {256, 256}, "self_attn.k_proj": {64, 256}, "self_attn.v_proj": {64, 256}, "self_attn.o_proj": {256, 256},
	"mlp.gate_proj": {768, 256}, "mlp.up_proj": {768, 256}, "mlp.down_proj": {256, 768},
}

// small has its matrices as pack writes them; nil: as they are.
func small(pack func(h headers, module string, out, in int64)) headers {
	h := headers{}
	h.add("BF16", nil, map[string][]int64{"model.embed_tokens.weight": {5000, 256}, "lm_head.weight": {5000, 256}, "model.norm.weight": {256}})
	for i := range 4 {
		at := fmt.Sprintf("model.layers.%d.", i)
		for name, s := range linears {
			if pack == nil {
				h[at+name+".weight"] = tensor{DType: "BF16", Shape: []int64{s[0], s[1]}}
			} else {
				pack(h, at+name, s[0], s[1])
			}
		}
		h.add("BF16", nil, map[string][]int64{
			at + "self_attn.q_norm.weight": {32}, at + "self_attn.k_norm.weight": {32}, at + "input_layernorm.weight": {256}, at + "post_attention_layernorm.weight": {256},
		})
	}
	return h
}

// Experts under names and in shapes that no list has: 16 of them, 2 at work, of width 96.
func TestExpertsByStructure(t *testing.T) {
	const experts, width = 16, 96
	routed := int64(3 * experts * width * 256)
	one := func(name string, shape ...int64) map[string][]int64 {
		return map[string][]int64{"model.layers.*." + name: shape}
	}
	numbered := func(format string) func(h headers) {
		return func(h headers) {
			for e := range experts {
				at := fmt.Sprintf(format, e)
				h.add("BF16", span(0, 4, 1), one(at+"w1.weight", width, 256))
				h.add("BF16", span(0, 4, 1), one(at+"w2.weight", 256, width))
				h.add("BF16", span(0, 4, 1), one(at+"w3.weight", width, 256))
			}
		}
	}
	for name, add := range map[string]func(h headers){
		"numbered":                  numbered("block_sparse_moe.experts.%d."),
		"numbered under a new name": numbered("ffn.specialists.%d."),
		"fused, in first": func(h headers) {
			h.add("BF16", span(0, 4, 1), one("mlp.experts.gate_up_proj", experts, 256, 2*width))
			h.add("BF16", span(0, 4, 1), one("mlp.experts.down_proj", experts, width, 256))
		},
		"stacked under a new name": func(h headers) {
			h.add("BF16", span(0, 4, 1), one("ffn.bank.w_in", experts, 2*width, 256))
			h.add("BF16", span(0, 4, 1), one("ffn.bank.w_out", experts, 256, width))
		},
		"side by side": func(h headers) {
			for _, w := range []string{"w1", "v1", "w2"} {
				h.add("BF16", span(0, 4, 1), one("ffn.experts.mlp."+w, experts*width, 256))
			}
		},
		"MXFP4": func(h headers) {
			h.add("U8", span(0, 4, 1), one("mlp.experts.gate_up_proj_blocks", experts, 2*width, 256/32, 16))
			h.add("U8", span(0, 4, 1), one("mlp.experts.gate_up_proj_scales", experts, 2*width, 256/32))
			h.add("U8", span(0, 4, 1), one("mlp.experts.down_proj_blocks", experts, 256, width/32, 16))
			h.add("U8", span(0, 4, 1), one("mlp.experts.down_proj_scales", experts, 256, width/32))
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := small(nil)
			for tensor := range h {
				if strings.Contains(tensor, ".mlp.") {
					delete(h, tensor)
				}
			}
			h.add("BF16", span(0, 4, 1), one("mlp.router.weight", experts, 256))
			h.add("BF16", span(0, 4, 1), one("mlp.shared_expert.up_proj.weight", width, 256))
			add(h)
			body := int64(4*(smallAttend+experts*256+width*256) + 256)
			for _, keys := range []string{
				`"num_experts":16,"num_experts_per_tok":2`, `"n_routed_experts":"16","moe_topk":[2,2,2,2]`, `"moe_num_experts":16.0,"moe_top_k":2`,
				`"num_local_experts":16,"num_experts_per_token":2,"num_experts_per_tok":null`, `"ffn_config":{"moe_num_experts":16,"moe_top_k":2}`,
				`"expert_total":16,"experts_used":2`,
			} {
				p, err := h.counted(t, `{"model_type":"new_moe",`+smallShape+`,"moe_intermediate_size":96,`+keys+`}`)
				holds(t, p, err, sums{body + 4*routed + 2*smallTable, body + 4*routed/experts*2}, 4)
			}
		})
	}
}

// What may be wrong is of low confidence or null, with the reason.
func TestADoubtfulCountIsLowOrNull(t *testing.T) {
	for name, c := range map[string]struct {
		config string
		change func(h headers)
		says   string
	}{
		"experts that no tensor shows":   {`"num_experts":8,"num_experts_per_tok":2`, nil, "no tensor of experts"},
		"experts under a key of its own": {`"n_moe_experts_total":8`, nil, "no tensor of experts"},
		"experts of another number": {`"num_experts":8,"num_experts_per_tok":2`, func(h headers) {
			h.add("BF16", nil, map[string][]int64{"model.layers.1.mlp.experts.0.w.weight": {96, 256}, "model.layers.1.mlp.experts.1.w.weight": {96, 256}})
		}, "gives 8"},
		"experts of another width": {`"num_experts":8,"num_experts_per_tok":2,"moe_intermediate_size":96`, func(h headers) {
			h.add("BF16", nil, map[string][]int64{"model.layers.1.mlp.experts.up": {8, 768, 256}})
		}, "the configuration gives"},
		"experts and no word of them": {``, func(h headers) {
			h.add("BF16", nil, map[string][]int64{"model.layers.1.mlp.experts.0.w.weight": {96, 256}})
		}, "nothing says how many"},
		"a stack of matrices": {``, func(h headers) { h.add("BF16", nil, map[string][]int64{"model.layers.1.mlp.bank": {8, 768, 256}}) }, "model.layers.*.mlp.bank"},
		"rows of all experts": {``, func(h headers) { h.add("BF16", nil, map[string][]int64{"model.layers.1.ffn.w1": {16 * 768, 256}}) }, "model.layers.*.ffn.w1"},
		"modules in a row": {``, func(h headers) {
			for i := range 12 {
				h.add("BF16", nil, map[string][]int64{fmt.Sprintf("model.layers.1.ffn.%d.w", i): {96, 256}})
			}
		}, "model.layers.*.ffn.*.w"},
		"a table of pairs of tokens": {``, func(h headers) { h.add("BF16", nil, map[string][]int64{"model.ngrams.weight": {90000, 64}}) }, "model.ngrams.weight"},
		"a table in a block":         {``, func(h headers) { h.add("BF16", nil, map[string][]int64{"model.layers.2.memory.values": {90000, 64}}) }, "memory.values"},
		"a second decoder": {``, func(h headers) {
			h.add("BF16", span(0, 3, 1), map[string][]int64{"other.layers.*.up.weight": {768, 256}})
		}, "other.layers"},
		"blocks that nothing speaks of": {``, func(h headers) {
			h.add("BF16", span(4, 7, 1), map[string][]int64{"model.layers.*.mlp.up_proj.weight": {768, 256}})
		}, "blocks follow"},
		"more blocks ahead than it says": {`"num_nextn_predict_layers":1`, func(h headers) {
			h.add("BF16", span(4, 7, 1), map[string][]int64{"model.layers.*.mlp.up_proj.weight": {768, 256}})
		}, "blocks follow"},
		"a block that is missing": {``, func(h headers) {
			for name := range h {
				if strings.Contains(name, "layers.2.") {
					delete(h, name)
				}
			}
		}, "no row of 4 blocks"},
		"tables of another vocabulary": {`"vocab_size":7000`, nil, "7000 rows"},
		"blocks that repeat":           {`"total_ut_steps":4`, nil, "several times"},
		"blocks that share":            {`"layer_sharing":true`, nil, "several times"},
		"experts that do nothing":      {`"zero_expert_num":4`, nil, "same number of experts"},
		"a module twice": {`"quantization_config":{"bits":4}`, func(h headers) {
			h.add("I32", nil, map[string][]int64{"model.layers.1.mlp.up_proj.qweight": {32, 768}})
			h.add("F16", nil, map[string][]int64{"model.layers.1.mlp.up_proj.scales": {2, 768}})
		}, "two forms"},
		"a model that writes by denoising": {`"architectures":["NewDiffusionLM"]`, nil, "several passes"},
		"an encoder":                       {`"is_encoder_decoder":true`, nil, "encoder"},
		"a known architecture that is not": {`"model_type":"qwen3"`, func(h headers) {
			h.add("BF16", span(0, 4, 1), map[string][]int64{"model.layers.*.mlp.extra.weight": {768, 256}})
		}, "the configuration gives"},
	} {
		h := small(nil)
		if c.change != nil {
			c.change(h)
		}
		config := `{"model_type":"new",` + smallShape
		if c.config != "" {
			config += "," + c.config
		}
		p, err := h.counted(t, config+"}")
		said := fmt.Sprint(p.Notes, err)
		if err == nil && p.Confidence != Low || !strings.Contains(said, c.says) {
			t.Errorf("%s: %s, %s; want low or null and %q", name, p.Confidence, said, c.says)
		}
	}
	if p, err := small(nil).counted(t, `{"model_type":"new",`+smallShape+`}`); err != nil || p.Confidence != High {
		t.Errorf("without a change: %+v, %v", p, err)
	}
}

// Tables and heads are known by their rows, whatever they are called.
func TestTablesAndHeadsUnderAnyName(t *testing.T) {
	for _, names := range [][2]string{
		{"transformer.wte.weight", "lm_head.weight"}, {"gpt_neox.embed_in.weight", "embed_out.weight"}, {"tok_embeddings.weight", "output.weight"},
		{"backbone.embeddings.weight", "lm_head.weight"}, {"transformer.embedding.word_embeddings.weight", "transformer.output_layer.weight"},
		{"model.transformer.wte.weight", "model.transformer.ff_out.weight"}, {"core.lexicon.weight", "core.unembedding.weight"}, {"words", "head.weight"}, {"rwkv.emb.weight", ""},
	} {
		h := small(nil)
		table := h["lm_head.weight"]
		delete(h, "lm_head.weight")
		delete(h, "model.embed_tokens.weight")
		total := int64(smallTotal - smallTable)
		if h[names[0]] = table; names[1] != "" {
			h[names[1]], total = table, smallTotal
		}
		p, err := h.counted(t, `{"model_type":"new",`+strings.Replace(smallShape, `,"tie_word_embeddings":false`, "", 1)+`}`)
		holds(t, p, err, sums{total, smallN}, 4)
	}
}
