package hub

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/llenergymeasure/llem/internal/hub/standin"
)

func TestEnsureOfWhatIsHereAsksNobody(t *testing.T) {
	h, o := hubWith(t, nil)
	if _, err := Ensure(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	h.Asked()
	m, err := Ensure(t.Context(), o)
	if err != nil || m.Commit != standin.Commit || len(h.Asked()) > 0 {
		t.Errorf("%+v, %v; want it found", m, err)
	}
	o.Pull = "always"
	if _, err := Ensure(t.Context(), o); err != nil || len(h.Asked()) == 0 {
		t.Errorf("always: %v; want the hub asked", err)
	}
	dir := t.TempDir()
	if m, err := Ensure(t.Context(), Options{Model: dir}); err != nil || m.Path != dir {
		t.Errorf("a folder: %+v, %v", m, err)
	}
}

func TestEnsureMakesAModelWhole(t *testing.T) {
	h, o := hubWith(t, nil)
	o.Small = true
	m, err := Ensure(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(m.Path, "model.safetensors")); err == nil {
		t.Error("small files came with the weights")
	}
	if _, err := os.Stat(filepath.Join(m.Path, "tokenizer.json")); err != nil {
		t.Error(err)
	}
	h.Served()
	o.Small = false
	if _, err := Ensure(t.Context(), o); err != nil || h.Served() != 200_000 {
		t.Errorf("the weights did not come alone: %v", err)
	}
}

func TestEnsureMayNotPull(t *testing.T) {
	h, o := hubWith(t, nil)
	o.Pull = "never"
	if _, err := Ensure(t.Context(), o); !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "llem pull") {
		t.Errorf("err = %v, want ErrNotFound", err)
	}
	o.Pull, o.Small = "", true
	if _, err := Ensure(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	h.Asked()
	o.Pull, o.Small = "never", false
	if _, err := Ensure(t.Context(), o); !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "lacks files") || len(h.Asked()) > 0 {
		t.Errorf("err = %v, want what is missing said", err)
	}
}

func TestAMissingShardMakesAModelIncomplete(t *testing.T) {
	dir := t.TempDir()
	m := Model{Path: dir}
	write(t, filepath.Join(dir, "config.json"), []byte("{}"))
	write(t, filepath.Join(dir, "model.safetensors.index.json"), []byte(`{"weight_map":{"a":"one.safetensors","b":"two.safetensors"}}`))
	write(t, filepath.Join(dir, "one.safetensors"), nil)
	if m.complete(false) {
		t.Error("complete without a shard")
	}
	write(t, filepath.Join(dir, "two.safetensors"), nil)
	if !m.complete(false) {
		t.Error("not complete with all shards")
	}
	mistral := Model{Path: t.TempDir()}
	write(t, filepath.Join(mistral.Path, "params.json"), nil)
	write(t, filepath.Join(mistral.Path, "consolidated.safetensors"), nil)
	if mistral.complete(true) || !mistral.complete(false) {
		t.Error("complete with a tokenizer that is not there, or not with the weights")
	}
	write(t, filepath.Join(mistral.Path, "tekken.json"), nil)
	if !mistral.complete(true) {
		t.Error("not complete with Mistral's own tokenizer")
	}
	split := Model{Path: filepath.Join(dir, "x-00001-of-00002.gguf")}
	write(t, split.Path, nil)
	if split.complete(false) {
		t.Error("complete without the second part")
	}
	write(t, filepath.Join(dir, "x-00002-of-00002.gguf"), nil)
	if !split.complete(false) {
		t.Error("not complete with both parts")
	}
}

func TestTokenAndCacheAsHuggingFaceHasThem(t *testing.T) {
	hubWith(t, nil)
	home := os.Getenv("HF_HOME")
	if got := CacheDir(); got != filepath.Join(home, "hub") {
		t.Errorf("cache %s", got)
	}
	if token, _ := Token(); token != "" {
		t.Errorf("token %q without one", token)
	}
	write(t, filepath.Join(home, "token"), []byte(" a \n"))
	if token, source := Token(); token != "a" || source != filepath.Join(home, "token") {
		t.Errorf("token %q from %s", token, source)
	}
	t.Setenv("HF_TOKEN", "b")
	if token, source := Token(); token != "b" || source != "HF_TOKEN" {
		t.Errorf("token %q from %s", token, source)
	}
}

func TestABadEndpointIsNotRepeated(t *testing.T) {
	_, o := hubWith(t, nil)
	t.Setenv("HF_ENDPOINT", "user:pass@nowhere")
	if _, err := Pull(t.Context(), o); err == nil || !strings.Contains(err.Error(), "HF_ENDPOINT") || strings.Contains(err.Error(), "pass") {
		t.Errorf("err = %v", err)
	}
}

func TestInspectRemoteReadsHeadersAlone(t *testing.T) {
	for _, deaf := range []bool{false, true} {
		header := safetensors(t, map[string][]int64{"model.embed_tokens.weight": {100, 8}, "model.norm.weight": {8}}, "BF16")
		h, o := hubWith(t, func(h *standin.Hub) {
			h.Files = map[string][]byte{
				"config.json":                  []byte(`{"model_type":"new","num_hidden_layers":1,"hidden_size":8,"vocab_size":100,"tie_word_embeddings":true}`),
				"model.safetensors.index.json": []byte(`{"weight_map":{"model.norm.weight":"one.safetensors","model.layers.0.x.weight":"two.safetensors"}}`),
				"one.safetensors":              append(header, weights(5_000_000)...),
				"two.safetensors":              append(safetensors(t, map[string][]int64{"model.layers.0.x.weight": {8, 2}}, "BF16"), weights(5_000_000)...),
			}
		})
		if deaf {
			h.Deafen()
		}
		p, err := InspectRemote(t.Context(), o)
		if err != nil || p.Total != 824 || p.NonEmbedding != 24 || p.Source != "safetensors" || p.Confidence != High {
			t.Errorf("got %+v, %v", p, err)
		}
		if n := h.Served(); !deaf && n > 1000 {
			t.Errorf("%d bytes were downloaded", n)
		}
		if _, err := os.Stat(CacheDir()); err == nil {
			t.Error("something was kept")
		}
	}
}

func TestInspectRemoteFallsBackOnTheConfiguration(t *testing.T) {
	_, o := hubWith(t, func(h *standin.Hub) {
		h.Files = map[string][]byte{"config.json": []byte(published[0].config), "pytorch_model.bin": weights(10)}
	})
	if p, err := InspectRemote(t.Context(), o); err != nil || p.Total != published[0].total || p.Source != "config" {
		t.Errorf("got %+v, %v", p, err)
	}
	o.Model = "owner/other"
	if _, err := InspectRemote(t.Context(), o); !errors.Is(err, ErrDenied) {
		t.Errorf("err = %v, want ErrDenied", err)
	}
}
