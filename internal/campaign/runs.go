package campaign

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/llenergymeasure/llem/internal/job"
	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/lease"
	"github.com/llenergymeasure/llem/internal/result"
	"github.com/llenergymeasure/llem/internal/study"
)

// runs carries out the runs of a study's plan, one after the other.
type runs struct {
	plan     *study.Plan
	points   map[string]int // of plan, by their hashes
	folder   folder
	history  map[string]history // of runs, by their folders
	executor Executor
	lock     *lease.RunLock
	options  Options

	doubts doubts
	tally  tally
}

func newRuns(c *Campaign) *runs {
	r := &runs{
		plan: c.Plan, points: map[string]int{}, folder: c.folder, history: histories(c.folder.journal.Entries()),
		executor: c.executor, lock: c.lock, options: c.options, tally: tally{planned: len(c.folder.plan.Runs)},
	}
	for _, i := range c.Plan.Runnable() {
		r.points[c.Plan.Points[i].Hash] = i
	}
	if r.options.Waits == nil {
		r.options.Waits = waits
	}
	r.doubts = newDoubts(c.folder, c.site, r.options.Say)
	return r
}

// waits are how long what may pass is waited out.
var waits = []time.Duration{time.Second, 5 * time.Second, 15 * time.Second, time.Minute, 5 * time.Minute}

// errStudyTime ends a study's context when its time is up.
var errStudyTime = errors.New("execution.timeout_hours is up")

// all runs what is left.
func (r *runs) all(ctx context.Context) error {
	pending, err := r.left()
	if err != nil {
		return err
	}
	r.options.Say(r.tally.line(0))
	inRow := 0
	for i, run := range pending {
		status, err := r.run(ctx, run, i == len(pending)-1)
		if err != nil {
			return err
		}
		r.tally.now++
		r.tally.had(status)
		r.options.Say(r.tally.line(len(pending)))
		if status == result.Completed {
			inRow = 0
			continue
		}
		inRow++
		switch most := r.plan.Execution.MaxConsecutiveFailures; {
		case r.options.FailFast:
			return launch.Faultf(launch.ExperimentFault, "run %d failed, and --fail-fast ends the study at the first failure", run)
		case most > 0 && inRow >= most:
			return launch.Faultf(launch.ExperimentFault, "%d runs in a row failed (execution.max_consecutive_failures: %d), so that the next ones would too", inRow, most)
		}
	}
	return nil
}

// left lists the runs that have no whole record, in the plan's order. The records decide
// that, and not the journal: a run whose record is whole is not run again, and what was cut
// off is set aside.
func (r *runs) left() (pending []int, err error) {
	again := map[int]string{}
	for n := range r.folder.plan.Runs {
		run := n + 1
		rec, why := r.folder.whole(run, r.history[r.folder.plan.Folder(run)].ended)
		if rec != nil {
			r.tally.had(rec.Status)
			p := r.folder.point(run)
			if i, known := r.points[p.ConfigHash]; known {
				r.doubts.input(p, i, run, rec)
			}
			continue
		}
		if why != "" {
			again[run] = why
		}
		pending = append(pending, run)
	}
	for _, run := range pending { // all were looked at before any is moved
		why, ok := again[run]
		if !ok {
			continue
		}
		r.options.Say(fmt.Sprintf("run %d is run again: %s", run, why))
		if err := r.folder.aside(run, why); err != nil {
			return nil, err
		}
	}
	return pending, nil
}

// run carries out one run, and again where its failure may pass. The error ends the
// study; a failure of the experiment is a status.
func (r *runs) run(ctx context.Context, run int, last bool) (status string, err error) {
	one, err := r.place(run)
	if err != nil {
		return "", err
	}
	one.Last = last
	stopped := func() error {
		if errors.Is(context.Cause(ctx), errStudyTime) {
			return launch.Faultf(launch.ExperimentFault, "%w in run %d", errStudyTime, run)
		}
		return launch.Faultf(launch.InterruptFault, "interrupted in run %d", run)
	}
	p := Patience{Waits: r.options.Waits, Say: r.options.Say, Stopped: stopped}
	p.Failed = func(_ int, err error) error {
		one.Study.Attempt++
		return r.folder.aside(run, err.Error())
	}
	err = p.Try(ctx, func() error {
		rec, err := r.attempt(ctx, one)
		switch {
		case rec != nil && rec.Status != result.Interrupted:
			if k := launch.KindOf(err); (k == launch.HostFault || k == launch.InterruptFault) && !Passes(err) {
				return err // the record is written; what comes after it would fail too
			}
			r.tally.last(rec)
			status = rec.Status
			return nil
		case ctx.Err() != nil:
			return stopped()
		}
		return err
	})
	return status, err
}

// attempt is one experiment between two lines of the journal.
func (r *runs) attempt(ctx context.Context, one Run) (*result.Record, error) {
	at := one.Study
	line := result.JournalEntry{
		Event: result.RunBegun, Run: at.Run, Cycle: at.Cycle, Point: at.Point, Attempt: at.Attempt,
		ConfigHash: one.Experiment.ConfigHash(), Folder: r.folder.plan.Folder(at.Run),
	}
	one.Doubts = r.doubts.of(line.ConfigHash)
	if err := r.folder.log(line); err != nil {
		return nil, err
	}
	r.options.Say(fmt.Sprintf("run %d of %d     cycle %d, %s", at.Run, r.tally.planned, at.Cycle, at.Point))
	begun := time.Now()
	rec, err := r.executor.Execute(ctx, one)
	r.tally.took(time.Since(begun))
	line.Event, line.Status = result.RunEnded, result.Interrupted
	if rec != nil {
		line.Status, line.ExperimentID = rec.Status, rec.ExperimentID
	}
	if err != nil {
		line.Reason = one.Experiment.Hide(err.Error())
		r.options.Say(fmt.Sprintf("run %d %s: %s", at.Run, line.Status, line.Reason))
	}
	if unlogged := r.folder.log(line); unlogged != nil {
		return rec, errors.Join(err, unlogged)
	}
	return rec, err
}

// place is a run as its executor is to be asked for it.
func (r *runs) place(run int) (Run, error) {
	p, c := r.folder.point(run), r.folder.plan.Runs[run-1]
	i, ok := r.points[p.ConfigHash]
	if !ok {
		return Run{}, launch.Faultf(launch.ConfigFault, "%s: point %s (%s) is not one of the study's file", result.PlanFile, p.Name, job.Short(p.ConfigHash))
	}
	e, err := Experiments{r.plan, restored}.at(i)
	if err != nil {
		return Run{}, err
	}
	e.Name = p.Name
	if e.Engine.Pull == "always" {
		e.Engine.Pull = "missing" // it was pulled as the study began, and is the same for all runs
	}
	one := Run{Experiment: e, Cycles: r.plan.Execution.Cycles, Folder: r.folder.of(run), Lock: r.lock}
	one.Study = result.StudyRun{
		ID: r.folder.plan.ID, Name: r.folder.plan.Name, Hash: r.folder.plan.Hash, Run: run, Cycle: c[0], Point: e.Name,
		Attempt: r.history[r.folder.plan.Folder(run)].attempts + 1,
	}
	if run > 1 {
		before := r.folder.plan.Runs[run-2]
		one.Gap = r.plan.Gap(study.Run{Cycle: before[0], Point: before[1]}, study.Run{Cycle: c[0], Point: c[1]})
	}
	return one, nil
}
