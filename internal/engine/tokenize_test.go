package engine

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Each server is asked in its own words: vLLM's and llama.cpp's, as their sources
// have them.
func TestTokensAreCounted(t *testing.T) {
	t.Parallel()
	var got map[string]any
	answer := ""
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = nil
		if r.Method+r.URL.Path != "POST/tokenize" || json.NewDecoder(r.Body).Decode(&got) != nil {
			http.Error(w, "no", http.StatusNotFound)
			return
		}
		if answer == "" {
			http.Error(w, "gone", http.StatusNotFound)
			return
		}
		w.Write([]byte(answer)) //nolint:errcheck // a test's answer
	}))
	defer s.Close()
	for name, c := range map[string]struct {
		answer string
		key    string
	}{
		"vllm":      {`{"count":3,"max_model_len":2048,"tokens":[1,2,3],"token_strs":null}`, "prompt"},
		"llamacpp":  {`{"tokens":[1,22172,3186]}`, "content"},
		"reference": {`{"count":3}`, "prompt"},
	} {
		e, err := Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		answer = c.answer
		if n, err := e.CountTokens(t.Context(), Address{URL: s.URL}, "m", "hello world"); err != nil || n != 3 || got[c.key] != "hello world" {
			t.Errorf("%s: %d, %v; it was asked %v", name, n, err, got)
		}
		for bad, says := range map[string]string{"": "404", "{}": "it counts none", "nothing": "/tokenize: invalid character"} {
			answer = bad
			if _, err := e.CountTokens(t.Context(), Address{URL: s.URL}, "m", "hello"); err == nil || !strings.Contains(err.Error(), says) {
				t.Errorf("%s answers %q: %v", name, bad, err)
			}
		}
	}
	if _, err := ollama.CountTokens(t.Context(), Address{URL: s.URL}, "m", "hello"); !errors.Is(err, ErrNoCount) {
		t.Errorf("one without a route: %v", err)
	}
}
