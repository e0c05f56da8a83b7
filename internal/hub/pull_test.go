package hub

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/llenergymeasure/llem/internal/hub/standin"
)

const secret = "hf_PlantedSecretToken"

// weights is n bytes that differ from place to place.
func weights(n int) []byte {
	out := make([]byte, n)
	r := rand.NewChaCha8([32]byte{1})
	_, _ = r.Read(out) // never fails
	return out
}

// hubWith is a hub with one model, and the environment that leads to it.
func hubWith(t *testing.T, edit func(*standin.Hub)) (*standin.Hub, Options) {
	t.Helper()
	h := &standin.Hub{Repo: "owner/name", Files: map[string][]byte{
		"config.json": []byte(`{"model_type":"llama"}`), "tokenizer.json": []byte("{}"), "model.safetensors": weights(200_000),
		"pytorch_model.bin": weights(200_001), "original/consolidated.00.pth": weights(5000), "onnx/model.onnx": weights(5000), "README.md": []byte("#"),
	}}
	if edit != nil {
		edit(h)
	}
	h.Start()
	t.Cleanup(h.Close)
	for _, name := range []string{"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_TOKEN_PATH", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"} {
		t.Setenv(name, "")
	}
	home := t.TempDir()
	t.Setenv("HF_HOME", home)
	t.Setenv("HF_ENDPOINT", h.URL)
	return h, Options{Model: "owner/name", pause: time.Millisecond}
}

func TestPullMakesTheStandardCache(t *testing.T) {
	h, o := hubWith(t, nil)
	var done, total int64
	o.Progress = func(d, all int64) { done, total = d, all }
	p, err := Pull(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	size := int64(200_000 + len(`{"model_type":"llama"}`) + len("{}"))
	if p.Bytes != size || p.Fetched != size || p.Files != 3 || done != size || total != size || h.Served() != size {
		t.Errorf("%+v; progress %d of %d; want %d bytes", p, done, total, size)
	}
	if p.Commit != standin.Commit || p.Path != filepath.Join(CacheDir(), "models--owner--name", "snapshots", standin.Commit) {
		t.Errorf("commit %s in %s", p.Commit, p.Path)
	}
	to, err := os.Readlink(filepath.Join(p.Path, "model.safetensors"))
	if want := "../../blobs/" + standin.SHA256(h.Files["model.safetensors"]); err != nil || to != want {
		t.Errorf("link to %s, %v; want %s", to, err, want)
	}
	data, err := os.ReadFile(filepath.Join(p.Path, "model.safetensors"))
	if err != nil || !bytes.Equal(data, h.Files["model.safetensors"]) {
		t.Errorf("the weights differ: %v", err)
	}
	if m, err := Find(t.Context(), o); err != nil || m != p.Model {
		t.Errorf("Find = %+v, %v; want %+v", m, err, p.Model)
	}
}

func TestPullTakesOnlyWhatIsMissing(t *testing.T) {
	h, o := hubWith(t, nil)
	if _, err := Pull(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	h.Served()
	p, err := Pull(t.Context(), o)
	if err != nil || p.Fetched != 0 || h.Served() != 0 {
		t.Errorf("fetched %d, %v", p.Fetched, err)
	}
}

func TestPullGoesOnAfterAConnectionBreaks(t *testing.T) {
	h, o := hubWith(t, nil)
	h.Cut(70_000, 2)
	p, err := Pull(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if served := h.Served(); served != p.Bytes {
		t.Errorf("%d bytes served for %d", served, p.Bytes)
	}
}

func TestPullStartsAnewWhereTheServerKnowsNoRanges(t *testing.T) {
	h, o := hubWith(t, nil)
	h.Cut(70_000, 1)
	h.Deafen()
	p, err := Pull(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if served := h.Served(); served != p.Bytes+70_000 {
		t.Errorf("%d bytes served, want %d and 70000 again", served, p.Bytes)
	}
}

func TestPullGivesUpOnAServerThatAlwaysBreaksAtOnePlace(t *testing.T) {
	h, o := hubWith(t, nil)
	h.Cut(70_000, 1000)
	h.Deafen()
	if _, err := Pull(t.Context(), o); !errors.Is(err, ErrUnreachable) {
		t.Errorf("err = %v, want ErrUnreachable", err)
	}
}

func TestAnInterruptedPullIsGoneOnWith(t *testing.T) {
	h, o := hubWith(t, nil)
	h.Slow(time.Millisecond)
	ctx, cancel := context.WithCancel(t.Context())
	o.Progress = func(done, _ int64) {
		if done > 80_000 {
			cancel()
		}
	}
	if _, err := Pull(ctx, o); !errors.Is(err, context.Canceled) {
		t.Fatalf("err = %v, want context.Canceled", err)
	}
	h.Slow(0)
	part := filepath.Join(CacheDir(), "models--owner--name", "blobs", standin.SHA256(h.Files["model.safetensors"])+".incomplete")
	st, err := os.Stat(part)
	if err != nil || st.Size() < 70_000 {
		t.Fatalf("what was here is not kept: %v", err)
	}
	if _, err := Find(t.Context(), o); !errors.Is(err, ErrNotFound) {
		t.Errorf("Find = %v, want ErrNotFound until all is here", err)
	}
	h.Asked()
	o.Progress = nil
	p, err := Pull(t.Context(), o)
	if err != nil || p.Fetched != 200_000-st.Size() {
		t.Errorf("fetched %d, %v; want %d", p.Fetched, err, 200_000-st.Size())
	}
	if asked := strings.Join(h.Asked(), "\n"); !strings.Contains(asked, fmt.Sprintf("bytes=%d-", st.Size())) {
		t.Errorf("no range from %d in:\n%s", st.Size(), asked)
	}
}

func TestAWrongChecksumRemovesTheFile(t *testing.T) {
	for _, name := range []string{"model.safetensors", "config.json"} {
		h, o := hubWith(t, func(h *standin.Hub) { h.Corrupt = name })
		_, err := Pull(t.Context(), o)
		if !errors.Is(err, errChecksum) || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "removed") {
			t.Errorf("err = %v, want errChecksum of %s", err, name)
		}
		left, _ := filepath.Glob(filepath.Join(CacheDir(), "models--owner--name", "blobs", "*.incomplete"))
		for _, f := range left {
			if strings.Contains(f, standin.SHA256(h.Files[name])) || strings.Contains(f, standin.Git(h.Files[name])) {
				t.Errorf("%s is left", f)
			}
		}
	}
}

func TestWhatAnotherLeftWrongIsNotBelieved(t *testing.T) {
	h, o := hubWith(t, nil)
	part := filepath.Join(CacheDir(), "models--owner--name", "blobs", standin.SHA256(h.Files["model.safetensors"])+".incomplete")
	write(t, part, weights(100)[50:])
	if _, err := Pull(t.Context(), o); !errors.Is(err, errChecksum) {
		t.Fatalf("err = %v, want errChecksum", err)
	}
	if _, err := Pull(t.Context(), o); err != nil {
		t.Errorf("the next try: %v", err)
	}
}

func TestADiskWithoutRoomIsKnownBefore(t *testing.T) {
	h, o := hubWith(t, func(h *standin.Hub) { h.Claim = 1 << 55 })
	if _, err := Pull(t.Context(), o); !errors.Is(err, errDiskFull) || !strings.Contains(err.Error(), "HF_HUB_CACHE") {
		t.Errorf("err = %v, want errDiskFull", err)
	}
	if n := h.Served(); n != 0 {
		t.Errorf("%d bytes were downloaded first", n)
	}
}

func TestNamesThatLeaveTheCacheAreRefused(t *testing.T) {
	for _, name := range []string{"../../x.json", "/etc/x.json", `..\x.json`} {
		_, o := hubWith(t, func(h *standin.Hub) { h.Files[name] = []byte("x") })
		if _, err := Pull(t.Context(), o); err == nil || !strings.Contains(err.Error(), "without a name") {
			t.Errorf("%s: err = %v", name, err)
		}
	}
}

func TestPullWaitsForAnothersLock(t *testing.T) {
	h, o := hubWith(t, nil)
	path := filepath.Join(CacheDir(), ".locks", "models--owner--name", standin.SHA256(h.Files["model.safetensors"])+".lock")
	write(t, path, nil)
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*lockEvery)
	defer cancel()
	if _, err := Pull(ctx, o); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("err = %v, want to wait for the lock", err)
	}
	f.Close()
	if _, err := Pull(t.Context(), o); err != nil {
		t.Errorf("after the lock: %v", err)
	}
}
