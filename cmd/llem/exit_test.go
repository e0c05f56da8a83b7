package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/llenergymeasure/llem/internal/docker"
	"github.com/llenergymeasure/llem/internal/harness"
)

func TestExitCodes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		code int
	}{
		{usageError{errors.New("no such key")}, exitUsage},
		{fmt.Errorf("%w: a/b:1", docker.ErrImageNotFound), exitUsage},
		{fmt.Errorf("%w at unix:///s", docker.ErrUnavailable), exitHost},
		{fmt.Errorf("%w: no driver", docker.ErrNoGPURuntime), exitHost},
		{&harness.Fault{Kind: harness.ExperimentFault, Err: errors.New("died")}, exitFailed},
		{&harness.Fault{Kind: harness.HostFault, Err: errors.New("full")}, exitHost},
		{&harness.Fault{Kind: harness.InterruptFault, Err: errors.New("interrupted")}, exitInterrupted},
		{fmt.Errorf("pull a/b:1: %w", context.Canceled), exitInterrupted},
		{errors.New("anything else"), exitFailed},
	} {
		if got := codeOf(c.err); got != c.code {
			t.Errorf("%v: exit code %d, want %d", c.err, got, c.code)
		}
	}
}

// pullsForEver is a daemon that knows no image and never ends a pull, of whose
// begin it tells.
func (h *host) pullsForEver() (begun <-chan struct{}) {
	pulls := make(chan struct{}, 1)
	path := h.path("daemon.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		h.t.Fatal(err)
	}
	s := &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/_ping"):
			w.Header().Set("Api-Version", "1.41")
		case strings.HasSuffix(r.URL.Path, "/images/create"):
			pulls <- struct{}{}
			<-r.Context().Done()
		default:
			http.Error(w, `{"message": "no such thing"}`, http.StatusNotFound)
		}
	})}}
	s.Start()
	h.t.Cleanup(s.Close)
	h.set("DOCKER_HOST", "unix://"+path)
	return pulls
}

// A pull takes minutes: who stops it is told that he did.
func TestAPullThatIsInterruptedIsNoMissingImage(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	pulls := h.pullsForEver()
	c := h.start("run", "--image", "a/b:1", "--model", "reference/tiny", "-o", h.path("out"))
	<-pulls
	if err := c.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	c.finish().refused(t, exitInterrupted, "pulling docker.io/a/b:1", "interrupted")
}
