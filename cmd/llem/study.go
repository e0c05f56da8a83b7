package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/llenergymeasure/llem/internal/harness"
	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/lease"
	"github.com/llenergymeasure/llem/internal/report"
	"github.com/llenergymeasure/llem/internal/result"
	"github.com/llenergymeasure/llem/internal/study"
)

// campaign is one llem that carries a study out, from its beginning or from where
// another was stopped.
type campaign struct {
	study   *study.Study
	plan    *study.Plan
	record  *result.StudyPlan // nil: the study begins
	dir     string            // empty: the study begins
	journal *result.Journal   // nil: the study begins
	changed bool              // its file, and the user accepts it
	input   input
}

// beginStudy runs a study from its beginning.
func (c *runCmd) beginStudy(a *app, in input) error {
	s, p, err := in.study()
	if err != nil {
		return err
	}
	if err := errors.Join(c.versusOf(p), a.confirm(p, c.Yes)); err != nil {
		return err
	}
	return c.carryOut(a, &campaign{study: s, plan: p, input: in})
}

// study decodes and expands a study's file.
func (in input) study() (*study.Study, *study.Plan, error) {
	s, err := study.DecodeStudy(in.name, in.data, in.opt)
	if err != nil {
		return nil, nil, usageError{err}
	}
	p, err := s.Plan()
	if err != nil {
		return nil, nil, usageError{fmt.Errorf("%s: %w", in.name, err)}
	}
	return s, p, nil
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

// carryOut fetches what a study needs, runs what is left of it, and tells the
// answer, however far it came.
func (c *runCmd) carryOut(a *app, s *campaign) (err error) {
	watch := &observer{w: a.stderr, bars: a.out.stderr, quiet: a.quiet, terminal: isTerminal(a.out.stderr)}
	r, err := c.studyRunner(a, s.plan, watch)
	if err != nil {
		return err
	}
	defer r.close()
	if s.record != nil {
		if err := tidy(a, r, s.record, watch); err != nil {
			return err
		}
	}
	open, err := r.OpenStudy(a.ctx, s.plan, restored)
	if err != nil {
		return err
	}
	defer open.End()
	if err := s.settle(open, r.Runner); err != nil {
		return errors.Join(err, open.Close(a.ctx))
	}
	defer func() { err = errors.Join(err, s.journal.Close()) }()
	err = open.Run(a.ctx, harness.StudyOptions{Dir: s.dir, Record: s.record, Journal: s.journal, FailFast: c.FailFast})
	if err = errors.Join(err, open.Close(a.ctx)); unfinished(s.journal) {
		fmt.Fprintf(a.stderr, "llem run --resume %s goes on with the study\n", s.dir)
	}
	return errors.Join(err, c.answer(a, s.dir))
}

// unfinished says that the study was stopped before it was complete.
func unfinished(j *result.Journal) bool {
	list := j.Entries()
	return len(list) > 0 && list[len(list)-1].Status != "complete"
}

// settle makes the study's folder, or notes that another llem goes on in it.
func (s *campaign) settle(open *harness.Study, r *harness.Runner) (err error) {
	line := result.JournalEntry{Event: result.StudyResumed, PID: os.Getpid(), LlemVersion: r.Version}
	line.Host, _ = os.Hostname() // it is for people
	if s.record != nil {
		if err := errors.Join(open.Hold(s.record.ID, s.dir), result.Sweep(s.dir)); err != nil {
			return err
		}
	}
	switch {
	case s.record == nil:
		line.Event = result.StudyBegun
		err = s.begin(open)
	case s.changed:
		line.Event = result.StudyChanged
		err = s.rebase(open)
	}
	if err != nil {
		return err
	}
	line.StudyHash = s.record.Hash
	return s.journal.Add(line)
}

// begin writes what the study is, before anything is measured.
func (s *campaign) begin(open *harness.Study) error {
	plan := planRecord(s.plan)
	open.Settle(&plan)
	plan.Sets = setsOf(s.input.opt)
	var err error
	if s.input.data != nil { // nil: everything is of flags
		if plan.Source, err = filepath.Abs(s.input.name); err != nil {
			return err
		}
	}
	first, err := s.plan.Experiment(s.plan.Runnable()[0])
	if err != nil {
		return err
	}
	store, err := open.Create(first.Output.Dir, s.plan.Name)
	if err != nil {
		return &launch.Fault{Kind: launch.HostFault, Err: err}
	}
	s.dir, s.record = store.Dir(), &plan
	if err := errors.Join(store.PutFile(result.StudyInputFile, study.Redact(s.input.data)), s.write(store)); err != nil {
		_ = result.RemovePartial(s.dir) // without a plan it is no study's; what cannot be removed stays
		return &launch.Fault{Kind: launch.HostFault, Err: err}
	}
	s.journal, err = result.OpenJournal(s.dir)
	return err
}

// write puts the study and its plan into its folder.
func (s *campaign) write(store *result.Store) error {
	return store.PutPlan(s.record, s.study.EffectiveYAML())
}

// studyRunner is what runs the experiments of p.
func (c *runCmd) studyRunner(a *app, p *study.Plan, watch *observer) (runner, error) {
	q := asked{}
	if len(p.Images()) == 0 {
		q.e.Engine.Endpoint = "all servers already run"
	}
	r, err := c.runner(a, q, watch)
	if err == nil && r.Timeout == 0 {
		r.Timeout = study.Seconds(p.Execution.ExperimentTimeoutSeconds)
	}
	return r, err
}

// restored is an experiment with the secrets that a study's folder does not keep.
func restored(e study.Experiment) (study.Experiment, error) {
	e, list := e.Restore(os.LookupEnv)
	if lost := study.Lost(list); lost != "" {
		return e, fmt.Errorf("a study's folder keeps no secret: give %s", lost)
	}
	return e, nil
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

// tidy removes what a llem that was killed in this study left on the host: its
// container, and the settings of GPUs, these first: they need no daemon.
func tidy(a *app, r runner, p *result.StudyPlan, watch *observer) error {
	failed := tidyGPUs(a, watch)
	if r.daemon == nil {
		return failed
	}
	left, _, err := leftContainers(a.ctx, r.daemon, watch.Say)
	if err != nil {
		return errors.Join(failed, err)
	}
	for _, o := range left {
		if lease.RunOf(o.Lock) != p.ID {
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

// setsOf are the values that stand above a study's file, without secrets.
func setsOf(opt study.Options) []result.StudySet {
	out := []result.StudySet{}
	for _, list := range [][]study.Set{opt.Env, opt.Flags} {
		for _, s := range list {
			line := string(study.Redact([]byte(s.Path + ": " + s.Value)))
			out = append(out, result.StudySet{Path: s.Path, Value: strings.TrimPrefix(line, s.Path+": "), Source: s.Source})
		}
	}
	return out
}
