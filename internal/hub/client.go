package hub

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// States of the hub that a caller may test for.
var (
	ErrDenied      = errors.New("the hub denies access")
	ErrOffline     = errors.New("the hub may not be asked")
	ErrUnreachable = errors.New("the hub cannot be reached")
)

// client asks one hub.
type client struct {
	endpoint *url.URL
	token    string
	source   string // of the token
	http     *http.Client
	pause    time.Duration // before the first new try; doubles
}

const (
	tries       = 6 // without a byte between them
	firstPause  = time.Second
	longestWait = 5 * time.Minute // that a server may ask for
	answerIn    = time.Minute     // until an answer begins, and between its bytes
)

func newClient(o Options) (*client, error) {
	if name := Offline(); name != "" {
		return nil, fmt.Errorf("%w: %s is set", ErrOffline, name)
	}
	at, err := endpoint()
	if err != nil {
		return nil, err
	}
	base := http.DefaultTransport.(*http.Transport).Clone()
	base.ResponseHeaderTimeout = answerIn
	c := &client{endpoint: at, pause: cmp.Or(o.pause, firstPause)}
	c.token, c.source = Token()
	c.http = &http.Client{Transport: &bearer{base: base, scheme: at.Scheme, host: at.Host, token: c.token}, CheckRedirect: c.follow}
	return c, nil
}

var errRedirect = errors.New("it redirects")

// follow is the redirects that are followed: a file's to the store that holds it, never
// out of TLS; the hub's word on what there is, to the hub alone.
func (c *client) follow(next *http.Request, via []*http.Request) error {
	first, to := via[0].URL, next.URL
	switch {
	case len(via) >= 10:
		return fmt.Errorf("%w without an end", errRedirect)
	case first.Scheme == "https" && to.Scheme != "https":
		return fmt.Errorf("%w to %.200q, without TLS, which llem does not follow", errRedirect, to.Host)
	case (to.Host != first.Host || to.Scheme != first.Scheme) && strings.HasPrefix(first.Path, c.endpoint.Path+"/api/"):
		return fmt.Errorf("%w to %.200q, which llem does not follow for the listing of a repository: set HF_ENDPOINT to the hub that answers itself", errRedirect, to.Host)
	}
	return nil
}

// bearer sets the token for its own host alone: redirects lead to stores of
// others. It overrides what http.Client does, which would send it to
// subdomains too.
type bearer struct {
	base                http.RoundTripper
	scheme, host, token string
}

func (b *bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Del("Authorization")
	if b.token != "" && r.URL.Scheme == b.scheme && r.URL.Host == b.host {
		r.Header.Set("Authorization", "Bearer "+b.token)
	}
	r.Header.Set("User-Agent", "llem")
	return b.base.RoundTrip(r)
}

// transient is an error that may pass.
type transient struct {
	error
	after time.Duration // that the server asks to wait; 0: it does not say
}

func (t transient) Unwrap() error { return t.error }

// persist calls f until it succeeds, fails for good, or has failed too often
// without getting further than ever before.
func (c *client) persist(ctx context.Context, moved func() int64, f func() error) error {
	pause, best := c.pause, moved()
	for n := 1; ; n++ {
		err := f()
		var t transient
		if err == nil || !errors.As(err, &t) {
			return err
		}
		if at := moved(); at > best {
			n, pause, best = 1, c.pause, at
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if n >= tries || t.after > longestWait {
			return fmt.Errorf("%w: %w; given up after %d tries: try again later, what is here is kept", ErrUnreachable, t.error, n)
		}
		wait := max(t.after, pause/2+rand.N(pause/2+1))
		pause *= 2
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
	}
}

func still() int64 { return 0 }

// ask is one request: its answer has status 200 or 206, and is to be closed.
func (c *client) ask(ctx context.Context, path, byteRange string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.endpoint.String()+path, nil)
	if err != nil {
		return nil, fmt.Errorf("ask the hub: %w", err)
	}
	if byteRange != "" {
		r.Header.Set("Range", "bytes="+byteRange)
	}
	// Sizes and ranges are those of the file, never of what a server makes of it.
	r.Header.Set("Accept-Encoding", "identity")
	resp, err := c.http.Do(r)
	if err != nil {
		return nil, c.broken(ctx, err)
	}
	if resp.StatusCode == http.StatusOK || resp.StatusCode == http.StatusPartialContent {
		return resp, nil
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<16)) // so that the connection can be used again
	return nil, c.refused(resp)
}

// broken is an error of the network, without the address: a store's has a
// signature in it that opens the file.
func (c *client) broken(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	if errors.Is(err, errRedirect) {
		return fmt.Errorf("%s: %w", c.endpoint.Host, err)
	}
	return transient{error: fmt.Errorf("%s: %w", c.endpoint.Host, err)}
}

// status is an answer that is none of what was asked for.
type status struct {
	code int
	hub  string // the hub's own word for it
}

func (s status) Error() string {
	return strings.TrimSpace(fmt.Sprintf("the hub answers %d %s %s", s.code, http.StatusText(s.code), s.hub))
}

func (c *client) refused(r *http.Response) error {
	s := status{code: r.StatusCode, hub: r.Header.Get("X-Error-Code")}
	if s.code < 500 && s.code != http.StatusTooManyRequests && s.code != http.StatusRequestTimeout {
		return s
	}
	t := transient{error: s}
	if n, err := strconv.Atoi(r.Header.Get("Retry-After")); err == nil && n > 0 {
		t.after = time.Duration(n) * time.Second
	} else if at, err := http.ParseTime(r.Header.Get("Retry-After")); err == nil {
		t.after = max(0, time.Until(at))
	}
	return t
}

// explain says what an answer means for a model and what to do about it.
func (c *client) explain(err error, repo, revision, file string) error {
	var s status
	if !errors.As(err, &s) || errors.Is(err, ErrUnreachable) {
		return err
	}
	page := c.endpoint.String() + "/" + repo
	switch {
	case s.hub == "GatedRepo" && c.token == "":
		return fmt.Errorf("%w: %s is gated: accept its licence at %s, and set HF_TOKEN to a token of that account", ErrDenied, repo, page)
	case s.hub == "GatedRepo" || s.code == http.StatusForbidden:
		return fmt.Errorf("%w: the account of the token from %s may not read %s: accept its licence at %s, or give the token the right to read gated models", ErrDenied, orNone(c.source), repo, page)
	case s.code == http.StatusUnauthorized && c.token == "":
		return fmt.Errorf("%w: %s does not exist, or is private or gated: check the name; if it is right, accept its licence at %s and set HF_TOKEN", ErrDenied, repo, page)
	case s.code == http.StatusUnauthorized:
		return fmt.Errorf("%w: the token from %s is refused: it is mistyped, expired or revoked, or %s does not exist", ErrDenied, c.source, repo)
	case s.hub == "RevisionNotFound":
		return fmt.Errorf("%w: %s has no revision %s: see %s/tree/main", ErrNotFound, repo, revision, page)
	case s.hub == "EntryNotFound":
		return fmt.Errorf("%w: %s has no file %s at revision %s", ErrNotFound, repo, file, revision)
	case s.hub == "RepoNotFound" || s.code == http.StatusNotFound:
		return fmt.Errorf("%w: there is no %s at %s", ErrNotFound, called(repo), c.endpoint.Host)
	}
	return fmt.Errorf("%s: %w", repo, err)
}

// called is a repository as people know it.
func called(repo string) string {
	if name, ok := strings.CutPrefix(repo, datasets); ok {
		return "dataset " + name
	}
	return "model " + repo
}

func orNone(source string) string {
	if source == "" {
		return "nowhere"
	}
	return source
}
