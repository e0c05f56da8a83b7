package main

import (
	"errors"
	"fmt"

	"github.com/llenergymeasure/llem/internal/campaign"
)

// resumeStudy goes on with a study that was stopped, also by a kill.
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
		output := "results"
		if c.Output != nil {
			output = *c.Output
		}
		if dir, err = campaign.Newest(output); err != nil {
			return err
		}
		if !a.quiet {
			fmt.Fprintln(a.stderr, "resuming", dir)
		}
	}
	say := func(note string) { fmt.Fprintln(a.stderr, note) }
	s, err := campaign.Resume(dir, campaign.ResumeOptions{AcceptChanges: c.AcceptChanges, User: userFile, Say: say})
	if err != nil {
		return err
	}
	if err := c.versusOf(s.Plan); err != nil {
		return err
	}
	env, err := environ()
	if err != nil {
		return err
	}
	for _, by := range s.Unheeded(env) {
		say(by + " is not heeded: a study goes on as it was begun")
	}
	if c.DryRun {
		whole, of := s.Whole()
		say(fmt.Sprintf("%d of the study's %d runs have their record and would not be run again", whole, of))
		return dryRunStudy(a, s.Plan, c.JSON)
	}
	return c.carryOut(a, s)
}
