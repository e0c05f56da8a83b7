package hub

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/llenergymeasure/llem/internal/hub/standin"
)

// A listing says which files there are and what they are known by: it is the hub's own
// word, or none.
func TestAListingIsNeverAnotherServers(t *testing.T) {
	for _, code := range []int{301, 302, 307, 308} {
		var reached atomic.Int64
		other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
		_, o := hubWith(t, func(h *standin.Hub) {
			h.Before = func(w http.ResponseWriter, r *http.Request) bool {
				http.Redirect(w, r, other.URL+r.URL.Path, code)
				return true
			}
		})
		if _, err := Pull(t.Context(), o); err == nil || !strings.Contains(err.Error(), "HF_ENDPOINT") || reached.Load() > 0 {
			t.Errorf("%d: the other was asked %d times, %v", code, reached.Load(), err)
		}
		other.Close()
	}
}

func TestAHubLeavesNoTLS(t *testing.T) {
	plain := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("asked without TLS") }))
	defer plain.Close()
	first, _ := http.NewRequest(http.MethodGet, "https://hub.example/owner/name/resolve/main/f", nil)
	next, _ := http.NewRequest(http.MethodGet, plain.URL+"/f", nil)
	c := &client{endpoint: first.URL}
	if err := c.follow(next, []*http.Request{first}); err == nil || !strings.Contains(err.Error(), "without TLS") {
		t.Errorf("%v", err)
	}
}

func TestAnEndlessListingIsBounded(t *testing.T) {
	_, o := hubWith(t, func(h *standin.Hub) {
		h.Before = func(w http.ResponseWriter, r *http.Request) bool {
			for piece := make([]byte, 1<<20); r.Context().Err() == nil; {
				if _, err := w.Write(piece); err != nil {
					break
				}
			}
			return true
		}
	})
	if _, err := Pull(t.Context(), o); err == nil || !strings.Contains(err.Error(), "which llem does not read") {
		t.Errorf("%v", err)
	}
}
