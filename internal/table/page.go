package table

import (
	"errors"
	"fmt"
	"hash/crc32"
)

// Limits of one page.
const (
	maxPage   = 256 << 20
	maxValues = 1 << 23
	maxHeader = 8 << 20 // a header has the least and the greatest value in it
)

// Types of pages.
const (
	dataPage       = 0
	indexPage      = 1
	dictionaryPage = 2
	dataPageV2     = 3
)

// header is that of a page.
type header struct {
	kind             int64
	plain, packed    int64 // bytes, uncompressed and as they are in the file
	crc              uint32
	hasCRC           bool
	values, encoding int64
	repBytes         int64 // of dataPageV2, before what is compressed
	defBytes         int64
	uncompressed     bool // of dataPageV2
}

// cursor goes through the pages of one column chunk.
type cursor struct {
	f      *File
	column *Column
	chunk  chunk
	at     int64 // where the next page begins
	left   int64 // values that are still to come
}

func (f *File) cursor(g *rowGroup, column *Column) *cursor {
	c := g.chunks[column.index]
	return &cursor{f: f, column: column, chunk: c, at: c.start, left: c.values}
}

// next is the next page's header, sound, and where its bytes are; ok is false when all values
// have come.
func (c *cursor) next() (h header, at int64, ok bool, err error) {
	if c.left == 0 {
		return h, 0, false, nil
	}
	end := c.chunk.start + c.chunk.length
	if c.at >= end {
		return h, 0, false, fmt.Errorf("its pages end before %d values", c.left)
	}
	h, n, err := c.header(end - c.at)
	if err != nil {
		return h, 0, false, err
	}
	at = c.at + n
	if err := c.sound(h, end-at); err != nil {
		return h, 0, false, err
	}
	if h.kind == dataPage || h.kind == dataPageV2 {
		c.left -= h.values
	}
	c.at = at + h.packed
	return h, at, true, nil
}

// sound holds a header against what is left of the chunk.
func (c *cursor) sound(h header, left int64) error {
	data := h.kind == dataPage || h.kind == dataPageV2
	switch {
	case h.packed < 0 || h.packed > left:
		return fmt.Errorf("a page is said to have %d bytes, and %d are left", h.packed, left)
	case h.plain < 0 || h.plain > maxPage:
		return fmt.Errorf("a page is said to have %d bytes uncompressed, over the limit of %d MiB", h.plain, maxPage>>20)
	case h.values < 0 || h.values > maxValues:
		return fmt.Errorf("a page is said to have %d values, and the limit is %d", h.values, maxValues)
	case data && h.values > c.left:
		return fmt.Errorf("a page is said to have %d values, and %d are left", h.values, c.left)
	case h.repBytes < 0 || h.defBytes < 0 || h.repBytes > h.packed || h.defBytes > h.packed-h.repBytes || h.repBytes+h.defBytes > h.plain:
		return fmt.Errorf("the levels of a page are said to have %d and %d bytes of its %d", h.repBytes, h.defBytes, h.packed)
	case c.chunk.codec == uncompressed && h.plain != h.packed:
		return fmt.Errorf("a page that is not compressed is said to have %d and %d bytes", h.packed, h.plain)
	}
	return nil
}

// header reads the next one, and how many bytes it takes.
func (c *cursor) header(left int64) (header, int64, error) {
	for size := int64(512); ; size *= 8 {
		size = min(size, left, maxHeader)
		b := make([]byte, size)
		if _, err := c.f.r.ReadAt(b, c.at); err != nil {
			return header{}, 0, err
		}
		h, n, err := readHeader(b)
		if errors.Is(err, errShort) && size < min(left, maxHeader) {
			continue
		}
		if err != nil {
			err = fmt.Errorf("the header of a page cannot be read: %w", err)
		}
		return h, int64(n), err
	}
}

func readHeader(b []byte) (h header, n int, err error) {
	c := compact{b: b}
	c.fields(func(id int16, kind byte) bool {
		switch {
		case id == 1 && kind == typeI32:
			h.kind = c.number()
		case id == 2 && kind == typeI32:
			h.plain = c.number()
		case id == 3 && kind == typeI32:
			h.packed = c.number()
		case id == 4 && kind == typeI32:
			h.crc, h.hasCRC = uint32(c.number()), true
		case id == 5 && kind == typeStruct, id == 7 && kind == typeStruct:
			c.fields(h.counts(&c, 1, 2))
		case id == 8 && kind == typeStruct:
			c.fields(h.counts(&c, 1, 4))
		default:
			return false
		}
		return true
	})
	return h, c.i, c.err
}

// counts reads what the kinds of pages have in common, by the numbers of their fields.
func (h *header) counts(c *compact, values, encoding int16) func(int16, byte) bool {
	return func(id int16, kind byte) bool {
		v2 := encoding == 4
		switch {
		case id == values && kind == typeI32:
			h.values = c.number()
		case id == encoding && kind == typeI32:
			h.encoding = c.number()
		case v2 && id == 5 && kind == typeI32:
			h.defBytes = c.number()
		case v2 && id == 6 && kind == typeI32:
			h.repBytes = c.number()
		case v2 && id == 7 && kind == typeFalse:
			h.uncompressed = true
		default:
			return false
		}
		return true
	}
}

// bytes reads a page as it is in the file.
func (c *cursor) bytes(h header, at int64) ([]byte, error) {
	b := make([]byte, h.packed)
	if _, err := c.f.r.ReadAt(b, at); err != nil {
		return nil, err
	}
	if h.hasCRC && crc32.ChecksumIEEE(b) != h.crc {
		return nil, errors.New("a page does not have its checksum")
	}
	return b, nil
}
