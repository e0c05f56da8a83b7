package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"
)

// job is one window to be measured.
type job struct {
	c    condition
	k    int
	host string
}

// measureAll measures what the file of windows does not have yet: one host after
// the other, commands and then experiments, conditions mixed so that none has the
// host at its worst.
func (o *options) measureAll(ctx context.Context, all []condition) error {
	had, err := readOutcomes(o.raw)
	if err != nil {
		return err
	}
	done := map[string]bool{}
	for _, h := range had {
		done[fmt.Sprint(h.Condition, h.Host, h.K)] = true
	}
	f, err := os.OpenFile(o.raw, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	w := &writer{enc: json.NewEncoder(f)}
	for _, host := range []string{"quiet", "busy"} {
		if o.host != "both" && o.host != host {
			continue
		}
		if err := o.measureHost(ctx, host, all, done, w); err != nil {
			return err
		}
	}
	return nil
}

// measureHost measures a quiet or a busy host's windows.
func (o *options) measureHost(ctx context.Context, host string, all []condition, done map[string]bool, to *writer) error {
	if host == "busy" {
		end, err := o.keepBusy(ctx)
		defer end()
		if err != nil {
			return err
		}
	}
	for _, whole := range []bool{false, true} {
		n, atOnce := o.n, o.parallel
		if whole {
			n, atOnce = o.runs, o.containers
		}
		var jobs []job
		for _, c := range all {
			for k := range n {
				if c.shape.run == whole && !done[fmt.Sprint(c.name(), host, k)] {
					jobs = append(jobs, job{c, k, host})
				}
			}
		}
		r := rand.New(rand.NewPCG(o.seed, 0))
		r.Shuffle(len(jobs), func(i, j int) { jobs[i], jobs[j] = jobs[j], jobs[i] })
		if err := o.measureJobs(ctx, jobs, atOnce, to); err != nil {
			return err
		}
	}
	return nil
}

// keepBusy starts processes that never rest; end ends them.
func (o *options) keepBusy(ctx context.Context) (end func(), err error) {
	ctx, cancel := context.WithCancel(ctx)
	var hogs []*exec.Cmd
	end = func() {
		cancel()
		for _, h := range hogs {
			_ = h.Wait() // killed
		}
	}
	for range o.hogs {
		hog := exec.CommandContext(ctx, o.self, "-role", "hog")
		hog.Env = append(os.Environ(), "GOMAXPROCS=1")
		if err := hog.Start(); err != nil {
			return end, err
		}
		hogs = append(hogs, hog)
	}
	return end, nil
}

// measureJobs measures windows, so many at once.
func (o *options) measureJobs(ctx context.Context, jobs []job, atOnce int, to *writer) error {
	to.ended, to.all = 0, len(jobs)
	queue := make(chan job)
	var wg sync.WaitGroup
	for i := range atOnce {
		wg.Go(func() {
			if !pause(ctx, time.Duration(i)*400*ms) { // not all at the same moment
				return
			}
			for j := range queue {
				got := o.window(ctx, j.c, j.k)
				if ctx.Err() == nil { // else it was cut off
					to.write(got, j.host)
				}
			}
		})
	}
	for _, j := range jobs {
		select {
		case queue <- j:
		case <-ctx.Done():
		}
	}
	close(queue)
	wg.Wait()
	return errors.Join(to.failed, ctx.Err())
}

func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// writer appends windows to the file, and says how far it is.
type writer struct {
	mu         sync.Mutex
	enc        *json.Encoder
	ended, all int
	failed     error
}

func (w *writer) write(got []outcome, host string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, one := range got {
		one.Host = host
		w.failed = errors.Join(w.failed, w.enc.Encode(one))
	}
	w.ended++
	if wrong := strings.TrimSpace(got[0].Error); w.ended%20 == 0 || w.ended == w.all || wrong != "" {
		fmt.Fprintf(os.Stderr, "%s %s: %d of %d windows %s\n", time.Now().Format(time.TimeOnly), host, w.ended, w.all, wrong)
	}
}

// readOutcomes reads windows, without those that could not be measured; a file
// that is not there has none.
func readOutcomes(path string) (out []outcome, err error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	for dec := json.NewDecoder(f); ; {
		var o outcome
		if err := dec.Decode(&o); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
		out = append(out, o)
	}
	return slices.DeleteFunc(out, func(o outcome) bool { return o.Error != "" }), nil
}
