package hub

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// positions is what a config.json says of a model's context.
type positions struct {
	Max     int             `json:"max_position_embeddings"`
	GPT2    int             `json:"n_positions"`
	Rope    json.RawMessage `json:"rope_scaling"`
	RopeNew json.RawMessage `json:"rope_parameters"` // of transformers 5
	Text    json.RawMessage `json:"text_config"`
}

// Context is the most tokens, of prompt and answer together, that the model's own
// files give it: config.json of a folder, else the metadata of a GGUF file. 0: they
// do not tell. Where positions are scaled it is the scaled length, and rather too
// long a one than too short, as engines differ in how they take it.
func (m Model) Context() int {
	path := m.Path
	if !strings.HasSuffix(path, ".gguf") {
		if data, err := os.ReadFile(filepath.Join(path, "config.json")); err == nil {
			return contextOf(data)
		}
		files, _ := filepath.Glob(filepath.Join(escape(path), "*.gguf"))
		if len(files) != 1 {
			return 0
		}
		path = files[0]
	}
	meta, err := readGGUFMeta(path, "")
	if err != nil {
		return 0
	}
	return max(0, meta.number(meta.text("general.architecture")+".context_length", 0))
}

func contextOf(data []byte) int {
	var p positions
	if json.Unmarshal(data, &p) != nil {
		return 0
	}
	if len(p.Text) > 0 && string(p.Text) != "null" {
		if n := contextOf(p.Text); n > 0 {
			return n
		}
	}
	n := max(0, p.Max, p.GPT2)
	return max(n, stretched(n, p.Rope), stretched(n, p.RopeNew))
}

// ownLength are the kinds of scaling whose max_position_embeddings is the scaled
// length already (vllm/config/model.py, _get_and_verify_max_len).
var ownLength = []string{"llama3", "longrope", "su"}

// stretched is n positions with scaling.
func stretched(n int, scaling json.RawMessage) int {
	var s struct {
		Kind     string  `json:"rope_type"`
		KindOld  string  `json:"type"`
		Factor   float64 `json:"factor"`
		Original int     `json:"original_max_position_embeddings"`
	}
	if len(scaling) == 0 || json.Unmarshal(scaling, &s) != nil || slices.Contains(ownLength, s.Kind+s.KindOld) {
		return n
	}
	if s.Original > 0 {
		n = s.Original
	}
	return int(float64(n) * max(1, s.Factor))
}
