package load

import (
	"bytes"
	"context"
	"fmt"
	"io"
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
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			errs[i] = fmt.Errorf("connect: %w", err)
		}
		resp.Body.Close()
	}
	return failedConnections(errs)
}

// ping asks for what every server answers; close the response.
func (o *OpenAI) ping(ctx context.Context) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(o.opt.BaseURL, "/")+"/v1/models", nil)
	if err != nil {
		return nil, err
	}
	resp, err := o.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	return resp, nil
}

// send writes one request and waits for the head of its response. Sent is the
// moment at which the last of it was written: waiting for a connection, or for
// the library's writer, is the client's own lag. Where nothing left it is the
// moment at which that began. A request that found its connection closed never
// reached the server, and takes another: servers close what idles whenever they
// like.
// With the response comes what carries it.
func (o *OpenAI) send(ctx context.Context, t0 time.Time, body []byte, tr *Trace) (*http.Response, *Timed, error) {
	for {
		var c carried
		resp, err := o.post(ctx, t0, body, &c)
		if err == nil || ctx.Err() != nil || !c.stale(err) {
			tr.Sent = time.Duration(c.sent.Load())
			return resp, c.conn.Load(), outOfFiles(err)
		}
	}
}

func (o *OpenAI) post(ctx context.Context, t0 time.Time, body []byte, c *carried) (*http.Response, error) {
	req, err := http.NewRequestWithContext(c.watch(ctx, t0), http.MethodPost, o.url, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "text/event-stream")
	req.GetBody = nil // the library sends nothing twice
	c.sent.Store(int64(time.Since(t0)))
	return o.client.Do(req)
}

// carried is what became of one attempt to send a request. The library's writer
// may outlive the call.
type carried struct {
	conn     atomic.Pointer[Timed]
	sent     atomic.Int64 // since t0
	reused   atomic.Bool  // the connection had carried another request
	wrote    atomic.Bool  // the whole request was handed to the kernel
	answered atomic.Bool  // a byte came back
}

func (c *carried) watch(ctx context.Context, t0 time.Time) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(g httptrace.GotConnInfo) {
			c.reused.Store(g.Reused)
			c.conn.Store(timedUnder(g.Conn))
		},
		WroteRequest: func(w httptrace.WroteRequestInfo) {
			if w.Err == nil {
				c.sent.Store(int64(time.Since(t0)))
				c.wrote.Store(true)
			}
		},
		GotFirstResponseByte: func() { c.answered.Store(true) },
	})
}

// closedIdle is the library's word, which it does not export, for a connection
// whose end had come before the request was begun.
const closedIdle = "http: server closed idle connection"

// stale says that the request failed by its connection alone: one that was kept
// from before, and that its server had closed. What was wholly written to one
// that broke may have been computed, and is a failure.
func (c *carried) stale(err error) bool {
	if !c.reused.Load() || c.answered.Load() {
		return false
	}
	return !c.wrote.Load() || strings.HasSuffix(err.Error(), closedIdle)
}
