package report

import (
	"fmt"
	"slices"
	"strings"
)

// layout is how wide the columns of a kind of table are.
type layout struct {
	label       int   // of the rows' labels; 0 is the longest of the document
	cells       []int // 0 is a share of the room; nil is one for each
	slack       int   // of the room, which is left
	least, most int   // of a share
	// fit makes a cell fit that is wider; nil leaves it.
	fit func(c prose, wide int) string
}

// layouts are those of the kinds of tables.
var layouts = map[kind]layout{
	fields:         {least: 7, most: 11, fit: shorter},
	latencyTable:   {label: 20, cells: []int{10, 10, 10, 10, 10}, fit: shorter},
	sideTable:      {label: 15, least: 20, most: widest, fit: func(c prose, wide int) string { return cut(c.String(), wide) }},
	energyTable:    {label: 3, cells: []int{0, 4, 10, 9, 10, 8}, slack: 2, most: widest},
	speedTable:     {label: 3, cells: []int{0, 0, 0, 8}, slack: 1, most: widest},
	unmeteredTable: {label: 3, cells: []int{0, 4, 20, 20}, slack: 1, most: widest},
}

// shorter has fewer digits.
func shorter(c prose, _ int) string {
	if f := c.figure(); f != nil {
		return short(f.value, f.unit).String()
	}
	return c.String()
}

// widths are those of n columns in room.
func (l layout) widths(n, room int) []int {
	out := slices.Clone(l.cells)
	if out == nil {
		out = make([]int, n)
	}
	room, shares := room-l.slack, 0
	for _, w := range out {
		if w == 0 {
			shares++
			continue
		}
		room -= w + 1
	}
	for i, w := range out {
		if w == 0 {
			out[i] = min(l.most, room/shares-1)
		}
	}
	return out
}

// table writes as many columns beside each other as fit, then the rest.
func (p *printer) table(s *section) {
	l := layouts[s.kind]
	if l.label == 0 {
		l.label = p.longest
	}
	room, fit := p.width-2-l.label, len(s.columns)
	if l.cells == nil {
		fit = max(1, room/(l.least+1))
	}
	for from := 0; from < len(s.columns); from += fit {
		if from > 0 {
			p.gap()
		}
		to := min(from+fit, len(s.columns))
		p.block(s, l, from, l.widths(to-from, room), s.columns[from:to])
	}
}

// block writes some columns of a table.
func (p *printer) block(s *section, l layout, from int, wide []int, list []column) {
	head, end := s.name, 2+l.label
	for i, c := range list {
		if c.title != "" {
			head = fill(head, end) + " " + strings.Repeat(" ", max(0, wide[i]-columns(c.title))) + c.title
		}
		end += 1 + wide[i]
	}
	if strings.TrimSpace(head) != "" {
		fmt.Fprintln(&p.b, head)
	}
	for _, r := range s.rows {
		line := fmt.Sprintf("%-2s%-*s", r.mark, l.label, r.label)
		if len(r.cells) == 1 && len(s.columns) > 1 && columns(r.cells[0].String()) > wide[0] { // it is of all columns
			p.wrap(line+" ", strings.Repeat(" ", columns(line)+1), r.cells[0].String())
			continue
		}
		for i, c := range r.cells[min(from, len(r.cells)):min(from+len(list), len(r.cells))] {
			line += " " + p.cell(c, wide[i], list[i].words, l.fit)
		}
		if r.cells == nil {
			line = ""
		}
		fmt.Fprintln(&p.b, strings.TrimRight(line, " "))
	}
}

// cell is one in its column.
func (p *printer) cell(c prose, wide int, words bool, fit func(prose, int) string) string {
	text := c.String()
	switch {
	case words && c.figure() == nil:
		return pad(text, wide)
	case words:
		return fill(p.left(text), wide)
	case columns(text) > wide && fit != nil:
		text = fit(c, wide)
	}
	return strings.Repeat(" ", max(0, wide-columns(text))) + text
}

func fill(text string, n int) string { return text + strings.Repeat(" ", max(0, n-columns(text))) }

// pad cuts or fills text to so many columns. It cuts in the middle, since names of a
// study's points differ in their ends.
func pad(text string, n int) string {
	if all := []rune(text); len(all) > n {
		head := (n - 1) / 3
		return string(all[:head]) + "…" + string(all[len(all)-(n-1-head):])
	}
	return fill(text, n)
}
