package load

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// fickle is a server that closes each connection a moment after it has answered,
// without a word, as some do with what idles.
type fickle struct {
	net.Listener
	after  time.Duration
	served atomic.Int64 // completions
	all    sync.WaitGroup
}

func listen(t *testing.T, after time.Duration) *fickle {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &fickle{Listener: l, after: after}
	f.all.Go(f.accept)
	t.Cleanup(func() { l.Close(); f.all.Wait() })
	return f
}

func (f *fickle) accept() {
	for {
		c, err := f.Accept()
		if err != nil {
			return
		}
		f.all.Go(func() { f.serve(c) })
	}
}

func (f *fickle) serve(c net.Conn) {
	defer c.Close()
	for r := bufio.NewReader(c); ; {
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		body := `{"data":[]}`
		if req.Method == http.MethodPost {
			f.served.Add(1)
			body = "data: {\"choices\":[{\"text\":\"x\",\"finish_reason\":\"length\"}]}\n\ndata: [DONE]\n\n"
		}
		if _, err := fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body); err != nil {
			return
		}
		req.Body.Close()
		if err := c.SetReadDeadline(time.Now().Add(f.after)); err != nil {
			return
		}
	}
}

func TestAConnectionThatIdledAwayCostsNoRequest(t *testing.T) {
	t.Parallel()
	const n = 2000
	f := listen(t, 200*time.Microsecond)
	c := NewOpenAI(OpenAIOptions{BaseURL: "http://" + f.Addr().String(), Connections: 4, Timeout: 10 * time.Second})
	defer c.Close()
	reqs := make([]Request, n)
	for i := range reqs {
		reqs[i] = Request{ID: i, Prompt: "p", MaxOutputTokens: 1}
	}
	if err := c.Prepare(t.Context(), reqs); err != nil {
		t.Fatal(err)
	}
	// Sent about when the server closes what is kept.
	run, err := Drive(t.Context(), Config{Client: c, Requests: reqs, Pattern: Constant(4000, 4)})
	if err != nil {
		t.Fatal(err)
	}
	ok := int64(0)
	for _, tr := range run.Timings.All() {
		switch {
		case tr.Status == StatusOK:
			ok++
		case strings.Contains(tr.Error, "reset by peer"), strings.HasSuffix(tr.Error, "EOF"): // after its send: a failure
		default:
			t.Errorf("request %d: %s", tr.ID, tr.Error)
		}
	}
	if got := f.served.Load(); got != ok {
		t.Errorf("the server answered %d requests, the client had %d answers", got, ok)
	}
}

func TestAServerThatClosesEveryConnectionIsNotTakenAtItsWord(t *testing.T) {
	t.Parallel()
	const n = 500
	f := listen(t, 0)
	c := NewOpenAI(OpenAIOptions{BaseURL: "http://" + f.Addr().String(), Connections: 4, Timeout: 10 * time.Second, OneShot: true})
	defer c.Close()
	reqs := make([]Request, n)
	for i := range reqs {
		reqs[i] = Request{ID: i, Prompt: "p", MaxOutputTokens: 1}
	}
	if err := c.Prepare(t.Context(), reqs); err != nil {
		t.Fatal(err)
	}
	run, err := Drive(t.Context(), Config{Client: c, Requests: reqs, Pattern: Closed(4)})
	if err != nil {
		t.Fatal(err)
	}
	for _, tr := range run.Timings.All() {
		if tr.Status != StatusOK {
			t.Fatalf("request %d: %s", tr.ID, tr.Error)
		}
	}
	if got := f.served.Load(); got != n {
		t.Errorf("the server answered %d requests of %d", got, n)
	}
}

func TestOnlyWhatNeverLeftIsSentAgain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		reused, wrote, answered bool
		err                     string
		want                    bool
	}{
		"a new connection":                                     {false, false, false, "connection refused", false},
		"a kept one, nothing written":                          {true, false, false, "write: broken pipe", true},
		"a kept one, closed before":                            {true, true, false, `Post "http://h": ` + closedIdle, true},
		"a kept one, reset after a send":                       {true, true, false, "read: connection reset by peer", false},
		"a kept one that others share, whose head was written": {true, true, false, "stream error", false},
		"a kept one, half answered":                            {true, true, true, "unexpected EOF", false},
	} {
		var got carried
		got.reused.Store(c.reused)
		if c.wrote {
			got.sent.Store(1)
		}
		got.answered.Store(c.answered)
		if got.stale(errors.New(c.err)) != c.want {
			t.Errorf("%s: sent again: %v, want %v", name, !c.want, c.want)
		}
	}
}

func TestNobodyListens(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	c := NewOpenAI(OpenAIOptions{BaseURL: "http://" + l.Addr().String()})
	defer c.Close()
	if tr := once(t, c); tr.Status != StatusFailed || tr.HTTPStatus != 0 || !strings.Contains(tr.Error, "refused") {
		t.Errorf("%+v", tr)
	}
	if err := c.Prepare(t.Context(), []Request{{}}); err == nil {
		t.Error("prepared without a server")
	}
}

// Thousands of connections fail for one cause, which is not told thousands of
// times.
func TestManyConnectionsThatFailAreToldInAFewLines(t *testing.T) {
	c := NewOpenAI(OpenAIOptions{Connections: 50, BaseURL: "http://server"})
	defer c.Close()
	c.client.Transport.(*http.Transport).DialContext = func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Err: os.NewSyscallError("socket", syscall.EMFILE)}
	}
	err := c.Prepare(t.Context(), requests(50))
	if err == nil {
		t.Fatal("prepared without a connection")
	}
	for _, says := range []string{"50 of 50 connections", "too many open files", "ulimit -n"} {
		if !strings.Contains(err.Error(), says) {
			t.Errorf("error %q does not say %q", err, says)
		}
	}
	if n := strings.Count(err.Error(), "\n"); n > 3 {
		t.Errorf("%d lines", n+1)
	}
	if tr := once(t, c); tr.Status != StatusFailed || !strings.Contains(tr.Error, "ulimit -n") {
		t.Errorf("a request that finds no file: %+v", tr)
	}
}

// The connections of the window are open before it begins, however quick the
// server is.
func TestPrepareOpensTheConnections(t *testing.T) {
	for range 20 {
		var mu sync.Mutex
		opened := map[string]bool{}
		late := 0
		c := serve(t, OpenAIOptions{Connections: 8, Bounded: true}, func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			if r.URL.Path == "/v1/models" {
				opened[r.RemoteAddr] = true
				fmt.Fprint(w, "{}")
				return
			}
			if !opened[r.RemoteAddr] {
				late++
			}
			write(w, one, last, done)
		})
		reqs := make([]Request, 40)
		for i := range reqs {
			reqs[i] = Request{ID: i, Prompt: "why", MaxOutputTokens: 2}
		}
		if err := c.Prepare(t.Context(), reqs); err != nil {
			t.Fatal(err)
		}
		if _, err := Drive(t.Context(), Config{Client: c, Requests: reqs, Pattern: Closed(8)}); err != nil {
			t.Fatal(err)
		}
		if len(opened) != 8 || late > 0 {
			t.Fatalf("%d connections were opened before, %d requests came over new ones", len(opened), late)
		}
	}
}

// One connection that cannot be opened ends the wait of the others.
func TestPrepareFailsWithItsServer(t *testing.T) {
	var asked atomic.Int32
	c := serve(t, OpenAIOptions{Connections: 4}, func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) == 2 {
			panic(http.ErrAbortHandler)
		}
		fmt.Fprint(w, "{}")
	})
	if err := c.Prepare(t.Context(), make([]Request, 4)); err == nil {
		t.Error("prepared over a connection that broke")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	silent := serve(t, OpenAIOptions{Connections: 4}, func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	if err := silent.Prepare(ctx, make([]Request, 4)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a silent server: %v", err)
	}
}

// Dialling is the client's own time: it is lag, and in no latency.
func TestARequestIsSentWhenItHasLeft(t *testing.T) {
	c := serve(t, OpenAIOptions{}, func(w http.ResponseWriter, r *http.Request) { write(w, one, last, done) })
	var dialled time.Time
	transport := c.client.Transport.(*http.Transport)
	dial := transport.DialContext
	transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		defer func() { dialled = time.Now() }()
		return dial(ctx, network, addr)
	}
	run, err := Drive(t.Context(), Config{Client: c, Requests: make([]Request, 1), Pattern: Closed(1)})
	if err != nil || run.Timings.Len() != 1 {
		t.Fatal(run, err)
	}
	if tr := run.Timings.At(0); run.T0.Add(tr.Sent).Before(dialled) || tr.FirstByte < tr.Sent {
		t.Errorf("sent at %v, first byte at %v, dialled at %v", tr.Sent, tr.FirstByte, dialled.Sub(run.T0))
	}
}

// A connection that the server closes under a request is a failure: the
// library would send it again over a new one.
func TestABrokenConnectionIsNotTriedAgain(t *testing.T) {
	var asked atomic.Int32
	c := serve(t, OpenAIOptions{Connections: 1}, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/models" {
			fmt.Fprint(w, "{}")
			return
		}
		asked.Add(1)
		panic(http.ErrAbortHandler) // over the connection that Prepare left open
	})
	reqs := make([]Request, 1)
	if err := c.Prepare(t.Context(), reqs); err != nil {
		t.Fatal(err)
	}
	run, err := Drive(t.Context(), Config{Client: c, Requests: reqs, Pattern: Closed(1)})
	if err != nil || run.Timings.Len() != 1 {
		t.Fatal(run, err)
	}
	if tr := run.Timings.At(0); tr.Status != StatusFailed || tr.Sent < 0 || asked.Load() != 1 {
		t.Errorf("asked %d times, %+v", asked.Load(), tr)
	}
}
