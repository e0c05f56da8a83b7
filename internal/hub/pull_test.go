package hub

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
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
		if !errors.Is(err, ErrChecksum) || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "removed") {
			t.Errorf("err = %v, want ErrChecksum of %s", err, name)
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
	if _, err := Pull(t.Context(), o); !errors.Is(err, ErrChecksum) {
		t.Fatalf("err = %v, want ErrChecksum", err)
	}
	if _, err := Pull(t.Context(), o); err != nil {
		t.Errorf("the next try: %v", err)
	}
}

func TestRefusalsSayWhatToDo(t *testing.T) {
	for _, tc := range []struct {
		name, token, model, revision string
		edit                         func(*standin.Hub)
		is                           error
		want                         string
	}{
		{"gated, no token", "", "", "", func(h *standin.Hub) { h.Token, h.Gated = secret, true }, ErrDenied, "set HF_TOKEN"},
		{"gated, not accepted", "hf_other", "", "", func(h *standin.Hub) { h.Token, h.Gated = secret, true }, ErrDenied, "accept its licence at "},
		{"invalid token", "hf_other", "", "", func(h *standin.Hub) { h.Token = secret }, ErrDenied, "the token from HF_TOKEN is refused"},
		{"private, no token", "", "owner/other", "", nil, ErrDenied, "check the name"},
		{"no such model", secret, "owner/other", "", func(h *standin.Hub) { h.Token = secret }, ErrNotFound, "there is no model owner/other"},
		{"no such revision", "", "", "v9", nil, ErrNotFound, "has no revision v9"},
		{"no such file", "", "owner/name/x.gguf", "", nil, ErrNotFound, "no file x.gguf"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, o := hubWith(t, tc.edit)
			t.Setenv("HF_TOKEN", tc.token)
			if tc.model != "" {
				o.Model = tc.model
			}
			o.Revision = tc.revision
			_, err := Pull(t.Context(), o)
			if !errors.Is(err, tc.is) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("err = %v; want %v with %q", err, tc.is, tc.want)
			}
			if tc.token != "" && strings.Contains(fmt.Sprint(err), tc.token) {
				t.Errorf("the token is in %v", err)
			}
		})
	}
}

func TestAPlain404IsTheModelsOrTheRevisions(t *testing.T) {
	for repo, want := range map[string]string{"owner/name": "no revision v9", "owner/other": "no model owner/other"} {
		_, o := hubWith(t, func(h *standin.Hub) {
			h.Before = func(w http.ResponseWriter, r *http.Request) bool {
				mirror := strings.HasSuffix(r.URL.Path, "/v9") || strings.Contains(r.URL.Path, "other")
				if mirror {
					w.WriteHeader(http.StatusNotFound)
				}
				return mirror
			}
		})
		o.Model, o.Revision = repo, "v9"
		if _, err := Pull(t.Context(), o); !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), want) {
			t.Errorf("err = %v, want %q", err, want)
		}
	}
}

func TestTheTokenGoesToTheHubAlone(t *testing.T) {
	h, o := hubWith(t, func(h *standin.Hub) { h.Token = secret })
	path := filepath.Join(t.TempDir(), "token")
	write(t, path, []byte(secret+"\n"))
	t.Setenv("HF_TOKEN_PATH", path)
	if _, err := Pull(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if h.Leaked() {
		t.Error("the store was sent the token")
	}
}

// A subdomain is another host too, which net/http would send the token.
func TestTheTokenStaysFromSubdomainsAndOtherSchemes(t *testing.T) {
	for address, want := range map[string]string{"https://hub.example/x": "Bearer t", "https://cdn.hub.example/x": "", "http://hub.example/x": "", "https://hub.example:8443/x": ""} {
		var got string
		b := &bearer{scheme: "https", host: "hub.example", token: "t", base: tripper(func(r *http.Request) { got = r.Header.Get("Authorization") })}
		r, err := http.NewRequest(http.MethodGet, address, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer from a redirect")
		if _, err := b.RoundTrip(r); err != nil || got != want {
			t.Errorf("%s was sent %q, %v; want %q", address, got, err, want)
		}
	}
}

type tripper func(*http.Request)

func (f tripper) RoundTrip(r *http.Request) (*http.Response, error) { f(r); return nil, nil }

func TestNoErrorHoldsAStoresSignature(t *testing.T) {
	h, o := hubWith(t, nil)
	h.Cut(1000, 1000)
	h.Deafen()
	if _, err := Pull(t.Context(), o); err == nil || strings.Contains(err.Error(), "Signature") {
		t.Errorf("err = %v", err)
	}
}

func TestABusyHubIsAskedAgain(t *testing.T) {
	for _, code := range []int{http.StatusTooManyRequests, http.StatusServiceUnavailable, http.StatusBadGateway} {
		left := 3
		_, o := hubWith(t, func(h *standin.Hub) {
			h.Before = func(w http.ResponseWriter, r *http.Request) bool {
				if left--; left >= 0 && strings.HasPrefix(r.URL.Path, "/api/") {
					w.WriteHeader(code)
					return true
				}
				return false
			}
		})
		if _, err := Pull(t.Context(), o); err != nil {
			t.Errorf("%d three times: %v", code, err)
		}
	}
}

func TestAHubThatStaysBusyIsGivenUp(t *testing.T) {
	asked := 0
	_, o := hubWith(t, func(h *standin.Hub) {
		h.Before = func(w http.ResponseWriter, _ *http.Request) bool {
			asked++
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		}
	})
	if _, err := Pull(t.Context(), o); !errors.Is(err, ErrUnreachable) || asked != tries {
		t.Errorf("asked %d times, err = %v", asked, err)
	}
}

func TestRetryAfterIsHonouredWithinReason(t *testing.T) {
	c := &client{pause: time.Millisecond}
	n := 0
	begun := time.Now()
	err := c.persist(t.Context(), still, func() error {
		if n++; n == 1 {
			return c.refused(&http.Response{StatusCode: 429, Header: http.Header{"Retry-After": {"1"}}})
		}
		return nil
	})
	if err != nil || time.Since(begun) < time.Second {
		t.Errorf("waited %s, %v; want the second that was asked for", time.Since(begun), err)
	}
	err = c.persist(t.Context(), still, func() error {
		return c.refused(&http.Response{StatusCode: 503, Header: http.Header{"Retry-After": {"86400"}}})
	})
	if !errors.Is(err, ErrUnreachable) {
		t.Errorf("err = %v, want ErrUnreachable at once", err)
	}
}

func TestOfflineAsksNobody(t *testing.T) {
	h, o := hubWith(t, nil)
	if _, err := Pull(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	h.Asked()
	t.Setenv("HF_HUB_OFFLINE", "1")
	if p, err := Pull(t.Context(), o); err != nil || p.Commit != standin.Commit {
		t.Errorf("a model that is here: %+v, %v", p, err)
	}
	o.Model = "owner/other"
	if _, err := Pull(t.Context(), o); !errors.Is(err, ErrOffline) || !strings.Contains(err.Error(), "HF_HUB_OFFLINE") {
		t.Errorf("err = %v, want ErrOffline", err)
	}
	if asked := h.Asked(); len(asked) > 0 {
		t.Errorf("asked %v", asked)
	}
}

func TestADiskWithoutRoomIsKnownBefore(t *testing.T) {
	h, o := hubWith(t, func(h *standin.Hub) { h.Claim = 1 << 55 })
	if _, err := Pull(t.Context(), o); !errors.Is(err, ErrDiskFull) || !strings.Contains(err.Error(), "HF_HUB_CACHE") {
		t.Errorf("err = %v, want ErrDiskFull", err)
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

func TestPick(t *testing.T) {
	for _, tc := range []struct {
		name, files, file string
		small             bool
		want              string
	}{
		{"safetensors before PyTorch", "config.json model.safetensors pytorch_model.bin model.onnx tf_model.h5", "", false, "config.json model.safetensors"},
		{"shards", "a-00001-of-00002.safetensors a-00002-of-00002.safetensors model.safetensors.index.json", "", false, "model.safetensors.index.json a-00001-of-00002.safetensors a-00002-of-00002.safetensors"},
		{"Mistral's repeats", "consolidated.safetensors model.safetensors tekken.json", "", false, "tekken.json model.safetensors"},
		{"Mistral's alone", "consolidated.safetensors params.json", "", false, "params.json consolidated.safetensors"},
		{"PyTorch", "config.json pytorch_model.bin training_args.bin", "", false, "config.json pytorch_model.bin"},
		{"subfolders", "config.json original/params.json original/a.pth model.safetensors chat/x.jinja", "", false, "config.json chat/x.jinja model.safetensors"},
		{"small", "config.json model.safetensors tokenizer.model README.md", "", true, "config.json tokenizer.model"},
		{"one GGUF", "config.json x.gguf", "", false, "config.json x.gguf"},
		{"named GGUF", "config.json x-q4.gguf x-q8.gguf", "x-q8.gguf", false, "x-q8.gguf"},
		{"split GGUF", "q/x-00001-of-00002.gguf q/x-00002-of-00002.gguf q/y-00001-of-00002.gguf x-00001-of-00003.gguf", "q/x-00001-of-00002.gguf", false, "q/x-00001-of-00002.gguf q/x-00002-of-00002.gguf"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var files []remoteFile
			for _, name := range strings.Fields(tc.files) {
				files = append(files, remoteFile{Name: name})
			}
			picked, err := pick(files, tc.file, tc.small)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range picked {
				got = append(got, f.Name)
			}
			if diff := cmp.Diff(strings.Fields(tc.want), got); diff != "" {
				t.Error(diff)
			}
		})
	}
	for files, want := range map[string]string{"a.gguf b.gguf config.json": "a.gguf, b.gguf", "config.json": "no weights"} {
		var list []remoteFile
		for _, name := range strings.Fields(files) {
			list = append(list, remoteFile{Name: name})
		}
		if _, err := pick(list, "", false); !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: err = %v, want %q", files, err, want)
		}
	}
}

func TestPullOfANamedGGUFFile(t *testing.T) {
	_, o := hubWith(t, func(h *standin.Hub) { h.Files["q/x-q8.gguf"], h.Files["q/x-q4.gguf"] = weights(3000), weights(2000) })
	o.Model = "owner/name/q/x-q8.gguf"
	p, err := Pull(t.Context(), o)
	if err != nil || p.Files != 1 || p.Fetched != 3000 || !strings.HasSuffix(p.Path, standin.Commit+"/q/x-q8.gguf") {
		t.Fatalf("%+v, %v", p, err)
	}
	if to, err := os.Readlink(p.Path); err != nil || !strings.HasPrefix(to, "../../../blobs/") {
		t.Errorf("link to %s, %v", to, err)
	}
	if m, err := Find(t.Context(), o); err != nil || m != p.Model {
		t.Errorf("Find = %+v, %v", m, err)
	}
}

func TestIsPath(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "owner/name/here.gguf", nil)
	for name, want := range map[string]bool{
		"owner/name": false, "gpt2": false, "owner/name/x.gguf": false, "owner/name/q/x.gguf": false,
		"owner/name/here.gguf": true, "x.gguf": true, "owner/x.gguf": true, "/a": true, "./a": true, "../a/b/c.gguf": true, ".": true,
	} {
		if got := IsPath(name); got != want {
			t.Errorf("IsPath(%q) = %v", name, got)
		}
	}
}
