package result

import (
	"os"
	"path/filepath"
)

// NothingLeft is why a run that left no file is not whole.
const NothingLeft = "it left nothing"

// Whole is the record of run number run of the study in dir where it is complete, else
// why it is not. It changes nothing.
func (p *StudyPlan) Whole(dir string, run int) (rec *Record, why string) {
	folder := filepath.Join(dir, p.Folder(run))
	if list, err := os.ReadDir(folder); err != nil || len(list) == 0 {
		return nil, NothingLeft
	}
	rec, _, err := Read(folder)
	if err != nil {
		return nil, "it was cut off before its record was written"
	}
	seen, ok := CheckRecord(folder)
	switch {
	case !ok:
		return nil, "its record is damaged: " + seen
	case rec.Status == Interrupted:
		return nil, "it was interrupted: " + rec.Error
	case rec.Study == nil || rec.Study.ID != p.ID || rec.Study.Cycle != p.Runs[run-1][0] || rec.ConfigHash != p.Points[p.Runs[run-1][1]-1].ConfigHash:
		return nil, "its folder holds the record of something else"
	}
	return rec, ""
}

// WholeRuns is how many runs of the study in dir are whole and would not be run again.
func (p *StudyPlan) WholeRuns(dir string) (n int) {
	for run := range p.Runs {
		if rec, _ := p.Whole(dir, run+1); rec != nil {
			n++
		}
	}
	return n
}
