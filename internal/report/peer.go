package report

import (
	"strings"

	"github.com/llenergymeasure/llem/internal/peer"
	"github.com/llenergymeasure/llem/internal/result"
)

// Peer is the document of a peer's figures of the requests of one run, and notes on
// them, as [peer.Peer.Figures] computes them.
func Peer(of *peer.Peer, e Entry, list []peer.Figure, remarks []string) *Document {
	d := &Document{}
	d.note("", "as %s: %s", of.Title+hard+of.Version, unbroken(e.Dir))
	if s := e.Record.Status; s != result.Completed {
		d.note("", "%s: the figures are of what was sent until then", strings.ToUpper(s))
	}
	spreads, singles, lacking := d.section("", fields), d.section("", fields), &section{name: "Left out", kind: sentences}
	for _, c := range of.Columns {
		spreads.columns = append(spreads.columns, column{title: c})
	}
	singles.columns = []column{{words: true}}
	for _, f := range list {
		label := f.Name
		if f.Unit != "" {
			label += " (" + f.Unit + ")"
		}
		switch {
		case f.Lacks != "":
			lacking.row(label, "%s", f.Lacks)
		case f.Single():
			v, ok := f.Column("")
			singles.row(label, "%s", ifKnown(ok, whole(v, "")))
		default:
			spread := row{label: clean(label)}
			for _, c := range of.Columns {
				v, ok := f.Column(c)
				spread.cells = append(spread.cells, say("%s", ifKnown(ok, value(v, ""))))
			}
			spreads.rows = append(spreads.rows, spread)
		}
	}
	d.add(lacking)
	if len(remarks) > 0 {
		s := d.section("Notes", fields)
		for _, n := range remarks {
			s.note("", "%s", n)
		}
	}
	return d
}

func ifKnown(known bool, f *figure) *figure {
	if known {
		return f
	}
	return nil
}
