package load

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// connectTimeout bounds the opening of all connections: a server that is ready
// and cannot hold them cannot be measured at that concurrency either.
const connectTimeout = 30 * time.Second

// connect opens n connections. Each harmless request keeps its own until all
// have been answered: a connection that is free earlier would serve another
// request, and there would be fewer than n.
func (o *OpenAI) connect(ctx context.Context, n int) error {
	if o.shared != nil {
		return o.shared.open(ctx, n, o.models(), o.opt.Header)
	}
	answers, errs := make([]*http.Response, n), make([]error, n)
	var asking sync.WaitGroup
	for i := range n {
		asking.Go(func() { answers[i], errs[i] = o.ping(ctx) })
	}
	asking.Wait()
	for i, resp := range answers {
		if resp == nil {
			continue
		}
		errs[i] = discard(resp.Body)
		resp.Body.Close()
	}
	return failedConnections(errs)
}

// maxGreeting bounds the answer to what opens a connection.
const maxGreeting = 8 << 20

// discard reads an answer to its end, which frees its connection for the next request.
func discard(body io.Reader) error {
	n, err := io.Copy(io.Discard, io.LimitReader(body, maxGreeting+1))
	switch {
	case err != nil:
		return fmt.Errorf("connect: %w", err)
	case n > maxGreeting:
		return fmt.Errorf("connect: the answer of /v1/models is over %d bytes, more than llem reads of one", maxGreeting)
	}
	return nil
}

// ping asks for what every server answers; close the response.
func (o *OpenAI) ping(ctx context.Context) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, o.models(), nil)
	if err != nil {
		return nil, err
	}
	maps.Copy(req.Header, o.opt.Header)
	resp, err := o.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	return resp, nil
}

// models is the address of what every server answers.
func (o *OpenAI) models() string { return strings.TrimRight(o.opt.BaseURL, "/") + "/v1/models" }

// send writes one request and waits for the head of its response. Sent is the
// moment at which the kernel was given the last of it: waiting for a connection,
// or for the library's writer, is the client's own lag. Where nothing left it is
// the moment at which that began. A request that found its connection closed never
// reached the server, and takes another: servers close what idles whenever they
// like.
// With the response comes what carries it.
func (o *OpenAI) send(ctx context.Context, t0 time.Time, body []byte, tr *Timing) (*http.Response, *Timed, error) {
	for {
		c := carried{shared: o.shared != nil}
		began := time.Since(t0)
		resp, err := o.post(c.watch(ctx), body)
		if !c.shared {
			c.left()
		}
		if err == nil || ctx.Err() != nil || !c.stale(err) {
			tr.Sent = began
			if sent := c.sent.Load(); sent > 0 {
				tr.Sent = time.Duration(sent - Monotonic(t0))
			}
			return resp, c.conn.Load(), outOfFiles(err)
		}
	}
}

func (o *OpenAI) post(ctx context.Context, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, o.url, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	maps.Copy(req.Header, o.opt.Header)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "text/event-stream")
	req.GetBody = nil // the library sends nothing twice
	return o.client.Do(req)
}

// carried is what became of one attempt to send a request. The library's writer
// may outlive the call.
type carried struct {
	shared   bool // the connection carries other requests meanwhile
	conn     atomic.Pointer[Timed]
	before   atomic.Int64 // when the connection was given bytes before, as Timed.givenAt
	sent     atomic.Int64 // and when it was given the last of these; 0: not yet
	begun    atomic.Bool  // of one that shares its connection: its head was handed to the kernel
	reused   atomic.Bool  // the connection had carried another request
	answered atomic.Bool  // a byte came back
}

func (c *carried) watch(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(g httptrace.GotConnInfo) {
			if conn := timedUnder(g.Conn); conn != nil {
				c.before.Store(conn.givenAt())
				c.conn.Store(conn)
			}
			c.reused.Store(g.Reused)
		},
		GotFirstResponseByte: func() {
			if !c.shared {
				c.left()
			}
			c.answered.Store(true)
		},
		WroteHeaders: func() { c.begun.Store(c.shared) }, // of HTTP/1.1 they are still in a buffer
		WroteRequest: func(w httptrace.WroteRequestInfo) {
			if c.shared && w.Err == nil { // of HTTP/1.1 the library says so before it has written the last
				c.left()
			}
		},
	})
}

// left notes what the connection was given so far, once: later it may carry another
// request.
func (c *carried) left() {
	if conn := c.conn.Load(); conn != nil {
		if given := conn.givenAt(); given > c.before.Load() {
			c.sent.CompareAndSwap(0, given)
		}
	}
}

// wrote says that some of the request was handed to the kernel.
func (c *carried) wrote() bool { return c.begun.Load() || c.sent.Load() > 0 }

// closedIdle is the library's word, which it does not export, for a connection
// whose end had come before the request was begun.
const closedIdle = "http: server closed idle connection"

// stale says that the request failed by its connection alone: one that was kept
// from before, and that its server had closed. What was written to one that
// broke may have been computed, and is a failure.
func (c *carried) stale(err error) bool {
	if !c.reused.Load() || c.answered.Load() {
		return false
	}
	return !c.wrote() || strings.HasSuffix(err.Error(), closedIdle)
}
