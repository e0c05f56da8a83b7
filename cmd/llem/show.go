package main

import (
	"encoding/json"
	"fmt"

	"github.com/llenergymeasure/llem/internal/report"
	"github.com/llenergymeasure/llem/internal/result"
)

type showCmd struct {
	Results []string `arg:"" name:"result" predictor:"result" help:"Directories of runs, or their result.json."`
	JSON    bool     `name:"json" help:"Print the records."`
}

func (c *showCmd) Run(a *app) error {
	shown := 0
	good, err := a.each(c.Results, func(r *result.Record, dir string) error {
		if c.JSON {
			enc := json.NewEncoder(a.stdout)
			enc.SetIndent("", "  ")
			return enc.Encode(r)
		}
		if shown++; shown > 1 {
			fmt.Fprintln(a.stdout)
		}
		return report.Table(a.stdout, r, dir, report.Options{Width: width(a.stdout)})
	})
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
		if err := do(r, dir); err != nil {
			return good, err
		}
	}
	return good, nil
}
