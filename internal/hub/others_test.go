package hub

import "testing"

// blocks adds a tensor of each name and shape to blocks 0 to n−1; * is the number.
func (h headers) blocks(n int, shapes map[string][]int64) { h.add("BF16", span(0, n, 1), shapes) }

// Architectures with names and parts of their own, by their published shapes; totals
// are those of their repositories where they are in full.
func TestArchitecturesOfOtherNames(t *testing.T) {
	for name, c := range map[string]struct {
		config string
		build  func(h headers)
		want   sums
		attend int64
	}{
		// openai-community/gpt2: 124,439,808, with masks in its files.
		"GPT-2": {`{"model_type":"gpt2","n_embd":768,"n_layer":12,"n_head":12,"n_positions":1024,"n_ctx":1024,"vocab_size":50257}`, func(h headers) {
			h.add("F32", nil, map[string][]int64{"wte.weight": {50257, 768}, "wpe.weight": {1024, 768}, "ln_f.weight": {768}, "ln_f.bias": {768}})
			h.blocks(12, map[string][]int64{
				"h.*.attn.bias": {1, 1, 1024, 1024}, "h.*.attn.c_attn.weight": {768, 2304}, "h.*.attn.c_attn.bias": {2304}, "h.*.attn.c_proj.weight": {768, 768}, "h.*.attn.c_proj.bias": {768},
				"h.*.mlp.c_fc.weight": {768, 3072}, "h.*.mlp.c_fc.bias": {3072}, "h.*.mlp.c_proj.weight": {3072, 768}, "h.*.mlp.c_proj.bias": {768},
				"h.*.ln_1.weight": {768}, "h.*.ln_1.bias": {768}, "h.*.ln_2.weight": {768}, "h.*.ln_2.bias": {768},
			})
		}, sums{124_439_808, 124_439_808 - 768*(50257+1024)}, 12},
		// facebook/opt-350m: 331,196,416; embeddings are narrower than the model.
		"OPT-350m": {`{"model_type":"opt","hidden_size":1024,"num_hidden_layers":24,"num_attention_heads":16,"ffn_dim":4096,"vocab_size":50272,"word_embed_proj_dim":512,"max_position_embeddings":2048,"is_encoder_decoder":false}`, func(h headers) {
			h.add("F16", nil, map[string][]int64{
				"model.decoder.embed_tokens.weight": {50272, 512}, "model.decoder.embed_positions.weight": {2050, 1024}, "model.decoder.project_in.weight": {1024, 512}, "model.decoder.project_out.weight": {512, 1024},
			})
			at := "model.decoder.layers.*."
			for _, m := range []string{"q", "k", "v", "out"} {
				h.blocks(24, map[string][]int64{at + "self_attn." + m + "_proj.weight": {1024, 1024}, at + "self_attn." + m + "_proj.bias": {1024}})
			}
			h.blocks(24, map[string][]int64{
				at + "fc1.weight": {4096, 1024}, at + "fc1.bias": {4096}, at + "fc2.weight": {1024, 4096}, at + "fc2.bias": {1024},
				at + "self_attn_layer_norm.weight": {1024}, at + "self_attn_layer_norm.bias": {1024}, at + "final_layer_norm.weight": {1024}, at + "final_layer_norm.bias": {1024},
			})
		}, sums{331_196_416, 331_196_416 - 50272*512 - 2050*1024}, 24},
		// bigscience/bloom-560m: 559,214,592.
		"BLOOM-560m": {`{"model_type":"bloom","n_embed":1024,"n_layer":24,"num_attention_heads":16,"vocab_size":250880}`, func(h headers) {
			h.add("F16", nil, map[string][]int64{
				"word_embeddings.weight": {250880, 1024}, "word_embeddings_layernorm.weight": {1024}, "word_embeddings_layernorm.bias": {1024}, "ln_f.weight": {1024}, "ln_f.bias": {1024},
			})
			h.blocks(24, map[string][]int64{
				"h.*.self_attention.query_key_value.weight": {3072, 1024}, "h.*.self_attention.query_key_value.bias": {3072}, "h.*.self_attention.dense.weight": {1024, 1024}, "h.*.self_attention.dense.bias": {1024},
				"h.*.mlp.dense_h_to_4h.weight": {4096, 1024}, "h.*.mlp.dense_h_to_4h.bias": {4096}, "h.*.mlp.dense_4h_to_h.weight": {1024, 4096}, "h.*.mlp.dense_4h_to_h.bias": {1024},
				"h.*.input_layernorm.weight": {1024}, "h.*.input_layernorm.bias": {1024}, "h.*.post_attention_layernorm.weight": {1024}, "h.*.post_attention_layernorm.bias": {1024},
			})
		}, sums{559_214_592, 559_214_592 - 250880*1024}, 24},
		// THUDM/glm-4-9b: 9,399,951,360; fused matrices, keys of ChatGLM.
		"GLM-4-9B": {`{"model_type":"chatglm","hidden_size":4096,"num_layers":40,"num_attention_heads":32,"multi_query_attention":true,"multi_query_group_num":2,"kv_channels":128,"ffn_hidden_size":13696,"padded_vocab_size":151552,"vocab_size":151552,"seq_length":8192,"tie_word_embeddings":false}`, func(h headers) {
			h.add("BF16", nil, map[string][]int64{
				"transformer.embedding.word_embeddings.weight": {151552, 4096}, "transformer.output_layer.weight": {151552, 4096}, "transformer.encoder.final_layernorm.weight": {4096}, "transformer.rotary_pos_emb.inv_freq": {32},
			})
			at := "transformer.encoder.layers.*."
			h.blocks(40, map[string][]int64{
				at + "self_attention.query_key_value.weight": {4608, 4096}, at + "self_attention.query_key_value.bias": {4608}, at + "self_attention.dense.weight": {4096, 4096},
				at + "mlp.dense_h_to_4h.weight": {27392, 4096}, at + "mlp.dense_4h_to_h.weight": {4096, 13696}, at + "input_layernorm.weight": {4096}, at + "post_attention_layernorm.weight": {4096},
			})
		}, sums{9_399_951_360, 9_399_951_360 - 2*151552*4096}, 40},
		// meta-llama/Llama-3.2-11B-Vision, its text: 40 blocks, 8 of which see images and rest without.
		"Llama 3.2 Vision": {`{"model_type":"mllama","text_config":{"model_type":"mllama_text_model","hidden_size":4096,"num_hidden_layers":40,"num_attention_heads":32,"num_key_value_heads":8,"intermediate_size":14336,"vocab_size":128256,"cross_attention_layers":[3,8,13,18,23,28,33,38],"tie_word_embeddings":false},"vision_config":{"hidden_size":1280}}`, func(h headers) {
			m := "language_model.model."
			h.add("BF16", nil, map[string][]int64{m + "embed_tokens.weight": {128264, 4096}, "language_model.lm_head.weight": {128256, 4096}, m + "norm.weight": {4096}, "multi_modal_projector.weight": {4096, 7680}})
			for i := range 40 {
				part := "self_attn"
				if i%5 == 3 {
					part = "cross_attn"
				}
				at := m + "layers.*."
				h.add("BF16", []int{i}, map[string][]int64{
					at + part + ".q_proj.weight": {4096, 4096}, at + part + ".k_proj.weight": {1024, 4096}, at + part + ".v_proj.weight": {1024, 4096}, at + part + ".o_proj.weight": {4096, 4096},
					at + "mlp.gate_proj.weight": {14336, 4096}, at + "mlp.up_proj.weight": {14336, 4096}, at + "mlp.down_proj.weight": {4096, 14336}, at + "input_layernorm.weight": {4096}, at + "post_attention_layernorm.weight": {4096},
				})
			}
		}, sums{8_030_261_248 + 8*4096, 8_030_261_248 - 2*128256*4096}, 32},
		// microsoft/Phi-4-multimodal: adapters for speech and images in every block.
		"adapters in blocks": {`{"hidden_size":256,"num_hidden_layers":4,"num_attention_heads":8,"intermediate_size":768,"vocab_size":5000,"speech_lora":{"r":320},"vision_lora":{"r":256}}`, func(h headers) {
			h.add("BF16", nil, map[string][]int64{"model.embed_tokens.weight": {5000, 256}, "model.embed_tokens_extend.image_embed.img_processor.proj.weight": {256, 1152}, "model.norm.weight": {256}})
			at := "model.layers.*."
			h.blocks(4, map[string][]int64{
				at + "self_attn.qkv_proj.base_layer.weight": {768, 256}, at + "self_attn.qkv_proj.lora_A.speech.weight": {320, 256}, at + "self_attn.qkv_proj.lora_B.speech.weight": {768, 320},
				at + "self_attn.qkv_proj.lora_A.vision.weight": {256, 256}, at + "self_attn.o_proj.base_layer.weight": {256, 256}, at + "mlp.gate_up_proj.base_layer.weight": {1536, 256}, at + "mlp.down_proj.base_layer.weight": {256, 768},
			})
		}, sums{5000*256 + 256 + 4*256*(768+256+1536+768), 256 + 4*256*(768+256+1536+768)}, 4},
		// allenai/Molmo: heads and tables under one transformer, flat blocks.
		"Molmo": {`{"hidden_size":256,"num_hidden_layers":4,"num_attention_heads":8,"intermediate_size":1536,"vocab_size":5000,"embedding_size":5000,"tie_word_embeddings":false}`, func(h headers) {
			h.add("F32", nil, map[string][]int64{
				"model.transformer.wte.embedding": {5000, 256}, "model.transformer.wte.new_embedding": {128, 256}, "model.transformer.ff_out.weight": {5000, 256}, "model.transformer.ln_f.weight": {256},
				"model.vision_backbone.image_vit.patch_embedding.weight": {1024, 588},
			})
			at := "model.transformer.blocks.*."
			h.blocks(4, map[string][]int64{at + "att_proj.weight": {768, 256}, at + "attn_out.weight": {256, 256}, at + "ff_proj.weight": {1536, 256}, at + "ff_out.weight": {256, 768}})
		}, sums{2*5000*256 + 128*256 + 256 + 4*256*(768+256+1536+768), 256 + 4*256*(768+256+1536+768)}, 4},
	} {
		t.Run(name, func(t *testing.T) {
			h := headers{}
			c.build(h)
			p, err := h.counted(t, c.config)
			holds(t, p, err, c.want, c.attend)
		})
	}
}
