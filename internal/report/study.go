package report

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/llenergymeasure/llem/internal/result"
)

// StudySummary is summary.json: what a study says, however far it came.
type StudySummary struct {
	SchemaVersion string      `json:"schema_version"`
	ID            string      `json:"id"` // of the carrying-out
	Name          string      `json:"name"`
	Hash          string      `json:"study_hash"`
	Status        string      `json:"status"`    // complete | incomplete
	Execution     any         `json:"execution"` // as in plan.json: cycles, order, seed …
	Runs          StudyCounts `json:"runs"`
	NotRun        []NotRun    `json:"not_run"` // points
	Missing       []string    `json:"missing"` // folders of runs without a whole record
	Comparison    *Comparison `json:"comparison"`
}

// StudyCounts are numbers of runs.
type StudyCounts struct {
	Planned   int `json:"planned"`
	Completed int `json:"completed"`
	Failed    int `json:"failed"`
	Missing   int `json:"missing"` // not run yet, or interrupted
	// Interrupted are those of the missing that were begun and interrupted.
	Interrupted int `json:"interrupted"`
}

// NotRun is a point of a study that is not run, and why.
type NotRun struct {
	Point  string `json:"point"`
	Reason string `json:"reason"`
}

// Study summarises a study from its plan and the records of its runs, in the plan's
// order. versus is as for [Compare].
func Study(plan *result.StudyPlan, runs []Entry, versus string) (*StudySummary, error) {
	s := &StudySummary{
		SchemaVersion: result.SchemaVersion, ID: plan.ID, Name: plan.Name, Hash: plan.Hash, Status: "complete", Execution: plan.Execution,
		Runs: StudyCounts{Planned: len(plan.Runs)}, NotRun: []NotRun{}, Missing: []string{},
	}
	for _, p := range plan.Points {
		switch {
		case p.Invalid != "":
			s.NotRun = append(s.NotRun, NotRun{p.Name, p.Invalid})
		case p.SameAs != nil:
			s.NotRun = append(s.NotRun, NotRun{p.Name, "the same as " + plan.Points[*p.SameAs-1].Name})
		}
	}
	there := map[int]bool{}
	for _, e := range runs {
		switch there[e.Record.Study.Run] = true; e.Record.Status {
		case result.Completed:
			s.Runs.Completed++
		case result.Failed:
			s.Runs.Failed++
		default:
			there[e.Record.Study.Run] = false
			s.Runs.Interrupted++
		}
	}
	for n := 1; n <= len(plan.Runs); n++ {
		if !there[n] {
			s.Missing = append(s.Missing, plan.Folder(n))
		}
	}
	if s.Runs.Missing = len(s.Missing); s.Runs.Missing > 0 {
		s.Status = "incomplete"
	}
	at := map[string]int{}
	for i, p := range plan.Points {
		at[p.Name] = i
	}
	runs = slices.Clone(runs)
	for i := range runs {
		runs[i].Dir = filepath.Base(runs[i].Dir) // wherever the study's folder is
	}
	slices.SortStableFunc(runs, func(a, b Entry) int { return at[a.Record.Study.Point] - at[b.Record.Study.Point] }) // in the file's order
	var err error
	s.Comparison, err = Compare(runs, versus)
	return s, err
}

// mostMissing is how many folders of missing runs are printed.
const mostMissing = 5

// Document is the summary for people.
func (s *StudySummary) Document() *Document {
	d := &Document{}
	head := fmt.Sprintf("Study %s: %d of %s completed, %d failed, %d missing", s.Name, s.Runs.Completed, plural(s.Runs.Planned, "run"), s.Runs.Failed, s.Runs.Missing)
	d.title = say("%s", unbroken(head))
	d.comparison(s.Comparison)
	notRun := &section{name: "Not run", kind: sentences}
	for _, n := range s.NotRun {
		notRun.row(n.Point, "%s", n.Reason)
	}
	d.add(notRun)
	if n := len(s.Missing); n > 0 {
		missing := d.section("Missing", fields)
		missing.note("", "%s", strings.Join(s.Missing[:min(n, mostMissing)], ", "))
		if n > mostMissing {
			missing.note("", "and %s more", n-mostMissing)
		}
	}
	return d
}
