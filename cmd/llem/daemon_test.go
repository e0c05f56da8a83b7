package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// daemon is a Docker daemon on TCP that answers as told, for what must not be done
// to a real one.
type daemon struct {
	answers map[string]string // by method and path without the API's version: status and body
	mu      sync.Mutex
	asked   []string
}

func (d *daemon) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Path
	if strings.HasPrefix(path, "/v1.") {
		path = path[strings.Index(path[1:], "/")+1:]
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Api-Version", "1.41")
	if path == "/_ping" {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked = append(d.asked, r.Method+" "+path)
	answer, ok := d.answers[r.Method+" "+path]
	if filtered, there := d.answers[r.Method+" "+path+"?"+r.URL.Query().Get("filters")]; there {
		answer, ok = filtered, true
	}
	code := http.StatusOK
	switch {
	case !ok:
		code, answer = http.StatusNotFound, `{"message":"no such thing"}`
	case answer == "":
		code = http.StatusNoContent
	}
	w.WriteHeader(code)
	io.WriteString(w, answer) //nolint:errcheck // a test's answer
}

// say changes an answer.
func (d *daemon) say(request, answer string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.answers[request] = answer
}

// did says whether the daemon was asked for that.
func (d *daemon) did(request string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, a := range d.asked {
		if a == request {
			return true
		}
	}
	return false
}

// standIn has h use a daemon of the test's in place of the host's.
func (h *host) standIn(answers map[string]string) *daemon {
	h.t.Helper()
	d := &daemon{answers: answers}
	s := httptest.NewServer(d)
	h.t.Cleanup(s.Close)
	h.set("DOCKER_HOST", "tcp://"+s.Listener.Addr().String())
	return d
}

// The meter is here: a daemon whose kernel is another is refused before anything is measured.
func TestADaemonInAVirtualMachineIsRefused(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.standIn(map[string]string{"GET /version": `{"Version":"28.3.0"}`, "GET /info": `{"KernelVersion":"6.6.12-linuxkit"}`})
	h.llem(h.quick()...).refused(t, exitHost, "6.6.12-linuxkit", "energy.backend: none")
}
