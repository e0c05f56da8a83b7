package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/study"
)

// probeTimeout bounds one question to a server that is ready.
const probeTimeout = 10 * time.Second

func getJSON(ctx context.Context, at Address, route string, into any) error {
	body, err := fetch(ctx, http.MethodGet, at, route)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("%s%s: %w", at, route, err)
	}
	return nil
}

// prober never uses a proxy: the server is on this host.
var prober = &http.Client{
	Transport:     &http.Transport{DisableKeepAlives: true, MaxResponseHeaderBytes: 1 << 20},
	CheckRedirect: launch.SameServer,
}

// fetch reads a short answer.
func fetch(ctx context.Context, method string, at Address, route string) ([]byte, error) {
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, probeTimeout)
		defer cancel()
	}
	req, err := at.request(ctx, method, route, nil)
	if err != nil {
		return nil, err
	}
	resp, err := prober.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, refused(at, route, resp)
	}
	return readAll(resp.Body, most, at.URL+route)
}

// refusal is an answer other than 200.
type refusal struct {
	url     string
	code    int
	status  string
	body    []byte
	to      string // of a redirect that was not followed: scheme and host
	keyFrom string // see Address
}

// quotedBody is how much of an error's body is read.
const quotedBody = 4 << 10

func refused(at Address, route string, resp *http.Response) *refusal {
	r := &refusal{url: at.URL + route, code: resp.StatusCode, status: fmt.Sprintf("%.60q", resp.Status), keyFrom: at.KeyFrom}
	r.status = r.status[1 : len(r.status)-1]
	body := make([]byte, quotedBody)
	n := 0
	for n < quotedBody { // what came is what there is
		m, err := resp.Body.Read(body[n:])
		if n += m; err != nil {
			break
		}
	}
	r.body = body[:n]
	if to, err := resp.Location(); err == nil {
		r.to = (&url.URL{Scheme: to.Scheme, Host: to.Host}).String() // a query may hold a signature
	}
	return r
}

func (r *refusal) Error() string {
	said := fmt.Sprintf("%s answered %s", r.url, r.status)
	if r.code/100 == 3 {
		to := ""
		if r.to != "" {
			to = fmt.Sprintf(" to %.200q", r.to)
		}
		return said + to + ", and llem follows no redirect to another address: give the address that answers itself, with --base-url or engine.endpoint"
	}
	if body := bytes.TrimSpace(r.body); len(body) > 0 {
		said += fmt.Sprintf(": %.200s", body)
	}
	return said + keyHint(r.code, r.keyFrom)
}

// StatusHint says what to do about an answer of that status to a request of e; empty:
// nothing is known. keyFrom is that of the [Address].
func StatusHint(e study.Experiment, status int, keyFrom string) string {
	if status == http.StatusNotFound && e.Engine.Endpoint != "" {
		other := "chat"
		if e.Workload.API == other {
			other = "completions"
		}
		return "; the server may have the other route alone: set workload.api: " + other + ", or see that --base-url is its address"
	}
	return keyHint(status, keyFrom)
}

// keyHint says what to do about an answer of that status that is about a key; empty:
// it is about something else. keyFrom is that of the Address.
func keyHint(status int, keyFrom string) string {
	switch {
	case status != http.StatusUnauthorized && status != http.StatusForbidden:
		return ""
	case keyFrom == "":
		return "; the server asks for a key: set LLEM_API_KEY, or engine.api_key_file to a file that holds it (other headers: engine.headers_file)"
	}
	return fmt.Sprintf("; the server refuses the key from %s: see that it is this server's own, and has not expired", keyFrom)
}
