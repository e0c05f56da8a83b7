package hub

import (
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/llenergymeasure/llem/internal/hub/standin"
)

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
		resp, err := b.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if got != want {
			t.Errorf("%s was sent %q, want %q", address, got, want)
		}
	}
}

type tripper func(*http.Request)

func (f tripper) RoundTrip(r *http.Request) (*http.Response, error) {
	f(r)
	return &http.Response{Body: http.NoBody}, nil
}

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
		var asked atomic.Int32
		_, o := hubWith(t, func(h *standin.Hub) {
			h.Before = func(w http.ResponseWriter, r *http.Request) bool {
				if asked.Add(1) <= 3 && strings.HasPrefix(r.URL.Path, "/api/") {
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
