package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sort"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/llenergymeasure/llem/internal/load"
)

// limit is how long a client may take.
const limit = 10 * time.Minute

// cost is what a command took, with all its processes.
type cost struct {
	CPU       time.Duration // user and system
	Wall      time.Duration
	Peak      int64 // bytes: the greatest sum of the processes' proportional set sizes that was seen
	Processes int   // the most at once
	ticks     []tick
}

// tick is the CPU time until a moment.
type tick struct {
	at  int64 // of CLOCK_MONOTONIC, ns
	cpu time.Duration
}

// until is the CPU time at a moment, on the line between the ticks around it.
func (c cost) until(at int64) time.Duration {
	i := sort.Search(len(c.ticks), func(i int) bool { return c.ticks[i].at >= at })
	switch {
	case i == len(c.ticks):
		return c.CPU
	case i == 0:
		return 0
	}
	a, b := c.ticks[i-1], c.ticks[i]
	return a.cpu + time.Duration(float64(b.cpu-a.cpu)*float64(at-a.at)/float64(b.at-a.at))
}

// measure runs a command to its end, and then whatever it left behind.
func measure(ctx context.Context, dir string, command []string) (cost, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	others := map[int]bool{}
	for pid := range descendants(nil) {
		others[pid] = true
	}
	log, err := os.Create(dir + ".log")
	if err != nil {
		return cost{}, err
	}
	defer log.Close()
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, log, log
	cmd.Env = append(os.Environ(), environ...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return unix.Kill(-cmd.Process.Pid, unix.SIGKILL) }
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return cost{}, err
	}
	var c cost
	done, sampled := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(sampled)
		c.sample(others, done)
	}()
	err = cmd.Wait()
	close(done)
	<-sampled
	c.Wall = time.Since(start)
	c.CPU = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime() + orphans(others)
	if err != nil {
		return c, fmt.Errorf("%w: %s", err, tail(dir+".log"))
	}
	return c, nil
}

// environ keeps the clients from asking hubs and sending statistics, and Python
// from writing to a terminal that is none.
var environ = []string{
	"HF_HUB_OFFLINE=1", "TRANSFORMERS_OFFLINE=1", "HF_DATASETS_OFFLINE=1", "TOKENIZERS_PARALLELISM=false",
	"VLLM_NO_USAGE_STATS=1", "DO_NOT_TRACK=1", "NO_COLOR=1", "COLUMNS=200",
}

// sample looks at the processes' CPU time every 50 ms, and at their memory so often
// that this takes a fiftieth of a core.
func (c *cost) sample(others map[int]bool, done <-chan struct{}) {
	var next time.Time
	for {
		now := time.Now()
		pids := descendants(others)
		t := tick{at: load.Monotonic(now)}
		for _, cpu := range pids {
			t.cpu += cpu
		}
		if n := len(c.ticks); n > 0 { // one that ended is not in its parent's yet
			t.cpu = max(t.cpu, c.ticks[n-1].cpu)
		}
		c.ticks = append(c.ticks, t)
		c.Processes = max(c.Processes, len(pids))
		if now.After(next) {
			begun := time.Now()
			var sum int64
			for pid := range pids {
				sum += resident(pid)
			}
			c.Peak = max(c.Peak, sum)
			next = time.Now().Add(50 * time.Since(begun))
		}
		select {
		case <-done:
			return
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// orphans waits for the processes that a command left, ends those that stay, and
// is the CPU time of them all.
func orphans(others map[int]bool) time.Duration {
	var cpu time.Duration
	for until := time.Now().Add(5 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		left := descendants(others)
		if len(left) == 0 {
			return cpu
		}
		for pid := range left {
			if time.Now().After(until) {
				unix.Kill(pid, unix.SIGKILL) //nolint:errcheck // it may have ended
			}
			var ru unix.Rusage
			switch got, err := unix.Wait4(pid, nil, unix.WNOHANG, &ru); {
			case errors.Is(err, unix.ECHILD), err != nil, got != pid:
			default:
				cpu += time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
			}
		}
	}
}

// tail is the end of what a command said.
func tail(file string) string {
	data, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	return strings.Join(lines[max(0, len(lines)-4):], " | ")
}
