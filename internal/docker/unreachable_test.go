package docker

import (
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/llenergymeasure/llem/internal/launch"
)

// deadSocket is one that its program has left behind.
func deadSocket(t *testing.T, name string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "s") // a socket's path may have 108 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// A daemon that does not answer is told with what is wrong there, and with what
// starts that very daemon.
func TestDeadSocketsAreToldWithWhatStartsThem(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("DOCKER_CONFIG", home)
	t.Setenv("DOCKER_CONTEXT", "")
	plain := filepath.Join(home, "file")
	if err := os.WriteFile(plain, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for host, wants := range map[string][]string{
		"unix://" + deadSocket(t, "podman/podman.sock"):   {"the socket is there, and nothing listens on it", "systemctl --user start podman.socket", "unset it to use the daemon at /var/run/docker.sock"},
		"unix:///run/podman/nowhere/podman.sock":          {"there is no such socket", "sudo systemctl start podman.socket", "DOCKER_HOST names this address"},
		"unix:///run/user/77/podman/podman.sock":          {"there is no such socket", "systemctl --user start podman.socket"},
		"unix:///run/user/77/docker.sock":                 {"there is no such socket", "systemctl --user start docker"},
		"unix://" + home + "/.docker/desktop/docker.sock": {"there is no such socket", "Docker Desktop or Colima"},
		"unix://" + plain:                                 {"it is no socket", "DOCKER_HOST"},
		"unix://" + deadSocket(t, "docker.sock"):          {"nothing listens on it", "sudo systemctl start docker"},
		"tcp://127.0.0.1:9":                               {"127.0.0.1:9", "see that a daemon listens there", "DOCKER_HOST"},
	} {
		t.Setenv("DOCKER_HOST", host)
		_, err := reach(t.Context(), launch.Options{Log: slog.New(slog.DiscardHandler)})
		if !errors.Is(err, launch.ErrAway) {
			t.Errorf("%s: %v", host, err)
			continue
		}
		for _, want := range wants {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", host, err, want)
			}
		}
		if strings.Contains(err.Error(), "Is the docker daemon running") || strings.Contains(host, "podman") && strings.Contains(err.Error(), "systemctl start docker)") {
			t.Errorf("%s: %v is raw, or of another daemon", host, err)
		}
	}
}

// Without DOCKER_HOST the context of the docker command, or another socket that
// listens, is named.
func TestAnotherDaemonIsNamed(t *testing.T) {
	dir, err := os.MkdirTemp("", "s")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	t.Setenv("DOCKER_HOST", "")
	t.Setenv("DOCKER_CONTEXT", "")
	t.Setenv("DOCKER_CONFIG", dir)
	t.Setenv("XDG_RUNTIME_DIR", dir)
	if err := os.Mkdir(filepath.Join(dir, "podman"), 0o755); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(dir, "podman/podman.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if other := otherSocket("/var/run/docker.sock"); other != filepath.Join(dir, "podman/podman.sock") {
		t.Errorf("the other socket is %q", other)
	}
	if got := startIt("unix:///var/run/docker.sock"); !strings.Contains(got, "export DOCKER_HOST=unix://"+dir+"/podman/podman.sock") {
		t.Errorf("%s", got)
	}
	t.Setenv("DOCKER_CONTEXT", "lab")
	if got := startIt("unix:///var/run/docker.sock"); !strings.Contains(got, `uses the context "lab"`) || !strings.Contains(got, "docker context inspect lab") {
		t.Errorf("%s", got)
	}
	if begun := time.Now(); seenAt("unix:///nowhere.sock", errors.New("x")) != "there is no such socket" {
		t.Errorf("after %v", time.Since(begun))
	}
}
