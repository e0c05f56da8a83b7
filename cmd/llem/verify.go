package main

import (
	"fmt"

	"github.com/llenergymeasure/llem/internal/harness"
	"github.com/llenergymeasure/llem/internal/result"
)

type verifyCmd struct {
	Results []string `arg:"" name:"result" help:"Directories of runs, or their result.json."`
}

func (c *verifyCmd) Run(a *app) error {
	good := true
	for i, path := range c.Results {
		r, dir, err := result.Read(path)
		if err != nil {
			return usageError{err}
		}
		if i > 0 {
			fmt.Fprintln(a.stdout)
		}
		fmt.Fprintln(a.stdout, dir)
		for _, f := range harness.Verify(r, dir) {
			state := "ok"
			if !f.OK {
				state, good = "differs", false
			}
			fmt.Fprintf(a.stdout, "  %-8s %-20s %s\n", state, f.What, f.Seen)
		}
	}
	if !good {
		return silent(exitFailed)
	}
	return nil
}
