package harness

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/llenergymeasure/llem/internal/dataset"
	"github.com/llenergymeasure/llem/internal/hub"
	"github.com/llenergymeasure/llem/internal/job"
	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/lease"
	"github.com/llenergymeasure/llem/internal/measure"
	"github.com/llenergymeasure/llem/internal/result"
	"github.com/llenergymeasure/llem/internal/study"
)

// OpenStudy fetches the images and models of a plan's runs, sees that their engines
// can do them, and takes their GPUs for as long as the study lasts, all before
// anything is measured. restore puts the secrets of an experiment back.
func (r *Runner) OpenStudy(ctx context.Context, p *study.Plan, restore func(study.Experiment) (study.Experiment, error)) (*Study, error) {
	id := newID()
	s := &Study{
		Plan: p, Refused: map[int]string{}, files: map[int]string{}, runner: r, restore: restore, backoff: patience,
		session: &session{id: id, lease: lease.New(id, r.Log), hurry: r.Hurry, keeps: p.Execution.Restart == study.EngineChange, images: map[string]launch.Image{}},
	}
	err := s.open(ctx)
	if err != nil {
		return nil, errors.Join(err, s.session.close(ctx))
	}
	return s, nil
}

func (s *Study) open(ctx context.Context) error {
	if n := s.Plan.Nameless(); n > 0 {
		return launch.Faultf(launch.ConfigFault, "%d points name neither an image nor a server: give engine.image in the study, or --image", n)
	}
	if err := each(s.Plan, s.restore, func(i int, e study.Experiment) error {
		if e.Model == "" {
			return launch.Faultf(launch.ConfigFault, "point %s names no model, and a study's server may come to serve another: set model, or engine.served_model to what the server at %s calls it", s.Plan.Points[i].Name, e.Engine.Endpoint)
		}
		return nil
	}); err != nil {
		return err
	}
	if err := s.fetch(ctx); err != nil {
		return err
	}
	if err := s.claim(ctx); err != nil {
		return err
	}
	if err := s.check(ctx); err != nil {
		return err
	}
	s.host = s.lookAround(ctx)
	return nil
}

// Needs are a plan's experiments, one for all that need the same image and model.
// restore puts the secrets of an experiment back.
func Needs(p *study.Plan, restore func(study.Experiment) (study.Experiment, error)) ([]study.Experiment, error) {
	return distinct(p, restore, func(e study.Experiment) string {
		g := e.Engine
		return fmt.Sprint(g.Image, "\x00", g.Pull, "\x00", g.Name, "\x00", g.Endpoint, "\x00", e.Model, "\x00", e.Revision, "\x00", g.Args, "\x00", e.GPUs.Mode, "\x00", datasetOf(e))
	})
}

// datasetOf is that of an experiment's prompts; empty: they are from none.
func datasetOf(e study.Experiment) string {
	if !hub.IsDataset(e.Workload.Source) {
		return ""
	}
	return e.Workload.Source
}

// each calls do with the experiment of every point that is run.
func each(p *study.Plan, restore func(study.Experiment) (study.Experiment, error), do func(point int, e study.Experiment) error) error {
	for _, i := range p.Runnable() {
		e, err := p.Experiment(i)
		if err == nil {
			e, err = restore(e)
		}
		if err != nil {
			return &launch.Fault{Kind: launch.ConfigFault, Err: err}
		}
		if err := do(i, e); err != nil {
			return err
		}
	}
	return nil
}

// Unfit says why points of a plan cannot be run whose prompts or trace are not to be
// had: a file that is missing, damaged or too short.
func Unfit(ctx context.Context, p *study.Plan, restore func(study.Experiment) (study.Experiment, error)) (map[int]string, error) {
	out := map[int]string{}
	seen := map[string]string{}
	files := &dataset.Cache{}
	err := each(p, restore, func(i int, e study.Experiment) error {
		w := e.Workload
		if w.Source == "synthetic" && w.Load.File == "" && w.Lengths.File == "" {
			return nil
		}
		key := fmt.Sprintf("%+v", w)
		why, known := seen[key]
		if !known {
			j := job.Job{Experiment: e}
			j.Experiment.Engine.Pull = "never" // it only looks
			err := (&job.Finder{Files: files}).Prompts(ctx, &j)
			if err != nil && (!errors.Is(err, hub.ErrNotFound) || e.Engine.Pull == "never") {
				why = e.Hide(err.Error())
			}
			seen[key] = why
		}
		if why != "" {
			out[i] = why
		}
		return nil
	})
	return out, err
}

// distinct are the experiments that differ in what key says of them.
func distinct(p *study.Plan, restore func(study.Experiment) (study.Experiment, error), key func(study.Experiment) string) ([]study.Experiment, error) {
	var out []study.Experiment
	seen := map[string]bool{}
	err := each(p, restore, func(_ int, e study.Experiment) error {
		if k := key(e); !seen[k] {
			seen[k] = true
			out = append(out, e)
		}
		return nil
	})
	return out, err
}

// fetch pulls images and downloads models, so that no run waits for them and all
// runs use the same. Whatever is not to be had is told at once.
func (s *Study) fetch(ctx context.Context) error {
	list, err := Needs(s.Plan, s.restore)
	if err != nil {
		return err
	}
	var lacking error
	for _, e := range list {
		err := s.patiently(ctx, func() error {
			got, err := s.runner.Pull(ctx, e)
			if err == nil && got.Image.ID != "" {
				s.session.images[e.Engine.Image] = got.Image
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
func (s *Study) patiently(ctx context.Context, do func() error) error {
	for try := 0; ; try++ {
		err := do()
		if err == nil || !transient(err) || try >= len(s.backoff)-2 { // the long waits are for a study that has begun
			return err
		}
		if try == 0 {
			s.runner.Observer.Say(err.Error())
		}
		s.runner.Observer.Say(fmt.Sprintf("trying again in %s (%d of %d)", s.backoff[try], try+1, len(s.backoff)-2))
		if measure.Sleep(ctx, s.backoff[try]) != nil {
			return launch.Faultf(launch.InterruptFault, "interrupted before anything was measured")
		}
	}
}

// transient says that an error may pass by itself.
func transient(err error) bool {
	return errors.Is(err, launch.ErrAway) || errors.Is(err, hub.ErrUnreachable)
}

// claim takes the GPUs of all runs, those of the largest first, so that runs on
// fewer are on some of them.
func (s *Study) claim(ctx context.Context) error {
	list, err := distinct(s.Plan, s.restore, func(e study.Experiment) string {
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
		gpus, _, _, err := s.runner.openGPUs(ctx, e, s.session.lease)
		s.runner.closeGPUs(gpus)
		if err != nil {
			return err
		}
	}
	return nil
}

// check asks every point's engine whether it can do it. A point that it cannot is
// kept with the reason and not run.
func (s *Study) check(ctx context.Context) error {
	var reasons error
	files := &dataset.Cache{}
	err := each(s.Plan, s.restore, func(i int, e study.Experiment) error {
		f := s.runner.finder(e, s.session)
		f.Files = files
		j := job.Job{Experiment: e, Run: job.Run{Keeps: s.session.keeps, HFToken: s.runner.HFToken}, GPUs: s.session.devicesOf(e)}
		j.Experiment.Engine.Pull = "never" // all is here
		err := f.Prompts(ctx, &j)
		s.files[i] = j.Prompts.File()
		for _, d := range j.GPUs {
			if beyond := d.Beyond(e.GPUSettings.PowerLimitW, e.GPUSettings.SMClockMHz); err == nil && beyond != nil {
				err = fmt.Errorf("gpu_settings: %w", beyond)
			}
		}
		if err == nil && e.Engine.Endpoint == "" {
			err = s.patiently(ctx, func() error { return f.Server(ctx, &j) })
		}
		switch {
		case err == nil:
		case launch.KindOf(err) == launch.HostFault || launch.KindOf(err) == launch.InterruptFault || transient(err):
			return err
		default:
			s.Refused[i] = e.Hide(err.Error())
			reasons = errors.Join(reasons, fmt.Errorf("%s: %s", s.Plan.Points[i].Name, s.Refused[i]))
		}
		return nil
	})
	if err == nil && len(s.Refused) == len(s.Plan.Runnable()) {
		err = launch.Faultf(launch.ConfigFault, "none of the study's points can be run:\n%w", reasons)
	}
	return err
}

// lookAround describes the host for the study's plan.
func (s *Study) lookAround(ctx context.Context) result.StudyHost {
	h := describeHost()
	out := result.StudyHost{Hostname: h.Hostname, Kernel: h.Kernel, GPUs: []string{}}
	if s.runner.Launcher != nil {
		d, _ := s.runner.Launcher.Describe(ctx) // unknown, where it does not answer
		out.Docker = d.Version
	}
	for _, d := range s.session.lease.Devices() {
		out.Driver = d.Driver
		out.GPUs = append(out.GPUs, d.UUID)
	}
	return out
}

// changed warns of what is not as it was when the study began.
func (s *Study) changed() (out []measure.Warning) {
	was, now := s.record.Host, s.host
	add := func(what, then, now string) {
		if then != now {
			w := measure.Warn("study_host_changed", "%s: as the study began %s, now %s", what, cmp.Or(then, "unknown"), cmp.Or(now, "unknown"))
			out = append(out, w)
			s.runner.Observer.Say("differs: " + w.Message)
		}
	}
	add("host", was.Hostname, now.Hostname)
	add("kernel", was.Kernel, now.Kernel)
	add("Docker", was.Docker, now.Docker)
	add("driver", was.Driver, now.Driver)
	add("GPUs", fmt.Sprint(was.GPUs), fmt.Sprint(now.GPUs))
	for _, i := range s.record.Images {
		img, used := s.session.images[i.Ref]
		if used {
			add("image "+i.Ref, job.Short(i.ID), job.Short(img.ID))
		}
	}
	return out
}

// clock tells whether the host's clock was set back while a study runs.
type clock struct {
	begun time.Time
	ahead time.Duration // of the journal's last line to the clock, as this llem began
}

// setBack is from where on that is told.
const setBack = 2 * time.Second

func newClock(journal []result.JournalEntry) clock {
	c := clock{begun: time.Now()}
	for _, e := range journal {
		c.ahead = max(c.ahead, e.At.Sub(c.begun))
	}
	return c
}

func (c clock) doubts() []measure.Warning {
	now := time.Now()
	back := max(c.ahead, now.Sub(c.begun)-now.Round(0).Sub(c.begun.Round(0))) // monotonic less wall
	if back < setBack {
		return nil
	}
	return []measure.Warning{measure.Warn("clock_changed", "the host's clock was set back by %s while the study ran", back.Round(time.Second))}
}
