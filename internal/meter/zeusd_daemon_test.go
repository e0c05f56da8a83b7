package meter

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// wantError holds an error to what it must say.
func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", parts)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error %q does not say %q", err, part)
		}
	}
}

// eventually polls for what another process or goroutine does.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	if !poll(done) {
		t.Fatalf("waited in vain: %s", what)
	}
}

func poll(done func() bool) bool {
	for end := time.Now().Add(20 * time.Second); !done(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}

// daemon plays zeusd on a socket: what it answers to /discover, and one answer
// after the other to the readings, the last for ever. An empty one is never given.
type daemon struct {
	discover string
	readings []string
	status   int // of the readings; 0 is 200
	asked    atomic.Int32
	queries  atomic.Value // of the last reading: a string
}

const oneGPU = `{"gpus": [{"id": 0, "name": "A100"}], "cpus": [], "enabled_api_groups": ["gpu-read"], "auth_required": false}`

// reading is what the daemon says when GPU 0's counter stands at so many mJ.
func reading(mj int) string { return fmt.Sprintf(`{"0": {"energy_mj": %d}}`, mj) }

// socketPath is in a folder of a short name: it may have 108 bytes.
func socketPath(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "zeusd")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "sock")
}

func (d *daemon) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	text := d.discover
	if r.URL.Path == "/gpu/get_cumulative_energy" {
		text = d.readings[min(int(d.asked.Add(1)), len(d.readings))-1]
		d.queries.Store(r.URL.RawQuery)
		if d.status != 0 {
			w.WriteHeader(d.status)
		}
	}
	if text == "" {
		<-r.Context().Done() // the client has gone
		return
	}
	_, _ = w.Write([]byte(text))
}

// serve starts the daemon and gives its socket.
func (d *daemon) serve(t *testing.T, with ...func(*http.Server)) string {
	t.Helper()
	path := socketPath(t)
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: d}
	for _, f := range with {
		f(s)
	}
	served := make(chan struct{})
	go func() { defer close(served); _ = s.Serve(l) }()
	t.Cleanup(func() { s.Close(); <-served })
	return path
}
