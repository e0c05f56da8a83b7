package main

import (
	"encoding/json"
	"fmt"

	"github.com/llenergymeasure/llem/internal/report"
	"github.com/llenergymeasure/llem/internal/result"
)

type showCmd struct {
	Results []string `arg:"" name:"result" help:"Directories of runs, or their result.json."`
	JSON    bool     `name:"json" help:"Print the records."`
}

func (c *showCmd) Run(a *app) error {
	for i, path := range c.Results {
		r, dir, err := result.Read(path)
		if err != nil {
			return usageError{err}
		}
		if c.JSON {
			enc := json.NewEncoder(a.stdout)
			enc.SetIndent("", "  ")
			if err := enc.Encode(r); err != nil {
				return err
			}
			continue
		}
		if i > 0 {
			fmt.Fprintln(a.stdout)
		}
		if err := report.Table(a.stdout, r, dir, report.Options{Width: width(a.stdout)}); err != nil {
			return err
		}
	}
	return nil
}
