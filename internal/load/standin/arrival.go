package standin

import (
	"encoding/binary"
	"io"
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/llenergymeasure/llem/internal/load"
)

// arrivals reads a connection and knows when the kernel received the last of what was
// read, however late the server was to read it.
type arrivals struct {
	raw syscall.RawConn
	oob [128]byte
	at  int64 // of CLOCK_MONOTONIC, ns; 0: the kernel did not say
}

// newArrivals asks the kernel for the times on a TCP connection.
func newArrivals(c net.Conn) (*arrivals, error) {
	raw, err := c.(syscall.Conn).SyscallConn()
	if err != nil {
		return nil, err
	}
	var opt error
	if err := raw.Control(func(fd uintptr) { opt = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1) }); err != nil {
		return nil, err
	}
	return &arrivals{raw: raw}, opt
}

func (a *arrivals) Read(p []byte) (int, error) {
	var n, oobn int
	var err error
	if rerr := a.raw.Read(func(fd uintptr) bool {
		n, oobn, _, _, err = unix.Recvmsg(int(fd), p, a.oob[:], 0)
		return err != unix.EAGAIN && err != unix.EINTR
	}); rerr != nil {
		return 0, rerr
	}
	if err != nil {
		return 0, err
	}
	if n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	a.at = 0
	list, err := unix.ParseSocketControlMessage(a.oob[:oobn])
	if err != nil {
		return n, nil //nolint:nilerr // what was read was read; the kernel did not say when it came
	}
	for _, m := range list {
		if m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SCM_TIMESTAMPNS && len(m.Data) >= 16 { // seconds and nanoseconds
			stamp := int64(binary.NativeEndian.Uint64(m.Data))*1e9 + int64(binary.NativeEndian.Uint64(m.Data[8:]))
			now := time.Now()
			a.at = load.Monotonic(now) - (now.UnixNano() - stamp) // the stamp is of CLOCK_REALTIME
		}
	}
	return n, nil
}
