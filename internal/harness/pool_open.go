package harness

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/llenergymeasure/llem/internal/campaign"
	"github.com/llenergymeasure/llem/internal/dataset"
	"github.com/llenergymeasure/llem/internal/job"
	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/lease"
	"github.com/llenergymeasure/llem/internal/result"
	"github.com/llenergymeasure/llem/internal/study"
)

// Open fetches images and models, takes the GPUs of all runs until Close, and asks every
// engine whether it can do its experiment.
func (p *Pool) Open(ctx context.Context, w campaign.Work) (campaign.Site, error) {
	p.lease, p.keeps = lease.New(w.ID, p.runner.Log), w.Keeps
	p.limit = cmp.Or(p.limit, w.Timeout)
	if err := p.fetch(ctx, w.Experiments); err != nil {
		return campaign.Site{}, err
	}
	if err := p.claim(ctx, w.Experiments); err != nil {
		return campaign.Site{}, err
	}
	s := campaign.Site{Images: p.imageList(), Refused: map[int]string{}, Files: map[int]string{}}
	if err := p.check(ctx, w.Experiments, &s); err != nil {
		return campaign.Site{}, err
	}
	s.Host, s.Launcher = p.look(ctx), titleOf(p.runner.Launcher)
	return s, nil
}

// fetch pulls images and downloads models, so that no run waits for them and all
// runs use the same. All that is missing is said at once.
func (p *Pool) fetch(ctx context.Context, all campaign.Experiments) error {
	list, err := all.Needs()
	if err != nil {
		return err
	}
	var lacking error
	for _, e := range list {
		err := p.patiently(ctx, func() error {
			got, err := p.runner.Pull(ctx, e)
			if err == nil && got.Image.ID != "" {
				p.images[e.Engine.Image] = got.Image
			}
			return err
		})
		if launch.KindOf(err) == launch.InterruptFault || err != nil && launch.KindOf(err) == launch.HostFault {
			return err
		}
		lacking = errors.Join(lacking, err)
	}
	if lacking != nil {
		return launch.Faultf(launch.ConfigFault, "nothing was measured yet, since runs of the study lack what they need:\n%w", lacking)
	}
	return nil
}

// patiently tries again where a daemon or a registry does not answer.
func (p *Pool) patiently(ctx context.Context, do func() error) error {
	return campaign.Patience{
		Waits: p.waits, Say: p.runner.Observer.Say,
		Failed: func(try int, err error) error {
			if try == 0 {
				p.runner.Observer.Say(err.Error())
			}
			return nil
		},
		Stopped: func() error {
			return launch.Faultf(launch.InterruptFault, "interrupted before anything was measured")
		},
	}.Try(ctx, do)
}

// claim takes the GPUs of all runs, those of the largest first, so that runs on
// fewer are on some of them.
func (p *Pool) claim(ctx context.Context, all campaign.Experiments) error {
	list, err := all.Distinct(func(e study.Experiment) string {
		return fmt.Sprint(e.GPUs, "\x00", e.Parallel.Size(), "\x00", e.Engine.Endpoint, "\x00", e.Energy.Backend)
	})
	if err != nil {
		return err
	}
	slices.SortStableFunc(list, func(a, b study.Experiment) int { return cmp.Compare(b.Parallel.Size(), a.Parallel.Size()) })
	for _, e := range list {
		if e.GPUs.Mode == "none" {
			continue
		}
		gpus, _, _, err := p.runner.openGPUs(ctx, e, p.lease)
		p.runner.closeGPUs(gpus)
		if err != nil {
			return err
		}
	}
	return nil
}

// check asks every experiment's engine whether it can do it, and says of those that it
// cannot why.
func (p *Pool) check(ctx context.Context, all campaign.Experiments, s *campaign.Site) error {
	files := &dataset.Cache{}
	return all.Each(func(i int, e study.Experiment) error {
		f := p.runner.finder(e)
		p.pin(f, e)
		f.Files = files
		j := job.Job{Experiment: e, Run: job.Run{Keeps: p.keeps, HFToken: p.runner.HFToken}, GPUs: p.devicesOf(e)}
		j.Experiment.Engine.Pull = "never" // all is here
		err := f.Prompts(ctx, &j)
		s.Files[i] = j.Prompts.File()
		for _, d := range j.GPUs {
			if beyond := d.Beyond(e.GPUSettings.PowerLimitW, e.GPUSettings.SMClockMHz); err == nil && beyond != nil {
				err = fmt.Errorf("gpu_settings: %w", beyond)
			}
		}
		if err == nil && e.Engine.Endpoint == "" {
			err = p.patiently(ctx, func() error { return f.Server(ctx, &j) })
		}
		switch {
		case err == nil:
		case launch.KindOf(err) == launch.HostFault || launch.KindOf(err) == launch.InterruptFault || campaign.Passes(err):
			return err
		default:
			s.Refused[i] = e.Hide(err.Error())
		}
		return nil
	})
}

// look describes the host and the GPUs that are held.
func (p *Pool) look(ctx context.Context) result.StudyHost {
	h := describeHost()
	out := result.StudyHost{Hostname: h.Hostname, Kernel: h.Kernel, GPUs: []string{}}
	if p.runner.Launcher != nil {
		d, _ := p.runner.Launcher.Describe(ctx) // unknown, where it does not answer
		out.Docker = d.Version
	}
	for _, d := range p.lease.Devices() {
		out.Driver = d.Driver
		out.GPUs = append(out.GPUs, d.UUID)
	}
	return out
}
