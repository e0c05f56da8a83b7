package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/llenergymeasure/llem/internal/peer"
	"github.com/llenergymeasure/llem/internal/report"
	"github.com/llenergymeasure/llem/internal/result"
)

// runAs prints a peer's figures of one result after the other, those of a study in
// its plan's order. One without requests hides no other.
func (c *showCmd) runAs(a *app) error {
	of, _ := peer.Lookup(*c.As) // kong has seen to it
	paths, err := a.runsInOrder(c.Results)
	if err != nil {
		return err
	}
	shown, lacking := 0, 0
	code, err := a.each(paths, func(r *result.Record, dir string) error {
		rows, err := requestsOf(r, dir)
		if err != nil {
			fmt.Fprintf(a.stderr, "llem: show --as %s: %v\n", of.Name, err)
			lacking++
			return nil
		}
		list, notes := of.Figures(rows)
		if c.JSON {
			return c.printAs(a, of, r, dir, list, notes)
		}
		if shown++; shown > 1 {
			fmt.Fprintln(a.stdout)
		}
		return a.write(report.Peer(of, report.Entry{Record: r, Dir: dir}, list, notes))
	})
	if lacking > 0 {
		code = exitUsage
	}
	return ended(err, code)
}

// runsInOrder has a study's runs in place of its folder, in the plan's order, and
// those of other folders as [runs].
func (a *app) runsInOrder(paths []string) (out []string, err error) {
	for _, path := range paths {
		if !result.IsStudyDir(path) {
			out = append(out, runs([]string{path})...)
			continue
		}
		plan, err := result.ReadStudyPlan(path)
		if err != nil {
			return nil, usageError{err}
		}
		if why := plan.Unchecked(); why != "" {
			fmt.Fprintf(a.stderr, "llem: %s: %s, so its points and runs were not checked\n", path, why)
		}
		before := len(out)
		for n := range plan.Runs {
			dir := filepath.Join(path, plan.Folder(n+1))
			if _, err := os.Stat(filepath.Join(dir, result.RecordFile)); err == nil {
				out = append(out, dir)
			}
		}
		switch n := len(out) - before; {
		case n == 0:
			return nil, usageError{fmt.Errorf("%s is a study of %d runs, and none has a result yet: `llem run --resume %s` goes on with it", path, len(plan.Runs), shellWord(path))}
		case n < len(plan.Runs):
			fmt.Fprintf(a.stderr, "llem: %s: %d of %d runs have a result\n", path, n, len(plan.Runs))
		}
	}
	return out, nil
}

// requestsOf reads the requests of the run in dir.
func requestsOf(r *result.Record, dir string) ([]result.RequestRow, error) {
	if r.RequestsFile == "" {
		return nil, fmt.Errorf("%s tells of no requests: the figures come from %s, which a run has that came to its window, and a command's energy never", dir, result.RequestsFile)
	}
	rows, err := r.ReadRequests(dir)
	if err == nil && len(rows) == 0 {
		err = fmt.Errorf("%s sent no request in its window: its status is %s", dir, r.Status)
	}
	return rows, err
}

// asNotes is what llem says of a peer's object, under a key of its own.
type asNotes struct {
	Peer    string            `json:"peer"`
	Version string            `json:"version"` // that the definitions were read from
	Result  string            `json:"result"`
	Status  string            `json:"status"` // of the run
	Notes   []string          `json:"notes"`
	LeftOut map[string]string `json:"left_out"`
}

func (c *showCmd) printAs(a *app, of *peer.Peer, r *result.Record, dir string, list []peer.Figure, notes []string) error {
	about := asNotes{Peer: of.Name, Version: of.Version, Result: dir, Status: r.Status, Notes: notes, LeftOut: map[string]string{}}
	for _, f := range list {
		if f.Lacks != "" {
			about.LeftOut[f.Key] = f.Lacks
		}
	}
	o := peer.Object(list)
	o["llem"] = about
	return printJSON(a.stdout, o)
}
