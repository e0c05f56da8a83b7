package engine

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/llenergymeasure/llem/internal/study"
)

func TestAPrefixCacheIsEmptied(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		answers []string // the last one stands for all that follow
		asked   int
		want    string // of the error; empty: none
	}{
		{"a 200 without words", []string{"200 "}, 1, ""},
		{"its own word", []string{`200 {"success":true}`}, 1, ""},
		{"busy at first", []string{"400 busy", `200 {"success":false}`, `200 {"success":true}`}, 3, ""},
		{"always busy", []string{`200 {"success":false}`}, resetTries, "success: false"},
		{"no such route", []string{"404 "}, 1, "the server has no /reset_prefix_cache"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			n := 0
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				a := c.answers[min(n, len(c.answers)-1)]
				if n++; r.Method != http.MethodPost || r.URL.Path != "/reset_prefix_cache" {
					t.Errorf("%s %s", r.Method, r.URL.Path)
				}
				var code int
				fmt.Sscan(a, &code)
				w.WriteHeader(code)
				fmt.Fprint(w, a[4:])
			}))
			defer s.Close()
			how, err := vllm.ResetCache(t.Context(), Address{URL: s.URL})
			if n != c.asked || (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) || err == nil && how != "POST /reset_prefix_cache" {
				t.Errorf("asked %d times, %q, %v", n, how, err)
			}
		})
	}
}

// A server whose cache cannot be emptied, or not be proven empty, is not kept.
func TestEnginesThatCanBeKept(t *testing.T) {
	t.Parallel()
	want := map[string]bool{"vllm": true, "sglang": true, "llamacpp": true, "transformers": true, "reference": true}
	for _, name := range Names() {
		e, err := Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := e.CanReset(); got != want[name] {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestOnlyAKeptVLLMHasRoutesForDevelopers(t *testing.T) {
	t.Parallel()
	for _, kept := range []bool{false, true} {
		s, err := vllm.Spec(study.Experiment{Model: "m", DType: "auto"}, Host{Kept: kept})
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Env["VLLM_SERVER_DEV_MODE"]; (got == "1") != kept {
			t.Errorf("kept %v: %q", kept, got)
		}
	}
}

func TestAServerThatWasToldToKeepNoPrompts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		engine *Engine
		name   string
		value  any
		caches bool
	}{
		{vllm, "enable-prefix-caching", false, false},
		{vllm, "--no-enable-prefix-caching", true, false},
		{sglang, "disable_radix_cache", true, false},
		{vllm, "enable-prefix-caching", true, true},
		{vllm, "max-model-len", 2048, true},
	} {
		if c.engine.CachesPrompts(study.Experiment{Engine: study.Engine{Args: map[string]any{c.name: c.value}}}) != c.caches {
			t.Errorf("%s with %s: %v keeps prompts, or not: want %v", c.engine.name, c.name, c.value, c.caches)
		}
	}
}
