package load

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Streams that come in odd ways, over a socket, are the same answer.
func TestOddStreamsAreTheSameAnswer(t *testing.T) {
	t.Parallel()
	whole := ": ping\n\n" + one + last + counts + done
	long := strings.Repeat("a long answer, ", 70_000) // over 1 MB
	for name, c := range map[string]struct {
		handle http.HandlerFunc
		chunks int
	}{
		"byte by byte": {func(w http.ResponseWriter, _ *http.Request) {
			pieces := make([]string, len(whole))
			for i := range pieces {
				pieces[i] = whole[i : i+1]
			}
			write(w, pieces...)
		}, 2},
		"CRLF, LF and CR in one": {func(w http.ResponseWriter, _ *http.Request) {
			write(w, ": ping\r\n\r\n", strings.ReplaceAll(one, "\n", "\r\n"), strings.ReplaceAll(last, "\n", "\r"), counts, "data: [DONE]\r\n\n")
		}, 2},
		"a line of 1 MB": {func(w http.ResponseWriter, _ *http.Request) {
			write(w, strings.Replace(one, `"a"`, `"`+long+`"`, 1), last, counts, done)
		}, 2},
		"1 MB of comments": {func(w http.ResponseWriter, _ *http.Request) {
			write(w, one, ": "+long+"\n\n", last, counts, done)
		}, 2},
		"trailers": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Trailer", "X-Tokens")
			write(w, whole)
			w.Header().Set("X-Tokens", "2")
		}, 2},
		"all at once": {func(w http.ResponseWriter, _ *http.Request) { write(w, whole) }, 2},
		"no chunked encoding": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(len(whole)))
			io.WriteString(w, whole) //nolint:errcheck // the client may have gone
		}, 2},
		"until the connection closes": {func(w http.ResponseWriter, _ *http.Request) {
			raw(t, w, "HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"+whole)
		}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := serve(t, OpenAIOptions{Timeout: 30 * time.Second}, c.handle)
			for range 2 { // the second on what became of the connection
				tr := once(t, client)
				if tr.Status != StatusOK || tr.OutputTokens != 2 || tr.InputTokens != 3 || tr.UsageSource != "server" || len(tr.Chunks) != c.chunks {
					t.Errorf("%+v", tr)
				}
			}
		})
	}
}

// raw writes a response by hand, and closes the connection.
func raw(t *testing.T, w http.ResponseWriter, text string) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close()
	io.WriteString(conn, text) //nolint:errcheck // the client may have gone
	_ = conn.(*net.TCPConn).CloseWrite()
}

// Streams that never end are given up: by what they hold, or by the clock.
func TestStreamsThatNeverEnd(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		handle  http.HandlerFunc
		timeout time.Duration
		status  string
		says    string
	}{
		"tokens without an end": {func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				write(w, strings.Repeat(one, 500))
			}
		}, time.Minute, StatusFailed, "the answer does not end"},
		"a line without an end": {func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				write(w, strings.Repeat("x", 1<<20))
			}
		}, time.Minute, StatusFailed, "longer than llem reads"},
		"pings without an end": {func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.ReadAll(r.Body)
			for r.Context().Err() == nil {
				write(w, ": ping\n\n")
				time.Sleep(time.Millisecond)
			}
		}, 200 * time.Millisecond, StatusTimeout, "workload.request_timeout_seconds"},
		"one that says [DONE] and stays": {func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.ReadAll(r.Body)
			write(w, one, last, counts, done)
			<-r.Context().Done()
		}, 200 * time.Millisecond, StatusOK, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := once(t, serve(t, OpenAIOptions{Timeout: c.timeout}, c.handle))
			if tr.Status != c.status || !strings.Contains(tr.Error, c.says) || len(tr.Chunks) > 10_000 {
				t.Errorf("status %s after %d chunks: %s", tr.Status, len(tr.Chunks), tr.Error)
			}
		})
	}
}
