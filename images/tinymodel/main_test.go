package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/llenergymeasure/llem/internal/hub"
)

func write(t *testing.T, args ...string) (gguf, hf string) {
	t.Helper()
	gguf, hf = filepath.Join(t.TempDir(), "tiny.gguf"), filepath.Join(t.TempDir(), "tiny")
	if err := run(append(args, "--gguf", gguf, "--hf", hf), io.Discard); err != nil {
		t.Fatal(err)
	}
	return gguf, hf
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The sums are of files that llama.cpp b11434, vLLM 0.32 and transformers 5.19
// read, and continued with the same greedy tokens.
func TestTheSameFlagsGiveTheSameBytes(t *testing.T) {
	gguf, hf := write(t)
	for path, want := range map[string]string{
		gguf:                                   "3b8308b643d83d2ede21eedf5f187f024e2deb0e44cbea19294025f0a28c2f52",
		filepath.Join(hf, "model.safetensors"): "220c773756f75a9ff28c4282379744cc5226b5d5b4a134e7487992896442734b",
		filepath.Join(hf, "tokenizer.json"):    "5611749d320aa94ed7ef7eeeb325ab49618f12dc6db3f25fa7d7545913e87d5d",
	} {
		if got := fmt.Sprintf("%x", sha256.Sum256(read(t, path))); got != want {
			t.Errorf("%s: got sha256 %s, want %s", filepath.Base(path), got, want)
		}
	}
}

func TestAnotherSeedGivesOtherWeights(t *testing.T) {
	one, _ := write(t, "--seed", "1")
	two, _ := write(t, "--seed", "2")
	if bytes.Equal(read(t, one), read(t, two)) {
		t.Error("seeds 1 and 2 gave the same file")
	}
}

func TestBothFormsHaveTheSameParameters(t *testing.T) {
	gguf, hf := write(t)
	for _, path := range []string{gguf, hf} {
		got, err := hub.Inspect(hub.Model{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		if got.Total != 4196608 || got.NonEmbedding != 3148032 {
			t.Errorf("%s: got %d parameters, %d without embeddings, want 4196608 and 3148032", path, got.Total, got.NonEmbedding)
		}
	}
}

// TestEveryWordIsOneToken merges each word's bytes by rank, as a tokenizer does.
func TestEveryWordIsOneToken(t *testing.T) {
	_, hf := write(t)
	var file struct {
		Model struct {
			Vocab  map[string]int
			Merges [][2]string
		}
	}
	if err := json.Unmarshal(read(t, filepath.Join(hf, "tokenizer.json")), &file); err != nil {
		t.Fatal(err)
	}
	words := 0
	for word := range file.Model.Vocab {
		if !strings.HasPrefix(word, "Ġ") || word == "Ġ" {
			continue
		}
		words++
		if got := merge(strings.Split(word, ""), file.Model.Merges); len(got) != 1 {
			t.Errorf("%q is %d tokens, %q, want 1", word, len(got), got)
		}
	}
	if words != 1706 {
		t.Errorf("got %d words, want 1706", words)
	}
}

func merge(parts []string, merges [][2]string) []string {
	for {
		rank, at := len(merges), -1
		for i := range len(parts) - 1 {
			if r := slices.Index(merges, [2]string{parts[i], parts[i+1]}); r >= 0 && r < rank {
				rank, at = r, i
			}
		}
		if at < 0 {
			return parts
		}
		parts = slices.Replace(parts, at, at+2, parts[at]+parts[at+1])
	}
}

func TestOnlyWithEOSCanTheEndBeLikely(t *testing.T) {
	row := func(m *model) []float32 {
		output := m.tensors[len(m.tensors)-1]
		return output.data[end*width : (end+1)*width]
	}
	if got := row(newModel(1, 64, false))[0]; got >= 0 {
		t.Errorf("without --eos the end's weight is %g, want it negative", got)
	}
	if got := row(newModel(1, 64, true))[0]; got <= 0 {
		t.Errorf("with --eos the end's weight is %g, want it positive", got)
	}
}

func TestFloat16(t *testing.T) {
	for x, want := range map[float32]uint16{
		0: 0, 1: 0x3c00, -1: 0xbc00, 8: 0x4800, -32: 0xd000, 1.5: 0x3e00, 0x1p-14: 0x0400, -0x1.02p-3: 0xb008,
	} {
		if got := float16(x); got != want {
			t.Errorf("%g: got %#04x, want %#04x", x, got, want)
		}
	}
}

func TestBadFlags(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "nothing to write"},
		{[]string{"tiny.gguf"}, `unexpected argument "tiny.gguf"`},
		{[]string{"--hf", "x", "--context", "0"}, "--context 0"},
		{[]string{"--gguf", "no/such/folder/tiny.gguf"}, "no/such/folder/tiny.gguf"},
		{[]string{"--hf", "/dev/null/x"}, "/dev/null/x"},
	} {
		if err := run(c.args, io.Discard); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: got error %v, want one with %q", c.args, err, c.want)
		}
	}
}
