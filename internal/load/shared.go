package load

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"sync"
)

// shared are connections of HTTP/2 without TLS. Each carries as many requests as its
// server lets it, and no more are opened than these need: the library's own pool
// opens one for each request that finds no place.
type shared struct {
	transport *http.Transport
	mu        sync.Mutex
	conns     []*channel
	dialling  chan struct{} // closed when the one that is being opened is there, or is not; nil: none is
}

// channel is one of them.
type channel struct {
	*http.ClientConn
	socket net.Conn
	used   bool // carried a request before
}

// open has places for n requests. It asks each connection for what the address
// answers: from then on its server's limit is known.
func (s *shared) open(ctx context.Context, n int, address string, header http.Header) error {
	for places := 0; places < n; {
		conn, err := s.greet(ctx, address, header)
		if err != nil {
			return fmt.Errorf("connect: %w", outOfFiles(err))
		}
		here := conn.Available()
		if n := conn.InFlight(); n > 0 {
			here += n // the greeting, which is not cleared away yet
		} else {
			here = conn.Available()
		}
		if here == 0 {
			return errors.Join(errors.New("connect: the server closed a connection of HTTP/2, or lets it carry no request"), conn.Close())
		}
		places += here
		s.mu.Lock()
		s.conns = append(s.conns, conn)
		s.mu.Unlock()
	}
	return nil
}

// greet opens a connection and waits for an answer over it.
func (s *shared) greet(ctx context.Context, address string, header http.Header) (*channel, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	maps.Copy(req.Header, header)
	conn, err := s.dial(ctx, req.URL)
	if err != nil {
		return nil, err
	}
	resp, err := conn.RoundTrip(req)
	if err == nil {
		err = discard(resp.Body)
		resp.Body.Close()
	}
	switch {
	case err == nil:
		conn.used = true
		return conn, nil
	case !errors.Is(ctx.Err(), context.Canceled):
		err = fmt.Errorf("%w (workload.http: h2c is for servers that speak HTTP/2 without TLS; else use http1)", err)
	}
	return nil, errors.Join(err, conn.Close())
}

func (s *shared) dial(ctx context.Context, u *url.URL) (*channel, error) {
	var c channel
	var err error
	c.ClientConn, err = s.transport.NewClientConn(context.WithValue(ctx, socketKey{}, &c.socket), u.Scheme, net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), "80")))
	if err != nil {
		return nil, err
	}
	return &c, nil
}

// RoundTrip sends a request over the first connection that has a place for it, of
// which the library's own tells no trace.
func (s *shared) RoundTrip(req *http.Request) (*http.Response, error) {
	conn, used, err := s.reserve(req)
	if err != nil {
		return nil, err
	}
	if trace := httptrace.ContextClientTrace(req.Context()); trace != nil && trace.GotConn != nil {
		trace.GotConn(httptrace.GotConnInfo{Conn: conn.socket, Reused: used})
	}
	return conn.RoundTrip(req)
}

// reserve is a connection with a place for the request, a new one if need be, and
// whether it has carried others. One is opened at a time, and who finds no place
// meanwhile looks again when it is there.
func (s *shared) reserve(req *http.Request) (conn *channel, used bool, err error) {
	for {
		s.mu.Lock()
		if conn = s.place(); conn != nil {
			used, conn.used = conn.used, true
			s.mu.Unlock()
			return conn, used, nil
		}
		opened := s.dialling
		if opened == nil {
			s.dialling = make(chan struct{})
			s.mu.Unlock()
			conn, err = s.grow(req)
			return conn, false, err
		}
		s.mu.Unlock()
		select {
		case <-opened:
		case <-req.Context().Done():
			return nil, false, req.Context().Err()
		}
	}
}

// place is a connection on which a place is now the caller's; nil: there is none.
// Those that were closed it forgets. Hold mu.
func (s *shared) place() (conn *channel) {
	s.conns = slices.DeleteFunc(s.conns, func(c *channel) bool { return c.Err() != nil })
	for _, c := range s.conns {
		if c.Reserve() == nil {
			return c
		}
	}
	return nil
}

// grow opens a connection, with a place on it.
func (s *shared) grow(req *http.Request) (*channel, error) {
	conn, err := s.dial(req.Context(), req.URL)
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.dialling)
	s.dialling = nil
	if err != nil {
		return nil, err
	}
	s.conns, conn.used = append(s.conns, conn), true
	return conn, conn.Reserve()
}

// CloseIdleConnections closes all, when no request is in flight any more.
func (s *shared) CloseIdleConnections() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, conn := range s.conns {
		_ = conn.Close() // nothing is left on it
	}
	s.conns = nil
}
