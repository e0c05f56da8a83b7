package main

import (
	"errors"
	"io"
	"net"
	"sync"
	"testing"
)

// gate is a socket of the daemon's that can be shut.
type gate struct {
	t    *testing.T
	path string
	mu   sync.Mutex
	l    net.Listener
	all  []net.Conn
}

// gate has h reach the daemon through one.
func (h *host) gate() *gate {
	h.t.Helper()
	g := &gate{t: h.t, path: h.path("docker.sock")}
	g.open()
	h.t.Cleanup(g.shut)
	h.set("DOCKER_HOST", "unix://"+g.path)
	return g
}

func (g *gate) open() {
	l, err := net.Listen("unix", g.path)
	if err != nil {
		g.t.Fatal(err)
	}
	g.mu.Lock()
	g.l = l
	g.mu.Unlock()
	go func() {
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
			g.mu.Lock()
			g.all = append(g.all, in, out)
			g.mu.Unlock()
			go pipe(in, out)
			go pipe(out, in)
		}
	}()
}

func pipe(to, from net.Conn) {
	_, _ = io.Copy(to, from) // until one of them is closed
	if c, ok := to.(*net.UnixConn); ok {
		_ = c.CloseWrite() // it may be gone
	}
}

func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		g.t.Error(err)
	}
	for _, c := range g.all {
		c.Close()
	}
	g.all = nil
}
