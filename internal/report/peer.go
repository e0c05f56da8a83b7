package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/llenergymeasure/llem/internal/peer"
	"github.com/llenergymeasure/llem/internal/result"
)

// Peer writes a peer's figures of the requests of one run, and notes on them, as
// [peer.Peer.Figures] computes them.
func Peer(w io.Writer, of *peer.Peer, e Entry, list []peer.Figure, notes []string, opt Options) error {
	p := newPrinter(e.Record, opt)
	p.wrap("", "  ", "as "+of.Title+hard+of.Version+": "+strings.ReplaceAll(e.Dir, " ", hard))
	if s := e.Record.Status; s != result.Completed {
		p.wrap("", "  ", strings.ToUpper(s)+": the figures are of what was sent until then")
	}
	wide := 0
	for _, f := range list {
		wide = max(wide, columns(peerName(f)))
	}
	for some := range slices.Chunk(of.Columns, max(1, (p.width-2-wide)/(narrow+1))) {
		p.peerSpreads(some, list, wide)
	}
	p.peerSingles(list, wide)
	p.peerLacking(list)
	for i, n := range notes {
		if i == 0 {
			p.section("Notes")
		}
		p.wrap("  ", "  ", n)
	}
	return p.print(w)
}

// narrow is the least width of a column.
const narrow = 7

// peerName is a figure's name with its unit.
func peerName(f peer.Figure) string {
	if f.Unit == "" {
		return f.Name
	}
	return f.Name + " (" + f.Unit + ")"
}

// peerSpreads are the figures that have a column for each statistic, in some of
// the columns.
func (p *printer) peerSpreads(some []string, list []peer.Figure, wide int) {
	cell := min(11, (p.width-2-wide)/len(some)-1)
	fmt.Fprintf(&p.b, "\n  %-*s", wide, "")
	for _, c := range some {
		fmt.Fprintf(&p.b, " %*s", cell, c)
	}
	fmt.Fprintln(&p.b)
	for _, f := range list {
		if f.Single() || f.Lacks != "" {
			continue
		}
		line := fmt.Sprintf("  %-*s", wide, peerName(f))
		for _, c := range some {
			text := "–"
			if v, ok := f.Column(c); ok {
				if text = number(v); columns(text) > cell {
					text = short(v)
				}
			}
			line += fmt.Sprintf(" %*s", cell, text)
		}
		fmt.Fprintln(&p.b, strings.TrimRight(line, " "))
	}
}

// peerSingles are the figures of one number.
func (p *printer) peerSingles(list []peer.Figure, wide int) {
	fmt.Fprintln(&p.b)
	for _, f := range list {
		if !f.Single() || f.Lacks != "" {
			continue
		}
		text := "–"
		if v, ok := f.Column(""); ok {
			text = whole(v)
		}
		if !p.grouped { // it stands on the left of its column
			text = strings.ReplaceAll(text, group, "")
		}
		fmt.Fprintf(&p.b, "  %-*s %s\n", wide, peerName(f), text)
	}
}

// whole prints a count as it is, and another number to four digits.
func whole(v float64) string {
	if v == float64(int64(v)) {
		return grouped(int64(v))
	}
	return number(v)
}

// peerLacking are the figures that the file does not tell.
func (p *printer) peerLacking(list []peer.Figure) {
	first := true
	for _, f := range list {
		if f.Lacks == "" {
			continue
		}
		if first {
			p.section("Left out")
			first = false
		}
		p.wrap("  ", "    ", peerName(f)+": "+f.Lacks)
	}
}
