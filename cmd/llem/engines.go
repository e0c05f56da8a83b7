package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/llenergymeasure/llem/internal/engine"
)

type enginesCmd struct {
	JSON bool `name:"json" help:"Print the list as JSON."`
}

// engineRow is what llem engines says of one.
type engineRow struct {
	Name        string `json:"name"`
	Upstream    string `json:"upstream,omitempty"`     // what a bare name stands for; empty: no image of its makers'
	UpstreamCPU string `json:"upstream_cpu,omitempty"` // the same on a host without a GPU, where that is another
	Versions    string `json:"versions"`               // that the adapter was written for
	TokenIDs    bool   `json:"token_ids"`
	IgnoreEOS   bool   `json:"ignore_eos"`
}

func (c *enginesCmd) Run(a *app) error {
	var rows []engineRow
	for _, name := range engine.Names() {
		e, err := engine.Lookup(name)
		if err != nil {
			return err
		}
		t := e.Traits()
		rows = append(rows, engineRow{Name: name, Upstream: t.Upstream, UpstreamCPU: t.UpstreamCPU, Versions: t.Versions, TokenIDs: t.TokenIDs, IgnoreEOS: t.IgnoreEOS})
	}
	if c.JSON {
		enc := json.NewEncoder(a.stdout)
		enc.SetIndent("", "  ")
		return enc.Encode(rows)
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "engine\ttoken ids\tignore EOS\twritten for\tupstream image")
	for _, r := range rows {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", r.Name, yes(r.TokenIDs), yes(r.IgnoreEOS), r.Versions, orDash(r.Upstream))
	}
	return w.Flush()
}

// exampleImage is what help texts and hints name for an example: the first engine's own
// image.
func exampleImage() string {
	image, _ := engine.Upstream(engine.Names()[0], true)
	return strings.TrimSuffix(image, ":latest")
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
