package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/llenergymeasure/llem/internal/launch"
)

func TestExitCodes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		code int
	}{
		{usageError{errors.New("no such key")}, exitUsage},
		{fmt.Errorf("%w: a/b:1", launch.ErrNoImage), exitUsage},
		{fmt.Errorf("%w at unix:///s", launch.ErrAway), exitHost},
		{fmt.Errorf("%w: no driver", launch.ErrHost), exitHost},
		{&launch.Fault{Kind: launch.ExperimentFault, Err: errors.New("died")}, exitFailed},
		{&launch.Fault{Kind: launch.HostFault, Err: errors.New("full")}, exitHost},
		{&launch.Fault{Kind: launch.InterruptFault, Err: errors.New("interrupted")}, exitInterrupted},
		{fmt.Errorf("pull a/b:1: %w", context.Canceled), exitInterrupted},
		{errors.Join(&launch.Fault{Kind: launch.InterruptFault, Err: errors.New("interrupted")}, &launch.Fault{Kind: launch.HostFault, Err: launch.ErrAway}), exitInterrupted},
		{fmt.Errorf("%w: %w", launch.ErrAway, context.Canceled), exitInterrupted},
		{errors.New("anything else"), exitFailed},
	} {
		if got := codeOf(c.err); got != c.code {
			t.Errorf("%v: exit code %d, want %d", c.err, got, c.code)
		}
	}
}

// What a daemon that ended has stopped is not explained by the engine's log.
func TestADaemonThatEndedIsNotToldByTheEnginesLog(t *testing.T) {
	t.Parallel()
	for _, code := range []int{0, 137, 143} {
		var said strings.Builder
		a := &app{stderr: &said}
		died := &launch.Exited{ExitCode: code, LogTail: "RuntimeError: the engine's own"}
		err := &launch.Fault{Kind: launch.HostFault, Err: fmt.Errorf("%w any more (%w); start it", launch.ErrAway, died)}
		if got := a.exit(err); got != exitHost || strings.Contains(said.String(), "log") || strings.Contains(said.String(), "the engine's own") {
			t.Errorf("exit code %d\n%s", got, said.String())
		}
	}
}

// A server's cause may stand far above the end of its log.
func TestADeathIsToldByItsCauseAndTheEndOfItsLog(t *testing.T) {
	t.Parallel()
	const cause = "ValueError: Free memory on device cuda:0 is less than desired GPU memory utilization"
	after := func(n int) string { return cause + strings.Repeat("\n  File x.py", n-1) + "\nRuntimeError: see above" }
	for name, c := range map[string]struct {
		log  string
		want []string // the lines between the error and the hint: how they begin
	}{
		"far above":  {"INFO start\n" + after(100), append([]string{"it said first: " + cause, "the end of its log:"}, append(slices.Repeat([]string{"      File x.py"}, 24), "    RuntimeError: see above")...)},
		"at the end": {after(2), []string{"the end of its log:", "    " + cause, "      File x.py", "    RuntimeError: see above"}},
	} {
		for _, err := range []error{&launch.Exited{ExitCode: 1, LogTail: c.log}, &launch.NotReady{LogTail: c.log}} {
			var said strings.Builder
			a := &app{stderr: &said}
			if code := a.exit(fmt.Errorf("start: %w", err)); code != exitFailed {
				t.Errorf("%s: exit code %d", name, code)
			}
			lines := strings.Split(strings.TrimSpace(said.String()), "\n")
			if got := lines[1 : len(lines)-1]; !slices.Equal(got, c.want) {
				t.Errorf("%s: got %q, want %q", name, got, c.want)
			}
			if hint := lines[len(lines)-1]; !strings.Contains(hint, "gpu-memory-utilization") {
				t.Errorf("%s: hint %q", name, hint)
			}
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
