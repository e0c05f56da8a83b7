package meter

import (
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
	"sync/atomic"
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
	findTimeout = 5 * time.Second
	readTimeout = 10 * time.Second
	endTimeout  = 2 * time.Second // for leaving by itself
)

// pythonChild is a Python process that answers one JSON line to each.
type pythonChild struct {
	name    string // of the instrument, for errors
	cmd     *exec.Cmd
	in      io.WriteCloser
	answers chan string   // closed when it says no more
	done    chan struct{} // closed when it has ended, err is set and all is read
	err     error
	over    atomic.Bool // it was killed: an answer that still comes is to another question

	mu   sync.Mutex
	last []string // what it said last, since its last good answer
	log  func(string)
}

// hidden are variables that a child must not have: secrets, and those that
// renumber GPUs or send Zeus to its daemon in place of NVML.
func hidden(variable string) bool {
	name, _, _ := strings.Cut(variable, "=")
	return slices.Contains([]string{
		"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HUGGINGFACE_TOKEN", "ZEUSD_TOKEN",
		"CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "ZEUSD_SOCK_PATH", "ZEUSD_HOST_PORT",
	}, name)
}

// startChild starts python on the script, in a process group of its own. What it
// prints that is no answer goes to log, line by line.
func startChild(name, python string, log func(string)) (*pythonChild, error) {
	c := &pythonChild{name: name, answers: make(chan string, 1), done: make(chan struct{}), log: log}
	c.cmd = exec.Command(python, "-c", script)
	c.cmd.Env = append(slices.DeleteFunc(os.Environ(), hidden), "PYTHONUNBUFFERED=1")
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, inner, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer inner.Close()
	// One pipe for both: what is said before an answer is read before it.
	c.cmd.Stdout, c.cmd.Stderr = inner, inner
	if c.in, err = c.cmd.StdinPipe(); err == nil {
		err = c.cmd.Start()
	}
	if err != nil {
		out.Close()
		return nil, fmt.Errorf("start Python for %s: %w; name one with energy.python or LLEM_PYTHON", name, err)
	}
	go c.wait(out)
	return c, nil
}

// wait reads what the child says until it ends, and ends what it started.
func (c *pythonChild) wait(out *os.File) {
	defer close(c.done)
	defer out.Close()
	var listening sync.WaitGroup
	listening.Go(func() {
		defer close(c.answers)
		l := &lines{say: c.heard}
		_, _ = io.Copy(l, out) // its end and a deadline are no faults
		l.flush()
	})
	c.err = c.cmd.Wait()
	c.kill()                                            // what it left behind holds the pipe
	_ = out.SetReadDeadline(time.Now().Add(endTimeout)) // and so may what has left its group
	listening.Wait()
}

// heard tells answers from what libraries print.
func (c *pythonChild) heard(line string) {
	if !strings.HasPrefix(line, `{"llem": 1,`) {
		c.said(line)
		return
	}
	if strings.HasPrefix(line, `{"llem": 1, "ok"`) {
		c.mu.Lock()
		c.last = nil
		c.mu.Unlock()
	}
	select {
	case c.answers <- line:
	default: // nobody asked
		c.said(line)
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
	if c.last = append(c.last, fmt.Sprintf("%.300s", line)); len(c.last) > 5 {
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
	if c.over.Load() {
		return c.ended()
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
		return c.decode(answer, out)
	case <-ctx.Done():
		c.kill()
		return ctx.Err()
	case <-timer.C:
		c.kill()
		return fmt.Errorf("%s: its Python child did not answer in %s and was killed%s", c.name, timeout, c.words())
	}
}

func (c *pythonChild) decode(answer string, out any) error {
	var a struct {
		OK    json.RawMessage
		Error string
	}
	err := json.Unmarshal([]byte(answer), &a)
	switch {
	case err == nil && a.Error != "":
		return fmt.Errorf("%s: %s%s", c.name, a.Error, c.words())
	case err == nil && a.OK == nil:
		err = errors.New("neither ok nor error")
	case err == nil:
		err = json.Unmarshal(a.OK, out)
	}
	if err != nil {
		return fmt.Errorf("%s: its Python child answered %.80q: %w", c.name, answer, err)
	}
	return nil
}

// ended says how the child ended.
func (c *pythonChild) ended() error {
	if err := c.finish(); err != nil {
		return err
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
	c.over.Store(true)
	select {
	case <-c.done: // its number may be another's by now
	default:
		_ = syscall.Kill(-c.cmd.Process.Pid, syscall.SIGKILL) // it may have ended
	}
}

// finish waits for the child's end, which it forces after a while. A process that
// hangs in a driver's call outlives even that.
func (c *pythonChild) finish() error {
	if c.gone(endTimeout) {
		return nil
	}
	c.kill()
	if c.gone(2 * endTimeout) { // of which one is for pipes that are held
		return nil
	}
	return fmt.Errorf("%s: its Python child, process %d, was killed and does not end: look into it with ps", c.name, c.cmd.Process.Pid)
}

func (c *pythonChild) gone(wait time.Duration) bool {
	select {
	case <-c.done:
		return true
	case <-time.After(wait):
		return false
	}
}

// close ends the child: by the end of its input, else by force.
func (c *pythonChild) close() error {
	c.in.Close()
	if err := c.finish(); err != nil {
		return err
	}
	var exit *exec.ExitError
	if errors.As(c.err, &exit) {
		return nil // how it ended has been said where it mattered
	}
	return c.err
}

// lines splits what is written into lines, and those that are too long to keep
// into pieces.
type lines struct {
	say  func(string)
	rest []byte
}

const longestLine = 1 << 16

func (l *lines) Write(p []byte) (int, error) {
	l.rest = append(l.rest, p...)
	for {
		i := slices.Index(l.rest, '\n')
		switch {
		case i >= 0:
			l.say(strings.TrimRight(string(l.rest[:i]), "\r"))
			l.rest = l.rest[i+1:]
		case len(l.rest) >= longestLine:
			l.flush()
		default:
			return len(p), nil
		}
	}
}

// flush says what is no full line.
func (l *lines) flush() {
	l.say(string(l.rest))
	l.rest = nil
}
