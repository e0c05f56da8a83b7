package main

import (
	"errors"
	"fmt"

	"github.com/llenergymeasure/llem/internal/campaign"
	"github.com/llenergymeasure/llem/internal/lease"
	"github.com/llenergymeasure/llem/internal/report"
	"github.com/llenergymeasure/llem/internal/study"
)

// beginStudy runs a study from its beginning, or prints its plan.
func (c *runCmd) beginStudy(a *app, s *campaign.Campaign) error {
	if err := c.versusOf(s.Plan); err != nil {
		return err
	}
	if c.DryRun {
		return dryRunStudy(a, s.Plan, c.JSON)
	}
	if err := a.confirm(s.Plan, c.Yes); err != nil {
		return err
	}
	return c.carryOut(a, s)
}

// versusOf refuses a point that the study does not have before hours are spent on it.
func (c *runCmd) versusOf(p *study.Plan) error {
	if c.Versus == nil {
		return nil
	}
	for n, i := range p.Runnable() {
		if p.Points[i].Name == *c.Versus || report.Letter(n) == *c.Versus {
			return nil
		}
	}
	return usageError{fmt.Errorf("--versus %s: the study has no such point; `llem run --dry-run` lists them", *c.Versus)}
}

// carryOut fetches what a study needs, runs what is left of it, and prints the
// answer, however far it came.
func (c *runCmd) carryOut(a *app, s *campaign.Campaign) (err error) {
	if err := s.Hold(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	watch := &observer{w: a.stderr, bars: a.out.stderr, quiet: a.quiet, terminal: isTerminal(a.out.stderr)}
	r, err := c.studyRunner(a, s.Plan, watch)
	if err != nil {
		return err
	}
	defer r.close()
	if c.Resume {
		if err := tidy(a, r, s.ID(), watch); err != nil {
			return err
		}
	}
	if err := s.Open(a.ctx, r.Pool(), campaign.Options{Version: version, FailFast: c.FailFast, Say: watch.Say}); err != nil {
		return err
	}
	if err = s.Run(a.ctx); s.Unfinished() {
		fmt.Fprintf(a.stderr, "llem run --resume %s goes on with the study\n", s.Dir())
	}
	return errors.Join(err, c.answer(a, s.Dir()))
}

// studyRunner is what runs the experiments of p.
func (c *runCmd) studyRunner(a *app, p *study.Plan, watch *observer) (runner, error) {
	q := asked{}
	if len(p.Images()) == 0 {
		q.e.Engine.Endpoint = "all servers already run"
	}
	return c.runner(a, q, watch)
}

// answer writes and prints what the study says so far.
func (c *runCmd) answer(a *app, dir string) error {
	versus := ""
	if c.Versus != nil {
		versus = *c.Versus
	}
	s, err := a.summarise(dir, versus)
	if err != nil && versus != "" { // the point may have no figure
		fmt.Fprintln(a.stderr, "llem:", err)
		s, err = a.summarise(dir, "")
	}
	if err != nil {
		return err
	}
	return a.printed(c.printStudy(a, s, dir), dir)
}

func (c *runCmd) printStudy(a *app, s *report.StudySummary, dir string) error {
	if c.JSON {
		return printJSON(a.stdout, s)
	}
	fmt.Fprintln(a.stdout)
	if err := a.write(s.Document()); err != nil {
		return err
	}
	_, err := fmt.Fprintf(a.stdout, "\n%s\n", dir)
	return err
}

// tidy removes what a llem that was killed in the campaign id left on the host: its
// container, and the settings of GPUs, these first: they need no daemon.
func tidy(a *app, r runner, id string, watch *observer) error {
	failed := tidyGPUs(a, watch)
	if r.daemon == nil {
		return failed
	}
	left, _, err := leftContainers(a.ctx, r.daemon, watch.Say)
	if err != nil {
		return errors.Join(failed, err)
	}
	for _, o := range left {
		if lease.RunOf(o.Lock) != id {
			continue
		}
		watch.Say("removing container " + o.Name + " of a run that was killed")
		failed = errors.Join(failed, r.daemon.Remove(a.ctx, o))
	}
	return failed
}

func tidyGPUs(a *app, watch *observer) error {
	left, err := lease.LeftSettings()
	if err != nil || len(left) == 0 {
		return err
	}
	gpus, err := openGPUs(a.ctx)
	if err != nil {
		return err
	}
	defer gpus.Close() //nolint:errcheck // what was set is set
	return a.restore(gpus, left, watch.Say)
}
