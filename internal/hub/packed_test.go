package hub

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// packings are ways in which files hold weights, and what the configuration says.
var packings = map[string]struct {
	config string
	pack   func(set func(leaf, dtype string, shape ...int64), out, in int64)
}{
	"GPTQ": {`{"quant_method":"gptq","bits":4,"group_size":128}`, func(set func(string, string, ...int64), out, in int64) {
		set("qweight", "I32", in/8, out)
		set("qzeros", "I32", in/128, out/8)
		set("scales", "F16", in/128, out)
		set("g_idx", "I32", in)
	}},
	"GPTQ without g_idx, of a configuration that is silent": {`{"quant_method":"gptq"}`, func(set func(string, string, ...int64), out, in int64) {
		set("qweight", "I32", in/8, out)
		set("qzeros", "I32", in/64, out/8)
		set("scales", "F16", in/64, out)
	}},
	"GPTQ in 8 bits": {`{"quant_method":"gptq","bits":8}`, func(set func(string, string, ...int64), out, in int64) {
		set("qweight", "I32", in/4, out)
		set("qzeros", "I32", in/64, out/4)
		set("scales", "F16", in/64, out)
	}},
	"AWQ": {`{"quant_method":"awq","bits":4}`, func(set func(string, string, ...int64), out, in int64) {
		set("qweight", "I32", in, out/8)
		set("qzeros", "I32", in/128, out/8)
		set("scales", "F16", in/128, out)
	}},
	"bitsandbytes nf4": {`{"quant_method":"bitsandbytes","load_in_4bit":true,"bnb_4bit_quant_type":"nf4"}`, func(set func(string, string, ...int64), out, in int64) {
		set("weight", "U8", out*in/2, 1)
		set("weight.absmax", "U8", out*in/64)
		set("weight.quant_map", "F32", 16)
		set("weight.nested_absmax", "F32", out*in/64/256)
		set("weight.nested_quant_map", "F32", 256)
		set("weight.quant_state.bitsandbytes__nf4", "U8", 90)
	}},
	"bitsandbytes int8": {`{"quant_method":"bitsandbytes","load_in_8bit":true}`, func(set func(string, string, ...int64), out, in int64) {
		set("weight", "I8", out, in)
		set("SCB", "F32", out)
		set("weight_format", "U8")
	}},
	"NVFP4 of modelopt": {`{"quant_method":"modelopt","quant_algo":"NVFP4"}`, func(set func(string, string, ...int64), out, in int64) {
		set("weight", "U8", out, in/2)
		set("weight_scale", "F8_E4M3", out, in/16)
		set("weight_scale_2", "F32")
		set("input_scale", "F32")
	}},
	"NVFP4 of compressed-tensors": {`{"quant_method":"compressed-tensors","format":"nvfp4-pack-quantized","config_groups":{"group_0":{"weights":{"num_bits":4,"group_size":16}}}}`, func(set func(string, string, ...int64), out, in int64) {
		set("weight_packed", "U8", out, in/2)
		set("weight_scale", "F8_E4M3", out, in/16)
		set("weight_global_scale", "F32", 1)
		set("input_global_scale", "F32", 1)
	}},
	"compressed-tensors in 4 bits": {`{"quant_method":"compressed-tensors","config_groups":{"group_0":{"weights":{"num_bits":4,"group_size":128}}}}`, func(set func(string, string, ...int64), out, in int64) {
		set("weight_packed", "I32", out, in/8)
		set("weight_scale", "BF16", out, in/128)
		set("weight_shape", "I64", 2)
	}},
	"compressed-tensors in 4 and 8 bits": {`{"quant_method":"compressed-tensors","config_groups":{"a":{"weights":{"num_bits":4,"group_size":32}},"b":{"weights":{"num_bits":8,"group_size":128}}}}`, func(set func(string, string, ...int64), out, in int64) {
		bits, group := int64(4), int64(32)
		if out == 768 {
			bits, group = 8, 128
		}
		set("weight_packed", "I32", out, in*bits/32)
		set("weight_scale", "BF16", out, in/group)
		set("weight_shape", "I64", 2)
	}},
	"MXFP4 in bytes": {`{"quant_method":"quark"}`, func(set func(string, string, ...int64), out, in int64) {
		set("weight", "U8", out, in/2)
		set("weight_scale", "U8", out, in/32)
	}},
	"FP4 in I8": {`{"quant_method":"fp8"}`, func(set func(string, string, ...int64), out, in int64) {
		set("weight", "I8", out, in/2)
		set("scale", "F8_E8M0", out, in/32)
	}},
	"F4": {`{"quant_method":"x"}`, func(set func(string, string, ...int64), out, in int64) {
		set("weight", "F4", out, in)
		set("weight_scale", "F8_E8M0", out, in/32)
	}},
	"FP8 in blocks": {`{"quant_method":"fp8","weight_block_size":[128,128]}`, func(set func(string, string, ...int64), out, in int64) {
		set("weight", "F8_E4M3", out, in)
		set("weight_scale_inv", "F32", (out+127)/128, (in+127)/128)
	}},
	"AQLM": {`{"quant_method":"aqlm"}`, func(set func(string, string, ...int64), out, in int64) {
		set("codes", "I16", out, in/8, 2)
		set("codebooks", "F16", 2, 256, 1, 8)
		set("scales", "F16", out, 1, 1, 1)
	}},
	"EXL2": {`{"quant_method":"exl2","bits":4.25}`, func(set func(string, string, ...int64), out, in int64) {
		set("q_weight", "I32", in*5/32, out)
		set("q_invperm", "I32", in)
		set("q_scale", "I32", in/32, out/8)
		set("q_scale_max", "F16", in/32)
		set("q_groups", "I16", in/16)
	}},
	"HQQ": {`{"quant_method":"hqq","weight_quant_params":{"nbits":4}}`, func(set func(string, string, ...int64), out, in int64) {
		set("W_q", "U8", out, in/2)
		set("scale", "F16", out, in/64)
		set("zero", "F16", out, in/64)
	}},
	"BitNet": {`{"quant_method":"bitnet"}`, func(set func(string, string, ...int64), out, in int64) {
		set("weight", "U8", out/4, in)
		set("weight_scale", "BF16", 1)
	}},
}

func TestEveryPackingHasTheModelsParameters(t *testing.T) {
	for name, c := range packings {
		t.Run(name, func(t *testing.T) {
			h := small(func(h headers, module string, out, in int64) {
				c.pack(func(leaf, dtype string, shape ...int64) { h[module+"."+leaf] = tensor{DType: dtype, Shape: shape} }, out, in)
			})
			p, err := h.counted(t, `{"model_type":"qwen3",`+smallShape+`,"quantization_config":`+c.config+`}`)
			holds(t, p, err, sums{smallTotal, smallN}, 4)
		})
	}
}

func TestMixedBitsOfMLXAreReadByModule(t *testing.T) {
	h := small(func(h headers, module string, out, in int64) {
		bits := int64(4)
		if strings.HasSuffix(module, "down_proj") {
			bits = 8
		}
		h.add("U32", nil, map[string][]int64{module + ".weight": {out, in * bits / 32}})
		h.add("BF16", nil, map[string][]int64{module + ".scales": {out, in / 64}, module + ".biases": {out, in / 64}})
	})
	own := ""
	for i := range 4 {
		own += fmt.Sprintf(`,"model.layers.%d.mlp.down_proj":{"group_size":64,"bits":8}`, i)
	}
	p, err := h.counted(t, `{"model_type":"qwen3",`+smallShape+`,"quantization":{"group_size":64,"bits":4`+own+`}}`)
	holds(t, p, err, sums{smallTotal, smallN}, 4)
}

// What is packed in a way that nothing tells is the closed form's or null, never a
// count of words.
func TestUnknownPackingsAreNotCounted(t *testing.T) {
	for name, pack := range map[string]func(h headers, module string, out, in int64){
		"bytes without scales": func(h headers, m string, out, in int64) {
			h[m+".weight"] = tensor{DType: "U8", Shape: []int64{out * in / 3}}
		},
		"words without scales": func(h headers, m string, out, in int64) {
			h[m+".weight"] = tensor{DType: "U32", Shape: []int64{out, in / 8}}
		},
		"indices of a codebook": func(h headers, m string, out, in int64) {
			h[m+".indices"] = tensor{DType: "I16", Shape: []int64{1, out, in / 6}}
		},
		"a qweight without scale": func(h headers, m string, out, in int64) {
			h[m+".qweight"] = tensor{DType: "I32", Shape: []int64{in / 8, out}}
		},
		"data of torchao": func(h headers, m string, out, in int64) {
			h[m+".weight:_data"] = tensor{DType: "I32", Shape: []int64{out, in / 8}}
		},
	} {
		h := small(pack)
		if p, err := h.counted(t, `{"model_type":"qwen3",`+smallShape+`}`); err != nil || p.Source != "config" || p.Confidence != Medium || p.Total != smallTotal {
			t.Errorf("%s: %+v, %v; want the closed form", name, p, err)
		}
		if p, err := h.counted(t, `{"model_type":"new",`+smallShape+`}`); !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), "packed") {
			t.Errorf("%s: %+v, %v; want null and why", name, p, err)
		}
	}
}
