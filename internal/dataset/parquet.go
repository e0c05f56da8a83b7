package dataset

import (
	"fmt"
	"os"
	"strings"

	"github.com/llenergymeasure/llem/internal/table"
)

var formatParquet = format{Ext: ".parquet", Holds: "a table with named columns: texts, lists of texts and conversations", read: parquetRows}

// parquetColumn is a top-level column of a Parquet file.
type parquetColumn struct {
	name string
	kind kindOfField
	who  int // where its texts are among those that are read; of turns who says them; -1: they are not read
	said int // of turns what is said
}

// parquetRows reads the columns at the top of a Parquet file.
func parquetRows(f *os.File, o Options, add func(place string, r *entry) error) error {
	st, err := f.Stat()
	if err != nil {
		return err
	}
	file, err := table.Open(f, st.Size())
	if err != nil {
		return fmt.Errorf("%s is no Parquet file that can be read: %w", o.Name, err)
	}
	columns, read := o.shape.parquetColumns(file.Columns())
	r := &entry{fields: make([]field, len(columns))}
	for i, c := range columns {
		r.fields[i].name = c.name
	}
	if _, err := o.shape.prompt(r); err != nil {
		return fmt.Errorf("%s: %w", o.Name, err)
	}
	var mine error
	err = file.Read(read, maxRow, func(n int64, cells []table.Cell) error {
		for i, c := range columns {
			r.fields[i] = c.field(cells)
		}
		mine = add(fmt.Sprintf(", row %d", n), r)
		return mine
	})
	if err != nil && mine == nil {
		return fmt.Errorf("%s is damaged: %w", o.Name, err)
	}
	return err
}

// parquetColumns are the columns at the top, and those of them that are read: what may
// have text that is sent, or that a prompt would be incomplete without.
func (s *shape) parquetColumns(leaves []table.Column) (out []parquetColumn, read []table.Column) {
	for len(leaves) > 0 {
		name, n := leaves[0].Path[0], 1
		for n < len(leaves) && leaves[n].Path[0] == name {
			n++
		}
		of := leaves[:n]
		leaves = leaves[n:]
		c := parquetColumn{name: name, kind: object, who: -1, said: -1}
		if of[0].Type != table.Text && n == 1 {
			c.kind = scalar
		}
		wanted := roleOf(name) != answer
		switch {
		case s.asked != nil:
			wanted = s.asked.has(name)
		case s.column != "":
			wanted = name == s.column
		}
		take := func(leaf table.Column) int {
			read = append(read, leaf)
			return len(read) - 1
		}
		switch {
		case !wanted:
		case n == 1 && of[0].Type == table.Text && len(of[0].Path) == 1 && !of[0].List:
			c.kind, c.who = text, take(of[0])
		case n == 1 && of[0].Type == table.Text && of[0].ListOfValues():
			c.kind, c.who = list, take(of[0])
		case roleOf(name) == conversation:
			who, said := turnLeaves(of)
			if who != nil && said != nil {
				c.kind, c.who, c.said = turns, take(*who), take(*said)
			}
		}
		out = append(out, c)
	}
	return out, read
}

// turnLeaves are who speaks in a conversation, and what is said; nil: it is none.
func turnLeaves(of []table.Column) (who, said *table.Column) {
	for i := range of {
		if of[i].Type != table.Text || !of[i].List {
			continue
		}
		switch of[i].Path[len(of[i].Path)-1] {
		case "role", "from":
			who = &of[i]
		case "content", "value":
			said = &of[i]
		}
	}
	return who, said
}

// field is the column of one row.
func (c parquetColumn) field(cells []table.Cell) field {
	f := field{name: c.name, kind: c.kind}
	switch c.kind {
	case text:
		if f.text = cells[c.who].Text(); f.text == "" {
			f.kind = empty
		}
	case list:
		for _, v := range cells[c.who] {
			f.list = append(f.list, v.Text)
		}
		if len(f.list) == 0 {
			f.kind = empty
		}
	case turns:
		said := cells[c.said]
		for i, v := range cells[c.who] {
			t := turn{who: strings.ToLower(v.Text)}
			if i < len(said) {
				t.text = said[i].Text
			}
			f.turns = append(f.turns, t)
		}
		if len(f.turns) == 0 {
			f.kind = empty
		}
	case object:
		f.bytes = 1
	}
	return f
}
