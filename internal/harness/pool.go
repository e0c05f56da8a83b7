package harness

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/llenergymeasure/llem/internal/campaign"
	"github.com/llenergymeasure/llem/internal/device"
	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/lease"
	"github.com/llenergymeasure/llem/internal/measure"
	"github.com/llenergymeasure/llem/internal/result"
	"github.com/llenergymeasure/llem/internal/study"
)

// Pool runs the experiments of a campaign on this host. It is what they share: GPUs, the
// images that were taken, a server that is kept.
type Pool struct {
	runner *Runner
	waits  []time.Duration // for what Open asks, try by try
	keeps  bool            // servers may serve several runs
	lease  *lease.Lease
	images map[string]launch.Image
	kept   *kept
	left   []launch.Server // that could not be removed yet
	ended  time.Time       // of the run before; zero: there was none
}

var _ campaign.Executor = (*Pool)(nil)

// Pool is the executor of one campaign.
func (r *Runner) Pool() *Pool {
	return &Pool{runner: r, waits: []time.Duration{time.Second, 5 * time.Second, 15 * time.Second}, images: map[string]launch.Image{}}
}

// place is where a run is in a campaign.
type place struct {
	campaign.Run
	pool *Pool
}

// Execute carries out one run, after it has removed the containers that could not be
// removed before.
func (p *Pool) Execute(ctx context.Context, r campaign.Run) (*result.Record, error) {
	defer func() { p.ended = time.Now() }()
	p.lease.Join(r.Lock)
	if err := p.sweep(ctx); err != nil {
		return nil, launch.Faultf(launch.HostFault, "%w, or does not remove a container: %w", p.runner.Launcher.Words().Away(), err)
	}
	out, err := p.runner.execute(ctx, r.Experiment, &place{r, p})
	return out.Record, err
}

// Close ends what the campaign holds on the host, but for its lock, whose file stays where
// a container does.
func (p *Pool) Close(ctx context.Context) error {
	err := errors.Join(p.drop(ctx), p.sweep(ctx))
	if len(p.left) > 0 {
		p.lease.Run().Leave()
	}
	p.lease.Release()
	if err != nil {
		return launch.Faultf(launch.HostFault, "stop container: %w; `llem clean` removes it", err)
	}
	return nil
}

// leave remembers a container that could not be removed.
func (x *run) leave(s launch.Server) {
	if x.place == nil {
		x.lease.Run().Leave()
		return
	}
	x.place.pool.left = append(x.place.pool.left, s)
}

// sweep removes the containers that could not be removed before.
func (p *Pool) sweep(ctx context.Context) error {
	for len(p.left) > 0 {
		ctx, cancel := removing(ctx, p.runner.Hurry)
		err := p.left[0].Kill(ctx)
		cancel()
		if err != nil {
			return err
		}
		p.left = p.left[1:]
	}
	return nil
}

// pause waits until so much time has passed since the run before as the study's
// file asks for. Where a container is started in between there is no need.
func (x *run) pause(ctx context.Context) error {
	const still = "the thermal floor stands inside the experiment"
	at := x.place
	switch {
	case at == nil && x.job.Running():
		x.obs.Run.Gap = "none: the server was already running, and nothing ran before on its behalf"
	case at == nil:
		x.obs.Run.Gap = "skipped: starting a container is the gap, and " + still
	case at.pool.ended.IsZero():
		x.obs.Run.Gap = "none: no run of the study came before it"
		if at.Study.Run > 1 {
			x.obs.Run.Gap = "none: the study was resumed with it"
		}
	case x.kept == nil && !x.job.Running():
		x.obs.Run.Gap = "skipped " + at.Gap.String() + ": starting a container is the gap, and " + still + x.because()
	default:
		return x.wait(ctx, at.Gap)
	}
	return nil
}

// because is why a container is started though the study would keep it.
func (x *run) because() string {
	if x.anew == "" {
		return ""
	}
	return "; the container of the run before was removed: " + x.anew
}

func (x *run) wait(ctx context.Context, d time.Duration) error {
	at := x.place
	left := max(0, d-time.Since(at.pool.ended))
	err := x.times.phase(measure.Gap, d.String()+" after the run before", func() (string, error) {
		stop := tick(x.Observer, left)
		defer stop()
		return "", measure.Sleep(ctx, left)
	})
	at.Study.GapSeconds = time.Since(at.pool.ended).Seconds()
	who := "the container is kept"
	if x.job.Running() {
		who = "the server was already running"
	}
	x.obs.Run.Gap = "waited " + d.String() + ": " + who + ", and nothing is restarted"
	return err
}

// imageList is the images that were taken, by their names.
func (p *Pool) imageList() []result.StudyImage {
	out := []result.StudyImage{}
	for _, ref := range slices.Sorted(maps.Keys(p.images)) {
		i := p.images[ref]
		out = append(out, result.StudyImage{Ref: ref, ID: i.ID, Digest: i.Digest})
	}
	return out
}

// devicesOf are the campaign's GPUs that an experiment is run on, as far as that is known
// before it: those that it names, else the first.
func (p *Pool) devicesOf(e study.Experiment) (out []device.Device) {
	held := p.lease.Devices()
	switch e.GPUs.Mode {
	case "none":
		return nil
	case "list":
		for _, d := range held {
			if slices.Contains(e.GPUs.IDs, d.UUID) || slices.Contains(e.GPUs.IDs, strconv.Itoa(d.Index)) {
				out = append(out, d)
			}
		}
		return out
	}
	return held[:min(e.Parallel.Size(), len(held))]
}
