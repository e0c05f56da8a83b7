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
	"github.com/llenergymeasure/llem/internal/job"
	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/lease"
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
	kept   *container      // that the next run may take, or nil
	left   []launch.Server // that could not be removed yet
	ended  time.Time       // of the run before; zero: there was none
	limit  time.Duration   // of each run, from when its server is ready; 0: none
}

var _ campaign.Executor = (*Pool)(nil)

// Pool is the executor of one campaign.
func (r *Runner) Pool() *Pool {
	return &Pool{runner: r, limit: r.Timeout, waits: []time.Duration{time.Second, 5 * time.Second, 15 * time.Second}, images: map[string]launch.Image{}}
}

// Execute carries out one run, after it has removed the containers that could not be
// removed before.
func (p *Pool) Execute(ctx context.Context, r campaign.Run) (*result.Record, error) {
	defer func() { p.ended = time.Now() }()
	p.lease.Join(r.Lock)
	if err := p.sweep(ctx); err != nil {
		return nil, launch.Faultf(launch.HostFault, "%w, or does not remove a container: %w", p.runner.Launcher.Words().Away(), err)
	}
	out, err := p.runner.execute(ctx, lease.NewID(), &place{Run: r, pool: p})
	return out.Record, err
}

// Close ends what the campaign holds on the host, but for its lock, whose file stays where
// a container does.
func (p *Pool) Close(ctx context.Context) error {
	err := errors.Join(p.drop(ctx), p.sweep(ctx))
	p.release()
	if err != nil {
		return launch.Faultf(launch.HostFault, "stop container: %w; `llem clean` removes it", err)
	}
	return nil
}

// release gives the GPUs back, and has the lock of the run tell of containers that are left.
func (p *Pool) release() {
	if len(p.left) > 0 {
		p.lease.Run().Leave()
	}
	p.lease.Release()
}

// pin has f take the image that the campaign took.
func (p *Pool) pin(f *job.Finder, e study.Experiment) {
	f.InStudy = true
	if img, ok := p.images[e.Engine.Image]; ok {
		f.Pins.Taken = &img
	}
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
