package load

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
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
	for _, tr := range run.Traces {
		switch {
		case tr.Status == StatusOK:
			ok++
		case strings.Contains(tr.Error, closedIdle): // one that was reset after its send is a failure
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
	for _, tr := range run.Traces {
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
		"a new connection":               {false, false, false, "connection refused", false},
		"a kept one, nothing written":    {true, false, false, "write: broken pipe", true},
		"a kept one, closed before":      {true, true, false, `Post "http://h": ` + closedIdle, true},
		"a kept one, reset after a send": {true, true, false, "read: connection reset by peer", false},
		"a kept one, half answered":      {true, true, true, "unexpected EOF", false},
	} {
		var got carried
		got.reused.Store(c.reused)
		got.wrote.Store(c.wrote)
		got.answered.Store(c.answered)
		if got.stale(errors.New(c.err)) != c.want {
			t.Errorf("%s: sent again: %v, want %v", name, !c.want, c.want)
		}
	}
}
