package meter

import (
	"bufio"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// script is what a child runs: it speaks for the Python packages.
//
//go:embed instrument.py
var script string

// Timeouts of a child's answers: importing CodeCarbon takes seconds, reading it
// milliseconds.
var (
	openTimeout = 60 * time.Second
	readTimeout = 10 * time.Second
	endTimeout  = 2 * time.Second // for leaving by itself
)

// pythonChild is a Python process that answers one JSON line to each.
type pythonChild struct {
	name    string // of the instrument, for errors
	cmd     *exec.Cmd
	in      io.WriteCloser
	answers chan []byte   // closed when it says no more
	done    chan struct{} // closed when it has ended and err is set
	err     error

	mu   sync.Mutex
	last []string // what it wrote last on stderr
	log  func(string)
}

// hidden are variables that a child must not have: secrets, and those that
// renumber GPUs or send Zeus to its daemon in place of NVML.
func hidden(variable string) bool {
	name, _, _ := strings.Cut(variable, "=")
	return slices.Contains([]string{
		"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HUGGINGFACE_TOKEN",
		"CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "ZEUSD_SOCK_PATH", "ZEUSD_HOST_PORT",
	}, name)
}

// startChild starts python on the script, in a process group of its own. What it
// prints that is no answer goes to log, line by line.
func startChild(name, python string, log func(string)) (*pythonChild, error) {
	c := &pythonChild{name: name, answers: make(chan []byte, 1), done: make(chan struct{}), log: log}
	c.cmd = exec.Command(python, "-c", script)
	c.cmd.Env = append(slices.DeleteFunc(os.Environ(), hidden), "PYTHONUNBUFFERED=1")
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.cmd.WaitDelay = endTimeout // for grandchildren that hold its pipes
	c.cmd.Stderr = &lines{say: c.said}
	var err error
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, inner, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	c.cmd.Stdout = inner
	err = c.cmd.Start()
	inner.Close()
	if err != nil {
		out.Close()
		return nil, fmt.Errorf("start Python for %s: %w; name one with energy.python or LLEM_PYTHON", name, err)
	}
	go c.listen(out)
	go func() {
		defer close(c.done)
		c.err = c.cmd.Wait()
		out.SetReadDeadline(time.Now().Add(endTimeout)) // a pipe always takes deadlines
	}()
	return c, nil
}

// listen tells answers from what libraries print.
func (c *pythonChild) listen(out *os.File) {
	defer out.Close()
	defer close(c.answers)
	in := bufio.NewScanner(out)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		if !strings.HasPrefix(in.Text(), `{"llem": 1,`) {
			c.said(in.Text())
			continue
		}
		select {
		case c.answers <- []byte(in.Text()):
		case <-c.done:
			return
		}
	}
}

// said keeps the last words of a child, which explain its end.
func (c *pythonChild) said(line string) {
	if strings.TrimSpace(line) == "" {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.log(line)
	if c.last = append(c.last, line); len(c.last) > 5 {
		c.last = c.last[1:]
	}
}

// ask sends one line and decodes the answer into out. A child that does not
// answer in time is killed.
func (c *pythonChild) ask(ctx context.Context, timeout time.Duration, question, out any) error {
	line, err := json.Marshal(question)
	if err != nil {
		return err
	}
	if _, err := c.in.Write(append(line, '\n')); err != nil {
		return c.ended()
	}
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case answer, ok := <-c.answers:
		if !ok {
			return c.ended()
		}
		var a struct {
			OK    json.RawMessage
			Error string
		}
		if err := json.Unmarshal(answer, &a); err != nil {
			return fmt.Errorf("%s: its child answered %.80q: %w", c.name, answer, err)
		}
		if a.Error != "" {
			return fmt.Errorf("%s: %s", c.name, a.Error)
		}
		return json.Unmarshal(a.OK, out)
	case <-ctx.Done():
		c.kill()
		return ctx.Err()
	case <-timer.C:
		c.kill()
		return fmt.Errorf("%s: its Python child did not answer in %s and was killed%s", c.name, timeout, c.words())
	}
}

// ended says how the child ended.
func (c *pythonChild) ended() error {
	select {
	case <-c.done:
	case <-time.After(endTimeout):
		c.kill()
		<-c.done
	}
	how := "exit status 0"
	if c.err != nil {
		how = c.err.Error()
	}
	return fmt.Errorf("%s: its Python child ended (%s)%s", c.name, how, c.words())
}

func (c *pythonChild) words() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.last) == 0 {
		return ""
	}
	return "; it last said: " + strings.Join(c.last, " / ")
}

// kill ends the child and all that it started.
func (c *pythonChild) kill() {
	_ = syscall.Kill(-c.cmd.Process.Pid, syscall.SIGKILL) // it may have ended
}

// close ends the child: by the end of its input, else by force.
func (c *pythonChild) close() error {
	c.in.Close()
	select {
	case <-c.done:
	case <-time.After(endTimeout):
	}
	c.kill() // what it started may still run
	<-c.done
	var exit *exec.ExitError
	if errors.As(c.err, &exit) {
		return nil // how it ended has been said where it mattered
	}
	return c.err
}

// lines splits what is written into lines.
type lines struct {
	say  func(string)
	rest []byte
}

func (l *lines) Write(p []byte) (int, error) {
	l.rest = append(l.rest, p...)
	for {
		i := slices.Index(l.rest, '\n')
		if i < 0 && len(l.rest) < 1<<16 {
			return len(p), nil
		}
		if i < 0 {
			i = len(l.rest) - 1
		}
		l.say(strings.TrimRight(string(l.rest[:i]), "\r"))
		l.rest = l.rest[i+1:]
	}
}
