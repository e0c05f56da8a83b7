package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/llenergymeasure/llem/internal/harness"
	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/result"
	"github.com/llenergymeasure/llem/internal/study"
)

// resumeStudy goes on with a study that was stopped, in whatever way.
func (c *runCmd) resumeStudy(a *app) error {
	flags, err := c.sets()
	if err != nil {
		return usageError{err}
	}
	for _, f := range flags {
		if f.Source != "--output" || c.Config != "" {
			return usageError{fmt.Errorf("%s and --resume: a study goes on as it was begun; to change it, change its file and say --accept-changes", f.Source)}
		}
	}
	if c.Quick {
		return usageError{errors.New("--quick and --resume: a study goes on as it was begun; leave --quick out")}
	}
	dir := c.Config
	if dir == "" {
		if dir, err = newestStudy(c.Output); err != nil {
			return usageError{err}
		}
		if !a.quiet {
			fmt.Fprintln(a.stderr, "resuming", dir)
		}
	}
	s, err := c.stopped(a, dir)
	if err != nil {
		return err
	}
	env, err := environ()
	if err != nil {
		return err
	}
	for _, v := range setsOf(study.Options{Env: env}) {
		if !slices.Contains(s.record.Sets, v) {
			fmt.Fprintf(a.stderr, "%s is not heeded: a study goes on as it was begun\n", v.Source)
		}
	}
	if c.DryRun {
		return s.dryRun(a, c.JSON)
	}
	return c.carryOut(a, s)
}

// dryRun says what would be gone on with, and changes nothing.
func (s *campaign) dryRun(a *app, asJSON bool) error {
	whole := s.record.WholeRuns(s.dir)
	fmt.Fprintf(a.stderr, "%d of the study's %d runs have their record and would not be run again\n", whole, len(s.record.Runs))
	return dryRunStudy(a, s.plan, asJSON)
}

// stopped reads a study from its folder, and its file again.
func (c *runCmd) stopped(a *app, dir string) (*campaign, error) {
	p, err := result.ReadStudyPlan(dir)
	if err != nil {
		return nil, usageError{fmt.Errorf("--resume: %w", err)}
	}
	kept, err := result.ReadFile(filepath.Join(dir, result.StudyFile), mostStudy)
	if err != nil {
		return nil, usageError{fmt.Errorf("--resume: %w", err)}
	}
	if diff := p.CheckFile(kept); diff != "" && !c.AcceptChanges {
		return nil, usageError{fmt.Errorf("--resume: %s is not as it was written: %s; restore it from a copy, or say --accept-changes to go on with what the study's file says now", filepath.Join(dir, result.StudyFile), diff)}
	}
	s := &campaign{record: p, dir: dir}
	if s.input, err = studySource(a, p, filepath.Join(dir, result.StudyFile), kept); err != nil {
		return nil, err
	}
	if s.study, s.plan, err = s.input.study(); err != nil {
		return nil, err
	}
	if err := c.versusOf(s.plan); err != nil {
		return nil, err
	}
	if s.changed = s.plan.Hash != p.Hash; s.changed {
		diff := study.Diff(kept, s.study.EffectiveYAML())
		if diff == "" {
			diff = "what the file sets is the same, and means something else to this llem, such as by another default\n"
		}
		if !c.AcceptChanges {
			return nil, usageError{fmt.Errorf("--resume: %s is not as it was when the study was begun:\n%s--accept-changes goes on with it as it is now: what is the same in both is not run again, and what is only in the old one is set aside; or undo the changes", s.input.name, diff)}
		}
		fmt.Fprintf(a.stderr, "the study's file has changed:\n%s", diff)
	} else if err := samePlan(a, s.plan, p); err != nil {
		return nil, err
	}
	if c.DryRun { // the journal may need its torn end cut off
		return s, nil
	}
	s.journal, err = result.OpenJournal(dir)
	if errors.Is(err, result.ErrStudyHeld) {
		return nil, &launch.Fault{Kind: launch.HostFault, Err: err}
	}
	return s, err
}

// mostStudy bounds a study's file in bytes.
const mostStudy = 16 << 20

// samePlan holds a plan without a checksum, of an older llem, to what its study's file
// expands to: the same points, and the same runs in any order.
func samePlan(a *app, of *study.Plan, p *result.StudyPlan) error {
	if p.PlanSHA256 != "" {
		return nil
	}
	want := planRecord(of)
	same := len(want.Points) == len(p.Points)
	runs := map[[2]int]bool{}
	for _, r := range want.Runs {
		runs[r] = true
	}
	for i := range p.Points {
		same = same && want.Points[i].Name == p.Points[i].Name && want.Points[i].ConfigHash == p.Points[i].ConfigHash
		for c := 1; same && p.Points[i].Invalid != "" && c <= of.Execution.Cycles; c++ {
			delete(runs, [2]int{c, i + 1}) // its engine refused it
		}
	}
	for _, r := range p.Runs {
		same = same && runs[r]
	}
	if !same || len(runs) != len(p.Runs) {
		return usageError{fmt.Errorf("--resume: %s, and it is not the plan of the study's file: restore it from a copy", p.Unchecked())}
	}
	fmt.Fprintf(a.stderr, "%s: its points and runs are those of the study's file, and the rest was not checked\n", p.Unchecked())
	return nil
}

// studySource is the study's file with what stood above it as the study was begun;
// where the file is gone, what the study's folder keeps of it.
func studySource(a *app, p *result.StudyPlan, at string, kept []byte) (input, error) {
	in := input{name: at, data: kept, opt: study.Options{Quick: p.Quick, Own: true}}
	data, err := result.ReadFile(p.Source, mostStudy)
	switch {
	case p.Source == "" || errors.Is(err, fs.ErrNotExist):
		if p.Source != "" {
			fmt.Fprintf(a.stderr, "%s is gone: the study is taken from its own folder\n", p.Source)
		}
		return in, nil
	case err != nil:
		return in, usageError{fmt.Errorf("--resume: the study's file: %w", err)}
	}
	in.name, in.data, in.opt.Own = p.Source, data, false
	if in.opt.User, err = userFile(); err != nil {
		return in, err
	}
	for _, s := range p.Sets {
		value := s.Value
		if strings.Contains(value, "REDACTED") {
			now, set := os.LookupEnv(s.Source)
			if !set {
				return in, usageError{fmt.Errorf("--resume: %s was set by %s as the study was begun and holds a secret, which no folder keeps: set it again", s.Path, s.Source)}
			}
			value = now
		}
		in.opt.Flags = append(in.opt.Flags, study.Set{Path: s.Path, Value: value, Source: s.Source})
	}
	return in, nil
}

// newestStudy is the study that was begun last in the folder of results.
func newestStudy(output *string) (string, error) {
	in := "results"
	if output != nil {
		in = *output
	}
	plans, _ := filepath.Glob(filepath.Join(literal.Replace(in), "*", result.PlanFile)) // the pattern is good
	newest, dir := (*result.StudyPlan)(nil), ""
	for _, path := range plans {
		p, err := result.ReadStudyPlan(filepath.Dir(path))
		if err == nil && (newest == nil || p.CreatedAt.After(newest.CreatedAt)) {
			newest, dir = p, filepath.Dir(path)
		}
	}
	if newest == nil {
		return "", fmt.Errorf("--resume: %s holds no study: name its folder, or the folder of results with -o (--output)", in)
	}
	return dir, nil
}

// rebase puts the changed study in place of the one that was begun.
func (s *campaign) rebase(open *harness.Study) error {
	was := s.record
	now := planRecord(s.plan)
	open.Settle(&now)
	now.ID, now.CreatedAt, now.Sets, now.Source = was.ID, was.CreatedAt, was.Sets, was.Source
	if err := harness.Rebase(s.dir, was, &now); err != nil {
		return &launch.Fault{Kind: launch.HostFault, Err: err}
	}
	s.record = &now
	return s.write(result.Open(s.dir))
}
