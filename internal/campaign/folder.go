package campaign

import (
	"path/filepath"

	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/measure"
	"github.com/llenergymeasure/llem/internal/result"
)

// folder is a study's: its plan, its log, and what its runs left. plan is nil before the
// study is begun.
type folder struct {
	dir     string
	plan    *result.StudyPlan
	journal *result.Journal
}

// of is the path of the folder of a run, which is numbered from 1.
func (f *folder) of(run int) string { return filepath.Join(f.dir, f.plan.Folder(run)) }

// point is that of a run.
func (f *folder) point(run int) result.StudyPoint { return f.plan.Points[f.plan.Runs[run-1][1]-1] }

// log adds a line to the journal.
func (f *folder) log(line result.JournalEntry) error {
	if err := f.journal.Add(line); err != nil {
		return &launch.Fault{Kind: launch.HostFault, Err: err}
	}
	return nil
}

// aside sets what an attempt left aside; an empty folder is no loss.
func (f *folder) aside(run int, why string) error {
	name := f.plan.Folder(run)
	if err := setAside(f.dir, name); err != nil {
		return &launch.Fault{Kind: launch.HostFault, Err: err}
	}
	return f.journal.Add(result.JournalEntry{Event: result.RunAgain, Run: run, Folder: name, Reason: why})
}

// whole is a run's record where it is complete, and finished if it was not; why it is
// not, where it left something. ended: the journal says that it is complete.
func (f *folder) whole(run int, ended bool) (rec *result.Record, why string) {
	rec, why = f.plan.Whole(f.dir, run)
	switch {
	case why == result.NothingLeft && ended:
		return nil, "the journal says that it ended, and its record is missing"
	case why == result.NothingLeft:
		return nil, ""
	case rec != nil && len(rec.Files) == 0:
		if err := finish(f.of(run), rec); err != nil {
			return nil, "its record could not be finished: " + err.Error()
		}
	}
	return rec, why
}

// history is what the journal knows of a run.
type history struct {
	attempts int
	ended    bool // with a record that counts
}

func histories(journal []result.JournalEntry) map[string]history {
	out := map[string]history{}
	for _, e := range journal {
		h := out[e.Folder]
		switch e.Event {
		case result.RunBegun:
			h.attempts++
			h.ended = false
		case result.RunEnded:
			h.ended = e.Status != result.Interrupted
		case result.RunAgain:
			h.ended = false
		default:
			continue
		}
		out[e.Folder] = h
	}
	return out
}

// finish completes a record that was written as the window ended, and not again
// after it: its measurement is whole.
func finish(dir string, r *result.Record) error {
	if err := result.Sweep(dir); err != nil { // what was being written
		return err
	}
	w := measure.Warn("record_unfinished", "llem was killed after the window, before the run's end was written")
	r.MeasurementWarnings = append(r.MeasurementWarnings, w.String())
	if r.WarningSeverities == nil {
		r.WarningSeverities = map[string]string{}
	}
	r.WarningSeverities[w.Code] = string(w.Severity)
	files, err := result.Files(dir)
	if err != nil {
		return err
	}
	r.Files = files
	return result.Open(dir).PutRecord(r)
}
