// Package process starts engines as processes of this host: an image is a program.
package process

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/llenergymeasure/llem/internal/launch"
)

// Row is that of processes in the table of launchers.
var Row = launch.Row{
	Name:   "process",
	Open:   func(context.Context, launch.Options) (launch.Daemon, error) { return &host{}, nil },
	Misled: func() (seen, remedy string) { return "", "" },
	Words:  words,
}

var words = launch.Words{
	Title: "process", Restart: "restart the host", Room: "remove programs", List: "see $PATH", Fetch: "curl -O",
	Bring: "scp", All: "ps -e", NoGPUs: "the host has no GPU", GPUs: "install the driver",
}

// These show that a process is llem's.
const runVariable, lockVariable = "LLEM_PROCESS_RUN", "LLEM_PROCESS_LOCK"

const poll = 20 * time.Millisecond

type host struct {
	mu     sync.Mutex
	images map[string]launch.Image // by ID
}

var (
	_ launch.Daemon = (*host)(nil)
	_ launch.Server = (*server)(nil)
)

func (h *host) Words() launch.Words { return words }
func (h *host) Close() error        { return nil }

func (h *host) Describe(context.Context) (launch.DaemonInfo, error) {
	kernel, err := os.ReadFile("/proc/sys/kernel/osrelease")
	return launch.DaemonInfo{Version: strings.TrimSpace(string(kernel)), GPUs: true, Root: "/"}, err
}

func (h *host) Resolve(_ context.Context, ref, _ string, _ func(done, total int64)) (launch.Image, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if img, known := h.images[ref]; known {
		return img, nil
	}
	path, err := exec.LookPath(ref)
	if err != nil {
		return launch.Image{}, launch.Mark(launch.ErrNoImage, err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return launch.Image{}, launch.Mark(launch.ErrImage, err)
	}
	img := launch.Image{Ref: ref, ID: fmt.Sprintf("sha256:%x", sha256.Sum256(data)), Entrypoint: []string{path}, SizeBytes: int64(len(data))}
	if h.images == nil {
		h.images = map[string]launch.Image{}
	}
	h.images[img.ID] = img
	return img, nil
}

func (h *host) Images(context.Context) ([]launch.Image, error) { return nil, nil }

func (h *host) TryGPUs(_ context.Context, _ launch.Image, uuids []string, _, _ string) (int, error) {
	return len(uuids), nil
}

func (h *host) Caches(context.Context) ([]launch.Volume, error)  { return nil, nil }
func (h *host) RemoveCache(context.Context, launch.Volume) error { return nil }
func (h *host) Remove(_ context.Context, o launch.Orphan) error  { return end(o.ID) }
func owned(pid int, leader string) bool {
	g, err := syscall.Getpgid(pid)
	return err == nil && strconv.Itoa(g) == leader
}
func variable(environ []byte, name string) (value string, there bool) {
	for _, v := range bytes.Split(environ, []byte{0}) {
		if value, there = strings.CutPrefix(string(v), name+"="); there {
			return value, true
		}
	}
	return "", false
}

// Orphans finds the leaders of groups whose environment names a dead run.
func (h *host) Orphans(_ context.Context, owner func(lock string) launch.Owner) (left []launch.Orphan, spared []launch.Spared, err error) {
	list, err := filepath.Glob("/proc/[0-9]*/environ")
	for _, file := range list {
		environ, _ := os.ReadFile(file) // another's, or gone
		run, ours := variable(environ, runVariable)
		lock, _ := variable(environ, lockVariable)
		id := filepath.Base(filepath.Dir(file))
		if pid, _ := strconv.Atoi(id); !ours || !owned(pid, id) {
			continue
		}
		o := launch.Orphan{ID: id, Name: launch.ContainerName(run), Run: run, Lock: lock, State: "running"}
		if i, err := os.Stat(filepath.Dir(file)); err == nil {
			o.Created = i.ModTime()
		}
		switch owner(lock) {
		case launch.Dead:
			left = append(left, o)
		case launch.Unknown, launch.Elsewhere:
			spared = append(spared, launch.Spared{Name: o.Name, Why: "its lock is not this llem's"})
		}
	}
	return left, spared, err
}

// end kills a group of processes.
func end(leader string) error {
	pid, err := strconv.Atoi(leader)
	if err != nil {
		return err
	}
	if err := syscall.Kill(-pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	return nil
}

// server is a process that was started.
type server struct {
	cmd  *exec.Cmd
	url  string
	info launch.ContainerInfo
	done chan struct{}
	died error // set before done closes

	mu     sync.Mutex
	said   []said
	ending bool
}

// said is a part of what a process wrote.
type said struct {
	at   time.Time
	text []byte
}

// Write keeps what the process writes.
func (s *server) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.said = append(s.said, said{time.Now(), bytes.Clone(p)})
	return len(p), nil
}

// Launch starts the program on a free port, with the host's files in place of mounts.
func (h *host) Launch(ctx context.Context, spec launch.Spec) (launch.Server, error) {
	if spec.KeyFile != "" {
		return nil, launch.Mark(launch.ErrHost, errors.New("a process is given its key in no file"))
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	address := l.Addr().String()
	_, port, _ := net.SplitHostPort(address)
	l.Close()
	h.mu.Lock()
	argv := append(append([]string{}, h.images[spec.ImageID].Entrypoint...), spec.Cmd...)
	h.mu.Unlock()
	for i, word := range argv {
		if word == strconv.Itoa(spec.Port) {
			argv[i] = port
		}
		for _, m := range spec.Mounts {
			if rest, inside := strings.CutPrefix(word, m.Target); inside {
				argv[i] = m.Source + rest
			}
		}
	}
	s := &server{cmd: exec.Command(argv[0], argv[1:]...), url: "http://" + address, done: make(chan struct{})}
	s.cmd.Env = append(os.Environ(), runVariable+"="+spec.Run, lockVariable+"="+spec.Lock, "CUDA_VISIBLE_DEVICES="+strings.Join(spec.GPUs, ","))
	for name, value := range spec.Env {
		s.cmd.Env = append(s.cmd.Env, name+"="+value)
	}
	if spec.KeyVariable != "" {
		s.cmd.Env = append(s.cmd.Env, spec.KeyVariable+"="+string(spec.Key))
	}
	s.cmd.Stdout, s.cmd.Stderr = s, s
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := s.cmd.Start(); err != nil {
		return nil, launch.Mark(launch.ErrImage, err)
	}
	s.info = launch.ContainerInfo{ID: strconv.Itoa(s.cmd.Process.Pid), Name: spec.Name, Command: argv, Route: "loopback", StartedAt: time.Now().UTC()}
	go s.watch()
	return s, s.ready(ctx, spec)
}

func (s *server) watch() {
	defer close(s.done)
	_ = s.cmd.Wait() // its state says it
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ending {
		return
	}
	code := s.cmd.ProcessState.ExitCode()
	if w, ok := s.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && w.Signaled() {
		code = 128 + int(w.Signal())
	}
	s.died = &launch.Exited{ExitCode: code, LogTail: s.text(time.Time{})}
}

func (s *server) ready(ctx context.Context, spec launch.Spec) error {
	ctx, cancel := context.WithTimeout(ctx, spec.ReadyTimeout)
	defer cancel()
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for {
		ok, last := launch.Ready(ctx, http.DefaultClient, s.url+spec.ReadyPath, spec.Key)
		if ok {
			s.info.ReadyAt = time.Now().UTC()
			return nil
		}
		select {
		case <-tick.C:
		case <-s.done:
			return s.died
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.Canceled) {
				return ctx.Err()
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			return &launch.NotReady{After: spec.ReadyTimeout, Last: last, LogTail: s.text(time.Time{})}
		}
	}
}

// text is what was written since a time. Called with mu held.
func (s *server) text(since time.Time) string {
	var b strings.Builder
	for _, part := range s.said {
		if !part.at.Before(since) {
			b.Write(part.text)
		}
	}
	return b.String()
}

func (s *server) URL() string                { return s.url }
func (s *server) Info() launch.ContainerInfo { return s.info }
func (s *server) Done() <-chan struct{}      { return s.done }
func (s *server) Owns(pid int) (bool, error) { return owned(pid, s.info.ID), nil }

func (s *server) Err() error {
	select {
	case <-s.done:
		return s.died
	default:
		return nil
	}
}

func (s *server) Log(_ context.Context, w io.Writer, since time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := io.WriteString(w, s.text(since))
	return err
}

// Stop gives the process two seconds to end.
func (s *server) Stop(ctx context.Context) error {
	s.end(syscall.SIGTERM)
	select {
	case <-s.done:
		return nil
	case <-time.After(2 * time.Second):
	case <-ctx.Done():
	}
	return s.Kill(ctx)
}

func (s *server) Kill(ctx context.Context) error {
	s.end(syscall.SIGKILL)
	select {
	case <-s.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *server) end(by syscall.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ending = true
	select {
	case <-s.done:
	default:
		_ = syscall.Kill(-s.cmd.Process.Pid, by) // gone already
	}
}
