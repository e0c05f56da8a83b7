package main

import (
	"bytes"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/llenergymeasure/llem/internal/meter/standin"
	"github.com/llenergymeasure/llem/internal/result"
)

// hanging stands before the daemon, until it hangs: then it takes what llem says and
// nothing comes back.
type hanging struct {
	mu    sync.Mutex
	at    string        // of a request's head, with which it begins to hang
	hangs chan struct{} // closed as it does
	free  chan struct{} // closed as it answers again
}

// hang has h reach its daemon through one that begins to hang with a request; empty:
// when it is told.
func (h *host) hang(at string) *hanging {
	h.t.Helper()
	g := &hanging{at: at, hangs: make(chan struct{}), free: make(chan struct{})}
	// A socket's path is short.
	dir, err := os.MkdirTemp("", "llem-hang-")
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { os.RemoveAll(dir) })
	l, err := net.Listen("unix", dir+"/s")
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { l.Close() })
	to := strings.TrimPrefix(os.Getenv("DOCKER_HOST"), "unix://")
	if to == "" {
		to = "/var/run/docker.sock"
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			d, err := net.Dial("unix", to)
			if err != nil {
				c.Close()
				return
			}
			go g.carry(d, c, true)
			go g.carry(c, d, false)
		}
	}()
	h.set("DOCKER_HOST", "unix://"+dir+"/s")
	return g
}

// carry passes on what is said. A request that it hangs with gets through.
func (g *hanging) carry(to, from net.Conn, asks bool) {
	defer to.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			if asks && g.at != "" && bytes.Contains(buf[:n], []byte(g.at)) {
				g.begin()
			} else if g.begun() {
				<-g.free
			}
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (g *hanging) begin() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.begun() {
		close(g.hangs)
	}
}

func (g *hanging) begun() bool {
	select {
	case <-g.hangs:
		return true
	default:
		return false
	}
}

// interrupt sends c one.
func (c *command) interrupt() {
	c.h.t.Helper()
	if err := c.Process.Signal(os.Interrupt); err != nil {
		c.h.t.Fatal(err)
	}
}

// hurried is more than a second interrupt takes, and far less than the daemon would
// be given: a minute to make or to remove a container.
const hurried = 30 * time.Second

// The first interrupt puts the GPU back before it talks to the daemon, the second
// ends llem though the daemon hangs, and clean finds what is left when it answers.
func TestInterruptsDoNotWaitForADaemonThatHangs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		at     string // request that it hangs with
		phase  string // or phase in which it begins to
		code   int
		status string // of the record; empty: there is none
	}{
		{"as it makes the container", "POST /v1.41/containers/create", "", exitInterrupted, result.Interrupted},
		{"as it starts the container", "/start HTTP", "", exitInterrupted, result.Interrupted},
		{"in the window", "", "window", exitInterrupted, result.Interrupted},
		{"as it fetches the log", "/logs?", "", exitHost, result.Completed},
		{"as it removes the container", "DELETE /v1.41/containers", "", exitHost, result.Completed},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, standin.GPU{})
			g := h.hang(c.at)
			config := h.tuned("0", settings250, "1")
			run := h.start("run", "--quick", "-o", h.path("out"), config)
			if c.phase != "" {
				run.reach(c.phase)
				g.begin()
			}
			until(t, "the daemon hangs", g.begun)
			run.interrupt()
			until(t, "the GPU is put back", func() bool { limit, mhz := h.gpus.Settings(0); return limit == 400 && mhz == 0 })
			if run.ended() && c.code == exitInterrupted {
				t.Error("it ended before the second interrupt, and did not ask for its container")
			}
			second := time.Now()
			run.interrupt()
			o := run.finish()
			if took := time.Since(second); took > hurried {
				t.Errorf("it ended %v after the second interrupt", took)
			}
			if r := o.record(t); o.code != c.code || r.Status != c.status {
				t.Errorf("exit %d, status %s; want %d, %s\n%s", o.code, r.Status, c.code, c.status, o.stderr)
			}
			h.untouched()
			close(g.free)
			h.t.Log(h.start("clean").finish().stdout)
			h.clean(run.Process.Pid)
		})
	}
}

// The third interrupt leaves the container to clean, and nothing of the GPU.
func TestTheThirdInterruptLeavesTheGPUAsItWas(t *testing.T) {
	t.Parallel()
	for _, study := range []bool{false, true} {
		h := newHost(t, standin.GPU{})
		g := h.hang("")
		config := h.tuned("0", settings250, "1")
		if study {
			data, err := os.ReadFile(config)
			if err == nil {
				err = os.WriteFile(config, append(data, "sweep: {seed: [1, 2]}\n"...), 0o644)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		run := h.start("run", "--quick", "-o", h.path("out"), config)
		run.reach("window")
		h.set250(0)
		g.begin()
		for range 3 {
			run.interrupt()
		}
		// Three that come at once may be taken for two.
		for !run.ended() {
			_ = run.Process.Signal(os.Interrupt)
			time.Sleep(50 * time.Millisecond)
		}
		if o := run.finish(); o.code != exitInterrupted {
			t.Errorf("exit %d\n%s", o.code, o.stderr)
		}
		h.untouched()
		close(g.free)
		if o := h.start("clean").finish(); o.code != exitDone {
			t.Errorf("clean: exit %d\n%s%s", o.code, o.stdout, o.stderr)
		}
		h.clean(run.Process.Pid)
	}
}
