package frame

import (
	"errors"
	"fmt"
	"io"
)

// mostPage bounds a page in bytes, packed and unpacked. Writers make pages of a
// megabyte or so; only a single value of that size needs a larger one.
const mostPage = 256 << 20

// mostValues bounds the values of one page: the levels of each take memory.
const mostValues = 16 << 20

// Shape is how large what is in a file is, once it is read.
type Shape struct {
	Rows     int64
	Columns  int   // that hold values
	Values   int64 // in all columns
	Unpacked int64 // bytes of all pages
}

// Check reads the footer and the page headers of the file of size bytes in r. Its
// error says what is wrong with the file, and begins with no name. With sums every
// page must have a checksum, and is read whole to be held to it.
func Check(r io.ReaderAt, size int64, sums bool) (Shape, error) {
	f, end, err := readFooter(r, size)
	if err != nil {
		return Shape{}, err
	}
	s := Shape{Columns: len(f.leaves)}
	for i := range f.groups {
		g := &f.groups[i]
		if g.rows < 0 || len(g.columns) != len(f.leaves) || g.rows > 0 && len(f.leaves) == 0 {
			return Shape{}, fmt.Errorf("row group %d has %d rows of %d columns, and the schema has %d", i+1, g.rows, len(g.columns), len(f.leaves))
		}
		for c := range g.columns {
			w := walk{r: r, end: end, sums: sums, rows: g.rows, leaf: f.leaves[c], chunk: g.columns[c]}
			if err := w.column(&s); err != nil {
				return Shape{}, fmt.Errorf("row group %d, column %d: %w", i+1, c+1, err)
			}
		}
		s.Rows += g.rows
	}
	if s.Rows != f.rows {
		return Shape{}, fmt.Errorf("it claims %d rows, and its row groups hold %d", f.rows, s.Rows)
	}
	return s, nil
}

// walk goes through the pages of one column of a row group.
type walk struct {
	r    io.ReaderAt
	end  int64 // of the data, where the footer begins
	sums bool
	rows int64
	leaf
	chunk
	words bool // a dictionary came
}

func (w *walk) column(s *Shape) error {
	if err := w.placed(); err != nil {
		return err
	}
	if wrong := w.values != w.rows; wrong && w.repetition == 0 || w.values < w.rows {
		return fmt.Errorf("it has %d values in %d rows", w.values, w.rows)
	}
	unpacked, err := w.pages()
	s.Values, s.Unpacked = s.Values+w.values, s.Unpacked+unpacked
	return err
}

// start is where the first page begins.
func (k *chunk) start() int64 {
	if k.dictionary > 0 && (k.dictionary < k.data || k.data == 0) {
		return k.dictionary
	}
	return k.data
}

// placed says whether the column lies before the footer.
func (w *walk) placed() error {
	k := w.chunk
	switch {
	case k.elsewhere || !k.known:
		return errors.New("it is encrypted, or in another file, or not described")
	case k.values == 0 && k.packed == 0:
		return nil
	case k.start() < int64(len(magic)) || k.packed < 0 || k.packed > w.end || k.start() > w.end-k.packed:
		return fmt.Errorf("%d bytes from %d on, and the data ends at %d", k.packed, k.start(), w.end)
	case k.dictionary < 0 || k.dictionary >= k.start()+k.packed || k.data >= k.start()+k.packed && k.values > 0:
		return errors.New("its pages lie outside of it")
	}
	return unpackable(k.codec)
}

// pages goes from page to page, which must hold the column's values and no more.
func (w *walk) pages() (unpacked int64, err error) {
	values := int64(0)
	for at, end := w.start(), w.start()+w.packed; at < end; {
		p, length, err := readPage(w.r, at, end)
		if err == nil {
			err = w.page(&p, at, at+length, end)
		}
		if err != nil {
			return 0, fmt.Errorf("page at byte %d: %w", at, err)
		}
		if p.kind == dictionaryPage {
			w.words = true
		} else {
			values += p.values
		}
		unpacked += p.unpacked
		at += length + p.packed
	}
	if values != w.values {
		return 0, fmt.Errorf("it claims %d values, and its pages hold %d", w.values, values)
	}
	return unpacked, nil
}

// page checks one page, whose header is at a byte and whose body at another.
func (w *walk) page(p *page, at, body, end int64) error {
	if err := p.check(end-body, w.codec); err != nil {
		return err
	}
	if p.kind == dictionaryPage && (w.words || at != w.start()) {
		return errors.New("it is a dictionary, and not the first page")
	}
	if err := p.encoded(w.leaf.kind, w.words); err != nil {
		return err
	}
	if err := p.unpacks(w.r, body, w.codec); err != nil {
		return err
	}
	if err := p.levelled(w.r, body, w.leaf); err != nil {
		return err
	}
	if !w.sums {
		return nil
	}
	return p.summed(w.r, body)
}
