package load

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Timed is a TCP connection that knows when the kernel received what was read
// from it, however late it was read, and when it was given what was written. One
// goroutine reads it at a time, and one writes.
type Timed struct {
	net.Conn
	raw  syscall.RawConn
	recv func(fd uintptr) bool // made once, as send: a read allocates nothing
	send func(fd uintptr) bool

	into []byte // of the read under way, as all that follow
	iov  unix.Iovec
	msg  unix.Msghdr
	oob  [oobBytes]byte
	n    int
	oobn int

	errno syscall.Errno

	received atomic.Int64 // what Received says
	lag      atomic.Int64 // from then to the read, ns

	from    []byte // what is left of the write under way
	failure error
	given   atomic.Int64 // what Given says
}

// oobBytes holds more than the one message that is asked for.
const oobBytes = 64

// NewTimed asks the kernel for the times of a connection. Where it gives none,
// Received says so.
func NewTimed(c net.Conn) (*Timed, error) {
	s, ok := c.(syscall.Conn)
	if !ok {
		return nil, fmt.Errorf("a %T has no socket", c)
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return nil, err
	}
	t := &Timed{Conn: c, raw: raw}
	t.recv = func(fd uintptr) bool {
		// unix.Recvmsg makes room for an address each time, which a stream has not.
		t.iov.Base = &t.into[0]
		t.iov.SetLen(len(t.into))
		t.msg = unix.Msghdr{Iov: &t.iov, Control: &t.oob[0]}
		t.msg.SetIovlen(1)
		t.msg.SetControllen(len(t.oob))
		n, errno := uintptr(0), unix.EINTR
		for errno == unix.EINTR {
			n, _, errno = unix.Syscall(unix.SYS_RECVMSG, fd, uintptr(unsafe.Pointer(&t.msg)), 0)
		}
		t.n, t.oobn, t.errno = int(n), int(t.msg.Controllen), errno
		if raceDetector && errno == 0 {
			_, _ = syscall.Read(int(fd), nil) // what was sent happened before: it sees no other read than its own
		}
		return errno != unix.EAGAIN
	}
	t.send = func(fd uintptr) bool {
		for len(t.from) > 0 {
			before := t.given.Swap(Monotonic(time.Now())) // first: the answer may come before the call returns
			n, err := syscall.Write(int(fd), t.from)
			if n > 0 {
				t.from = t.from[n:]
			} else {
				t.given.Store(before)
			}
			switch err {
			case nil, syscall.EINTR:
			case syscall.EAGAIN:
				return false
			default:
				t.failure = err
				return true
			}
		}
		return true
	}
	// A kernel that does not know it gives no times, which is all that is lost.
	_ = raw.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1) })
	return t, nil
}

// Read is the connection's.
func (t *Timed) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	t.into = p
	err := t.raw.Read(t.recv)
	now := time.Now()
	t.into = nil
	switch {
	case err != nil: // closed, or its deadline passed
		return 0, err
	case t.errno != 0:
		return 0, &net.OpError{Op: "read", Net: "tcp", Source: t.LocalAddr(), Addr: t.RemoteAddr(), Err: os.NewSyscallError("recvmsg", t.errno)}
	case t.n == 0:
		return 0, io.EOF
	}
	read := Monotonic(now)
	at := receipt(read, now.UnixNano(), stampIn(t.oob[:t.oobn]), t.received.Load())
	t.lag.Store(read - at) // first: who sees the new time sees its lag
	t.received.Store(at)
	return t.n, nil
}

// Write is the connection's.
func (t *Timed) Write(p []byte) (int, error) {
	t.from, t.failure = p, nil
	err := t.raw.Write(t.send)
	n := len(p) - len(t.from)
	t.from = nil
	if err == nil && t.failure != nil {
		err = &net.OpError{Op: "write", Net: "tcp", Source: t.LocalAddr(), Addr: t.RemoteAddr(), Err: os.NewSyscallError("write", t.failure)}
	}
	return n, err
}

// timedUnder is what carries c; nil: nothing that knows.
func timedUnder(c net.Conn) *Timed {
	if tls, ok := c.(interface{ NetConn() net.Conn }); ok {
		c = tls.NetConn()
	}
	t, _ := c.(*Timed)
	return t
}

// Received is when the kernel received the last byte of what was last read, in
// nanoseconds of CLOCK_MONOTONIC; 0: it did not say.
func (t *Timed) Received() int64 { return t.received.Load() }

// givenAt is when the kernel was last given bytes to send, in nanoseconds of
// CLOCK_MONOTONIC: before the call, after which a busy process may not run for a
// while. 0: it never was.
func (t *Timed) givenAt() int64 { return t.given.Load() }

// clocksApart is more than the time between the readings of two clocks, and less
// than anybody sets one by.
const clocksApart = time.Millisecond

// receipt puts the kernel's stamp of CLOCK_REALTIME on the clock that is never
// set, by a moment at which both were read, in nanoseconds. A clock that was set
// between stamp and read gives a time that cannot be: before what had come
// earlier, or not yet. Then, and without a stamp, it is unknown: 0. What was read
// in pieces came at once, however far apart the two clocks were read each time.
func receipt(mono, wall, stamp, earlier int64) int64 {
	at := mono - (wall - stamp)
	if stamp == 0 || at > mono || at < earlier-int64(clocksApart) {
		return 0
	}
	return max(at, earlier)
}

// stampIn finds the kernel's stamp, in nanoseconds of CLOCK_REALTIME, in what came
// beside the bytes; 0: there is none. Of several segments it is the last one's.
func stampIn(oob []byte) int64 {
	const seconds, nanoseconds = unix.SizeofCmsghdr, unix.SizeofCmsghdr + 8
	if len(oob) < nanoseconds+8 {
		return 0
	}
	// struct cmsghdr: the length, as long as a word, then level and type.
	level := binary.NativeEndian.Uint32(oob[unix.SizeofCmsghdr-8:])
	kind := binary.NativeEndian.Uint32(oob[unix.SizeofCmsghdr-4:])
	if level != unix.SOL_SOCKET || kind != unix.SCM_TIMESTAMPNS {
		return 0
	}
	return int64(binary.NativeEndian.Uint64(oob[seconds:]))*int64(time.Second) + int64(binary.NativeEndian.Uint64(oob[nanoseconds:]))
}

// stamper stamps what is read of one response.
type stamper struct {
	conn *Timed // nil: nothing that knows when bytes came
	t0   time.Time
	lags *histogram // nil: nobody asks
	last int64      // of the connection, when it was last looked at
	said time.Duration
}

// stamp is when the kernel received the last of what was just read of the
// response, or where it did not say, now; since t0, in the steps of chunks. Where
// several streams share the connection it is of what was last read for any: still
// no earlier than the truth, and no later than now. It never goes back.
func (s *stamper) stamp() time.Duration {
	s.said = max(s.said, inSteps(s.at()))
	return s.said
}

func (s *stamper) at() time.Duration {
	var at int64
	if s.conn != nil {
		at = s.conn.Received()
	}
	if at == 0 {
		return time.Since(s.t0)
	}
	if at != s.last {
		s.last = at
		if s.lags != nil {
			s.lags.add(time.Duration(s.conn.lag.Load()), 1)
		}
	}
	return time.Duration(at - Monotonic(s.t0))
}

// inSteps is d in the steps of chunks.
func inSteps(d time.Duration) time.Duration { return d >> stepBits << stepBits }
