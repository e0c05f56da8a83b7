package standin

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Main serves on a free port of this host, which it prints as a URL, until
// what gives it its standard input has gone.
func Main(in io.Reader, out io.Writer) error {
	return new(Server).Main(in, out)
}

// Main is the function of that name, of this server.
func (s *Server) Main(in io.Reader, out io.Writer) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(out, "http://%s\n", l.Addr()); err != nil {
		return err
	}
	go func() {
		io.Copy(io.Discard, in) //nolint:errcheck // its end is what is waited for, however it comes
		l.Close()
	}()
	if err := s.Serve(l); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// Process is a server in a process of its own; Stop it.
type Process struct {
	URL string
	cmd *exec.Cmd
	in  io.Closer
}

// Start runs a command that calls Main, on the given core; −1: on any.
func Start(ctx context.Context, core int, command ...string) (*Process, error) {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := OnCore(core, cmd.Start); err != nil {
		return nil, fmt.Errorf("start the stand-in server: %w", err)
	}
	p := &Process{cmd: cmd, in: in}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		p.Stop()
		return nil, fmt.Errorf("the stand-in server did not say where it listens: %w", err)
	}
	p.URL = strings.TrimSpace(line)
	return p, nil
}

// Stop ends the server and waits for it.
func (p *Process) Stop() {
	p.in.Close()
	p.cmd.Wait() //nolint:errcheck // what it had to say it has said
}

// Stamps fetches what the server stamped since it was last asked, by request.
func (p *Process) Stamps(ctx context.Context) (out map[string]Stamps, err error) {
	err = p.ask(ctx, "/stamps", &out)
	return out, err
}

// Seen is what the server was asked for until now.
func (p *Process) Seen(ctx context.Context) (s Seen, err error) {
	err = p.ask(ctx, "/seen", &s)
	return s, err
}

// CPUTime is what the server has used.
func (p *Process) CPUTime(ctx context.Context) (d time.Duration, err error) {
	err = p.ask(ctx, "/cpu", &d)
	return d, err
}

func (p *Process) ask(ctx context.Context, path string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.URL+path, nil)
	if err != nil {
		return err
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("ask the stand-in server: %w", err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		return fmt.Errorf("ask the stand-in server for %s: %w", path, err)
	}
	return nil
}

// Cores are two that this process may run on, the first for a client and the
// last for a server; ok is false where it has but one.
func Cores() (client, server int, ok bool) {
	var set unix.CPUSet
	if unix.SchedGetaffinity(0, &set) != nil || set.Count() < 2 {
		return -1, -1, false
	}
	client = -1
	for c := range len(set) * 64 {
		if !set.IsSet(c) {
			continue
		}
		if server = c; client < 0 {
			client = c
		}
	}
	return client, server, true
}

// Leave keeps this process off one core from now on, and says how many it has
// left.
func Leave(core int) (left int, err error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return 0, err
	}
	set.Clear(core)
	for range 2 { // again for the threads that were begun meanwhile by one that had not left
		threads, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return 0, err
		}
		for _, t := range threads {
			id, err := strconv.Atoi(t.Name())
			if err != nil {
				continue
			}
			if err := unix.SchedSetaffinity(id, &set); err != nil && !errors.Is(err, unix.ESRCH) {
				return 0, err
			}
		}
	}
	return set.Count(), nil
}

// OnCore starts something on one core: processes inherit those of the thread
// that starts them.
func OnCore(core int, start func() error) error {
	if core < 0 {
		return start()
	}
	runtime.LockOSThread()
	var all, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		return err
	}
	one.Set(core)
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return err
	}
	err := start()
	if back := unix.SchedSetaffinity(0, &all); back != nil {
		return errors.Join(err, back) // the thread stays locked, and ends with its goroutine
	}
	runtime.UnlockOSThread()
	return err
}
