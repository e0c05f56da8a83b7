package hub

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// Every spelling and type of a key says the same.
func TestConfigurationsOfManyHands(t *testing.T) {
	for name, config := range map[string]string{
		"strings":                `{"hidden_size":"256","num_hidden_layers":"4","num_attention_heads":"8","num_key_value_heads":"2","head_dim":"32","intermediate_size":"768","vocab_size":"5000","tie_word_embeddings":"false"}`,
		"floats":                 `{"hidden_size":256.0,"num_hidden_layers":4.0,"num_attention_heads":8.0,"num_key_value_heads":2.0,"head_dim":32.0,"intermediate_size":768.0,"vocab_size":5e3}`,
		"a list for each layer":  `{"hidden_size":256,"num_hidden_layers":4,"num_attention_heads":[8,8,8,8],"num_key_value_heads":[2,2,2,2],"head_dim":32,"intermediate_size":[768,768,768,768],"vocab_size":5000}`,
		"GPT-2's keys":           `{"n_embd":256,"n_layer":4,"n_head":8,"n_inner":768,"vocab_size":5000,"head_dim":32}`,
		"MPT's keys":             `{"d_model":256,"n_layers":4,"n_heads":8,"attn_config":{"kv_n_heads":2},"ffn_config":{"ffn_hidden_size":768},"vocab_size":5000,"head_dim":32}`,
		"OpenELM's keys":         `{"model_dim":256,"num_transformer_layers":4,"num_query_heads":[8,8,8,8],"num_kv_heads":[2,2,2,2],"head_dim":32,"vocab_size":5000}`,
		"Mistral's own keys":     `{"dim":256,"n_layers":4,"n_heads":8,"n_kv_heads":2,"hidden_dim":768,"vocab_size":5000,"head_dim":32}`,
		"ChatGLM's keys":         `{"hidden_size":256,"num_layers":4,"num_attention_heads":8,"multi_query_group_num":2,"kv_channels":32,"ffn_hidden_size":768,"padded_vocab_size":5000}`,
		"Infinity and NaN":       `{"time_step_limit":[0.0,Infinity],"x":NaN,"y":[-Infinity],"z":"NaN Infinity \" -Infinity",` + smallShape + `}`,
		"a byte order mark":      "\xef\xbb\xbf{" + smallShape + `}`,
		"keys of another type":   `{"rope_theta":"big","num_key_value_heads":{"a":1},"layer_norm":true,` + strings.Replace(smallShape, `"num_key_value_heads":2,`, "", 1) + `}`,
		"nulls":                  `{"num_experts":null,"num_experts_per_tok":null,"sliding_window":null,"layer_types":null,"quantization_config":null,"text_config":null,` + smallShape + `}`,
		"text_config":            `{"model_type":"outer","vision_config":{"hidden_size":1,"num_hidden_layers":2},"text_config":{` + smallShape + `}}`,
		"llm_config":             `{"llm_config":{` + smallShape + `},"hidden_size":1,"num_hidden_layers":9}`,
		"language_config":        `{"language_config":{` + smallShape + `}}`,
		"thinker_config":         `{"talker_config":{"hidden_size":1,"num_hidden_layers":2,"vocab_size":3},"thinker_config":{"audio_config":{},"text_config":{` + smallShape + `}}}`,
		"a part under a new key": `{"brain":{` + smallShape + `},"vision":{"hidden_size":1,"num_hidden_layers":2,"vocab_size":3}}`,
	} {
		t.Run(name, func(t *testing.T) {
			p, err := small(nil).counted(t, config)
			holds(t, p, err, sums{smallTotal, smallN}, 4)
		})
	}
}

func TestAKeyThatCannotBeReadIsNamed(t *testing.T) {
	for key, bad := range map[string]string{"num_attention_heads": `"eight"`, "intermediate_size": `-3`, "head_dim": `1.5`, "num_key_value_heads": `{}`} {
		var config map[string]any
		if err := json.Unmarshal([]byte("{"+smallShape+"}"), &config); err != nil {
			t.Fatal(err)
		}
		config[key] = json.RawMessage(bad)
		data, err := json.Marshal(config)
		if err != nil {
			t.Fatal(err)
		}
		p, err := small(nil).counted(t, string(data))
		if err != nil || p.Total != smallTotal || p.Used() != smallN || !strings.Contains(fmt.Sprint(p.Notes), key) {
			t.Errorf("%s: %+v, %v; want the tensors' count and the key's name", key, p, err)
		}
	}
}

// The closed form has no tensors to be held to: a key that cannot be read, or layers
// that differ, make it doubtful or null.
func TestTheClosedFormOfAKeyThatCannotBeReadIsDoubtful(t *testing.T) {
	for key, bad := range map[string]string{
		"num_key_value_heads": `"two"`, "head_dim": `1.5`, "num_experts": `"many"`, "moe_intermediate_size": `-1`,
		"num_attention_heads": `[8,8,4,8]`, "intermediate_size": `[768,768,700,768]`, "num_local_experts": `[1,1,8,8]`,
	} {
		config := strings.Replace("{"+smallShape+"}", fmt.Sprintf("%q:", key), `"old":`, 1)
		config = strings.Replace(config, "{", fmt.Sprintf(`{"model_type":"qwen3",%q:%s,`, key, bad), 1)
		if p, err := (headers{}).counted(t, config); err == nil && p.Confidence != Low {
			t.Errorf("%s: %+v", key, p)
		}
	}
	list := strings.Replace("{"+smallShape+"}", `"num_key_value_heads":2`, `"model_type":"qwen3","num_key_value_heads":[2,2,4,2]`, 1)
	if p, err := (headers{}).counted(t, list); err == nil {
		t.Errorf("heads that differ: %+v", p)
	}
	if p, err := (headers{}).counted(t, `{"model_type":"qwen3",`+smallShape+`}`); err != nil || p.Confidence != Medium || p.Total != smallTotal {
		t.Errorf("%+v, %v", p, err)
	}
}

// A list of heads has one value a layer: each layer has its own width.
func TestHeadsOfEachLayer(t *testing.T) {
	c, err := parseConfig([]byte(`{"model_dim":64,"num_transformer_layers":3,"num_query_heads":[4,8,12],"num_kv_heads":[1,2,3],"head_dim":8,"vocab_size":100}`))
	if err != nil {
		t.Fatal(err)
	}
	list, why := c.layout(nil, nil)
	if len(list) != 3 || list[0].Keys != 32 || list[1].Keys != 64 || list[2].Keys != 96 {
		t.Errorf("%+v, %s", list, why)
	}
}

// attends are layers × window of attention: 0 sees all.
func TestLayersThatAttend(t *testing.T) {
	const shape = `"hidden_size":64,"num_hidden_layers":8,"num_attention_heads":4,"vocab_size":100,`
	for name, c := range map[string]struct {
		config string
		want   string // layers × window, or a part of why it is unknown
	}{
		"all":                  {`"model_type":"llama"`, "8×0"},
		"Mistral":              {`"model_type":"mistral","sliding_window":4096`, "8×4096"},
		"Mistral without":      {`"model_type":"mistral","sliding_window":null`, "8×0"},
		"Qwen 2":               {`"use_sliding_window":false,"sliding_window":4096,"max_window_layers":6`, "8×0"},
		"Qwen 2 with":          {`"use_sliding_window":true,"sliding_window":4096,"max_window_layers":6`, "6×0 2×4096"},
		"Gemma 2":              {`"model_type":"gemma2","sliding_window":4096`, "4×4096 4×0"},
		"Gemma 3":              {`"model_type":"gemma3_text","sliding_window":512`, "7×512 1×0"},
		"Cohere 2":             {`"model_type":"cohere2","sliding_window":4096,"sliding_window_pattern":4`, "6×4096 2×0"},
		"EXAONE 4":             {`"sliding_window":4096,"sliding_window_pattern":"LLLG"`, "6×4096 2×0"},
		"gpt-oss":              {`"model_type":"gpt_oss","sliding_window":128`, "4×128 4×0"},
		"Llama 4":              {`"model_type":"llama4_text","attention_chunk_size":8192`, "6×8192 2×0"},
		"layer_types":          {`"sliding_window":9,"layer_types":["sliding_attention","full_attention","linear_attention","mamba","conv","full_attention","chunked_attention","full_attention"],"attention_chunk_size":5`, "1×9 3×0 1×5"},
		"block_types":          {`"block_types":["recurrent","recurrent","attention"],"attention_window_size":2048`, "2×2048"},
		"Nemotron-H":           {`"hybrid_override_pattern":"M-M*-ME*"`, "2×0"},
		"Jamba":                {`"attn_layer_period":4,"attn_layer_offset":1,"mamba_d_state":16`, "2×0"},
		"Qwen3-Next":           {`"full_attention_interval":4,"linear_num_value_heads":8`, "2×0"},
		"Bamba":                {`"attn_layer_indices":[2,5,7],"mamba_d_state":16`, "3×0"},
		"Kimi Linear":          {`"linear_attn_config":{"full_attn_layers":[4,8],"kda_layers":[1,2,3,5,6,7]}`, "2×0"},
		"MiniMax":              {`"attn_type_list":[0,0,0,1,0,0,0,1]`, "2×0"},
		"MiMo":                 {`"hybrid_layer_pattern":[0,1,1,1,1,1,1,0],"sliding_window_size":128`, "2×0 6×128"},
		"Llama 3.2 Vision":     {`"cross_attention_layers":[3,6]`, "6×0"},
		"states, which layers": {`"mamba_d_state":16`, "which ones attend is not known"},
		"sparse":               {`"index_topk":2048`, "chooses among earlier tokens"},
		"a kind of its own":    {`"layer_types":["full_attention","wavelet","wavelet","wavelet","wavelet","wavelet","wavelet","wavelet"]`, `"wavelet"`},
		"too short a list":     {`"layer_types":["full_attention","full_attention"]`, "2 layers"},
		"no window":            {`"layer_types":["sliding_attention","sliding_attention","sliding_attention","sliding_attention","sliding_attention","sliding_attention","sliding_attention","sliding_attention"]`, `"sliding_attention"`},
	} {
		conf, err := parseConfig([]byte("{" + shape + c.config + "}"))
		if err != nil {
			t.Fatal(name, err)
		}
		list, why := conf.layout(nil, nil)
		var got []string
		for _, a := range list {
			got = append(got, fmt.Sprintf("%d×%d", a.Layers, a.Window))
		}
		if text := strings.Join(got, " ") + why; text != c.want && (why == "" || !strings.Contains(why, c.want)) {
			t.Errorf("%s: %s, want %s", name, text, c.want)
		}
	}
}

// Tensors that contradict the configuration make attention unknown, and not the
// parameters.
func TestLayersThatTensorsShowOtherwise(t *testing.T) {
	h := small(nil)
	for name := range h {
		if strings.Contains(name, "layers.2.self_attn") {
			delete(h, name)
		}
	}
	h["model.layers.2.mamba.in_proj.weight"] = tensor{DType: "BF16", Shape: []int64{1024, 256}}
	h["model.layers.2.mamba.A_log"] = tensor{DType: "BF16", Shape: []int64{16}}
	p, err := h.counted(t, `{`+smallShape+`,"mamba_d_state":16}`)
	if err != nil || len(p.Attention) != 1 || p.Attention[0].Layers != 3 {
		t.Errorf("three layers attend: %+v, %v", p, err)
	}
	p, err = h.counted(t, `{`+smallShape+`,"attn_layer_indices":[1,2]}`)
	if err != nil || p.Attention != nil || !strings.Contains(p.AttentionUnknown, "not by both") {
		t.Errorf("the configuration says otherwise: %+v, %v", p, err)
	}
}

// No header makes the reader take memory for what is not there.
func TestHostileHeadersAreErrors(t *testing.T) {
	le := binary.LittleEndian
	header := func(json string) []byte { return append(le.AppendUint64(nil, uint64(len(json))), json...) }
	one := func(shape string) []byte {
		return header(`{"model.layers.0.w.weight":{"dtype":"BF16","shape":` + shape + `}}`)
	}
	gguf := func(tensors, keys uint64, rest ...byte) []byte {
		return append(le.AppendUint64(le.AppendUint64(le.AppendUint32([]byte("GGUF"), 3), tensors), keys), rest...)
	}
	key := append(le.AppendUint64(nil, 1), 'k')
	for name, data := range map[string][]byte{
		"m.safetensors a length of 2^64":       {255, 255, 255, 255, 255, 255, 255, 255},
		"m.safetensors a length of 2^40":       le.AppendUint64(nil, 1<<40),
		"m.safetensors a product of 2^90":      one(`[33554432,33554432,1099511627776]`),
		"m.safetensors a product of 2^64":      one(`[4294967296,4294967296]`),
		"m.safetensors a product of 2^63":      one(`[2147483648,4294967296]`),
		"m.safetensors a dimension below 0":    one(`[-1,-1]`),
		"m.safetensors a dimension of 1e30":    one(`[1e30]`),
		"m.safetensors many dimensions":        one(`[` + strings.Repeat("1,", 3000) + `1]`),
		"m.safetensors a long entry":           header(`{"a":{"dtype":"` + strings.Repeat("x", 1<<20) + `"}}`),
		"m.safetensors bytes that do not fit":  header(`{"model.layers.0.w.weight":{"dtype":"BF16","shape":[8,8],"data_offsets":[0,5]}}`),
		"m.safetensors no type":                header(`{"a":{"shape":[8,8]}}`),
		"m.safetensors a list":                 header(`[1,2]`),
		"m.safetensors half a header":          header(`{"a":{"dtype":"BF16","shape":[8,`),
		"m.safetensors nested":                 header(strings.Repeat(`{"a":`, 20000)),
		"m.gguf 2^60 tensors":                  gguf(1<<60, 0),
		"m.gguf 2^60 keys":                     gguf(0, 1<<60),
		"m.gguf a string of 2^60":              gguf(0, 1, le.AppendUint64(nil, 1<<60)...),
		"m.gguf an array of 2^60":              gguf(0, 1, le.AppendUint64(le.AppendUint32(le.AppendUint32(key, ggufArray), 4), 1<<60)...),
		"m.gguf arrays in arrays":              gguf(0, 1, le.AppendUint64(le.AppendUint32(le.AppendUint32(key, ggufArray), ggufArray), 1)...),
		"m.gguf a tensor of 2^32 dimensions":   gguf(1, 0, le.AppendUint32(append(le.AppendUint64(nil, 1), 'k'), 1<<31)...),
		"m.gguf a tensor of 2^90":              ggufFile(map[string]any{"general.architecture": "x"}, ggufTensor{"blk.0.w", []int{1 << 25, 1 << 25, 1 << 40}, 0}),
		"m-00001-of-00003.gguf two are absent": ggufFile(map[string]any{"general.architecture": "x"}),
		"m-00001-of-99999.gguf many parts":     ggufFile(map[string]any{"general.architecture": "x"}),
	} {
		file, _, _ := strings.Cut(name, " ")
		path := t.TempDir()
		write(t, filepath.Join(path, file), data)
		if strings.HasSuffix(file, ".gguf") {
			path = filepath.Join(path, file)
		} else {
			write(t, filepath.Join(path, "config.json"), []byte(`{"model_type":"new",`+smallShape+`}`))
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		p, err := Inspect(Model{Path: path})
		runtime.ReadMemStats(&after)
		if err == nil {
			t.Errorf("%s: %+v", name, p)
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > 32<<20 {
			t.Errorf("%s: %d MiB were allocated", name, used>>20)
		}
	}
}

func FuzzConfiguration(f *testing.F) {
	f.Add([]byte("{" + smallShape + "}"))
	for _, m := range published[:4] {
		f.Add([]byte(m.config))
	}
	f.Add([]byte(`{"text_config":{"num_hidden_layers":9999,"layer_types":["a"],"hidden_size":"x"},"quantization":{"bits":[]}}`))
	tensors := small(nil)
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := parseConfig(data)
		if err != nil || c.sane() != nil {
			return
		}
		if p, err := c.count(); err == nil && (p.Total <= 0 || p.Used() <= 0 || p.Active > p.Total) {
			t.Errorf("%+v", p)
		}
		list, _, err := newUnpacker(tensors, &c).unpack()
		if err != nil {
			t.Fatal(err)
		}
		if p, err := newTally(c, list).parameters("safetensors"); err == nil && (p.Used() <= 0 || p.Active > p.Total || p.Used() > p.Total) {
			t.Errorf("%+v", p)
		}
		_ = contextOf(c.raw, c.whole)
	})
}
