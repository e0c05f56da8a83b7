package hub

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

func TestFilesBesideTheWeights(t *testing.T) {
	config := []byte(`{"model_type":"new",` + smallShape + `}`)
	whole := small(nil)
	half := func(second bool) headers {
		out := headers{}
		for name, x := range whole {
			if second == strings.Contains(name, "layers.3") {
				out[name] = x
			}
		}
		return out
	}
	index := map[string]string{}
	for name := range whole {
		index[name] = "model-00001-of-00002.safetensors"
		if strings.Contains(name, "layers.3") {
			index[name] = "model-00002-of-00002.safetensors"
		}
	}
	quoted := strings.NewReplacer("map[", `{"weight_map":{"`, ":", `":"`, " ", `","`, "]", `"}}`).Replace(fmt.Sprint(index))
	single := map[string][]byte{"model.safetensors": whole.file(t)}
	sharded := map[string][]byte{"model.safetensors.index.json": []byte(quoted), "model-00001-of-00002.safetensors": half(false).file(t), "model-00002-of-00002.safetensors": half(true).file(t)}
	with := func(files map[string][]byte, name string, data []byte) map[string][]byte {
		out := map[string][]byte{}
		for k, v := range files {
			out[k] = v
		}
		if out[name] = data; data == nil {
			delete(out, name)
		}
		return out
	}
	for name, c := range map[string]struct {
		files map[string][]byte
		want  string // high, low, or a part of the error
	}{
		"one file":                        {single, High},
		"shards":                          {sharded, High},
		"shards without an index":         {with(sharded, "model.safetensors.index.json", nil), High},
		"consolidated beside shards":      {with(sharded, "consolidated.safetensors", whole.file(t)), High},
		"consolidated beside one":         {with(single, "consolidated.safetensors", whole.file(t)), High},
		"consolidated alone":              {map[string][]byte{"consolidated.safetensors": whole.file(t)}, High},
		"an adapter beside it":            {with(single, "adapter_model.safetensors", small(nil).file(t)), High},
		"a file of any name":              {map[string][]byte{"gptq_model-4bit.safetensors": whole.file(t)}, High},
		"one file and an index":           {with(sharded, "model.safetensors", whole.file(t)), Low},
		"two precisions without index":    {map[string][]byte{"a.safetensors": whole.file(t), "b.safetensors": whole.file(t)}, Low},
		"an index of a missing file":      {with(sharded, "model-00002-of-00002.safetensors", nil), "missing"},
		"a missing file without index":    {with(with(sharded, "model.safetensors.index.json", nil), "model-00002-of-00002.safetensors", nil), "missing"},
		"an index of a missing tensor":    {with(sharded, "model.safetensors.index.json", []byte(strings.Replace(quoted, `"weight_map":{`, `"weight_map":{"model.layers.1.lost.weight":"model-00001-of-00002.safetensors",`, 1))), Low},
		"an index that leaves the folder": {with(sharded, "model.safetensors.index.json", []byte(`{"weight_map":{"a":"../x.safetensors"}}`)), "not a file beside"},
		"a tensor in two shards":          {with(sharded, "model-00002-of-00002.safetensors", whole.file(t)), High},
	} {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "config.json"), config)
		for file, data := range c.files {
			write(t, filepath.Join(dir, file), data)
		}
		p, err := Inspect(Model{Path: dir})
		switch {
		case err != nil && !strings.Contains(err.Error(), c.want):
			t.Errorf("%s: %v, want %s", name, err, c.want)
		case err == nil && (p.Confidence != c.want || p.Total != smallTotal):
			t.Errorf("%s: %s, %d %q; want %s", name, p.Confidence, p.Total, p.Notes, c.want)
		}
	}
}
