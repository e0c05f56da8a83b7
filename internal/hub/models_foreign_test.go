package hub_test

import (
	"encoding/json"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/llenergymeasure/llem/internal/hub"
)

// mixtures have their experts in different ways: one tensor each, stacked, packed,
// with a gate beside them, in part of the layers.
var mixtures = []string{
	"dbrx", "gemma-4-26b-a4b", "gpt-oss-20b", "granite-4.0-h-tiny", "lfm2-8b-a1b", "llama-4-scout", "mixtral-8x7b", "mixtral-8x7b-gptq",
	"qwen3-30b-a3b-mlx-4bit", "qwen3-vl-30b-a3b", "qwen3.5-35b-a3b", "step-3.5-flash",
}

// knownWrong are variants that are still wrong with confidence; it has to become empty.
var knownWrong = map[string]bool{}

// Tomorrow's models have other names and other keys. What is then not understood
// costs confidence: a count that is wrong by more than a hundredth is null or low.
func TestForeignNamesAndKeysCostConfidence(t *testing.T) {
	_, models := readPublished(t)
	for _, name := range mixtures {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := models[name]
			w := m.truth()
			for what, other := range m.foreign(t) {
				a := inspect(other.write(t, t.TempDir()))
				off := math.Abs(float64(a.n-w.n)) > 0.01*float64(w.n) || math.Abs(float64(a.p.Total-w.total)) > 0.01*float64(w.total)
				off = off && a.n > 0 && a.e.Confidence != hub.Low
				switch known := knownWrong[name+" "+what]; {
				case known && !off:
					t.Errorf("%s is right: take it out of knownWrong", what)
				case off && !known:
					t.Errorf("%s: total %d, N %d with confidence %q; want %d, %d, or low", what, a.p.Total, a.n, a.e.Confidence, w.total, w.n)
				}
			}
		})
	}
}

// ofExperts are keys that say something of them.
var ofExperts = regexp.MustCompile(`expert|moe|top_?k|ffn_config|num_hidden_layers|hidden_size|vocab_size|quantization`)

// foreign are the model without its configuration, without each key that speaks of
// experts, and with each part of its tensors' names replaced.
func (m published) foreign(t *testing.T) map[string]published {
	t.Helper()
	out := map[string]published{}
	other := m
	other.Settings = "other.json"
	out["without config.json"] = other
	var c map[string]any
	if err := json.Unmarshal(m.Config, &c); err != nil {
		t.Fatal(err)
	}
	parts := []map[string]any{c}
	if text, ok := c["text_config"].(map[string]any); ok {
		parts = append(parts, text)
	}
	for _, part := range parts {
		for _, key := range slices.Sorted(maps.Keys(part)) {
			if !ofExperts.MatchString(key) {
				continue
			}
			value := part[key]
			delete(part, key)
			other := m
			var err error
			if other.Config, err = json.Marshal(c); err != nil {
				t.Fatal(err)
			}
			out["without "+key] = other
			part[key] = value
		}
	}
	for _, part := range []string{"experts", "mlp", "self_attn", "embed_tokens", "lm_head", "model.", "layers", "moe", "visual", "mtp", "_proj"} {
		other := m
		other.Tensors = slices.Clone(m.Tensors)
		for i := range other.Tensors {
			other.Tensors[i].name = strings.ReplaceAll(other.Tensors[i].name, part, "other_"+part[:1])
		}
		out["with other names for "+part] = other
	}
	return out
}
