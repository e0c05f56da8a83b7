package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/llenergymeasure/llem/internal/report"
	"github.com/llenergymeasure/llem/internal/result"
)

type compareCmd struct {
	Results []string `arg:"" name:"result" predictor:"result" help:"Directories of runs, their result.json, or folders that hold runs, from any time and host. Equal ones are repeats."`
	Versus  *string  `placeholder:"NAME|A" help:"The point that the others are compared with, by name or letter; default: the first with an energy figure."`
	JSON    bool     `name:"json" help:"Print the comparison as JSON."`
}

func (c *compareCmd) Run(a *app) error {
	versus := ""
	if c.Versus != nil {
		if versus = *c.Versus; versus == "" {
			return usageError{errors.New("--versus: blank: name a point or leave the flag out")}
		}
	}
	if len(c.Results) == 1 && result.IsStudyDir(c.Results[0]) {
		return a.showStudy(c.Results[0], versus, c.JSON)
	}
	list, code, err := a.entries(c.Results)
	if err != nil {
		return err
	}
	if len(list) > 0 {
		compared, err := report.Compare(list, versus)
		if err != nil {
			return usageError{err}
		}
		if err := c.print(a, compared); err != nil {
			return err
		}
	}
	return ended(nil, code)
}

func (c *compareCmd) print(a *app, compared *report.Comparison) error {
	if !c.JSON {
		return a.write(compared.Document())
	}
	return printJSON(a.stdout, compared)
}

// entries reads results, each run once; a folder of results, such as a study's,
// stands for all that are in it.
func (a *app) entries(paths []string) (list []report.Entry, code int, err error) {
	seen := map[string]string{}
	code, err = a.each(runs(paths), func(r *result.Record, dir string) error {
		if first, again := seen[r.ExperimentID]; again && r.ExperimentID != "" {
			fmt.Fprintf(a.stderr, "llem: %s is the run of %s again: counted once\n", dir, first)
			return nil
		}
		seen[r.ExperimentID] = dir
		list = append(list, report.Entry{Record: r, Dir: dir, Cycle: cycle(r)})
		return nil
	})
	return list, code, err
}

// runs has the folders of runs in place of a folder that is no run but holds some.
func runs(paths []string) (out []string) {
	for _, path := range paths {
		inside, _ := filepath.Glob(filepath.Join(literal.Replace(path), "*", result.RecordFile)) // the pattern is good
		if _, err := os.Stat(filepath.Join(path, result.RecordFile)); err == nil || len(inside) == 0 {
			out = append(out, path)
			continue
		}
		for _, file := range inside {
			out = append(out, filepath.Dir(file))
		}
	}
	return out
}

// literal keeps a path from being read as a pattern.
var literal = strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`)

// cycle is that of a study's run; empty for one by itself.
func cycle(r *result.Record) string {
	if r.Study == nil {
		return ""
	}
	return fmt.Sprintf("%s/%d", r.Study.ID, r.Study.Cycle)
}
