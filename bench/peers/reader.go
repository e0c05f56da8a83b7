package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// reader is no client. In one thread it waits for streams, reads them and throws
// them away: what a token costs it, none can be much under.
type reader struct{ bin string }

func (reader) name() string         { return "reading alone" }
func (reader) command() string      { return "" } // it is this program's own
func (reader) at(bin string) client { return reader{bin} }
func (reader) version() []string    { return []string{"echo", "one thread, epoll"} }

func (c reader) args(j job) ([]string, error) {
	if j.rate > 0 {
		return nil, errors.New("it has closed loops alone")
	}
	return []string{c.bin, "-read", strings.TrimPrefix(j.url, "http://"), strconv.Itoa(j.concurrency), strconv.Itoa(j.n / j.concurrency), strconv.Itoa(j.output)}, nil
}

func (reader) read(j job) (f figures, err error) {
	return f, decode(j, "reader.json", &f)
}

// readAll drives each of so many connections for so many requests, one after the
// other, and leaves what it saw in reader.json.
func readAll(args []string) error {
	if len(args) != 4 {
		return errors.New("-read: want ADDRESS STREAMS REQUESTS TOKENS")
	}
	var n [3]int
	for i := range n {
		var err error
		if n[i], err = strconv.Atoi(args[i+1]); err != nil {
			return err
		}
	}
	streams, each, output := n[0], n[1], n[2]
	body := fmt.Sprintf(`{"prompt":"%s","max_tokens":%d,"stream":true}`, prompts(1)[0], output)
	request := fmt.Appendf(nil, "POST /v1/completions HTTP/1.1\r\nHost: standin\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	epoll, err := unix.EpollCreate1(0)
	if err != nil {
		return err
	}
	start := time.Now()
	left := map[int32]int{}
	for range streams {
		c, err := net.Dial("tcp", args[0])
		if err != nil {
			return err
		}
		f, err := c.(*net.TCPConn).File()
		if err != nil {
			return err
		}
		c.Close()
		defer f.Close()
		fd := int32(f.Fd())
		left[fd] = each
		if err := unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, int(fd), &unix.EpollEvent{Events: unix.EPOLLIN, Fd: fd}); err != nil {
			return err
		}
		if _, err := unix.Write(int(fd), request); err != nil {
			return err
		}
	}
	done, err := drain(epoll, left, request)
	if err != nil {
		return err
	}
	seconds := time.Since(start).Seconds()
	data, err := json.Marshal(figures{
		Completed: done, Output: float64(done * output), Requests: float64(done) / seconds, Tokens: float64(done*output) / seconds,
	})
	if err != nil {
		return err
	}
	return os.WriteFile("reader.json", data, 0o644)
}

// drain reads until no connection has requests left, and counts answers.
func drain(epoll int, left map[int32]int, request []byte) (done int, err error) {
	events, buf := make([]unix.EpollEvent, len(left)), make([]byte, 64<<10)
	for open := len(left); open > 0; {
		n, err := unix.EpollWait(epoll, events, -1)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return done, err
		}
		for _, e := range events[:max(0, n)] {
			k, err := unix.Read(int(e.Fd), buf)
			if err != nil || k == 0 {
				return done, fmt.Errorf("a stream ended early: %v", err)
			}
			// The server writes an answer's end at once, and the whole of one fits in here.
			if !bytes.HasSuffix(buf[:k], []byte("\r\n0\r\n\r\n")) {
				continue
			}
			done++
			if left[e.Fd]--; left[e.Fd] == 0 {
				open--
				continue
			}
			if _, err := unix.Write(int(e.Fd), request); err != nil {
				return done, err
			}
		}
	}
	return done, nil
}
