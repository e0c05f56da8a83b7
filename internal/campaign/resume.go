package campaign

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/result"
	"github.com/llenergymeasure/llem/internal/study"
)

// ResumeOptions say how a campaign that was stopped is read again.
type ResumeOptions struct {
	AcceptChanges bool                         // go on although the study's file was changed
	User          func() (*study.Layer, error) // the user's own defaults
	Say           func(note string)            // to people
}

// Resume is the campaign in dir that was stopped, also by a kill, with its file as it is
// now. An error is a [launch.ConfigFault].
func Resume(dir string, o ResumeOptions) (*Campaign, error) {
	p, err := result.ReadStudyPlan(dir)
	if err != nil {
		return nil, launch.Faultf(launch.ConfigFault, "--resume: %w", err)
	}
	path := filepath.Join(dir, result.StudyFile)
	was, err := result.ReadFile(path, mostStudy)
	if err != nil {
		return nil, launch.Faultf(launch.ConfigFault, "--resume: %w", err)
	}
	if diff := p.CheckFile(was); diff != "" && !o.AcceptChanges {
		return nil, launch.Faultf(launch.ConfigFault, "--resume: %s is not as it was written: %s; restore it from a copy, or say --accept-changes to go on with what the study's file says now", path, diff)
	}
	s, err := sourceOf(p, dir, was, o)
	if err != nil {
		return nil, err
	}
	c, err := New(s)
	if err != nil {
		return nil, err
	}
	c.folder = folder{dir: dir, plan: p}
	if c.changed = c.Plan.Hash != p.Hash; c.changed {
		err = c.acceptable(was, o)
	} else {
		err = samePlan(c.Plan, p, o.Say)
	}
	return c, err
}

// acceptable says how the study differs from what it was, and refuses that unless the
// user accepts it.
func (c *Campaign) acceptable(was []byte, o ResumeOptions) error {
	diff := study.Diff(was, c.study.EffectiveYAML())
	if diff == "" {
		diff = "what the file sets is the same, and means something else to this llem, such as by another default\n"
	}
	if !o.AcceptChanges {
		return launch.Faultf(launch.ConfigFault, "--resume: %s is not as it was when the study was begun:\n%s--accept-changes goes on with it as it is now: what is the same in both is not run again, and what is only in the old one is set aside; or undo the changes", c.source.Name, diff)
	}
	o.Say("the study's file has changed:\n" + strings.TrimSuffix(diff, "\n"))
	return nil
}

// samePlan holds a plan without a checksum, of an older llem, to what its study's file
// expands to: the same points, and the same runs in any order.
func samePlan(of *study.Plan, p *result.StudyPlan, say func(note string)) error {
	if p.PlanSHA256 != "" {
		return nil
	}
	want := PlanOf(of, "")
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
		return launch.Faultf(launch.ConfigFault, "--resume: %s, and it is not the plan of the study's file: restore it from a copy", p.Unchecked())
	}
	say(p.Unchecked() + ": its points and runs are those of the study's file, and the rest was not checked")
	return nil
}

// Whole is how many of the study's runs have their record and would not be run again, and
// how many there are.
func (c *Campaign) Whole() (whole, of int) {
	return c.folder.plan.WholeRuns(c.folder.dir), len(c.folder.plan.Runs)
}

// Unheeded are those of values that were not set as the study was begun, by what sets
// them: a study goes on as it was begun.
func (c *Campaign) Unheeded(values []study.Set) (by []string) {
	for _, v := range setsOf(values) {
		if !slices.Contains(c.folder.plan.Sets, v) {
			by = append(by, v.Source)
		}
	}
	return by
}

// Newest is the folder in output of the study that was begun last.
func Newest(output string) (string, error) {
	list, _ := os.ReadDir(output) // it may not be there
	newest, dir := (*result.StudyPlan)(nil), ""
	for _, f := range list {
		at := filepath.Join(output, f.Name())
		p, err := result.ReadStudyPlan(at)
		if err == nil && (newest == nil || p.CreatedAt.After(newest.CreatedAt)) {
			newest, dir = p, at
		}
	}
	if newest == nil {
		return "", launch.Faultf(launch.ConfigFault, "--resume: %s holds no study: name its folder, or the folder of results with -o (--output)", output)
	}
	return dir, nil
}
