package docker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"

	"github.com/llenergymeasure/llem/internal/launch"
)

// Times of a container's life that are not the user's to set.
const (
	readyPoll     = 50 * time.Millisecond
	readyTimeout  = 2 * time.Second // of one question
	stopGrace     = 10 * time.Second
	createTimeout = 60 * time.Second
	removeTimeout = 60 * time.Second
	removeRoom    = 5 * time.Second // of Stop's deadline, for the removal
	tailLines     = "400"           // vLLM's cause was seen 120 lines above its end
	maxTail       = 64 << 10        // bytes of those lines
)

// made is a container that the daemon has made: what is written in it and read of it.
type made struct {
	c  *client.Client
	id string
}

var _ launch.Server = (*server)(nil)

// server is the life of a container, from when it is created until it is removed.
type server struct {
	d    *daemon
	made made
	spec launch.Spec

	url   string
	info  launch.ContainerInfo
	fresh []launch.Cache // that no container had before

	done   chan struct{}
	died   error // set before done closes
	mu     sync.Mutex
	ending bool // stopped by us: its death is no failure

	removing sync.Mutex // held while the container is removed
	gone     bool
}

// Launch creates and starts a container and returns when its server answers
// 200 on spec.ReadyPath. See launch.Launcher for what it returns with an
// error.
func (d *daemon) Launch(ctx context.Context, spec launch.Spec) (launch.Server, error) {
	s := &server{d: d, spec: spec, done: make(chan struct{})}
	if err := s.create(ctx); err != nil {
		return nil, d.lost(err)
	}
	if err := s.prepare(ctx); err != nil {
		close(s.done)
		return s, d.lost(err)
	}
	if err := s.start(ctx); err != nil {
		return s, d.lost(err)
	}
	return s, s.ready(ctx)
}

// prepare gives the container's user what is its own, before it starts: new
// caches, and what is secret: the token, the key.
func (s *server) prepare(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := s.made.giveCaches(ctx, s.fresh); err != nil {
		return err
	}
	if s.spec.HFTokenFile != "" && s.d.opt.Token != "" {
		if err := s.made.give(ctx, "its Hugging Face token", s.spec.HFTokenFile, s.d.opt.Token); err != nil {
			return err
		}
	}
	if s.spec.KeyFile != "" {
		return s.made.give(ctx, "its server's key", s.spec.KeyFile, string(s.spec.Key))
	}
	return nil
}

// create outlives an interrupt, so that no container is made of which nobody
// knows, but not a second one.
func (s *server) create(ctx context.Context) error {
	pidMax, _ := os.ReadFile("/proc/sys/kernel/pid_max") // unknown is as many as usual
	cfg, host, err := configure(s.spec, s.d.opt.Token != "", string(pidMax))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), createTimeout)
	defer cancel()
	defer s.d.hurried(ctx, cancel)()
	s.fresh, s.info.CompileCache = lookAtCaches(ctx, s.d, s.spec.Caches)
	created, err := s.d.c.ContainerCreate(ctx, cfg, host, nil, nil, s.spec.Name)
	if err != nil {
		return fmt.Errorf("create container %s: %w", s.spec.Name, err)
	}
	s.made = made{s.d.c, created.ID}
	s.info.ID, s.info.Name = created.ID, s.spec.Name
	for _, w := range created.Warnings {
		s.d.opt.Log.Warn("container", "warning", w)
	}
	return nil
}

// hurryTimeout is what the daemon has to make a container after llem was told twice
// to end: one that works needs less.
const hurryTimeout = 3 * time.Second

// hurried calls cancel hurryTimeout after llem was told twice to end, unless ctx is
// done before; wait ends the watch for it.
func (d *daemon) hurried(ctx context.Context, cancel func()) (wait func()) {
	ctx, end := context.WithCancel(ctx)
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		select {
		case <-d.opt.Hurry:
		case <-ctx.Done():
			return
		}
		select {
		case <-time.After(hurryTimeout):
			cancel()
		case <-ctx.Done():
		}
	}()
	return func() { end(); <-gone }
}

// start watches for the container's end before it starts, so that no death is
// missed.
func (s *server) start(ctx context.Context) error {
	watch, cancel := context.WithCancel(context.WithoutCancel(ctx))
	exit, failed := s.d.c.ContainerWait(watch, s.made.id, container.WaitConditionNextExit)
	if err := s.d.c.ContainerStart(ctx, s.made.id, container.StartOptions{}); err != nil {
		cancel()
		close(s.done)
		return startError(s.spec, err)
	}
	s.info.StartedAt = time.Now().UTC()
	go func() {
		defer cancel()
		s.watch(context.WithoutCancel(ctx), exit, failed)
	}()
	return s.address(ctx)
}

func startError(spec launch.Spec, err error) error {
	if len(spec.GPUs) > 0 && (strings.Contains(err.Error(), "could not select device driver") || strings.Contains(err.Error(), "nvidia-container") || strings.Contains(err.Error(), "CDI")) {
		return fmt.Errorf("%w: %v; %s", errNoGPURuntime, err, toolkit)
	}
	return fmt.Errorf("start container %s: %w", spec.Name, err)
}

// watch waits for the container's end and says how it came.
func (s *server) watch(ctx context.Context, exit <-chan container.WaitResponse, failed <-chan error) {
	defer close(s.done)
	died := &launch.Exited{ExitCode: -1}
	select {
	case e := <-exit:
		died.ExitCode = int(e.StatusCode)
	case err := <-failed:
		s.d.opt.Log.Warn("lost sight of the container", "error", err)
	}
	s.mu.Lock()
	ending := s.ending
	s.mu.Unlock()
	if ending {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	if got, err := s.d.c.ContainerInspect(ctx, s.made.id); err == nil && got.State != nil {
		died.OOMKilled = got.State.OOMKilled
	}
	died.LogTail = s.made.tail(ctx)
	s.died = died
}

// address reads back where the server can be reached.
func (s *server) address(ctx context.Context) error {
	got, err := s.d.c.ContainerInspect(ctx, s.made.id)
	if err != nil {
		return fmt.Errorf("inspect container: %w", err)
	}
	s.info.Command = append([]string{got.Path}, got.Args...)
	port := strconv.Itoa(s.spec.Port)
	for _, n := range got.NetworkSettings.Networks {
		if n.IPAddress != "" {
			s.url = "http://" + net.JoinHostPort(n.IPAddress, port)
			s.info.Route = "container_address"
		}
	}
	if bound := got.NetworkSettings.Ports[portOf(s.spec.Port)]; len(bound) > 0 && !reachable(ctx, s.url) {
		s.url = "http://" + net.JoinHostPort("127.0.0.1", bound[0].HostPort)
		s.info.Route = "published_port"
	}
	return nil
}

// reachable says whether packets for the container's own address arrive: a
// refused connection is an answer too.
func reachable(ctx context.Context, url string) bool {
	if url == "" {
		return false
	}
	c, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", strings.TrimPrefix(url, "http://"))
	if err == nil {
		c.Close()
		return true
	}
	return errors.Is(err, errRefused)
}

// ready polls until the server takes requests, the container dies, or time is
// up.
func (s *server) ready(ctx context.Context) error {
	// The dialer's own limit ends a dial that outlives its question.
	ask := &http.Client{CheckRedirect: launch.SameServer, Timeout: readyTimeout, Transport: &http.Transport{DisableKeepAlives: true, DialContext: (&net.Dialer{Timeout: readyTimeout}).DialContext}}
	deadline := time.NewTimer(s.spec.ReadyTimeout)
	defer deadline.Stop()
	tick := time.NewTicker(readyPoll)
	defer tick.Stop()
	last := "no answer yet"
	for {
		ok, said := launch.Ready(ctx, ask, s.url+s.spec.ReadyPath, s.spec.Key)
		if ok && s.made.running(ctx) {
			s.info.ReadyAt = time.Now().UTC()
			return nil
		}
		last = said
		select {
		case <-s.done:
			if s.died == nil {
				return errors.New("the container was stopped before it was ready")
			}
			return s.died
		case <-ctx.Done():
			return ctx.Err()
		case <-deadline.C:
			tctx, cancel := context.WithTimeout(ctx, pingTimeout)
			defer cancel()
			return &launch.NotReady{After: s.spec.ReadyTimeout, Last: last, LogTail: s.made.tail(tctx)}
		case <-tick.C:
		}
	}
}

// running says whether the container runs. The address of one that has died is
// soon another's, which may well answer.
func (m made) running(ctx context.Context) bool {
	got, err := m.c.ContainerInspect(ctx, m.id)
	return err == nil && got.ContainerJSONBase != nil && got.State != nil && got.State.Running
}

func (s *server) URL() string                { return s.url }
func (s *server) Info() launch.ContainerInfo { return s.info }
func (s *server) Done() <-chan struct{}      { return s.done }

func (s *server) Err() error {
	select {
	case <-s.done:
		return s.died
	default:
		return nil
	}
}

// Owns goes by a process's control group, which names its container.
func (s *server) Owns(pid int) (bool, error) {
	if s.info.ID == "" {
		return false, errors.New("the container has no ID")
	}
	group, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	return bytes.Contains(group, []byte(s.info.ID)), err
}

// Stop asks the container to end, has it killed when it does not in time (10 s at
// most, and less where ctx leaves less), and removes it. After an error it may
// still be there.
func (s *server) Stop(ctx context.Context) error {
	grace := stopGrace
	if d, ok := ctx.Deadline(); ok {
		left := time.Until(d)
		grace = min(grace, max(0, left/2, left-removeRoom))
	}
	s.end()
	seconds := int((grace + time.Second/2).Seconds())
	err := s.d.c.ContainerStop(ctx, s.made.id, container.StopOptions{Timeout: &seconds})
	if err != nil && !errdefs.IsNotFound(err) {
		s.d.opt.Log.Debug("stop container", "error", err)
	}
	return s.remove(ctx)
}

// Kill removes the container at once.
func (s *server) Kill(ctx context.Context) error {
	s.end()
	return s.remove(ctx)
}

func (s *server) end() {
	s.mu.Lock()
	s.ending = true
	s.mu.Unlock()
}

func (s *server) remove(ctx context.Context) error {
	s.removing.Lock()
	defer s.removing.Unlock()
	if s.gone {
		return nil
	}
	if err := s.d.removeContainer(ctx, s.made.id); err != nil {
		return err
	}
	select {
	case <-s.done:
	case <-ctx.Done(): // it is removed, and the daemon does not say that it ended
	}
	s.gone = true
	if s.info.ReadyAt.IsZero() { // they hold nothing that would make the next start a warm one
		dropCaches(ctx, s.d, s.fresh)
	}
	return nil
}
