package main

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"net"
	"net/url"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/llenergymeasure/llem/internal/load"
	"github.com/llenergymeasure/llem/internal/load/standin"
	"github.com/llenergymeasure/llem/internal/stats"
)

// interval is that of 20 tokens a second.
const interval = 50 * time.Millisecond

// ramp is the time over which the requests are sent: the server must have read
// one before the next comes, or its stamp of it is late and TTFT seems wrong.
const ramp = 2 * time.Second

// drive runs n streams of so many tokens and holds them to the server's word.
func drive(ctx context.Context, base string, n, tokens int, stalled bool) (figures, error) {
	if stalled {
		stop, err := stall(base)
		if err != nil {
			return figures{}, fmt.Errorf("stall a reader: %w", err)
		}
		defer stop()
	}
	server := standin.Process{URL: base}
	got, err := server.Try(ctx, standin.Trial{Streams: n, Tokens: tokens, Interval: interval, Halting: stalled, Over: ramp})
	if err != nil {
		return figures{}, err
	}
	truth, err := server.Stamps(ctx)
	if err != nil {
		return figures{}, err
	}
	f := figures{Streams: n, Stalled: stalled, ReadLag: got.Run.ReadLag, Audit: got.Audit, CostUS: float64(got.Cost()) / 1e3}
	return f, f.compare(got.Run, truth)
}

// compare fills in the errors.
func (f *figures) compare(run load.Run, truth map[string]standin.Stamps) error {
	var ttft, token, late []float64
	for _, tr := range run.Timings.All() {
		st := truth[strconv.Itoa(tr.ID)]
		if len(tr.Chunks) != len(st.Written) {
			return fmt.Errorf("request %d: %d tokens were stamped here, %d by the server", tr.ID, len(tr.Chunks), len(st.Written))
		}
		ttft = append(ttft, math.Abs(float64(int64(tr.FirstToken-tr.Sent)-(st.Written[0]-cmp.Or(st.Arrived, st.Received)))/1e6))
		for k, c := range tr.Chunks {
			token = append(token, float64(load.Monotonic(run.T0.Add(c.At()))-st.Written[k])/1e6)
			late = append(late, float64(st.Written[k]-st.Due[k])/1e6)
		}
	}
	f.TTFT, f.Token, f.Late = *stats.Summarise(ttft), *stats.Summarise(token), *stats.Summarise(late)
	return nil
}

// stall opens a stream as fast as the server can send, and never reads it. It
// returns when the kernel's buffers are full and the server is stuck.
func stall(base string) (stop func(), err error) {
	u, err := url.Parse(base)
	if err != nil {
		return nil, err
	}
	c, err := net.Dial("tcp", u.Host)
	if err != nil {
		return nil, err
	}
	body := fmt.Sprintf(`{"prompt":"stalled","max_tokens":%d}`, math.MaxInt32)
	if _, err = fmt.Fprintf(c, "POST /v1/completions HTTP/1.1\r\nHost: standin\r\nContent-Length: %d\r\n\r\n%s", len(body), body); err == nil {
		err = full(c)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return func() { c.Close() }, nil
}

// full waits until no more comes.
func full(c net.Conn) error {
	raw, err := c.(syscall.Conn).SyscallConn()
	if err != nil {
		return err
	}
	for before, now := -1, 0; now == 0 || now != before; time.Sleep(200 * time.Millisecond) {
		before = now
		var ioctl error
		if err := raw.Control(func(fd uintptr) { now, ioctl = unix.IoctlGetInt(int(fd), unix.TIOCINQ) }); err != nil {
			return err
		}
		if ioctl != nil {
			return ioctl
		}
	}
	return nil
}
