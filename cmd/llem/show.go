package main

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/llenergymeasure/llem/internal/report"
	"github.com/llenergymeasure/llem/internal/result"
)

type showCmd struct {
	Results []string `arg:"" name:"result" predictor:"result" help:"Directories of runs, or their result.json, or the directory of a study."`
	JSON    bool     `name:"json" help:"Print the records; with --as, the figures under the peer's keys."`
	As      *string  `enum:"${peers}" placeholder:"PEER" help:"Print the figures as another benchmark defines them: ${enum} (docs/peers.md)."`
}

func (c *showCmd) Run(a *app) error {
	if c.As != nil {
		return c.runAs(a)
	}
	if len(c.Results) == 1 && result.IsStudyDir(c.Results[0]) {
		return a.showStudy(c.Results[0], "", c.JSON)
	}
	var list []report.Entry
	good, err := a.each(runs(c.Results), func(r *result.Record, dir string) error {
		if c.JSON {
			enc := json.NewEncoder(a.stdout)
			enc.SetIndent("", "  ")
			return enc.Encode(r)
		}
		list = append(list, report.Entry{Record: r, Dir: dir})
		return nil
	})
	opt := report.Options{Width: width(a.out.stdout)}
	switch {
	case err != nil:
	case len(list) == 1:
		err = report.Table(a.stdout, list[0].Record, list[0].Dir, opt)
	case len(list) > 1:
		err = report.Side(a.stdout, list, opt)
	}
	if err == nil && !good {
		return silent(exitUsage)
	}
	return err
}

// each reads the results at paths and says of each that cannot be read what is
// wrong with it; good is false then. One bad folder among many, such as that of a
// killed run, hides no other. It ends at the first error of do.
func (a *app) each(paths []string, do func(r *result.Record, dir string) error) (good bool, err error) {
	good = true
	for _, path := range paths {
		r, dir, err := result.Read(path)
		if err != nil {
			fmt.Fprintln(a.stderr, "llem:", err)
			good = false
			continue
		}
		if err := spared(r, dir, do); errors.Is(err, errNonsense) {
			fmt.Fprintln(a.stderr, "llem:", err)
			good = false
		} else if err != nil {
			return good, err
		}
	}
	return good, nil
}

// errNonsense is a record whose figures nothing can be done with.
var errNonsense = errors.New("the result holds what no run leaves, and cannot be read further")

// spared is do of a result that may hold anything: what do panics of is an error of
// this one result, and hides no other.
func spared(r *result.Record, dir string, do func(r *result.Record, dir string) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%s: %w (%v)", dir, errNonsense, p)
		}
	}()
	return do(r, dir)
}
