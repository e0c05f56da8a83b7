package report

import (
	"fmt"
	"html"
	"io"
	"strings"
)

// writeHTML is the renderer of a page: every value between tags, none placed.
func writeHTML(w io.Writer, d *Document, _ Options) error {
	var b strings.Builder
	put := func(tag, text string) {
		text = strings.NewReplacer(hard, " ", group, "").Replace(text)
		fmt.Fprintf(&b, "<%s>%s</%[1]s>\n", tag, html.EscapeString(text))
	}
	said := func(list notes) {
		for _, n := range list {
			put("strong", n.mark)
			put("p", n.text.String())
		}
	}
	table := func(columns []column, list rows) {
		for _, c := range columns {
			put("th", c.title)
		}
		for _, r := range list {
			put("th", r.mark+" "+r.label)
			for _, c := range r.cells {
				put("td", c.String())
			}
		}
	}
	put("h1", d.title.String())
	said(d.notes)
	table(nil, d.rows)
	for _, s := range d.parts {
		put("h2", s.name)
		table(s.columns, s.rows)
		said(s.notes)
		for _, w := range s.warnings {
			put("strong", w.severity)
			put("p", w.text.String())
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
