package main

import (
	"fmt"

	"github.com/llenergymeasure/llem/internal/harness"
	"github.com/llenergymeasure/llem/internal/result"
)

type verifyCmd struct {
	Results []string `arg:"" name:"result" predictor:"result" help:"Directories of runs, or their result.json."`
}

func (c *verifyCmd) Run(a *app) error {
	same, shown := true, 0
	code, err := a.read(runs(c.Results), func(r *result.Record, dir string) (int, error) {
		if shown++; shown > 1 {
			fmt.Fprintln(a.stdout)
		}
		fmt.Fprintln(a.stdout, dir)
		for _, f := range harness.Verify(r, dir) {
			state := "ok"
			if !f.OK {
				state, same = "differs", false
			}
			fmt.Fprintf(a.stdout, "  %-8s %-24s %s\n", state, f.What, f.Seen)
		}
		return exitDone, nil
	})
	if !same || code != exitDone {
		code = exitFailed
	}
	return ended(err, code)
}
