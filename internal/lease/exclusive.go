package lease

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/llenergymeasure/llem/internal/device"
	"github.com/llenergymeasure/llem/internal/measure"
)

// strangersEvery is how often processes on the GPUs are listed in the window.
const strangersEvery = time.Second

// Strangers lists the processes on GPUs that are neither known nor the run's own, until
// the function that it returns is called, which gives those found and warns of them.
// own says whether a process is the run's own, or why that is unknown.
func Strangers(ctx context.Context, gpus device.Processes, known []device.Process, own func(pid int) (bool, error)) (stop func() ([]device.Process, []measure.Warning)) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	w := watch{known: map[int]bool{}, unread: map[int]device.Process{}}
	for _, p := range known {
		w.known[p.PID] = true
	}
	go func() {
		defer close(done)
		for {
			list, err := gpus.Processes(ctx)
			if ctx.Err() != nil {
				return // what is listed as the window ends may come after it
			}
			w.look(list, err, own)
			if measure.Sleep(ctx, strangersEvery) != nil {
				return
			}
		}
	}()
	return func() ([]device.Process, []measure.Warning) {
		cancel()
		<-done
		return w.found, w.warnings()
	}
}

// Newcomers are the processes of a list that are not known yet.
func Newcomers(known, list []device.Process) (found []device.Process) {
	for _, p := range list {
		if !slices.ContainsFunc(known, func(q device.Process) bool { return p.PID == q.PID }) {
			found = append(found, p)
		}
	}
	return found
}

// watch is what was seen of a GPU's processes.
type watch struct {
	known  map[int]bool // seen before, or the run's own
	found  []device.Process
	unread map[int]device.Process // whose they are is unknown
	why    error                  // the last reason of it
	failed error                  // the last list that could not be had
}

func (w *watch) look(list []device.Process, err error, own func(pid int) (bool, error)) {
	if err != nil {
		w.failed = err
		return
	}
	for _, p := range list {
		if w.known[p.PID] {
			continue
		}
		mine, err := own(p.PID)
		if err != nil {
			w.unread[p.PID], w.why = p, err
			continue
		}
		delete(w.unread, p.PID)
		w.known[p.PID] = true
		if !mine {
			w.found = append(w.found, p)
		}
	}
}

// warnings say who was there, and what could not be seen: exclusivity that is unknown
// is not proved.
func (w *watch) warnings() (out []measure.Warning) {
	if len(w.found) > 0 {
		out = append(out, measure.Warn("gpu_not_exclusive", "%s on the GPU in the window", measure.Describe(w.found)))
	}
	if len(w.unread) > 0 {
		list := make([]device.Process, 0, len(w.unread))
		for _, p := range w.unread {
			list = append(list, p)
		}
		slices.SortFunc(list, func(a, b device.Process) int { return a.PID - b.PID })
		out = append(out, measure.Warn("exclusivity_unknown", "%s on the GPU in the window, and whose it is cannot be told: %v", measure.Describe(list), w.why))
	}
	if w.failed != nil {
		out = append(out, measure.Warn("exclusivity_unknown", "processes on the GPU could not be listed in the window: %v", w.failed))
	}
	return out
}

// Descends says whether a process descends from this one. A shell's other jobs
// have the same process group and session, which therefore prove nothing.
func Descends(pid int) (bool, error) {
	for pid > 1 {
		if pid == os.Getpid() {
			return true, nil
		}
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return false, err
		}
		// The name in brackets may hold anything; state and parent follow it.
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		if len(fields) < 2 {
			return false, fmt.Errorf("/proc/%d/stat: no parent in it", pid)
		}
		if pid, err = strconv.Atoi(fields[1]); err != nil {
			return false, fmt.Errorf("/proc/%d/stat: %w", pid, err)
		}
	}
	return false, nil
}
