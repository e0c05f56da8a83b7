package hub

import (
	"encoding/binary"
	"path/filepath"
	"testing"
)

func TestContextFromTheConfiguration(t *testing.T) {
	for name, c := range map[string]struct {
		config string
		want   int
	}{
		"plain":                       {`{"max_position_embeddings":4096}`, 4096},
		"GPT-2":                       {`{"n_positions":1024}`, 1024},
		"of several modalities":       {`{"max_position_embeddings":77,"text_config":{"max_position_embeddings":131072}}`, 131072},
		"with a silent language part": {`{"max_position_embeddings":77,"text_config":{}}`, 77},
		"Llama 3.1":                   {`{"max_position_embeddings":131072,"rope_scaling":{"rope_type":"llama3","factor":8.0,"original_max_position_embeddings":8192}}`, 131072},
		"Phi 3":                       {`{"max_position_embeddings":131072,"rope_scaling":{"type":"longrope","factor":32}}`, 131072},
		"YaRN with its original":      {`{"max_position_embeddings":32768,"rope_scaling":{"rope_type":"yarn","factor":4.0,"original_max_position_embeddings":32768}}`, 131072},
		"DeepSeek V3":                 {`{"max_position_embeddings":163840,"rope_scaling":{"type":"yarn","factor":40,"original_max_position_embeddings":4096}}`, 163840},
		"linear":                      {`{"max_position_embeddings":2048,"rope_scaling":{"type":"linear","factor":4}}`, 8192},
		"as transformers 5 writes":    {`{"max_position_embeddings":2048,"rope_parameters":{"rope_type":"linear","factor":2,"rope_theta":1e6}}`, 4096},
		"no scaling":                  {`{"max_position_embeddings":2048,"rope_scaling":null}`, 2048},
		"scaling of another shape":    {`{"max_position_embeddings":2048,"rope_scaling":"none"}`, 2048},
		"silent":                      {`{}`, 0},
		"negative":                    {`{"max_position_embeddings":-1}`, 0},
		"not JSON":                    {`{`, 0},
	} {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "config.json"), []byte(c.config))
		if got := (Model{Path: dir}).Context(); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

// ggufOf is a GGUF file of version 3 without tensors, of type F32.
func ggufOf(architecture string, context uint32) []byte {
	le := binary.LittleEndian
	text := func(b []byte, s string) []byte { return append(le.AppendUint64(b, uint64(len(s))), s...) }
	b := le.AppendUint32([]byte("GGUF"), 3)
	b = le.AppendUint64(le.AppendUint64(b, 0), 3)
	b = text(le.AppendUint32(text(b, "general.architecture"), ggufString), architecture)
	b = le.AppendUint32(le.AppendUint32(text(b, architecture+".context_length"), 4), context)
	return le.AppendUint32(le.AppendUint32(text(b, "general.file_type"), 4), 0)
}

func TestContextFromAGGUFFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "m.gguf")
	write(t, path, ggufOf("qwen2", 32768))
	for _, at := range []string{path, dir} {
		if got := (Model{Path: at}).Context(); got != 32768 {
			t.Errorf("%s: %d, want 32768", at, got)
		}
	}
	write(t, path, []byte("GGUF"))
	if got := (Model{Path: path}).Context(); got != 0 {
		t.Errorf("%d of a broken file, want 0", got)
	}
}
