package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/llenergymeasure/llem/internal/report"
	"github.com/llenergymeasure/llem/internal/result"
)

// summarise says what the study in dir came to, and writes it beside its runs.
func (a *app) summarise(dir, versus string) (*report.StudySummary, error) {
	plan, runs, _, err := a.studyRuns(dir)
	if err != nil {
		return nil, err
	}
	s, err := report.Study(plan, runs, versus)
	if err != nil {
		return nil, usageError{err}
	}
	records, dirs := make([]*result.Record, len(runs)), make([]string, len(runs))
	for i, e := range runs {
		records[i], dirs[i] = e.Record, filepath.Base(e.Dir)
	}
	err = result.WriteTo(filepath.Join(dir, result.SummaryTableFile), result.NewTable(records, dirs, plan.Swept...).Parquet)
	if err == nil {
		err = result.WriteTo(filepath.Join(dir, result.SummaryFile), func(w io.Writer) error { return printJSON(w, s) })
	}
	return s, err
}

// studyRuns reads a study's plan and the records of its runs, in the plan's order.
// One that cannot be read is said, and missing; one that was altered is said. code is
// then not 0.
func (a *app) studyRuns(dir string) (plan *result.StudyPlan, runs []report.Entry, code int, err error) {
	if plan, err = result.ReadStudyPlan(dir); err != nil {
		return nil, nil, exitUsage, usageError{err}
	}
	if why := plan.Unchecked(); why != "" {
		fmt.Fprintf(a.stderr, "llem: %s: %s, so its points and runs were not checked\n", dir, why)
	}
	for n := range plan.Runs {
		path := filepath.Join(dir, plan.Folder(n+1))
		if _, err := os.Stat(filepath.Join(path, result.RecordFile)); err != nil {
			continue
		}
		r, _, err := result.Read(path)
		switch {
		case err != nil:
			fmt.Fprintf(a.stderr, "llem: %v\n", err)
			code = max(code, exitFailed)
		case r.Study == nil || r.Study.ID != plan.ID:
			fmt.Fprintf(a.stderr, "llem: %s is not of this study\n", path)
		default:
			code = max(code, a.vouch(r, path))
			r.Study.Run, r.Study.Point = n+1, plan.Points[plan.Runs[n][1]-1].Name // a changed study has other numbers and names
			r.Name = r.Study.Point
			runs = append(runs, report.Entry{Record: r, Dir: path, Cycle: cycle(r)})
		}
	}
	return plan, runs, code, nil
}

// showStudy prints what the study in dir came to, and writes nothing.
func (a *app) showStudy(dir, versus string, asJSON bool) error {
	plan, runs, code, err := a.studyRuns(dir)
	if err != nil {
		return err
	}
	s, err := report.Study(plan, runs, versus)
	if err != nil {
		return usageError{err}
	}
	if asJSON {
		return ended(printJSON(a.stdout, s), code)
	}
	return ended(a.write(s.Document()), code)
}

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
