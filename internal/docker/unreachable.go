package docker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/docker/docker/client"
)

// unreachable tells the ways apart in which the daemon at host does not answer, and
// what to do.
func unreachable(host string, err error) error {
	var permission *net.OpError
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, os.ErrPermission), errors.As(err, &permission) && errors.Is(permission.Err, os.ErrPermission), strings.Contains(err.Error(), "permission denied"):
		return fmt.Errorf("%w %s; %s", errPermission, host, allowed(host))
	}
	return fmt.Errorf("%w at %s: %s; %s", errUnavailable, host, seenAt(host, err), startIt(host))
}

// allowed says how a socket may be used.
func allowed(host string) string {
	if path, ok := socketOf(host); ok && (isPodman(path) || strings.HasPrefix(path, "/run/user/")) {
		return "it is another user's: unset DOCKER_HOST, or name a socket of yours"
	}
	return "add yourself to its group (sudo usermod -aG docker $USER, then log in again) or run llem with sudo"
}

// seenAt is what is wrong at an address. Docker's client says no more of a socket
// than that it cannot connect.
func seenAt(host string, err error) string {
	path, ok := socketOf(host)
	switch {
	case !ok && client.IsErrConnectionFailed(err):
		return "nothing takes connections there"
	case !ok:
		return err.Error()
	}
	switch st, serr := os.Stat(path); {
	case errors.Is(serr, os.ErrNotExist):
		return "there is no such socket"
	case serr == nil && st.Mode()&os.ModeSocket == 0:
		return "it is no socket"
	}
	c, derr := net.DialTimeout("unix", path, time.Second)
	if derr != nil {
		return "the socket is there, and nothing listens on it"
	}
	c.Close()
	if errors.Is(err, context.DeadlineExceeded) {
		return "it takes connections and does not answer"
	}
	return err.Error()
}

func socketOf(host string) (path string, ok bool) {
	u, err := url.Parse(host)
	if err != nil || u.Scheme != "unix" {
		return "", false
	}
	return u.Path, true
}

func isPodman(path string) bool { return strings.Contains(path, "podman") }

// startIt says how what should listen at host is started, and which other daemon
// there is.
func startIt(host string) string {
	path, _ := socketOf(host)
	home, _ := os.UserHomeDir() // without one no socket is in it
	var do string
	switch {
	case isPodman(path) && strings.HasPrefix(path, "/run/podman/"):
		do = "start Podman's socket (sudo systemctl start podman.socket)"
	case isPodman(path):
		do = "start Podman's socket (systemctl --user start podman.socket)"
	case strings.HasPrefix(path, "/run/user/"):
		do = "start rootless Docker (systemctl --user start docker)"
	case home != "" && strings.HasPrefix(path, home+string(filepath.Separator)):
		do = "start the program that keeps the socket there, such as Docker Desktop or Colima"
	case path == "" && strings.HasPrefix(host, "tcp:"):
		do = "see that a daemon listens there"
	default:
		do = "start it (sudo systemctl start docker), or install it: https://docs.docker.com/engine/install/"
	}
	if os.Getenv(client.EnvOverrideHost) != "" {
		return do + "; DOCKER_HOST names this address: unset it to use the daemon at /var/run/docker.sock"
	}
	if name := currentContext(); name != "" {
		return fmt.Sprintf("%s; the docker command uses the context %q, which llem does not: %s", do, name, useContext(name))
	}
	if other := otherSocket(path); other != "" {
		return fmt.Sprintf("%s; another daemon listens: export DOCKER_HOST=unix://%s", do, other)
	}
	return do
}

// otherSocket is one of a daemon that answers like Docker's; empty: there is none.
func otherSocket(but string) string {
	own := os.Getenv("XDG_RUNTIME_DIR")
	for _, path := range []string{"/var/run/docker.sock", filepath.Join(own, "docker.sock"), filepath.Join(own, "podman/podman.sock"), "/run/podman/podman.sock"} {
		if path == but || !filepath.IsAbs(path) {
			continue
		}
		if c, err := net.DialTimeout("unix", path, time.Second); err == nil {
			c.Close()
			return path
		}
	}
	return ""
}
