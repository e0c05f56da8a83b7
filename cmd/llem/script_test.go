package main

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestScripts plays testdata/script/*.txtar, each with llem in a new folder, without a GPU,
// a Docker daemon or settings. The folder has the script's files and older, a result that an
// earlier llem has left. CONTRIBUTING.md says how one is written.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			for name, path := range map[string]string{
				"HOME": "home", "XDG_CONFIG_HOME": "home/config", "XDG_CACHE_HOME": "home/cache", "LLEM_LOCK_DIR": "home/locks",
				"LLEM_POWERCAP": "home/no-powercap", "LLEM_PYTHON": "home/no-python", "ZEUSD_SOCK_PATH": "home/no-zeusd",
			} {
				e.Setenv(name, filepath.Join(e.WorkDir, path))
			}
			e.Setenv("DOCKER_HOST", "unix:///nowhere.sock")
			// A library that cannot be loaded hides the driver that this host may have.
			e.Setenv("LD_LIBRARY_PATH", filepath.Join(e.WorkDir, "home"))
			return errors.Join(os.MkdirAll(filepath.Join(e.WorkDir, "home/locks"), 0o755), os.WriteFile(filepath.Join(e.WorkDir, "home/libnvidia-ml.so.1"), nil, 0o644),
				os.CopyFS(filepath.Join(e.WorkDir, "older"), os.DirFS("testdata/older")))
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "daemon": answering, "points": points},
	})
}

// exits runs a command that has to end with an exit code: exits CODE llem ...
func exits(s *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		s.Fatalf("usage: exits CODE PROGRAM [ARGUMENT...]")
	}
	want, err := strconv.Atoi(args[0])
	s.Check(err)
	code := 0
	var exit *exec.ExitError
	if err := s.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		code = exit.ExitCode()
	} else {
		s.Check(err)
	}
	if code != want {
		s.Fatalf("exit code %d, want %d", code, want)
	}
}

// answering starts a daemon that has the image llem/reference, and makes no container.
func answering(s *testscript.TestScript, _ bool, _ []string) {
	d := &daemon{answers: map[string]string{
		"GET /version": `{"Version":"28.3.0"}`, "GET /info": `{}`, "GET /containers/json": `[]`,
		"GET /images/llem/reference/json": fmt.Sprintf(`{"Id": "sha256:%s", "Os": "linux", "Architecture": %q, "Config": {"Labels": {"io.llem.engine": "reference"}, "Entrypoint": ["/reference"]}}`, strings.Repeat("5", 64), runtime.GOARCH),
	}}
	server := httptest.NewServer(d)
	s.Defer(server.Close)
	s.Setenv("DOCKER_HOST", "tcp://"+server.Listener.Addr().String())
}

// points leaves three results of each of two points in out.
func points(s *testscript.TestScript, _ bool, _ []string) {
	_, err := kept(s.MkAbs("out"))
	s.Check(err)
}
