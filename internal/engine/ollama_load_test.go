package engine

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// library is Ollama's own API: what it was asked, in order, and what it answers
// where that is not success.
type library struct {
	answers map[string]string // route: what is answered; "404" and "500 text" are statuses
	asked   []string
	bodies  map[string]map[string]any
	blob    []byte
}

func (l *library) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	route, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/api/"), "/")
	l.asked = append(l.asked, route)
	body, _ := io.ReadAll(r.Body)
	if route == "blobs" {
		l.blob = body
		if sum := fmt.Sprintf("sha256:%x", sha256.Sum256(body)); sum != rest {
			http.Error(w, `{"error":"digest mismatch"}`, http.StatusBadRequest)
			return
		}
		w.WriteHeader(http.StatusCreated)
		return
	}
	sent := map[string]any{}
	if err := json.Unmarshal(body, &sent); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	l.bodies[route] = sent
	switch text, ok := l.answers[route]; {
	case strings.HasPrefix(text, "404"):
		http.Error(w, `{"error":"model not found"}`, http.StatusNotFound)
	case strings.HasPrefix(text, "500 "):
		http.Error(w, text[4:], http.StatusInternalServerError)
	case ok:
		io.WriteString(w, text) //nolint:errcheck // the client may have gone
	case route == "generate":
		io.WriteString(w, `{"model":"llem","created_at":"2026-08-21T18:48:22Z","response":"","done":true,"done_reason":"load"}`) //nolint:errcheck // as above
	default:
		io.WriteString(w, "{\"status\":\"working\",\"digest\":\"sha256:0\",\"total\":9,\"completed\":4}\n{\"status\":\"success\"}\n") //nolint:errcheck // as above
	}
}

func (l *library) load(t *testing.T, text string, m Model) (string, error) {
	t.Helper()
	l.bodies = map[string]map[string]any{}
	s := httptest.NewServer(l)
	defer s.Close()
	return ollama.Load(t.Context(), Address{URL: s.URL}, decoded(t, text), Host{Model: m})
}

func TestOllamaIsHandedItsModel(t *testing.T) {
	file := filepath.Join(t.TempDir(), "m.gguf")
	if err := os.WriteFile(file, []byte("GGUF and more"), 0o644); err != nil {
		t.Fatal(err)
	}
	l := &library{}
	served, err := l.load(t, "model: "+file+"\nengine: {image: i, args: {num-thread: 2, min-p: 0.05, stop: [a, b]}}\nworkload: {max_input_tokens: 100, max_output_tokens: 100}\n",
		Model{Source: file, Target: "/models/m.gguf", Path: "/models/m.gguf", GGUF: true})
	if err != nil || served != "llem" {
		t.Fatalf("%q, %v", served, err)
	}
	if string(l.blob) != "GGUF and more" {
		t.Errorf("it was handed %q", l.blob)
	}
	if diff := cmp.Diff([]string{"blobs", "create", "generate"}, l.asked); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	want := map[string]any{
		"model": "llem", "template": "{{ .Prompt }}", "files": map[string]any{"m.gguf": fmt.Sprintf("sha256:%x", sha256.Sum256([]byte("GGUF and more")))},
		"parameters": map[string]any{"num_ctx": 512.0, "repeat_penalty": 1.0, "top_k": 0.0, "top_p": 1.0, "min_p": 0.05, "num_thread": 2.0, "stop": []any{"a", "b"}},
	}
	if diff := cmp.Diff(want, l.bodies["create"]); diff != "" {
		t.Errorf("create: -want +got:\n%s", diff)
	}
	if diff := cmp.Diff(map[string]any{"model": "llem", "keep_alive": -1.0, "stream": false}, l.bodies["generate"]); diff != "" {
		t.Errorf("generate: -want +got:\n%s", diff)
	}
}

// A chat keeps the model's own template, and a model that is there is not pulled.
func TestOllamaTakesAModelOfItsLibrary(t *testing.T) {
	const text = "model: llama3.2:1b\nengine: {image: i, args: {num_ctx: 99}}\nworkload: {source: p.jsonl, api: chat}\n"
	for there, want := range map[string][]string{"": {"show", "create", "generate"}, "404": {"show", "pull", "create", "generate"}} {
		l := &library{answers: map[string]string{}}
		if there != "" {
			l.answers["show"] = there
		}
		if _, err := l.load(t, text, Model{}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, l.asked); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		if diff := cmp.Diff(map[string]any{"model": "llem", "from": "llama3.2:1b", "parameters": map[string]any{"num_ctx": 99.0, "repeat_penalty": 1.0, "top_k": 0.0, "top_p": 1.0, "min_p": 0.0}}, l.bodies["create"]); diff != "" {
			t.Errorf("create: -want +got:\n%s", diff)
		}
	}
}

func TestOllamaThatCannotLoad(t *testing.T) {
	for name, c := range map[string]struct {
		answers map[string]string
		says    []string
	}{
		"no such model":   {map[string]string{"show": "404", "pull": "{\"status\":\"pulling manifest\"}\n{\"error\":\"pull model manifest: file does not exist\"}\n"}, []string{"pull llama3.2:1b", "does not exist"}},
		"broken off":      {map[string]string{"create": "{\"status\":\"parsing GGUF\"}\n"}, []string{"make the model", "parsing GGUF", "not with success"}},
		"no JSON":         {map[string]string{"create": "<html>"}, []string{"/api/create"}},
		"not loaded":      {map[string]string{"generate": `500 {"error":"llama runner process has terminated: cudaMalloc failed: out of memory"}`}, []string{"load the model", "500", "out of memory"}},
		"loaded, perhaps": {map[string]string{"generate": `{"done":false}`}, []string{"load the model"}},
		"show fails":      {map[string]string{"show": "500 dead"}, []string{"500", "dead"}},
	} {
		_, err := (&library{answers: c.answers}).load(t, "model: llama3.2:1b\nengine: {image: i}\n", Model{})
		for _, want := range c.says {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: error %v, want one that says %q", name, err, want)
			}
		}
	}
	_, err := (&library{}).load(t, "model: /nowhere.gguf\nengine: {image: i}\n", Model{Source: "/nowhere.gguf", Path: "/models/nowhere.gguf", Target: "/models/nowhere.gguf", GGUF: true})
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v of a file that is gone", err)
	}
}

func TestLoadEndsWithItsContext(t *testing.T) {
	url := server(t, map[string]string{"POST /api/show": "hang"})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := ollama.Load(ctx, Address{URL: url}, decoded(t, "model: m\nengine: {image: i}\n"), Host{}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want the context's", err)
	}
}

// A model may lie inside of what is mounted.
func TestWhereAModelLiesOnTheHost(t *testing.T) {
	for want, m := range map[string]Model{
		"/data/m.gguf": gguf,
		"/cache/models--org--m/snapshots/abc/m.gguf": {Source: "/cache/models--org--m", Target: "/models/x", Path: "/models/x/snapshots/abc/m.gguf"},
	} {
		if got := hostFile(m); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
