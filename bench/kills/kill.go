package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Times that nothing of a case may take.
const (
	endLimit  = 90 * time.Second // of a llem that was told to end
	callLimit = 3 * time.Minute  // of one that runs to its end
)

// result is what became of a case.
type result struct {
	phase   string // in which the first signal came; empty: the run had ended
	outcome string
	faults  []string
	log     []string // of what llem printed
}

func (r *result) fault(format string, args ...any) {
	r.faults = append(r.faults, fmt.Sprintf(format, args...))
}

// process is a llem under way.
type process struct {
	cmd    *exec.Cmd
	mu     sync.Mutex
	lines  []string
	phase  string // of the last status line
	begun  chan string
	ended  chan struct{} // closed when the process has ended
	usual  func(phase string, took time.Duration)
	phased time.Time
}

// start begins a llem and follows its status lines.
func (h *host) start(k kind, args ...string) (*process, error) {
	p := &process{cmd: exec.Command(h.llem, args...), phase: "start", begun: make(chan string, 1000), ended: make(chan struct{}), phased: time.Now()}
	p.cmd.Env, p.cmd.Dir = h.env, h.dir
	p.usual = func(phase string, took time.Duration) {
		key := string(k) + phase
		if was, known := h.usual[key]; known {
			took = (3*was + took) / 4
		}
		h.usual[key] = took
	}
	// A pipe of the process's own, so that nothing that llem starts holds it open.
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go p.follow(stderr)
	return p, nil
}

func (p *process) follow(stderr io.Reader) {
	defer close(p.ended)
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		p.said(lines.Text())
	}
	_ = p.cmd.Wait() // its exit code is asked for by others
}

// said takes one line; a status line has its phase in the first 14 columns.
func (p *process) said(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lines = append(p.lines, line)
	name := strings.TrimSpace(line[:min(len(line), 14)])
	ends := strings.HasPrefix(line[min(len(line), 15):], "done in")
	switch {
	case !slices.Contains(phases, name):
	case ends && name == "after", ends && name == "preflight" && p.phase == "":
		p.enter("end")
	case !ends:
		p.enter(name)
	}
}

func (p *process) enter(phase string) {
	now := time.Now()
	p.usual(p.phase, now.Sub(p.phased))
	p.phase, p.phased = phase, now
	select {
	case p.begun <- phase:
	default: // more phases than any study has
	}
}

func (p *process) now() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.phase
}

// moment waits until a case's time has come. It is false where the process ended
// before.
func (p *process) moment(ctx context.Context, c test, usual time.Duration) bool {
	for left := c.nth; c.phase != "start" && left > 0; {
		select {
		case phase := <-p.begun:
			if phase == c.phase {
				left--
			}
		case <-p.ended:
			return false
		case <-ctx.Done():
			return false
		}
	}
	return p.wait(time.Duration(c.part * float64(usual)))
}

// wait is false where the process ends before d is over.
func (p *process) wait(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-p.ended:
		return false
	}
}

// kill starts a llem, sends it a case's signals and waits for its end. code is its
// exit code, -1 of one that was killed.
func (h *host) kill(ctx context.Context, c test, r *result, args ...string) (phase string, code int) {
	p, err := h.start(c.kind, args...)
	if err != nil {
		r.fault("start llem: %v", err)
		return "", 0
	}
	usual, known := h.usual[string(c.kind)+c.phase]
	if !known {
		usual = 300 * time.Millisecond
	}
	if p.moment(ctx, c, usual) {
		phase = p.now()
		for _, s := range c.steps {
			if !p.wait(s.after) {
				break
			}
			_ = p.cmd.Process.Signal(s.signal) // it may have ended
		}
	}
	limit := endLimit
	if phase == "" {
		limit = callLimit
	}
	if p.wait(limit) {
		r.fault("llem did not end in %s after %s", limit, c.signals())
		_ = p.cmd.Process.Kill() // it may have ended
		<-p.ended
	}
	r.log = append(r.log, "$ llem "+strings.Join(args, " "))
	r.log = append(r.log, p.lines...)
	code = p.cmd.ProcessState.ExitCode()
	r.log = append(r.log, fmt.Sprintf("(signals %s in phase %q, exit code %d)", c.signals(), phase, code))
	return phase, code
}

// llem runs one to its end.
func (h *host) call(r *result, args ...string) (code int, out string) {
	ctx, cancel := context.WithTimeout(context.Background(), callLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, h.llem, args...)
	cmd.Env, cmd.Dir = h.env, h.dir
	said, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		r.fault("llem %s: %v", strings.Join(args, " "), err)
	}
	code = cmd.ProcessState.ExitCode()
	r.log = append(r.log, fmt.Sprintf("$ llem %s\n%s(exit code %d)", strings.Join(args, " "), said, code))
	return code, string(said)
}

// cut starts a clean and kills it.
func (h *host) cut(after time.Duration) error {
	cmd := exec.Command(h.llem, "clean")
	cmd.Env, cmd.Dir = h.env, h.dir
	if err := cmd.Start(); err != nil {
		return err
	}
	time.Sleep(after)
	_ = cmd.Process.Signal(syscall.SIGKILL) // it may have ended
	_ = cmd.Wait()                          // killed
	return nil
}
