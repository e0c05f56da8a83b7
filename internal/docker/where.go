package docker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"

	"github.com/llenergymeasure/llem/internal/launch"
)

// errElsewhere is a daemon on another host, whose GPUs cannot be read here.
var errElsewhere = launch.Mark(launch.ErrHost, errors.New("the Docker daemon is on another host"))

// near refuses an address on another host. One that nobody can read, or whose
// name nobody knows, is left to those who dial it.
func near(ctx context.Context, address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme == "unix" {
		return nil
	}
	refused := fmt.Errorf("%w: DOCKER_HOST is %s; the meter is here and the GPU is there: run llem on that host, or unset DOCKER_HOST", errElsewhere, address)
	if u.Scheme == "ssh" {
		return refused
	}
	addresses, err := net.DefaultResolver.LookupIPAddr(ctx, u.Hostname())
	if err != nil {
		return nil
	}
	own, err := net.InterfaceAddrs()
	if err != nil {
		return fmt.Errorf("list this host's addresses: %w", err)
	}
	for _, a := range addresses {
		if a.IP.IsLoopback() || among(own, a.IP) {
			return nil
		}
	}
	return refused
}

// among says whether an address is one of this host's.
func among(own []net.Addr, ip net.IP) bool {
	for _, o := range own {
		if n, ok := o.(*net.IPNet); ok && n.IP.Equal(ip) {
			return true
		}
	}
	return false
}

// elsewhere says why a daemon that is reached here is yet on another machine: in
// a virtual one, or behind a socket or port that is forwarded. Every process of a
// host, in whatever container, has the host's kernel. Empty: nothing speaks for
// it.
func elsewhere(kernel string) string {
	data, err := os.ReadFile("/proc/sys/kernel/osrelease")
	own := strings.TrimSpace(string(data))
	if err != nil || kernel == "" || kernel == own {
		return ""
	}
	return fmt.Sprintf("its kernel is %s, and this host's %s", kernel, own)
}
