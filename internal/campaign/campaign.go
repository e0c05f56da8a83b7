package campaign

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/lease"
	"github.com/llenergymeasure/llem/internal/result"
	"github.com/llenergymeasure/llem/internal/study"
)

// Campaign is the execution of a study, as far as one llem carries it out. Close it.
type Campaign struct {
	Plan *study.Plan

	study    *study.Study
	source   Source
	changed  bool // the study, since it was begun
	folder   folder
	lock     *lease.RunLock // shows others that the campaign is alive; nil before Open
	executor Executor       // nil before Open
	site     Site
	options  Options
}

// Options say how a campaign is carried out.
type Options struct {
	Version  string            // of llem
	FailFast bool              // the first failure ends it
	Say      func(note string) // to people
	// Waits are how long a failure of a run that may pass is waited out, try by try;
	// nil: up to 5 minutes.
	Waits []time.Duration
}

// New is a campaign that begins.
func New(s Source) (*Campaign, error) {
	st, p, err := s.plan()
	if err != nil {
		return nil, err
	}
	return &Campaign{Plan: p, study: st, source: s}, nil
}

// Dir is the study's folder; empty before Open, where the study begins.
func (c *Campaign) Dir() string { return c.folder.dir }

// ID names the campaign on any host; empty before Open, where the study begins.
func (c *Campaign) ID() string {
	if c.folder.plan == nil {
		return ""
	}
	return c.folder.plan.ID
}

// Hold keeps another llem off a study that goes on. A [launch.HostFault] that is a
// [result.ErrStudyHeld] says that another has it.
func (c *Campaign) Hold() (err error) {
	if c.folder.plan == nil {
		return nil
	}
	c.folder.journal, err = result.OpenJournal(c.folder.dir)
	if errors.Is(err, result.ErrStudyHeld) {
		return &launch.Fault{Kind: launch.HostFault, Err: err}
	}
	return err
}

// Open gets x ready for the experiments, and writes what the study is, or that it goes on,
// before anything is measured. After an error x is closed, or was not opened.
func (c *Campaign) Open(ctx context.Context, x Executor, o Options) error {
	all := Experiments{c.Plan, restored}
	if err := all.possible(); err != nil {
		return err
	}
	c.executor, c.options = x, o
	id, how := lease.NewID(), c.Plan.Execution
	var err error
	c.site, err = x.Open(ctx, Work{ID: id, Keeps: how.Restart == study.EngineChange, Timeout: study.Seconds(how.ExperimentTimeoutSeconds), Experiments: all})
	if err == nil {
		err = c.refusals()
	}
	if err == nil {
		err = c.settle(id)
	}
	if err != nil {
		return errors.Join(err, x.Close(ctx))
	}
	return nil
}

// refusals is the error of a study of which no point can be run.
func (c *Campaign) refusals() error {
	var reasons error
	for _, i := range c.Plan.Runnable() {
		why, refused := c.site.Refused[i]
		if !refused {
			return nil
		}
		reasons = errors.Join(reasons, errors.New(c.Plan.Points[i].Name+": "+why))
	}
	return launch.Faultf(launch.ConfigFault, "none of the study's points can be run:\n%w", reasons)
}

// settle makes the study's folder, or notes that another llem goes on in it.
func (c *Campaign) settle(id string) (err error) {
	line := result.JournalEntry{Event: result.StudyResumed, PID: os.Getpid(), LlemVersion: c.options.Version}
	line.Host, _ = os.Hostname() // it is for people
	if c.folder.plan == nil {
		line.Event = result.StudyBegun
		err = c.begin(id)
	} else {
		if c.lock, err = lease.LockRun(c.ID(), c.folder.dir); err != nil {
			return &launch.Fault{Kind: launch.HostFault, Err: err}
		}
		err = result.Sweep(c.folder.dir)
		if err == nil && c.changed {
			line.Event = result.StudyChanged
			err = c.rebase()
		}
	}
	if err != nil {
		return err
	}
	line.StudyHash = c.folder.plan.Hash
	return c.folder.journal.Add(line)
}

// begin makes the study's folder and writes what the study is. Others see before that
// the campaign is alive.
func (c *Campaign) begin(id string) (err error) {
	plan := c.planned()
	plan.ID, plan.CreatedAt = id, time.Now().UTC()
	plan.Sets = setsOf(c.source.Options.Env, c.source.Options.Flags)
	if c.source.Data != nil {
		if plan.Source, err = filepath.Abs(c.source.Name); err != nil {
			return err
		}
	}
	first, err := c.Plan.Experiment(c.Plan.Runnable()[0])
	if err != nil {
		return err
	}
	if c.lock, err = lease.LockRun(id, ""); err != nil {
		return &launch.Fault{Kind: launch.HostFault, Err: err}
	}
	store, err := result.CreateNoted(first.Output.Dir, c.Plan.Name, time.Now(), c.lock.Note)
	if err != nil {
		return &launch.Fault{Kind: launch.HostFault, Err: err}
	}
	c.folder = folder{dir: store.Dir(), plan: &plan}
	if err := errors.Join(store.PutFile(result.StudyInputFile, study.Redact(c.source.Data)), c.write()); err != nil {
		_ = result.RemovePartial(store.Dir()) // without a plan it is no study's; what cannot be removed stays
		return &launch.Fault{Kind: launch.HostFault, Err: err}
	}
	c.folder.journal, err = result.OpenJournal(store.Dir())
	return err
}

// rebase puts the changed study in place of the one that was begun.
func (c *Campaign) rebase() error {
	was, now := c.folder.plan, c.planned()
	now.ID, now.CreatedAt, now.Sets, now.Source = was.ID, was.CreatedAt, was.Sets, was.Source
	if err := rebase(c.folder.dir, was, &now); err != nil {
		return &launch.Fault{Kind: launch.HostFault, Err: err}
	}
	c.folder.plan = &now
	return c.write()
}

// planned is the plan where the executor runs it, without the points that it refused.
func (c *Campaign) planned() result.StudyPlan {
	p := PlanOf(c.Plan, c.options.Version)
	p.Host, p.Images = c.site.Host, c.site.Images
	for i, why := range c.site.Refused {
		p.Points[i].Invalid = why
	}
	p.Runs = slices.DeleteFunc(p.Runs, func(r [2]int) bool { return p.Points[r[1]-1].Invalid != "" })
	return p
}

// write puts the study and its plan into its folder.
func (c *Campaign) write() error {
	return result.Open(c.folder.dir).PutPlan(c.folder.plan, c.study.EffectiveYAML())
}

// Run carries out the runs that have no whole record yet, in the plan's order, writes
// every transition to the journal, and closes the executor. The error says why the study
// is not complete, or that runs have failed.
func (c *Campaign) Run(ctx context.Context) error {
	r := newRuns(c)
	for _, d := range c.folder.journal.Doubts() {
		c.options.Say(d)
	}
	limited := ctx
	if limit := c.Plan.Execution.TimeoutHours; limit > 0 {
		var cancel context.CancelFunc
		limited, cancel = context.WithTimeoutCause(ctx, time.Duration(limit*float64(time.Hour)), errStudyTime)
		defer cancel()
	}
	err := r.all(limited)
	line := result.JournalEntry{Event: result.StudyEnded, Status: complete}
	if err != nil {
		line.Status, line.Reason = "stopped", err.Error()
		if launch.KindOf(err) == launch.InterruptFault {
			line.Status = result.Interrupted
		}
	}
	logged := c.folder.journal.Add(line)
	if err == nil {
		err = r.tally.failures()
	}
	return errors.Join(err, logged, c.executor.Close(ctx))
}

// complete is the status of a study that went through.
const complete = "complete"

// Unfinished says that Run ended before the study was complete.
func (c *Campaign) Unfinished() bool {
	list := c.folder.journal.Entries()
	return len(list) > 0 && list[len(list)-1].Status != complete
}

// Close lets another llem go on with the study.
func (c *Campaign) Close() error {
	defer c.lock.Release()
	if c.folder.journal == nil {
		return nil
	}
	return c.folder.journal.Close()
}
