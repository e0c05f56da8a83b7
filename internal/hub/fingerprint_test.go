package hub

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fingerprinted is a local model with weights of size bytes.
func fingerprinted(t *testing.T, size int) (dir string, fingerprint func() string) {
	t.Helper()
	dir = t.TempDir()
	write(t, filepath.Join(dir, "config.json"), []byte("{}"))
	write(t, filepath.Join(dir, "tokenizer.json"), []byte("{}"))
	write(t, filepath.Join(dir, "model.safetensors"), make([]byte, size))
	return dir, func() string {
		t.Helper()
		f, err := Fingerprint(Model{ID: dir, Path: dir})
		if err != nil || !strings.HasPrefix(f, "sha256:") || len(f) != len("sha256:")+64 {
			t.Fatalf("%q, %v", f, err)
		}
		return f
	}
}

func TestFingerprintDiffersWithTheFilesThatMatter(t *testing.T) {
	const size = 20 << 20
	for name, c := range map[string]struct {
		file   string
		at     int64
		differ bool
	}{
		"the first byte of the weights":    {"model.safetensors", 0, true},
		"the last byte of the weights":     {"model.safetensors", size - 1, true},
		"a byte of the first sample":       {"model.safetensors", fingerprintEnd, true},
		"a byte of the last sample":        {"model.safetensors", size - fingerprintEnd - fingerprintPiece/2, true},
		"a byte between samples":           {"model.safetensors", fingerprintEnd + fingerprintPiece + 1, false},
		"the weights' size":                {"model.safetensors", size, true},
		"the configuration":                {"config.json", 0, true},
		"the tokenizer":                    {"tokenizer.json", 1, true},
		"a file more of the model":         {"chat_template.jinja", 0, true},
		"a page about it":                  {"README.md", 0, false},
		"what it was trained with":         {"training_args.bin", 0, false},
		"a checkpoint in a folder beneath": {"checkpoint-1/model.safetensors", 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			dir, fingerprint := fingerprinted(t, size)
			before := fingerprint()
			path := filepath.Join(dir, c.file)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if _, err := f.WriteAt([]byte{1}, c.at); err != nil {
				t.Fatal(err)
			}
			if got := fingerprint() != before; got != c.differ {
				t.Errorf("differs: %v, want %v", got, c.differ)
			}
		})
	}
}

func TestFingerprintIsOfTheBytesAndNotOfThePlace(t *testing.T) {
	_, one := fingerprinted(t, 10)
	_, other := fingerprinted(t, 10)
	if one() != other() {
		t.Error("a copy of the model has another fingerprint")
	}
	if f, err := Fingerprint(Model{Path: "/nowhere", Commit: strings.Repeat("a", 40)}); f != "" || err != nil {
		t.Errorf("%q, %v of a model of the hub", f, err)
	}
	if _, err := Fingerprint(Model{Path: "/nowhere"}); err == nil {
		t.Error("no error of a folder that is not there")
	}
}

func TestFingerprintOfAGGUFFileIsOfAllItsParts(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "[m]")
	first, second := filepath.Join(dir, "x-00001-of-00002.gguf"), filepath.Join(dir, "x-00002-of-00002.gguf")
	write(t, first, []byte("a"))
	write(t, second, []byte("b"))
	write(t, filepath.Join(dir, "y.gguf"), []byte("c"))
	before, err := Fingerprint(Model{Path: first})
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "y.gguf"), []byte("d"))
	if same, err := Fingerprint(Model{Path: first}); same != before || err != nil {
		t.Errorf("%q, %v: another model's file changed it", same, err)
	}
	write(t, second, []byte("d"))
	if other, err := Fingerprint(Model{Path: first}); other == before || err != nil {
		t.Errorf("%q, %v: the second part did not change it", other, err)
	}
}
