package load

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// h2cServer speaks HTTP/2 without TLS; Start it. It is closed with the test.
func h2cServer(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(s.Close)
	return s
}

// Many streams share few connections, each stamped as one that has its own.
func TestStreamsShareConnections(t *testing.T) {
	t.Parallel()
	const streams, tokens, most = 300, 20, 100
	var conns, others atomic.Int64
	var began sync.Map // of a request, by its body: when its first token was written, ns of CLOCK_MONOTONIC
	s := h2cServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Proto != "HTTP/2.0" {
			others.Add(1)
		}
		if r.Method == http.MethodGet {
			fmt.Fprint(w, "{}")
			return
		}
		body := make([]byte, r.ContentLength)
		if _, err := r.Body.Read(body); err != nil && err.Error() != "EOF" {
			t.Error(err)
		}
		for i := range tokens {
			time.Sleep(5 * time.Millisecond)
			if i == 0 {
				began.Store(number(string(body)), Monotonic(time.Now()))
			}
			write(w, one)
		}
		write(w, last, done)
	})
	s.Config.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: most}
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			conns.Add(1)
		}
	}
	s.Start()
	c := NewOpenAI(OpenAIOptions{BaseURL: s.URL, Connections: streams, H2C: true})
	defer c.Close()
	reqs := make([]Request, streams)
	for i := range reqs {
		reqs[i] = Request{ID: i, Prompt: fmt.Sprintf("p%d", i), MaxOutputTokens: tokens + 1}
	}
	if err := c.Prepare(t.Context(), reqs); err != nil {
		t.Fatal(err)
	}
	run, err := Drive(t.Context(), Config{Client: c, Requests: reqs, Pattern: Closed(streams)})
	if err != nil {
		t.Fatal(err)
	}
	if n := conns.Load(); n != streams/most {
		t.Errorf("%d connections for %d streams of %d each", n, streams, most)
	}
	if n := others.Load(); n > 0 {
		t.Errorf("%d requests came by another HTTP", n)
	}
	for i, tr := range run.Timings.All() {
		if tr.Status != StatusOK || len(tr.Chunks) != tokens+1 {
			t.Fatalf("request %d: %s, %d tokens, %s", i, tr.Status, len(tr.Chunks), tr.Error)
		}
		if tr.Sent <= 0 || tr.FirstByte < tr.Sent || tr.End < tr.LastToken {
			t.Errorf("request %d: sent %s, first byte %s, last token %s, end %s", i, tr.Sent, tr.FirstByte, tr.LastToken, tr.End)
		}
		at, _ := began.Load(fmt.Sprint("p", i))
		if early := time.Duration(at.(int64)-Monotonic(run.T0)) - tr.FirstToken; early > time.Millisecond {
			t.Errorf("request %d: its first token is stamped %s before it was written", i, early)
		}
	}
	if run.ReadLag == nil {
		t.Error("no lag from receipt to read")
	}
}

// What a server has closed meanwhile costs no request: the next takes another
// connection.
func TestASharedConnectionThatIdledAwayIsReplaced(t *testing.T) {
	t.Parallel()
	var posts atomic.Int64
	s := h2cServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			posts.Add(1)
		}
		write(w, one, last, done)
	})
	s.Start()
	c := NewOpenAI(OpenAIOptions{BaseURL: s.URL, H2C: true})
	defer c.Close()
	if err := c.Prepare(t.Context(), []Request{{}}); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if tr := once(t, c); tr.Status != StatusOK {
			t.Fatalf("request %d: %+v", i, tr)
		}
		s.CloseClientConnections()
		for c.shared.conns[0].Err() == nil { // else it may be sent over a connection whose end is under way, and fail
			time.Sleep(time.Millisecond)
		}
	}
	if n := posts.Load(); n != 3 {
		t.Errorf("%d requests came of 3", n)
	}
}

// A stream that its server gives up while the rest of the request waits to be sent has
// reached it, and is not begun again.
func TestAStreamThatIsResetIsNotSentAgain(t *testing.T) {
	t.Parallel()
	var posts atomic.Int64
	s := h2cServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			posts.Add(1)
			panic(http.ErrAbortHandler)
		}
		fmt.Fprint(w, "{}")
	})
	s.Config.HTTP2 = &http.HTTP2Config{MaxReceiveBufferPerStream: 64 << 10}
	s.Start()
	c := NewOpenAI(OpenAIOptions{BaseURL: s.URL, H2C: true, Timeout: 10 * time.Second})
	defer c.Close()
	reqs := []Request{{Prompt: strings.Repeat("long ", 60_000)}}
	if err := c.Prepare(t.Context(), reqs); err != nil {
		t.Fatal(err)
	}
	run, err := Drive(t.Context(), Config{Client: c, Requests: reqs, Pattern: Closed(1)})
	if err != nil || run.Timings.At(0).Status != StatusFailed || posts.Load() != 1 {
		t.Errorf("%d requests came of one; %+v, %v", posts.Load(), run.Timings, err)
	}
}

// number is the prompt of a body.
func number(body string) string {
	_, rest, _ := strings.Cut(body, `"prompt":"`)
	prompt, _, _ := strings.Cut(rest, `"`)
	return prompt
}

// A server of HTTP/1.1 does not make sense of HTTP/2, and is told apart from none.
func TestAServerWithoutH2CIsNamed(t *testing.T) {
	t.Parallel()
	c := serve(t, OpenAIOptions{H2C: true, Connections: 3}, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "{}") })
	err := c.Prepare(t.Context(), make([]Request, 3))
	if err == nil || !strings.Contains(err.Error(), "workload.http: h2c is for servers") {
		t.Errorf("error %v does not say what to do", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Prepare(ctx, make([]Request, 3)); err == nil || strings.Contains(err.Error(), "h2c") {
		t.Errorf("cancelled: %v", err)
	}
}
