package main

import (
	"encoding/json"

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
	code, err := a.each(runs(c.Results), func(r *result.Record, dir string) error {
		if c.JSON {
			enc := json.NewEncoder(a.stdout)
			enc.SetIndent("", "  ")
			return enc.Encode(r)
		}
		list = append(list, report.Entry{Record: r, Dir: dir})
		return nil
	})
	switch {
	case err != nil:
	case len(list) == 1:
		err = a.write(report.Record(list[0].Record, list[0].Dir))
	case len(list) > 1:
		err = a.write(report.Side(list))
	}
	return ended(err, code)
}
