package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// limit is how long a client may take.
const limit = 10 * time.Minute

// cost is what a command took, with all its processes.
type cost struct {
	CPU       time.Duration // user and system
	Wall      time.Duration
	Peak      int64 // bytes: the greatest sum of the processes' proportional set sizes that was seen
	Processes int   // the most at once
}

// measure runs a command to its end, and then whatever it left behind.
func measure(ctx context.Context, dir string, command []string) (cost, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	others := descendants(nil)
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

// sample looks at the memory of the processes: ten times a second, or so often
// that looking takes a twentieth of a core.
func (c *cost) sample(others map[int]bool, done <-chan struct{}) {
	for {
		begun := time.Now()
		var sum int64
		pids := descendants(others)
		for pid := range pids {
			sum += resident(pid)
		}
		c.Peak, c.Processes = max(c.Peak, sum), max(c.Processes, len(pids))
		select {
		case <-done:
			return
		case <-time.After(max(100*time.Millisecond, 20*time.Since(begun))):
		}
	}
}

// descendants are this process's, but for others.
func descendants(others map[int]bool) map[int]bool {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	children := map[int][]int{}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue // it has ended
		}
		// The name is in brackets, and may have anything in it; then come state and parent.
		if f := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:]); len(f) > 1 {
			parent, _ := strconv.Atoi(string(f[1]))
			children[parent] = append(children[parent], pid)
		}
	}
	out := map[int]bool{}
	var walk func(int)
	walk = func(pid int) {
		for _, c := range children[pid] {
			if !others[c] {
				out[c] = true
				walk(c)
			}
		}
	}
	walk(os.Getpid())
	return out
}

// resident is a process's proportional set size, in which what processes share
// is counted once; 0 if it has ended.
func resident(pid int) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "Pss:" {
			kb, _ := strconv.ParseInt(f[1], 10, 64)
			return kb << 10
		}
	}
	return 0
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
