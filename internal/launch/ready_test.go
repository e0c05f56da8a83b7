package launch

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
)

// A server is ready by its own word, and is asked with its key.
func TestReadinessIsTheServersOwnWord(t *testing.T) {
	var reached atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	defer other.Close()
	for _, code := range []int{301, 302, 303, 307, 308} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL+r.URL.Path, code)
		}))
		ask := &http.Client{CheckRedirect: SameServer}
		if ok, said := Ready(t.Context(), ask, s.URL+"/health", "k"); ok || reached.Load() > 0 {
			t.Errorf("%d: ready %v (%s), the other was asked %d times", code, ok, said, reached.Load())
		}
		s.Close()
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer k" {
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	defer s.Close()
	ask := &http.Client{CheckRedirect: SameServer}
	if ok, said := Ready(t.Context(), ask, s.URL, "k"); !ok {
		t.Error(said)
	}
	if ok, _ := Ready(t.Context(), ask, s.URL, ""); ok {
		t.Error("ready without the key")
	}
}
