package harness

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"time"

	"github.com/llenergymeasure/llem/internal/measure"
)

// strangersEvery is how often processes on the GPUs are listed in the window.
const strangersEvery = time.Second

// strangers lists the processes that come to the run's GPUs from outside its
// container, until the function that it returns is called.
func (x *run) strangers(ctx context.Context) (found func() []measure.Process) {
	if x.watcher == nil || x.exp.Energy.Backend == "none" {
		return func() []measure.Process { return nil }
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	var seen []measure.Process
	known := map[int]bool{}
	for _, p := range x.foreign {
		known[p.PID] = true // it was warned of before the run
	}
	go func() {
		defer close(done)
		for {
			// A list that cannot be had leaves exclusivity unknown, not refuted.
			list, _ := x.watcher.Processes(ctx)
			for _, p := range list {
				if !known[p.PID] && outside(p.PID, x.server.Info().ID) {
					seen = append(seen, p)
				}
				known[p.PID] = true
			}
			if measure.Sleep(ctx, strangersEvery) != nil {
				return
			}
		}
	}()
	return func() []measure.Process {
		cancel()
		<-done
		return seen
	}
}

// outside says whether a process is known to run outside a container: its
// control group, which names the container it belongs to, is of another. A
// process that cannot be looked at is not known to be.
func outside(pid int, container string) bool {
	group, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	return err == nil && container != "" && !bytes.Contains(group, []byte(container))
}
