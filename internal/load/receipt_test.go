package load

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
)

// pair is a connection's two ends, the first timed.
func pair(t *testing.T) (*Timed, net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := dial(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); s.Close() })
	timed := c.(*Timed)
	// The kernel begins to stamp a moment after it is first asked to.
	buf := make([]byte, 1)
	for deadline := time.Now().Add(10 * time.Second); timed.Received() == 0; {
		if _, err := s.Write(buf); err != nil {
			t.Fatal(err)
		}
		if _, err := timed.Read(buf); err != nil {
			t.Fatal(err)
		}
		if time.Now().After(deadline) {
			t.Fatal("the kernel gave no times in ten seconds")
		}
	}
	return timed, s
}

// What is read late has the time at which it came, of whatever was written last.
func TestBytesHaveTheTimeAtWhichTheyCame(t *testing.T) {
	t.Parallel()
	c, s := pair(t)
	buf := make([]byte, 64)
	for range 5 {
		var before, after int64
		for _, word := range []string{"one", "two"} {
			before = Monotonic(time.Now())
			if _, err := io.WriteString(s, word); err != nil {
				t.Fatal(err)
			}
			after = Monotonic(time.Now())
			time.Sleep(20 * time.Millisecond)
		}
		n, err := c.Read(buf)
		if err != nil || string(buf[:n]) != "onetwo" {
			t.Fatalf("%q, %v", buf[:n], err)
		}
		// The two clocks are read one after the other.
		const slack = int64(time.Millisecond)
		if at := c.Received(); at < before-slack || at > after+slack {
			t.Errorf("stamped %d µs after the write began, %d before it ended", (at-before)/1000, (after-at)/1000)
		}
		if lag := time.Duration(c.lag.Load()); lag < 15*time.Millisecond || lag > 10*time.Second {
			t.Errorf("a lag of %s of what waited for 20 ms", lag)
		}
	}
}

func TestATimedConnectionEndsAsAnyOther(t *testing.T) {
	t.Parallel()
	buf := make([]byte, 8)
	c, s := pair(t)
	if n, err := c.Read(nil); n != 0 || err != nil {
		t.Errorf("into nothing: %d, %v", n, err)
	}
	s.Close()
	if _, err := c.Read(buf); err != io.EOF {
		t.Errorf("at its end: %v", err)
	}
	c, s = pair(t)
	if err := s.(*net.TCPConn).SetLinger(0); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if _, err := c.Read(buf); err == nil || !strings.Contains(err.Error(), "reset by peer") {
		t.Errorf("reset: %v", err)
	}
	c, _ = pair(t)
	if err := c.SetReadDeadline(time.Now().Add(time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(buf); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("at a deadline: %v", err)
	}
	c, _ = pair(t)
	time.AfterFunc(10*time.Millisecond, func() { c.Close() })
	if _, err := c.Read(buf); !errors.Is(err, net.ErrClosed) {
		t.Errorf("closed while it read: %v", err)
	}
}

// What is read in pieces came at once.
func TestPiecesOfOneReceiptHaveItsTime(t *testing.T) {
	t.Parallel()
	c, s := pair(t)
	whole, piece := make([]byte, 20<<10), make([]byte, 4<<10)
	for range 200 {
		go s.Write(whole) //nolint:errcheck // the reads would miss it
		var last int64
		for left := len(whole); left > 0; {
			n, err := c.Read(piece)
			if err != nil {
				t.Fatal(err)
			}
			left -= n
			if at := c.Received(); at == 0 || at < last {
				t.Fatalf("received at %d, what was before it at %d", at, last)
			} else {
				last = at
			}
		}
	}
}

func TestATimedReadAllocatesNothing(t *testing.T) {
	c, s := pair(t)
	buf := make([]byte, 64)
	if n := testing.AllocsPerRun(100, func() {
		if _, err := s.Write(buf[:10]); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Read(buf); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("%g allocations a read", n)
	}
}

// A wall clock that is set between receipt and read gives no false time.
func TestAReceiptThatCannotBeIsNone(t *testing.T) {
	t.Parallel()
	const read, wall = 100_000_000, 5_000_000_000
	for _, c := range []struct {
		name           string
		stamp, earlier int64
		want           int64
	}{
		{"300 ns before the read", wall - 300, 0, read - 300},
		{"as early as what came before", wall - 300, read - 300, read - 300},
		{"no stamp", 0, 0, 0},
		{"the clock was set back", wall + 7000, 0, 0},
		{"a piece of what came before, by clocks read otherwise", wall - 380, read - 300, read - 300},
		{"the clock was set forward", wall - 7_000_000, read - 300, 0},
	} {
		if got := receipt(read, wall, c.stamp, c.earlier); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
	for name, oob := range map[string][]byte{"nothing": nil, "half a message": make([]byte, 20), "another's": make([]byte, 32)} {
		if got := stampIn(oob); got != 0 {
			t.Errorf("%s beside the bytes: %d", name, got)
		}
	}
}

// held is a reader that is held up before each read.
type held struct{ io.Reader }

func (h held) Read(p []byte) (int, error) {
	time.Sleep(150 * time.Millisecond)
	return h.Reader.Read(p)
}

// A client that is busy reads late, and says so; its stamps are the kernel's all
// the same.
func TestABusyClientStampsNoLater(t *testing.T) {
	t.Parallel()
	written := make(chan time.Time, 2)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for range 2 {
			written <- time.Now()
			io.WriteString(w, "data: {\"choices\":[{\"text\":\"x\"}]}\n\n") //nolint:errcheck // the client would miss it
			w.(http.Flusher).Flush()
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(300 * time.Millisecond)
		io.WriteString(w, "data: [DONE]\n\n") //nolint:errcheck // the client would miss it
	}))
	defer s.Close()
	c := NewOpenAI(OpenAIOptions{BaseURL: s.URL})
	defer c.Close()
	pair(t) // the kernel stamps from here on
	var lags histogram
	t0, tr := time.Now(), Timing{FirstByte: -1, FirstToken: -1}
	resp, conn, err := c.send(t.Context(), t0, []byte("{}"), &tr)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := read(held{resp.Body}, stamper{conn: conn, t0: t0, lags: &lags}, &tr, wish{}, false); err != nil || len(tr.Chunks) != 2 {
		t.Fatalf("%d chunks, %v", len(tr.Chunks), err)
	}
	for i := range 2 {
		if late := tr.Chunks[i].At() - (<-written).Sub(t0); late < -time.Millisecond || late > 50*time.Millisecond {
			t.Errorf("token %d is stamped %s after it was written", i, late)
		}
	}
	if s := lags.summary(); s == nil || s.Max < 100 {
		t.Errorf("reads %+v late, of one that was held up for 200 ms", s)
	}
}
