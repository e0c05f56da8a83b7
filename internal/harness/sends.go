package harness

import (
	"math"
	"time"

	"github.com/llenergymeasure/llem/internal/job"
	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/load"
	"github.com/llenergymeasure/llem/internal/study"
)

// batch is how many requests one warmup iteration sends: the workload's own
// concurrency; of an open loop, a burst, or a second's arrivals at its peak.
func (x *run) batch() int {
	l := x.job.Experiment.Workload.Load
	if !l.Open() {
		return l.Concurrency
	}
	n := max(1, l.AtOnce(), int(math.Ceil(l.PeakRate())))
	if l.Recorded() {
		n = x.job.Prompts.Schedule.Busiest()
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
func (x *run) connections() int {
	w := x.job.Experiment.Workload
	switch {
	case !w.Load.Open():
		return min(w.Load.Concurrency, w.Most())
	case w.Load.MaxInFlight > 0:
		return min(w.Load.MaxInFlight, w.Most())
	}
	return min(w.Most(), openedAhead, load.MostConnections())
}

// files refuses a load that needs more connections than this process may open.
func (x *run) files() error {
	if x.job.Experiment.Workload.HTTP == study.H2C {
		return nil // how many it needs the server says
	}
	if n, most := x.connections(), load.MostConnections(); n > most {
		return launch.Faultf(launch.HostFault, "%d requests at once need as many connections, and this process may open %d: raise the limit of open files (ulimit -n %d), or lower workload.load.concurrency or max_in_flight", n, most, n+1024)
	}
	return nil
}

// sends is what the window sends.
func (x *run) sends(client load.Client) load.Config {
	w, p := x.job.Experiment.Workload, &x.job.Prompts
	return load.Config{
		Client: client, Requests: p.Measured, Pattern: p.Schedule.Pattern, AtLeast: p.Schedule.N,
		Min: study.Seconds(w.MinSeconds), Max: study.Seconds(w.MaxSeconds), More: p.More(x.job.Experiment), Ahead: job.Held(x.job.Experiment) / 4,
	}
}

// spare draws before the window what one of seconds may need by the pace of the warmup:
// twice as many prompts, and one for each place.
func (x *run) spare() {
	w := x.job.Experiment.Workload
	if w.Load.Open() || w.MinSeconds == 0 || w.Source != "synthetic" {
		return
	}
	n := float64(w.Load.Concurrency)
	if last := x.lastWarm().Seconds(); last > 0 {
		n += 2 * n * w.MinSeconds / last
	}
	x.job.Prompts.Spare(x.job.Experiment, int(min(n, math.MaxInt32)))
}

// lastWarm is the latency of the warmup's last batch; 0: there was none.
func (x *run) lastWarm() time.Duration {
	if x.obs.Warmup == nil || len(x.obs.Warmup.Latencies) == 0 {
		return 0
	}
	return x.obs.Warmup.Latencies[len(x.obs.Warmup.Latencies)-1]
}

// expect guesses the window's length from the warmup and the schedule, to take memory
// for it.
func (x *run) expect() time.Duration {
	const atLeast = 10 * time.Minute
	p := &x.job.Prompts
	due, _ := p.Schedule.Pattern.At(p.Schedule.N - 1)
	rounds := (max(p.Schedule.N, len(p.Measured)) + x.batch() - 1) / x.batch()
	return max(atLeast, 2*x.lastWarm()*time.Duration(rounds), 2*max(due, study.Seconds(x.job.Experiment.Workload.MinSeconds)))
}
