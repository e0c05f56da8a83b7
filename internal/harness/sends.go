package harness

import (
	"math"
	"time"

	"github.com/llenergymeasure/llem/internal/job"
	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/load"
	"github.com/llenergymeasure/llem/internal/measure"
	"github.com/llenergymeasure/llem/internal/study"
)

// batch is how many requests one warmup iteration sends: the workload's own
// concurrency; of an open loop, a burst, or a second's arrivals at its peak.
func batch(j *job.Job) int {
	l := j.Experiment.Workload.Load
	if !l.Open() {
		return l.Concurrency
	}
	n := max(1, l.AtOnce(), int(math.Ceil(l.PeakRate())))
	if l.Recorded() {
		n = j.Prompts.Schedule.Busiest()
	}
	if l.MaxInFlight > 0 {
		n = min(n, l.MaxInFlight)
	}
	return n
}

// openedAhead bounds the connections that are opened before a window whose load
// names no most at once: such a load rarely has more in flight, and what it
// needs beyond them is opened as it goes.
const openedAhead = 1024

// connections is how many are opened before the window: as many as the load can
// have in flight.
func connections(w study.Workload) int {
	switch {
	case !w.Load.Open():
		return min(w.Load.Concurrency, w.Most())
	case w.Load.MaxInFlight > 0:
		return min(w.Load.MaxInFlight, w.Most())
	}
	return min(w.Most(), openedAhead, load.MostConnections())
}

// enoughFiles refuses a load that needs more connections than this process may open.
func enoughFiles(w study.Workload) error {
	if w.HTTP == study.H2C {
		return nil // how many it needs the server says
	}
	if n, most := connections(w), load.MostConnections(); n > most {
		return launch.Faultf(launch.HostFault, "%d requests at once need as many connections, and this process may open %d: raise the limit of open files (ulimit -n %d), or lower workload.load.concurrency or max_in_flight", n, most, n+1024)
	}
	return nil
}

// sends is what the window sends.
func sends(j *job.Job, client load.Client) load.Config {
	w, p := j.Experiment.Workload, &j.Prompts
	return load.Config{
		Client: client, Requests: p.Measured, Pattern: p.Schedule.Pattern, AtLeast: p.Schedule.N,
		Min: study.Seconds(w.MinSeconds), Max: study.Seconds(w.MaxSeconds), More: p.More(j.Experiment), Ahead: job.Held(j.Experiment) / 4,
	}
}

// spare draws before the window what one of seconds may need by the pace of the warmup:
// twice as many prompts, and one for each place.
func spare(j *job.Job, warmup *measure.WarmupResult) {
	w := j.Experiment.Workload
	if w.Load.Open() || w.MinSeconds == 0 || w.Source != "synthetic" {
		return
	}
	n := float64(w.Load.Concurrency)
	if last := lastWarm(warmup).Seconds(); last > 0 {
		n += 2 * n * w.MinSeconds / last
	}
	j.Prompts.Spare(j.Experiment, int(min(n, math.MaxInt32)))
}

// lastWarm is the latency of a warmup's last batch; 0: there was none.
func lastWarm(w *measure.WarmupResult) time.Duration {
	if w == nil || len(w.Latencies) == 0 {
		return 0
	}
	return w.Latencies[len(w.Latencies)-1]
}

// expect guesses the window's length from the warmup and the schedule, to take memory
// for it.
func expect(j *job.Job, warmup *measure.WarmupResult) time.Duration {
	const atLeast = 10 * time.Minute
	p := &j.Prompts
	due, _ := p.Schedule.Pattern.At(p.Schedule.N - 1)
	rounds := (max(p.Schedule.N, len(p.Measured)) + batch(j) - 1) / batch(j)
	return max(atLeast, 2*lastWarm(warmup)*time.Duration(rounds), 2*max(due, study.Seconds(j.Experiment.Workload.MinSeconds)))
}
