package harness

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/llenergymeasure/llem/internal/job"
	"github.com/llenergymeasure/llem/internal/measure"
	"github.com/llenergymeasure/llem/internal/result"
	"github.com/llenergymeasure/llem/internal/stats"
)

// left lists the runs that have no whole record, in the plan's order. The records
// themselves tell, whatever the journal's last words were: one that is whole is not
// run again, what was cut off is set aside.
func (s *Study) left() (pending []int, err error) {
	again := map[int]string{}
	for run := 1; run <= len(s.record.Runs); run++ {
		rec, why := s.whole(run)
		if rec != nil {
			s.tally.had(rec.Status)
			s.measured(run, rec)
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
		s.runner.Observer.Say(fmt.Sprintf("run %d is run again: %s", run, why))
		if err := s.aside(run, why); err != nil {
			return nil, err
		}
	}
	return pending, nil
}

// measured holds the file that told a whole run's requests against what the file is
// now, and keeps for the runs to come what is not as it was.
func (s *Study) measured(run int, rec *result.Record) {
	p := s.record.Points[s.record.Runs[run-1][1]-1]
	i, known := s.points[p.ConfigHash]
	was := cmp.Or(rec.Requests.SourceSHA256, rec.Requests.TraceSHA256, rec.Requests.LengthsSHA256)
	if now := s.files[i]; known && was != "" && now != "" && was != now && s.other[p.ConfigHash].Code == "" {
		w := measure.Warn("study_input_changed", "point %s: the file of its prompts or lengths was %s in run %d, and is %s", p.Name, job.Short(was), run, job.Short(now))
		s.other[p.ConfigHash] = w
		s.runner.Observer.Say("differs: " + w.Message)
	}
}

// whole is a run's record where it is complete, and finished if it was not; why it is
// not, where it left something.
func (s *Study) whole(run int) (rec *result.Record, why string) {
	rec, why = s.record.Whole(s.dir, run)
	switch dir := folderOf(s.dir, s.record, run); {
	case why == result.NothingLeft && s.history[s.record.Folder(run)].ended:
		return nil, "the journal says that it ended, and its record is missing"
	case why == result.NothingLeft:
		return nil, ""
	case rec != nil && len(rec.Files) == 0:
		if err := finish(dir, rec); err != nil {
			return nil, "its record could not be finished: " + err.Error()
		}
	}
	return rec, why
}

// history is what the journal knows of a run.
type history struct {
	attempts int
	ended    bool // with a record that stands
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

// tally is how far a study has come.
type tally struct {
	planned, completed, failed int
	now                        int // of this llem
	spent                      time.Duration
	energy                     string // of the last run
}

// had counts a run that has a whole record.
func (t *tally) had(status string) {
	if status == result.Completed {
		t.completed++
	} else {
		t.failed++
	}
}

func (t *tally) took(d time.Duration) { t.spent += d }

// last keeps what the last run came to.
func (t *tally) last(r *result.Record) {
	switch {
	case r.Status != result.Completed:
		t.energy = ""
	case r.EnergyPerOutputToken != nil:
		t.energy = "last " + perToken(r)
	case r.TokensPerSecond != nil:
		t.energy = fmt.Sprintf("last %.4g tokens/s, no energy figure", *r.TokensPerSecond)
	}
}

// perToken is a run's J/token with half of its two 95 % intervals, and the digits that
// the wider one bears.
func perToken(r *result.Record) string {
	u, absolute, k := r.Energy.UPerOutputTokenJ, r.Energy.UPerOutputTokenAbsoluteJ, r.Energy.CoverageK
	if u == nil || absolute == nil || !(k**u > 0) || !(*absolute >= *u) {
		return fmt.Sprintf("%.4g J/token, uncertainty not known", *r.EnergyPerOutputToken)
	}
	narrow, wide := k**u, k**absolute
	digits := stats.Digits(wide)
	return fmt.Sprintf("%s J/token, ± %s repeatability, ± %s absolute", stats.Fixed(*r.EnergyPerOutputToken, digits), stats.Fixed(narrow, stats.NarrowDigits(narrow, wide)), stats.Fixed(wide, digits))
}

// line is the status of the study in one line; runs are those of this llem.
func (t *tally) line(runs int) string {
	parts := []string{
		fmt.Sprintf("%d of %d done", t.completed+t.failed, t.planned), fmt.Sprintf("%d failed", t.failed),
		fmt.Sprintf("%d left", t.planned-t.completed-t.failed),
	}
	if left := runs - t.now; t.now > 0 && left > 0 {
		parts = append(parts, fmt.Sprintf("about %s to go", (t.spent/time.Duration(t.now)*time.Duration(left)).Round(time.Second)))
	}
	if t.energy != "" {
		parts = append(parts, t.energy)
	}
	return "study          " + strings.Join(parts, ", ")
}
