package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// Document is what a report says, in the order in which it says it, with the digits of
// every number decided. How it is laid out is for a renderer. What records say in it has
// no character that could mislead a reader. No line ends at a hard space.
type Document struct {
	title prose // empty where the notes say what it is of
	notes       // above all else
	rows        // what was run
	parts []*section
}

// section is a part of a document.
type section struct {
	name    string // may be empty
	kind    kind
	columns []column // of a table; without any, a row has one cell
	rows
	notes    // on the rows
	warnings []warning
}

// kind says what the rows of a section are, where its columns do not.
type kind int

const (
	fields         kind = iota // labels and values, or a table of no kind below
	sentences                  // a label may come first
	openings                   // labels and values, of which the beginning is enough
	latencyTable               // of one run
	sideTable                  // of records beside each other
	energyTable                // of a comparison's points
	speedTable                 // of them too
	unmeteredTable             // of those without energy
)

// column is one of a table's. Numbers end at its right, words begin at its left.
type column struct {
	title string
	words bool
}

// row has a cell for each column, or one for all. An empty row parts groups of rows.
type row struct {
	label string
	mark  string // before the label; mostly empty
	cells []prose
}

// note is a sentence, behind a word such as INVALID ENERGY, or behind none.
type note struct {
	mark string
	text prose
}

// warning is one of a record's measurement warnings.
type warning struct {
	severity string // invalid | doubt | note; a dash where the record has none
	text     prose
}

// prose is words and figures in the order in which they are read.
type prose []span

// span is words, or a figure.
type span struct {
	words  string
	figure *figure // nil: words
}

func (p prose) String() string {
	var b strings.Builder
	for _, s := range p {
		if s.figure != nil {
			b.WriteString(s.figure.String())
		} else {
			b.WriteString(s.words)
		}
	}
	return b.String()
}

// figure is the one that is all of a cell, or nil.
func (p prose) figure() *figure {
	if len(p) != 1 {
		return nil
	}
	return p[0].figure
}

// say puts args in place of each %s of format: figures and prose as they are, all else
// as words.
func say(format string, args ...any) (out prose) {
	words := func(s string) {
		if s != "" {
			out = append(out, span{words: s})
		}
	}
	for _, arg := range args {
		before, after, _ := strings.Cut(format, "%s")
		words(before)
		format = after
		switch v := arg.(type) {
		case prose:
			out = append(out, v...)
		case *figure:
			if v == nil {
				words(v.String())
				continue
			}
			out = append(out, span{figure: v})
		default:
			words(clean(fmt.Sprint(v)))
		}
	}
	words(format)
	return out
}

// joined has sep between the texts of list.
func joined(sep string, list ...prose) (out prose) {
	for i, p := range list {
		if i > 0 {
			out = append(out, span{words: sep})
		}
		out = append(out, p...)
	}
	return out
}

// known are those of list that are known; a dash where none is.
func known(list ...*figure) prose {
	var out []prose
	for _, f := range list {
		if f != nil {
			out = append(out, say("%s", f))
		}
	}
	if out == nil {
		return say("–")
	}
	return joined(", ", out...)
}

// unbroken is a text in which no line ends: a path is for copying.
func unbroken(s string) string { return strings.ReplaceAll(s, " ", hard) }

// section begins one.
func (d *Document) section(name string, k kind) *section {
	s := &section{name: name, kind: k}
	d.parts = append(d.parts, s)
	return s
}

// add adds a section that has rows.
func (d *Document) add(s *section) {
	if len(s.rows) > 0 {
		d.parts = append(d.parts, s)
	}
}

type rows []row

// row adds one with one cell, as [say] has it.
func (rs *rows) row(label, format string, args ...any) {
	*rs = append(*rs, row{label: clean(label), cells: []prose{say(format, args...)}})
}

// cells adds one with a cell for each column, a figure or what is printed as words.
func (rs *rows) cells(mark, label string, of ...any) {
	r := row{mark: mark, label: clean(label)}
	for _, c := range of {
		r.cells = append(r.cells, say("%s", c))
	}
	*rs = append(*rs, r)
}

type notes []note

// note adds one, as [say] has it.
func (ns *notes) note(mark, format string, args ...any) {
	*ns = append(*ns, note{clean(mark), say(format, args...)})
}

// warn adds the section of a record's warnings, the worst first.
func (d *Document) warn(list []string, severities map[string]string) {
	if len(list) == 0 {
		return
	}
	s := d.section("Warnings", fields)
	for _, w := range list {
		code, _, _ := strings.Cut(w, ":")
		s.warnings = append(s.warnings, warning{clean(dash(severities[code])), say("%s", w)})
	}
	order := []string{"invalid", "doubt", "note", "–"}
	slices.SortStableFunc(s.warnings, func(a, b warning) int {
		return slices.Index(order, a.severity) - slices.Index(order, b.severity)
	})
}

// Options say how a document is written.
type Options struct {
	Format  string // of the table of renderers; empty is text
	Width   int    // of the terminal: 60 to 80 columns of it are used; 0 is unknown and takes 80
	Grouped bool   // thousands stand apart, for people: 12 345; else a number is one word, for scripts
}

// renderer writes documents in one format. It reads nothing but the document.
type renderer struct {
	name  string
	write func(io.Writer, *Document, Options) error
}

// renderers are all that there are, the usual one first. A new one is a file and a row.
var renderers = []renderer{
	{"text", writeText},
}

// Write writes the document. It errs as w does, and where no renderer has the format.
func (d *Document) Write(w io.Writer, opt Options) error {
	for _, r := range renderers {
		if opt.Format == "" || opt.Format == r.name {
			return r.write(w, d, opt)
		}
	}
	return fmt.Errorf("format %s: there is no such renderer", opt.Format)
}
