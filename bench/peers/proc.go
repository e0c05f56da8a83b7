package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// clock is the unit of times in /proc, on every architecture of Linux that Go has.
const clock = 10 * time.Millisecond

// descendants are this process's, but for others, each with its CPU time and that
// of its children that have ended.
func descendants(others map[int]bool) map[int]time.Duration {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	children, cpu := map[int][]int{}, map[int]time.Duration{}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue // it has ended
		}
		// The name is in brackets, and may have anything in it; then come state and
		// parent, and from the twelfth on utime, stime, cutime and cstime.
		f := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
		if len(f) < 15 {
			continue
		}
		parent, _ := strconv.Atoi(string(f[1]))
		children[parent] = append(children[parent], pid)
		for _, t := range f[11:15] {
			n, _ := strconv.Atoi(string(t))
			cpu[pid] += time.Duration(n) * clock
		}
	}
	out := map[int]time.Duration{}
	var walk func(int)
	walk = func(pid int) {
		for _, c := range children[pid] {
			if !others[c] {
				out[c] = cpu[c]
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
