package report

import (
	"fmt"
	"io"
	"regexp"
	"strings"
)

// widest is the most columns that a text takes, for a page or an e-mail; only
// a word that cannot be broken, such as a path, goes beyond it.
const widest = 80

// labelWidth is that of the labels of values.
const labelWidth = 20

// printer builds a text; its lines are written at once at the end.
type printer struct {
	b       strings.Builder
	width   int
	longest int // of the document's labels
	// thousands stand apart
	grouped bool
}

// writeText is the renderer of text for a terminal.
func writeText(w io.Writer, d *Document, opt Options) error {
	p := &printer{width: widest, grouped: opt.Grouped}
	if opt.Width > 0 {
		p.width = min(widest, max(60, opt.Width))
	}
	for _, s := range d.parts {
		for _, r := range s.rows {
			p.longest = max(p.longest, columns(r.label))
		}
	}
	if d.title != nil {
		p.wrap("", "  ", d.title.String())
		p.gap()
	}
	for _, n := range d.notes {
		p.wrap(n.before(), "  ", n.text.String())
	}
	p.fields(d.rows)
	for _, s := range d.parts {
		p.section(s)
	}
	return p.print(w)
}

func (p *printer) section(s *section) {
	p.gap()
	if s.name != "" && s.columns == nil {
		fmt.Fprintln(&p.b, s.name)
	}
	switch {
	case s.columns != nil:
		p.table(s)
	case s.kind == sentences:
		p.sentences(s.rows)
	case s.kind == openings:
		p.openings(s.rows)
	default:
		p.fields(s.rows)
	}
	if len(s.rows) > 0 && len(s.notes) > 0 {
		p.gap()
	}
	for _, n := range s.notes {
		first := "  " + n.before()
		p.wrap(first, strings.Repeat(" ", columns(first)), n.text.String())
	}
	for _, w := range s.warnings {
		p.wrap(fmt.Sprintf("  %-8s ", w.severity), strings.Repeat(" ", 11), w.text.String())
	}
}

// before is what is before a note's text.
func (n note) before() string {
	if n.mark == "" {
		return ""
	}
	return n.mark + ": "
}

// gap is an empty line; not at the beginning.
func (p *printer) gap() {
	if p.b.Len() > 0 {
		fmt.Fprintln(&p.b)
	}
}

func (p *printer) fields(list []row) {
	for _, r := range list {
		p.wrap(fmt.Sprintf("  %-*s ", labelWidth, r.label), strings.Repeat(" ", labelWidth+3), r.cells[0].String())
	}
}

func (p *printer) sentences(list []row) {
	for _, r := range list {
		p.wrap("  ", "    ", note{r.label, nil}.before()+r.cells[0].String())
	}
}

// openings are rows of one line, and one without a label.
func (p *printer) openings(list []row) {
	wide := 0
	for _, r := range list {
		wide = min(30, max(wide, columns(r.label)))
	}
	for _, r := range list {
		line := "  " + r.cells[0].String()
		if r.label != "" {
			line = fmt.Sprintf("  %-*s%s", wide, r.label, line)
		}
		fmt.Fprintln(&p.b, cut(line, p.width))
	}
}

// cut has no more than n columns.
func cut(text string, n int) string {
	if columns(text) > n {
		return string([]rune(text)[:n-1]) + "…"
	}
	return text
}

// print writes the text, with its numbers apart or as one word.
func (p *printer) print(w io.Writer) error {
	text := p.b.String()
	if p.grouped {
		text = strings.ReplaceAll(text, group, " ")
	} else {
		text = inColumns.ReplaceAllStringFunc(text, func(cell string) string {
			return strings.Repeat(" ", strings.Count(cell, group)) + strings.ReplaceAll(cell, group, "")
		})
	}
	_, err := io.WriteString(w, strings.ReplaceAll(text, hard, " "))
	return err
}

// inColumns is a cell with thousands apart, and the spaces that push it to the right.
var inColumns = regexp.MustCompile(` +[^ \n]*` + group + `[^ \n]*`)

// wrap writes text behind a first prefix, its later lines behind another.
func (p *printer) wrap(first, rest, text string) {
	line, fresh := first, true
	for word := range strings.SplitSeq(p.left(text), " ") {
		switch {
		case word == "":
		case fresh:
			line, fresh = line+word, false
		case columns(line)+1+columns(word) > p.width:
			fmt.Fprintln(&p.b, line)
			line = rest + word
		default:
			line += " " + word
		}
	}
	fmt.Fprintln(&p.b, strings.TrimRight(line, " "))
}

// left is text that does not end at the right of a column, where no spaces replace
// those between thousands.
func (p *printer) left(text string) string {
	if p.grouped {
		return text
	}
	return strings.ReplaceAll(text, group, "")
}

func columns(s string) int { return len([]rune(s)) }
