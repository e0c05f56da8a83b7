package harness

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/llenergymeasure/llem/internal/measure"
)

// strangersEvery is how often processes on the GPUs are listed in the window.
const strangersEvery = time.Second

// strangers lists the processes on the run's GPUs that are not its own, until the
// function that it returns is called, which warns of them. own tells whose a
// process is, or why that cannot be told.
func (x *run) strangers(ctx context.Context, own func(pid int) (bool, error)) (stop func()) {
	if x.watcher == nil || x.exp.Energy.Backend == "none" {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	w := watch{known: map[int]bool{}, unread: map[int]measure.Process{}}
	for _, p := range x.foreign {
		w.known[p.PID] = true // it was warned of before
	}
	go func() {
		defer close(done)
		for {
			list, err := x.watcher.Processes(ctx)
			if ctx.Err() != nil {
				return // what is listed as the window ends may come after it
			}
			w.look(list, err, own)
			if measure.Sleep(ctx, strangersEvery) != nil {
				return
			}
		}
	}()
	return func() {
		cancel()
		<-done
		x.foreign = append(x.foreign, w.found...)
		x.warnings = append(x.warnings, w.warnings()...)
	}
}

// newcomers warns of processes that came while the baseline was measured.
func (x *run) newcomers(list []measure.Process) {
	isNew := func(p measure.Process) bool {
		return !slices.ContainsFunc(x.foreign, func(q measure.Process) bool { return p.PID == q.PID })
	}
	var found []measure.Process
	for _, p := range list {
		if isNew(p) {
			found = append(found, p)
		}
	}
	if len(found) > 0 {
		x.foreign = append(x.foreign, found...)
		x.warn("gpu_not_exclusive", "%s on the GPU while the baseline was measured", measure.Describe(found))
	}
}

// watch is what was seen of a GPU's processes.
type watch struct {
	known  map[int]bool // told of, or the run's own
	found  []measure.Process
	unread map[int]measure.Process // whose they are cannot be told
	why    error                   // the last reason of it
	failed error                   // the last list that could not be had
}

func (w *watch) look(list []measure.Process, err error, own func(pid int) (bool, error)) {
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

// warnings tell who was there, and what could not be seen: exclusivity that is
// unknown is not proved.
func (w *watch) warnings() (out []measure.Warning) {
	if len(w.found) > 0 {
		out = append(out, measure.Warn("gpu_not_exclusive", "%s on the GPU in the window", measure.Describe(w.found)))
	}
	if len(w.unread) > 0 {
		list := make([]measure.Process, 0, len(w.unread))
		for _, p := range w.unread {
			list = append(list, p)
		}
		slices.SortFunc(list, func(a, b measure.Process) int { return a.PID - b.PID })
		out = append(out, measure.Warn("exclusivity_unknown", "%s on the GPU in the window, and whose it is cannot be told: %v", measure.Describe(list), w.why))
	}
	if w.failed != nil {
		out = append(out, measure.Warn("exclusivity_unknown", "processes on the GPU could not be listed in the window: %v", w.failed))
	}
	return out
}

// descends says whether a process descends from this one. A shell's other jobs
// have the same process group and session, which therefore prove nothing.
func descends(pid int) (bool, error) {
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
