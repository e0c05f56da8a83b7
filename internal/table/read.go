package table

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Cell is what one row has of a column: one value, or of a list any number.
type Cell []Value

// Value is one text; Null where there is none.
type Value struct {
	Text string
	Null bool
}

// Text is the value of a column that is no list; empty for null.
func (c Cell) Text() string {
	if len(c) == 0 {
		return ""
	}
	return c[0].Text
}

// reader goes through the rows of one column in one row group.
type reader struct {
	*cursor
	dictionary [][]byte
	most       int // bytes of one row's values

	rep, def []uint32 // of the page, of what has not come; nil: all are 0, or all are the highest
	entries  int      // of the page that have not come
	values   texts
}

// Read calls do with each row of some columns of text, in order, with the row's number from
// 1. A row whose values of one column have over most bytes is an error. The cells are
// good until do returns, their texts for longer.
func (f *File) Read(columns []Column, most int, do func(row int64, cells []Cell) error) error {
	row := int64(0)
	cells := make([]Cell, len(columns))
	for i := range f.groups {
		g := &f.groups[i]
		readers := make([]*reader, len(columns))
		for k := range columns {
			readers[k] = &reader{cursor: f.cursor(g, &columns[k]), most: most}
		}
		for range g.rows {
			row++
			for k, r := range readers {
				var err error
				if cells[k], err = r.row(cells[k][:0]); err != nil {
					return fmt.Errorf("row %d, column %q: %w", row, columns[k].name(), err)
				}
			}
			if err := do(row, cells); err != nil {
				return err
			}
		}
	}
	return nil
}

// row is the next row's values.
func (r *reader) row(into Cell) (Cell, error) {
	bytes := 0
	for first := true; ; first = false {
		if r.entries == 0 {
			switch err := r.page(); {
			case err == io.EOF && !first:
				return into, nil
			case err == io.EOF:
				return nil, errors.New("the column has fewer rows than its row group")
			case err != nil:
				return nil, err
			}
		}
		rep, def := uint32(0), uint32(r.column.maxDef)
		if r.rep != nil {
			rep = r.rep[0]
		}
		if r.def != nil {
			def = r.def[0]
		}
		if !first && (rep == 0 || !r.column.List) {
			return into, nil
		}
		r.pass()
		switch {
		case def == uint32(r.column.maxDef):
			v, err := r.values()
			if err != nil {
				return nil, err
			}
			if bytes += len(v); bytes > r.most {
				return nil, fmt.Errorf("it has over %d MiB, which is the limit", r.most>>20)
			}
			into = append(into, Value{Text: string(v)})
		case def >= uint32(r.column.listDef): // of no list it is 0
			into = append(into, Value{Null: true})
		}
		if !r.column.List {
			return into, nil
		}
	}
}

// pass goes on by one entry.
func (r *reader) pass() {
	r.entries--
	if r.rep != nil {
		r.rep = r.rep[1:]
	}
	if r.def != nil {
		r.def = r.def[1:]
	}
}

// page takes the next page with values; io.EOF: there is none.
func (r *reader) page() error {
	for r.entries == 0 {
		h, at, ok, err := r.next()
		if err != nil {
			return err
		}
		if !ok {
			return io.EOF
		}
		if h.kind == indexPage {
			continue
		}
		b, err := r.bytes(h, at)
		if err != nil {
			return err
		}
		switch h.kind {
		case dictionaryPage:
			err = r.readDictionary(h, b)
		case dataPage:
			err = r.readPage(h, b)
		case dataPageV2:
			err = r.readPageV2(h, b)
		default:
			err = fmt.Errorf("a page is of the unknown type %d", h.kind)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) readDictionary(h header, b []byte) error {
	b, err := r.f.codecs.unpack(r.chunk.codec, b, h.plain)
	if err != nil {
		return err
	}
	if h.values > int64(len(b)/4) {
		return fmt.Errorf("a dictionary is said to have %d values in %d bytes", h.values, len(b))
	}
	next := plainTexts(b)
	r.dictionary = make([][]byte, 0, h.values)
	for range h.values {
		v, err := next()
		if err != nil {
			return err
		}
		r.dictionary = append(r.dictionary, v)
	}
	return nil
}

func (r *reader) readPage(h header, b []byte) error {
	b, err := r.f.codecs.unpack(r.chunk.codec, b, h.plain)
	if err != nil {
		return err
	}
	behind := func(most int) ([]uint32, error) {
		if most == 0 {
			return nil, nil
		}
		if len(b) < 4 {
			return nil, errValues
		}
		n := binary.LittleEndian.Uint32(b)
		if b = b[4:]; uint64(n) > uint64(len(b)) {
			return nil, errValues
		}
		out, err := levels(b[:n], most, int(h.values))
		b = b[n:]
		return out, err
	}
	if r.rep, err = behind(r.column.maxRep); err != nil {
		return err
	}
	if r.def, err = behind(r.column.maxDef); err != nil {
		return err
	}
	return r.begin(h, b)
}

func (r *reader) readPageV2(h header, b []byte) (err error) {
	if r.rep, err = levels(b[:h.repBytes], r.column.maxRep, int(h.values)); err != nil {
		return err
	}
	b = b[h.repBytes:]
	if r.def, err = levels(b[:h.defBytes], r.column.maxDef, int(h.values)); err != nil {
		return err
	}
	b = b[h.defBytes:]
	if !h.uncompressed {
		if b, err = r.f.codecs.unpack(r.chunk.codec, b, h.plain-h.repBytes-h.defBytes); err != nil {
			return err
		}
	}
	return r.begin(h, b)
}

// begin sets out on a page's values.
func (r *reader) begin(h header, b []byte) (err error) {
	n := int(h.values)
	if r.def != nil {
		n = 0
		for _, d := range r.def {
			if d == uint32(r.column.maxDef) {
				n++
			}
		}
	}
	r.values, err = decode(b, h.encoding, r.dictionary, n)
	r.entries = int(h.values)
	return err
}
