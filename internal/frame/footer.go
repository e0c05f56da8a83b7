package frame

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// mostFooter bounds a footer in bytes: that of 100 million rows has half as many.
const mostFooter = 16 << 20

// tail is the footer's length and the magic bytes behind it.
const tail = 8

const magic = "PAR1"

// footer is what of a file's metadata tells where its pages are.
type footer struct {
	rows   int64
	schema []element
	leaves []leaf
	groups []group
}

// element is one of the schema, which is written depth first.
type element struct{ kind, children, repetition int64 }

// leaf is a column that holds values, and how deep its levels go.
type leaf struct {
	kind                    int64
	repetition, definitions int
}

type group struct {
	rows    int64
	columns []chunk
}

// chunk is one column of a row group.
type chunk struct {
	codec, values    int64
	packed           int64 // bytes in the file
	data, dictionary int64 // where the first page of each kind is; 0: there is none
	known            bool  // it has metadata
	elsewhere        bool  // it lies in another file, or is encrypted
}

// readFooter reads the metadata of a file of size bytes, and says where it begins.
func readFooter(r io.ReaderAt, size int64) (f *footer, at int64, err error) {
	if size < int64(len(magic))+tail {
		return nil, 0, fmt.Errorf("it has %d bytes, which is too short for Parquet", size)
	}
	var head [len(magic)]byte
	var end [tail]byte
	if _, err := r.ReadAt(head[:], 0); err != nil {
		return nil, 0, err
	}
	if _, err := r.ReadAt(end[:], size-tail); err != nil && !errors.Is(err, io.EOF) {
		return nil, 0, err
	}
	if string(head[:]) != magic || string(end[4:]) != magic {
		return nil, 0, errors.New("it does not begin and end as Parquet does: it was cut off, is encrypted, or is something else")
	}
	length := int64(binary.LittleEndian.Uint32(end[:4]))
	at = size - tail - length
	if length > mostFooter || at < int64(len(magic)) {
		return nil, 0, fmt.Errorf("its footer claims %d bytes of %d", length, size)
	}
	data := make([]byte, length)
	if _, err := r.ReadAt(data, at); err != nil {
		return nil, 0, err
	}
	c := &cursor{data: data}
	if f, err = c.footer(); err != nil {
		return nil, 0, fmt.Errorf("its footer is damaged: %w", err)
	}
	if c.left() > 0 {
		return nil, 0, fmt.Errorf("its footer is damaged: %d bytes follow the metadata", c.left())
	}
	return f, at, nil
}

// footer reads FileMetaData.
func (c *cursor) footer() (*footer, error) {
	f := &footer{}
	err := c.structure(func(id int64, kind byte) error {
		switch id {
		case 2:
			return c.structures(kind, func() error { return c.schema(f) })
		case 3:
			return c.whole(kind, &f.rows)
		case 4:
			return c.structures(kind, func() error { return c.group(f) })
		}
		return c.skip(kind)
	})
	if err != nil {
		return nil, err
	}
	end, err := f.grow(0, 0, leaf{})
	if err == nil && end != len(f.schema) {
		err = errors.New("its schema has columns that belong to no group")
	}
	return f, err
}

// schema reads SchemaElement.
func (c *cursor) schema(f *footer) error {
	var e element
	var kind, name, nested bool
	err := c.structure(func(id int64, k byte) error {
		switch id {
		case 1:
			kind = true
			return c.whole(k, &e.kind)
		case 3:
			return c.whole(k, &e.repetition)
		case 4:
			name = true
		case 5:
			nested = true
			return c.whole(k, &e.children)
		}
		return c.skip(k)
	})
	if err == nil && (!name || kind == nested || e.children < 0 || nested && e.children == 0 && len(f.schema) > 0) {
		err = fmt.Errorf("element %d of its schema is neither a column nor a group of them", len(f.schema))
	}
	f.schema = append(f.schema, e)
	return err
}

// grow finds the leaves below element at, and says which element comes after them.
func (f *footer) grow(at, depth int, above leaf) (next int, err error) {
	if at >= len(f.schema) || depth > deepest {
		return 0, errors.New("its schema ends within a group of columns, or is nested too deeply")
	}
	e := f.schema[at]
	switch {
	case at == 0: // the root
	case e.repetition == 1:
		above.definitions++
	case e.repetition == 2:
		above.definitions++
		above.repetition++
	}
	if e.children == 0 && at > 0 {
		above.kind = e.kind
		f.leaves = append(f.leaves, above)
		return at + 1, nil
	}
	next = at + 1
	for range e.children {
		if next, err = f.grow(next, depth+1, above); err != nil {
			return 0, err
		}
	}
	return next, nil
}

// group reads RowGroup.
func (c *cursor) group(f *footer) error {
	g := group{}
	err := c.structure(func(id int64, kind byte) error {
		switch id {
		case 1:
			return c.structures(kind, func() error { return c.chunk(&g) })
		case 3:
			return c.whole(kind, &g.rows)
		}
		return c.skip(kind)
	})
	f.groups = append(f.groups, g)
	return err
}

// chunk reads ColumnChunk.
func (c *cursor) chunk(g *group) error {
	k := chunk{}
	err := c.structure(func(id int64, kind byte) error {
		switch {
		case id == 1 || id == 8 || id == 9:
			k.elsewhere = true // a file_path, or encrypted
		case id == 3 && kind == thriftStruct:
			k.known = true
			return c.meta(&k)
		}
		return c.skip(kind)
	})
	g.columns = append(g.columns, k)
	return err
}

// meta reads ColumnMetaData.
func (c *cursor) meta(k *chunk) error {
	return c.structure(func(id int64, kind byte) error {
		switch id {
		case 4:
			return c.whole(kind, &k.codec)
		case 5:
			return c.whole(kind, &k.values)
		case 7:
			return c.whole(kind, &k.packed)
		case 9:
			return c.whole(kind, &k.data)
		case 11:
			return c.whole(kind, &k.dictionary)
		}
		return c.skip(kind)
	})
}
