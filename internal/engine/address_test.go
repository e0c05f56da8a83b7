package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/llenergymeasure/llem/internal/load"
)

// questions are everything that llem asks a server, by what it is for.
var questions = map[string]func(ctx context.Context, at Address) error{
	"tell": func(ctx context.Context, at Address) error { _, err := Look(ctx, at, false); return err },
	"vllm": probing("vllm"), "sglang": probing("sglang"), "llamacpp": probing("llamacpp"),
	"ollama": probing("ollama"), "tgi": probing("tgi"), "lmdeploy": probing("lmdeploy"), "transformers": probing("transformers"),
	"tensorrt": probing("tensorrt-llm"), "reference": probing("reference"),
	"metrics": func(ctx context.Context, at Address) error { _, err := vllm.Counters(ctx, at); return err },
	"tokenize": func(ctx context.Context, at Address) error {
		_, err := vllm.CountTokens(ctx, at, "m", "a secret prompt")
		return err
	},
	"content": func(ctx context.Context, at Address) error {
		_, err := llamacpp.CountTokens(ctx, at, "m", "a secret prompt")
		return err
	},
	"sync":     reference.Sync,
	"sync too": transformers.Sync,
	"pull":     func(ctx context.Context, at Address) error { return ollamaPull(ctx, at, "m") },
	"create": func(ctx context.Context, at Address) error {
		return ollamaDo(ctx, at, "/api/create", map[string]any{"model": "m"})
	},
	"one reset": func(ctx context.Context, at Address) error {
		_, err := fetch(ctx, http.MethodPost, at, "/reset_prefix_cache")
		return err
	},
}

func probing(name string) func(context.Context, Address) error {
	return func(ctx context.Context, at Address) error {
		e, err := Lookup(name)
		if err != nil {
			return err
		}
		_, err = e.Probe(ctx, at, "")
		return err
	}
}

func TestRedirectsToAnotherServerAreNotFollowed(t *testing.T) {
	var reached atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		reached.Add(1)
		w.Write([]byte(`{"version":"9","count":3,"tokens":[1],"data":[{"id":"m","owned_by":"vllm"}]}`)) //nolint:errcheck // the client may have gone
	}))
	defer other.Close()
	for _, code := range []int{301, 302, 303, 307, 308} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL+r.URL.Path+"?signature=abc", code)
		}))
		at := Address{URL: s.URL, Header: http.Header{"Authorization": {"Bearer k"}, "X-Team": {"k"}}}
		for name, ask := range questions {
			err := ask(t.Context(), at)
			if err == nil || !strings.Contains(err.Error(), "follows no redirect") || strings.Contains(err.Error(), "abc") {
				t.Errorf("%s, %d: %v", name, code, err)
			}
		}
		c := vllm.Client(at, ClientOptions{API: "completions", Model: "m"})
		run, err := load.Drive(t.Context(), load.Config{Client: c, Requests: []load.Request{{Prompt: "a secret prompt", MaxOutputTokens: 3}}, Pattern: load.Closed(1)})
		if err != nil || run.Timings.At(0).Status != load.StatusFailed {
			t.Errorf("%d: a completion: %v", code, err)
		}
		s.Close()
	}
	if n := reached.Load(); n > 0 {
		t.Errorf("another server was asked %d times", n)
	}
}

// What a server's own framework does: a folder's slash, the same port written out.
func TestRedirectsOfAServerToItselfAreFollowed(t *testing.T) {
	var s *httptest.Server
	s = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/metrics":
			http.Redirect(w, r, "/metrics/", http.StatusTemporaryRedirect)
		case "/metrics/":
			if r.Header.Get("Authorization") != "Bearer k" {
				t.Error("the key was lost on the way")
			}
			fmt.Fprint(w, "vllm:generation_tokens_total 7\n")
		case "/tokenize":
			http.Redirect(w, r, s.URL+"/tokenize/", http.StatusTemporaryRedirect)
		default:
			http.Redirect(w, r, r.URL.Path, http.StatusFound) // for ever
		}
	}))
	defer s.Close()
	at := Address{URL: s.URL, Header: http.Header{"Authorization": {"Bearer k"}}}
	if c, err := vllm.Counters(t.Context(), at); err != nil || c[OutputTokens] != 7 {
		t.Errorf("%v, %v", c, err)
	}
	if _, err := vllm.CountTokens(t.Context(), at, "m", "text"); err == nil {
		t.Error("a prompt was sent twice")
	}
	if _, err := vllm.Probe(t.Context(), at, ""); err == nil {
		t.Error("a circle has no end")
	}
}

func TestEndlessAnswersAreBounded(t *testing.T) {
	for name, begin := range map[string]string{
		"a line": "", "a text": `{"data":[{"id":"`, "a list of tokens": `{"tokens":[`, "metrics": "vllm:a 1\n#",
	} {
		for _, code := range []int{200, 500} {
			var sent atomic.Int64
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(code)
				fmt.Fprint(w, begin)
				for piece := strings.Repeat("1,", 32<<10); r.Context().Err() == nil; {
					n, err := w.Write([]byte(piece))
					if sent.Add(int64(n)); err != nil {
						return
					}
				}
			}))
			for question, ask := range questions {
				before := sent.Load()
				if question == "pull" && code == 200 {
					continue // whose answer's status says all
				}
				if err := ask(t.Context(), Address{URL: s.URL}); err == nil || len(err.Error()) > 1000 {
					t.Errorf("%s, %d, %s: %.300v", name, code, question, err)
				} else if code == 200 && !strings.Contains(err.Error(), "more than llem reads") && question != "create" {
					t.Errorf("%s, %s: %v", name, question, err)
				}
				if n := sent.Load() - before; n > 200<<20 { // of up to a dozen questions
					t.Errorf("%s, %d, %s: took %d bytes", name, code, question, n)
				}
			}
			s.Close()
		}
	}
}

func TestAnAddressPrintsNoHeader(t *testing.T) {
	at := Address{URL: "http://h", Header: http.Header{"Authorization": {"Bearer hush"}}, KeyFrom: "f"}
	data, _ := json.Marshal(struct{ At fmt.Stringer }{at})
	for _, text := range []string{fmt.Sprint(at), fmt.Sprintf("%v %+v %#v %s %q", at, at, at, at, at), fmt.Sprintf("%+v", struct{ A Address }{at}), fmt.Sprint(map[string]Address{"a": at}), string(data)} {
		if strings.Contains(text, "hush") {
			t.Error(text)
		}
	}
}
