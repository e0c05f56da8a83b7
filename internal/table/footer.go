package table

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
)

const (
	magic = "PAR1"
	// maxFooter bounds the footer of a file; one of 200,000 column chunks has about
	// 40 MiB.
	maxFooter = 64 << 20
	maxChunks = 200_000
	maxDepth  = 32 // of a column in groups
)

// Type is a column's type, by the format's number.
type Type int

// Text is the type of strings and of bytes.
const Text Type = 6

// Column is one of a file, a leaf of its schema.
type Column struct {
	Path []string // names from the top; that of a list has the format's own in it, such as list and element
	Type Type
	List bool // a row has any number of values, in one list or in lists of lists

	index   int
	maxRep  int
	maxDef  int
	listDef int // from which definition level on a list has an element
}

// name is the path with dots.
func (c Column) name() string { return strings.Join(c.Path, ".") }

// ListOfValues says that the column is a list at the top whose elements are values, not groups
// of several.
func (c Column) ListOfValues() bool { return c.maxRep == 1 && len(c.Path) <= 3 }

// chunk is where a row group's values of one column are.
type chunk struct {
	codec         int
	values        int64
	start, length int64
}

type rowGroup struct {
	rows   int64
	chunks []chunk
}

// File is a Parquet file whose footer was read.
type File struct {
	r       io.ReaderAt
	end     int64 // where the footer begins
	columns []Column
	groups  []rowGroup
	codecs  codecs
}

// Columns are the file's, in its order.
func (f *File) Columns() []Column { return f.columns }

// Open reads the footer of a file of so many bytes.
func Open(r io.ReaderAt, size int64) (*File, error) {
	footer, err := readFooter(r, size)
	if err != nil {
		return nil, err
	}
	f := &File{r: r, end: size - 8 - int64(len(footer))}
	c := compact{b: footer}
	var schema []element
	c.fields(func(id int16, kind byte) bool {
		switch id {
		case 2:
			return c.structs(kind, func() { schema = append(schema, readElement(&c)) })
		case 4:
			return c.structs(kind, func() { f.groups = append(f.groups, readGroup(&c)) })
		case 8:
			c.fail(errors.New("it is encrypted, which is not read"))
		}
		return false
	})
	if c.err != nil {
		return nil, fmt.Errorf("its footer cannot be read: %w", c.err)
	}
	if f.columns, err = leaves(schema); err != nil {
		return nil, fmt.Errorf("its footer is damaged: %w", err)
	}
	if err := f.sound(); err != nil {
		return nil, fmt.Errorf("its footer is damaged: %w", err)
	}
	return f, nil
}

func readFooter(r io.ReaderAt, size int64) ([]byte, error) {
	if size < int64(len(magic))+8 {
		return nil, fmt.Errorf("it has %d bytes, too few for one", size)
	}
	var head [4]byte
	var tail [8]byte
	if _, err := r.ReadAt(head[:], 0); err != nil {
		return nil, err
	}
	if _, err := r.ReadAt(tail[:], size-8); err != nil {
		return nil, err
	}
	switch end := string(tail[4:]); {
	case end == "PARE":
		return nil, errors.New("it is encrypted, which is not read")
	case string(head[:]) != magic || end != magic:
		return nil, errors.New("it does not begin and end as one")
	}
	n := int64(binary.LittleEndian.Uint32(tail[:]))
	switch {
	case n > size-8-4:
		return nil, fmt.Errorf("its footer is said to have %d bytes, and the file has %d", n, size)
	case n > maxFooter:
		return nil, fmt.Errorf("its footer has %d bytes, over the limit of %d MiB", n, maxFooter>>20)
	}
	footer := make([]byte, n)
	if _, err := r.ReadAt(footer, size-8-n); err != nil {
		return nil, err
	}
	return footer, nil
}

// element is one of the schema's tree, before its children.
type element struct {
	name       string
	kind       int64 // of a leaf
	leaf       bool
	repetition int64 // 0 required, 1 optional, 2 repeated
	children   int64
}

func readElement(c *compact) (e element) {
	c.fields(func(id int16, kind byte) bool {
		switch {
		case id == 1 && kind == typeI32:
			e.kind, e.leaf = c.number(), true
		case id == 3 && kind == typeI32:
			e.repetition = c.number()
		case id == 4 && kind == typeBinary:
			e.name = string(c.bytes())
		case id == 5 && kind == typeI32:
			e.children = c.number()
		default:
			return false
		}
		return true
	})
	return e
}

func readGroup(c *compact) (g rowGroup) {
	c.fields(func(id int16, kind byte) bool {
		switch {
		case id == 1:
			return c.structs(kind, func() { g.chunks = append(g.chunks, readChunk(c)) })
		case id == 3 && kind == typeI64:
			g.rows = c.number()
			return true
		}
		return false
	})
	return g
}

func readChunk(c *compact) (k chunk) {
	k.length = -1
	dictionary := int64(0)
	c.fields(func(id int16, kind byte) bool {
		if id != 3 || kind != typeStruct {
			return false
		}
		c.fields(func(id int16, kind byte) bool {
			if kind != typeI32 && kind != typeI64 {
				return false
			}
			switch id {
			case 4:
				k.codec = int(c.number())
			case 5:
				k.values = c.number()
			case 7:
				k.length = c.number()
			case 9:
				k.start = c.number()
			case 11:
				dictionary = c.number()
			default:
				return false
			}
			return true
		})
		return true
	})
	if dictionary > 0 && dictionary < k.start {
		k.start = dictionary
	}
	return k
}

// leaves are the columns of a schema.
func leaves(schema []element) ([]Column, error) {
	if len(schema) == 0 || schema[0].children <= 0 {
		return nil, errors.New("it has no columns")
	}
	var out []Column
	next := 1
	var walk func(children int64, at Column, depth int) error
	walk = func(children int64, at Column, depth int) error {
		if depth > maxDepth {
			return fmt.Errorf("a column is over %d groups deep", maxDepth)
		}
		for range children {
			if next == len(schema) {
				return errors.New("its schema has fewer columns than it says")
			}
			e := schema[next]
			next++
			c := at
			c.Path = append(at.Path[:len(at.Path):len(at.Path)], e.name)
			switch e.repetition {
			case 0:
			case 1:
				c.maxDef++
			case 2:
				c.maxDef++
				c.maxRep++
				c.List, c.listDef = true, c.maxDef
			default:
				return fmt.Errorf("the column %q is repeated in an unknown way", c.name())
			}
			if !e.leaf {
				if e.children < 0 {
					return fmt.Errorf("the column %q has %d children", c.name(), e.children)
				}
				if err := walk(e.children, c, depth+1); err != nil {
					return err
				}
				continue
			}
			c.Type, c.index = Type(e.kind), len(out)
			out = append(out, c)
		}
		return nil
	}
	if err := walk(schema[0].children, Column{}, 0); err != nil {
		return nil, err
	}
	if next != len(schema) {
		return nil, errors.New("its schema has more columns than it says")
	}
	return out, nil
}

// sound holds the row groups against the schema and the file's size.
func (f *File) sound() error {
	chunks := 0
	for i, g := range f.groups {
		if chunks += len(g.chunks); chunks > maxChunks {
			return fmt.Errorf("it has over %d column chunks, which is the limit: take a part of it", maxChunks)
		}
		if len(g.chunks) != len(f.columns) {
			return fmt.Errorf("row group %d has %d columns, and the schema %d", i+1, len(g.chunks), len(f.columns))
		}
		if g.rows < 0 {
			return fmt.Errorf("row group %d has %d rows", i+1, g.rows)
		}
		for k, c := range g.chunks {
			column := f.columns[k]
			switch {
			case c.values > 0 && (c.start < int64(len(magic)) || c.length < 0 || c.length > f.end-c.start):
				return fmt.Errorf("the column %q of row group %d is said to be %d bytes at %d, and the file's columns end at %d", column.name(), i+1, c.length, c.start, f.end)
			case c.values < 0 || column.maxRep == 0 && c.values != g.rows:
				return fmt.Errorf("the column %q of row group %d has %d values, and the row group %d rows", column.name(), i+1, c.values, g.rows)
			}
		}
	}
	return nil
}
