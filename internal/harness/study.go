package harness

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/llenergymeasure/llem/internal/job"
	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/measure"
	"github.com/llenergymeasure/llem/internal/result"
	"github.com/llenergymeasure/llem/internal/study"
)

// Study is a plan that is carried out: what its runs need is on this host, and its
// GPUs are locked until Close.
type Study struct {
	Plan *study.Plan
	// Refused are points that their engines cannot do, and why.
	Refused map[int]string
	files   map[int]string // by points: the digest of the file that tells their requests, as it is now

	runner  *Runner
	restore func(study.Experiment) (study.Experiment, error)
	session *session
	host    result.StudyHost

	dir      string
	record   *result.StudyPlan
	journal  *result.Journal
	failFast bool
	points   map[string]int     // of Plan, by their hashes
	history  map[string]history // of runs, by their folders
	doubts   []measure.Warning
	other    map[string]measure.Warning // by points' hashes: their files are not those of runs before
	backoff  []time.Duration
	clock    clock
	tally    tally
}

// StudyOptions say where a study's results are and how it ends early.
type StudyOptions struct {
	Dir      string
	Record   *result.StudyPlan // of Dir: the order of the runs
	Journal  *result.Journal   // of Dir
	FailFast bool              // the first failure ends it
}

// patience is how long a daemon that went away is waited for, try by try.
var patience = []time.Duration{time.Second, 5 * time.Second, 15 * time.Second, time.Minute, 5 * time.Minute}

// errStudyTime ends a study's context when its time is up.
var errStudyTime = errors.New("execution.timeout_hours is up")

// Run carries out the runs that have no whole record yet, in the plan's order, and
// writes every transition to the journal. The error says why it is not complete, or
// that runs have failed.
func (s *Study) Run(ctx context.Context, opt StudyOptions) error {
	s.dir, s.record, s.journal, s.failFast = opt.Dir, opt.Record, opt.Journal, opt.FailFast
	var err error
	if err := s.Hold(s.record.ID, s.dir); err != nil {
		return err
	}
	s.points, s.other = map[string]int{}, map[string]measure.Warning{}
	for _, i := range s.Plan.Runnable() {
		s.points[s.Plan.Points[i].Hash] = i
	}
	s.history = histories(s.journal.Entries())
	s.doubts = s.changed()
	s.clock = newClock(s.journal.Entries())
	for _, d := range s.journal.Doubts() {
		s.runner.Observer.Say(d)
	}
	if limit := s.Plan.Execution.TimeoutHours; limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, time.Duration(limit*float64(time.Hour)), errStudyTime)
		defer cancel()
	}
	err = s.all(ctx)
	status, reason := "complete", ""
	if err != nil {
		status, reason = "stopped", err.Error()
		if launch.KindOf(err) == launch.InterruptFault {
			status = result.Interrupted
		}
	}
	return errors.Join(err, s.journal.Add(result.JournalEntry{Event: result.StudyEnded, Status: status, Reason: reason}), s.failures(err))
}

// failures is the error of a study that went through and has failed runs.
func (s *Study) failures(err error) error {
	if err != nil || s.tally.failed == 0 {
		return nil
	}
	return launch.Faultf(launch.ExperimentFault, "%d of the study's %d runs failed; each has a record that says why", s.tally.failed, s.tally.planned)
}

// all runs what is left.
func (s *Study) all(ctx context.Context) error {
	pending, err := s.left()
	if err != nil {
		return err
	}
	s.tally.planned = len(s.record.Runs)
	s.runner.Observer.Say(s.tally.line(0))
	inRow := 0
	for i, run := range pending {
		status, err := s.run(ctx, run, i == len(pending)-1)
		if err != nil {
			return err
		}
		s.tally.now++
		s.tally.had(status)
		s.runner.Observer.Say(s.tally.line(len(pending)))
		if status == result.Completed {
			inRow = 0
			continue
		}
		inRow++
		switch most := s.Plan.Execution.MaxConsecutiveFailures; {
		case s.failFast:
			return launch.Faultf(launch.ExperimentFault, "run %d failed, and --fail-fast ends the study at the first failure", run)
		case most > 0 && inRow >= most:
			return launch.Faultf(launch.ExperimentFault, "%d runs in a row failed (execution.max_consecutive_failures: %d), so that the next ones would too", inRow, most)
		}
	}
	return nil
}

// run carries out one run, and again where only the daemon is to blame. The error
// ends the study; a failure of the experiment is a status.
func (s *Study) run(ctx context.Context, run int, last bool) (status string, err error) {
	e, err := s.experiment(run)
	if err != nil {
		return "", err
	}
	at := s.place(run, e)
	at.last = last
	for try := 0; ; try++ {
		out, err := s.attempt(ctx, at, e)
		switch {
		case out.Record != nil && out.Record.Status != result.Interrupted:
			if k := launch.KindOf(err); (k == launch.HostFault || k == launch.InterruptFault) && !transient(err) {
				return "", err // the record is written; what comes after it would fail too
			}
			s.tally.last(out.Record)
			return out.Record.Status, nil
		case ctx.Err() != nil:
			return "", s.stopped(ctx, run)
		case !transient(err) || try >= len(s.backoff):
			return "", err
		}
		if err := s.aside(run, err.Error()); err != nil {
			return "", err
		}
		s.runner.Observer.Say(fmt.Sprintf("trying again in %s (%d of %d)", s.backoff[try], try+1, len(s.backoff)))
		if measure.Sleep(ctx, s.backoff[try]) != nil {
			return "", s.stopped(ctx, run)
		}
		at.Attempt++
	}
}

// stopped says why a study ends before its time.
func (s *Study) stopped(ctx context.Context, run int) error {
	if errors.Is(context.Cause(ctx), errStudyTime) {
		return launch.Faultf(launch.ExperimentFault, "%w in run %d", errStudyTime, run)
	}
	return launch.Faultf(launch.InterruptFault, "interrupted in run %d", run)
}

// attempt is one experiment between two lines of the journal.
func (s *Study) attempt(ctx context.Context, at *place, e study.Experiment) (Outcome, error) {
	line := result.JournalEntry{
		Event: result.RunBegun, Run: at.Run, Cycle: at.Cycle, Point: at.Point, Attempt: at.Attempt,
		ConfigHash: e.ConfigHash(), Folder: s.record.Folder(at.Run),
	}
	at.doubts = append(s.doubts[:len(s.doubts):len(s.doubts)], s.clock.doubts()...)
	if w, differs := s.other[line.ConfigHash]; differs {
		at.doubts = append(at.doubts, w)
	}
	if err := s.journal.Add(line); err != nil {
		return Outcome{}, launch.Faultf(launch.HostFault, "%w", err)
	}
	s.runner.Observer.Say(fmt.Sprintf("run %d of %d     cycle %d, %s", at.Run, len(s.record.Runs), at.Cycle, at.Point))
	begun := time.Now()
	var out Outcome
	err := s.session.sweep(ctx)
	if err != nil {
		err = launch.Faultf(launch.HostFault, "%w, or does not remove a container: %w", launch.ErrAway, err)
	} else {
		out, err = s.runner.execute(ctx, e, at)
	}
	s.session.ended = time.Now()
	s.tally.took(time.Since(begun))
	line.Event, line.Status = result.RunEnded, result.Interrupted
	if r := out.Record; r != nil {
		line.Status, line.ExperimentID = r.Status, r.ExperimentID
	}
	if err != nil {
		line.Reason = e.Hide(err.Error())
		s.runner.Observer.Say(fmt.Sprintf("run %d %s: %s", at.Run, line.Status, line.Reason))
	}
	if jerr := s.journal.Add(line); jerr != nil {
		return out, errors.Join(err, launch.Faultf(launch.HostFault, "%w", jerr))
	}
	return out, err
}

// experiment is that of a run, with its secrets.
func (s *Study) experiment(run int) (study.Experiment, error) {
	p := s.record.Points[s.record.Runs[run-1][1]-1]
	i, ok := s.points[p.ConfigHash]
	if !ok {
		return study.Experiment{}, launch.Faultf(launch.ConfigFault, "%s: point %s (%s) is not one of the study's file", result.PlanFile, p.Name, job.Short(p.ConfigHash))
	}
	e, err := s.Plan.Experiment(i)
	if err == nil {
		e, err = s.restore(e)
	}
	if err != nil {
		return e, &launch.Fault{Kind: launch.ConfigFault, Err: err}
	}
	e.Name = p.Name
	if e.Engine.Pull == "always" {
		e.Engine.Pull = "missing" // it was pulled as the study began, and is the same for all runs
	}
	return e, nil
}

// place is where a run stands.
func (s *Study) place(run int, e study.Experiment) *place {
	r := s.record.Runs[run-1]
	at := &place{session: s.session, folder: folderOf(s.dir, s.record, run), cycles: s.Plan.Execution.Cycles}
	at.StudyRun = result.StudyRun{
		ID: s.record.ID, Name: s.record.Name, Hash: s.record.Hash, Run: run, Cycle: r[0], Point: e.Name, Attempt: s.history[s.record.Folder(run)].attempts + 1,
	}
	if run > 1 {
		before := s.record.Runs[run-2]
		at.gap = s.Plan.Gap(study.Run{Cycle: before[0], Point: before[1]}, study.Run{Cycle: r[0], Point: r[1]})
	}
	return at
}

// aside sets what an attempt left aside; an empty folder is no loss.
func (s *Study) aside(run int, why string) error {
	folder := s.record.Folder(run)
	if err := setAside(s.dir, folder); err != nil {
		return launch.Faultf(launch.HostFault, "%w", err)
	}
	return s.journal.Add(result.JournalEntry{Event: result.RunAgain, Run: run, Folder: folder, Reason: why})
}

// Create makes the folder of a study that begins, after it has shown others that the
// study is alive.
func (s *Study) Create(dir, name string) (*result.Store, error) {
	if err := s.session.lease.LockRun(s.session.id, ""); err != nil {
		return nil, err
	}
	return result.CreateNoted(dir, name, time.Now(), s.session.lease.Run().Note)
}

// Hold shows others that the study id, whose folder is there, is alive, before
// anything is written into it. It may be called again.
func (s *Study) Hold(id, dir string) error {
	if s.session.lease.Run() != nil {
		return nil
	}
	if err := s.session.lease.LockRun(id, dir); err != nil {
		return launch.Faultf(launch.HostFault, "%w", err)
	}
	return nil
}

// End shows others that nothing is written into the study's folder any more. It
// comes after Close.
func (s *Study) End() { s.session.end() }

// Close stops the container that is kept, and gives the GPUs back.
func (s *Study) Close(ctx context.Context) error {
	if err := s.session.close(ctx); err != nil {
		return launch.Faultf(launch.HostFault, "stop container: %w; `llem clean` removes it", err)
	}
	return nil
}

// Settle completes a study's plan before it is first written: who and where it is,
// and without the runs of points that their engines refused.
func (s *Study) Settle(p *result.StudyPlan) {
	p.ID, p.LlemVersion, p.CreatedAt = s.session.id, s.runner.Version, time.Now().UTC()
	p.Host, p.Images = s.host, s.session.imageList()
	for i, why := range s.Refused {
		p.Points[i].Invalid = why
	}
	p.Runs = slices.DeleteFunc(p.Runs, func(r [2]int) bool { return p.Points[r[1]-1].Invalid != "" })
}
