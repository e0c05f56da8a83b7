package launch

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// Ready asks a server once, with its key, whether it takes requests: it does when it
// answers 200. said is what it answered instead.
func Ready(ctx context.Context, ask *http.Client, at string, key Secret) (ok bool, said string) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return false, err.Error()
	}
	if key != "" {
		req.Header.Set("Authorization", key.Bearer())
	}
	resp, err := ask.Do(req)
	if err != nil {
		return false, err.Error()
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // only the status counts
	return resp.StatusCode == http.StatusOK, fmt.Sprintf("it answered %.100s", resp.Status)
}

// mostRedirects is how many a server may answer with before what was asked for.
const mostRedirects = 3

// SameServer is the redirects that llem follows: of a question without a body, to the
// same scheme, host and port. Any other would hand prompts and keys to a server that
// the user did not name, or take its answer for that of the one that is measured. It is a
// CheckRedirect of an http.Client.
func SameServer(next *http.Request, via []*http.Request) error {
	first := via[0]
	if first.Method != http.MethodGet || len(via) > mostRedirects || !sameOrigin(first.URL, next.URL) {
		return http.ErrUseLastResponse
	}
	return nil
}

func sameOrigin(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && strings.EqualFold(a.Hostname(), b.Hostname()) && portOf(a) == portOf(b)
}

func portOf(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case u.Scheme == "https":
		return "443"
	}
	return "80"
}
