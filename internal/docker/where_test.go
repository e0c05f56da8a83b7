package docker

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/llenergymeasure/llem/internal/launch"
)

func TestWhichDaemonsAreOfThisHost(t *testing.T) {
	own, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for address, far := range map[string]bool{
		"": false, "unix:///var/run/docker.sock": false, "tcp://127.0.0.1:2375": false, "tcp://127.1.2.3:2375": false,
		"tcp://[::1]:2375": false, "tcp://localhost:2375": false, "tcp://no-such-host.invalid:2375": false, "nonsense": false,
		"tcp://203.0.113.1:2375": true, "tcp://[2001:db8::1]:2376": true, "ssh://ann@localhost": true, "ssh://gpu-node": true,
	} {
		if err := near(t.Context(), address); errors.Is(err, launch.ErrHost) != far || err != nil && !strings.Contains(err.Error(), address) {
			t.Errorf("%q: %v; on another host: want %v", address, err, far)
		}
	}
	for _, a := range own {
		host := a.(*net.IPNet).IP
		if host.IsLinkLocalUnicast() { // needs a zone
			continue
		}
		if err := near(t.Context(), "tcp://"+net.JoinHostPort(host.String(), "2375")); err != nil {
			t.Errorf("this host's own address: %v", err)
		}
	}
}

// A daemon behind a forwarded socket, or in a virtual machine, has another kernel.
func TestADaemonWithAnotherKernelIsElsewhere(t *testing.T) {
	own, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		t.Fatal(err)
	}
	for kernel, says := range map[string]string{strings.TrimSpace(string(own)): "", "": "", "6.6.12-linuxkit": "6.6.12-linuxkit"} {
		fake(t, map[string]http.HandlerFunc{"GET /version": say(200, `{"Version":"28.3.0"}`), "GET /info": say(200, `{"KernelVersion":"`+kernel+`"}`)})
		i, err := openFake(t).Describe(t.Context())
		if err != nil || (i.Elsewhere == "") != (says == "") || !strings.Contains(i.Elsewhere, says) {
			t.Errorf("kernel %q: %q, %v", kernel, i.Elsewhere, err)
		}
	}
}

// forward serves the host's daemon on TCP until the test ends.
func forward(t *testing.T) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	t.Cleanup(func() { l.Close(); all.Wait() })
	all.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("unix", "/var/run/docker.sock")
			if err != nil {
				in.Close()
				continue
			}
			all.Go(func() { io.Copy(out, in); out.Close() }) //nolint:errcheck // whoever ends first ends both
			all.Go(func() { io.Copy(in, out); in.Close() })  //nolint:errcheck // whoever ends first ends both
		}
	})
	return "tcp://" + l.Addr().String()
}

// An engine runs through a daemon that this host serves on TCP.
func TestADaemonOnLoopback(t *testing.T) {
	if _, err := os.Stat("/var/run/docker.sock"); err != nil || !haveDaemon {
		if os.Getenv("CI") == "true" {
			t.Fatal("no daemon at its usual socket: ", err)
		}
		t.Skip("no daemon at its usual socket")
	}
	t.Setenv("DOCKER_HOST", forward(t))
	d, err := reach(t.Context(), launch.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	if i, err := d.Describe(t.Context()); err != nil || i.Elsewhere != "" {
		t.Errorf("%q, %v", i.Elsewhere, err)
	}
	s, err := started(t, d, spec(t, ""))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}
