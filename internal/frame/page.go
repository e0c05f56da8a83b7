package frame

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// Kinds of pages.
const (
	dataPage       = 0
	dictionaryPage = 2
	dataPageV2     = 3
)

// page is PageHeader.
type page struct {
	kind             int64
	unpacked, packed int64
	values           int64
	encoding         int64
	nulls, rows      int64 // of version 2
	// Of version 2 too: bytes of levels, which are never packed.
	repetition, definitions int64
	plain                   bool // nothing in it is packed
	described               bool // the header of its kind is there
	sum                     int64
}

// firstHeader is what is read of a page to have its header; the statistics of long
// texts need more.
const firstHeader = 512

// readPage reads the page header at a byte, and says how long it is.
func readPage(r io.ReaderAt, at, end int64) (p page, length int64, err error) {
	for size := min(firstHeader, end-at); ; size = min(size*8, end-at) {
		data := make([]byte, size)
		if _, err := r.ReadAt(data, at); err != nil {
			return page{}, 0, err
		}
		c := &cursor{data: data}
		p, err = c.page()
		if errors.Is(err, errShort) && size < end-at {
			continue
		}
		return p, int64(c.at), err
	}
}

func (c *cursor) page() (page, error) {
	p := page{kind: -1, unpacked: -1, packed: -1, values: -1}
	headers := map[int64]bool{}
	err := c.structure(func(id int64, kind byte) error {
		switch id {
		case 1:
			return c.whole(kind, &p.kind)
		case 2:
			return c.whole(kind, &p.unpacked)
		case 3:
			return c.whole(kind, &p.packed)
		case 4:
			return c.whole(kind, &p.sum)
		case 5, 7, 8:
			if kind != thriftStruct {
				return fmt.Errorf("a page's header is of type %d", kind)
			}
			headers[id] = true
			return c.about(&p, id == 8)
		}
		return c.skip(kind)
	})
	want, known := map[int64]int64{dataPage: 5, dictionaryPage: 7, dataPageV2: 8}[p.kind]
	p.described = known && headers[want] && len(headers) == 1
	return p, err
}

// about reads the header of a page's kind.
func (c *cursor) about(p *page, second bool) error {
	return c.structure(func(id int64, kind byte) error {
		to, known := map[int64]*int64{1: &p.values, 2: &p.encoding}[id]
		if second {
			to, known = map[int64]*int64{1: &p.values, 2: &p.nulls, 3: &p.rows, 4: &p.encoding, 5: &p.definitions, 6: &p.repetition}[id]
			p.plain = p.plain || id == 7 && kind == thriftFalse
		}
		if known {
			return c.whole(kind, to)
		}
		return c.skip(kind)
	})
}

// levels are the bytes of version 2 that are never packed.
func (p *page) levels() int64 { return p.repetition + p.definitions }

// check says whether a page's sizes can be; room is what the column has left for it.
func (p *page) check(room, codec int64) error {
	switch {
	case !p.described:
		return fmt.Errorf("its type is %d, or its header is not one of that type", p.kind)
	case p.packed < 0 || p.packed > room:
		return fmt.Errorf("it claims %d bytes of %d", p.packed, room)
	case p.unpacked < 0 || p.unpacked > mostPage:
		return fmt.Errorf("it claims to unpack to %d bytes; the most is %d", p.unpacked, mostPage)
	case p.values < 0 || p.values > mostValues:
		return fmt.Errorf("it claims %d values; the most is %d", p.values, mostValues)
	case p.nulls < 0 || p.nulls > p.values || p.rows < 0 || p.rows > p.values:
		return fmt.Errorf("it claims %d nulls and %d rows in %d values", p.nulls, p.rows, p.values)
	case p.repetition < 0 || p.definitions < 0 || p.levels() > p.packed || p.levels() > p.unpacked:
		return fmt.Errorf("its levels claim %d bytes of %d", p.levels(), p.packed)
	case p.kind == dictionaryPage && p.values > p.unpacked:
		return fmt.Errorf("it claims %d words in %d bytes", p.values, p.unpacked)
	case (codec == 0 || p.plain) && p.packed != p.unpacked:
		return fmt.Errorf("it is not packed, and claims %d bytes and %d unpacked", p.packed, p.unpacked)
	}
	return nil
}

// encoded says whether a page's values can be encoded as it states: what is written
// for one type and read as another leaves memory that was never written.
func (p *page) encoded(kind int64, words bool) error {
	ok := false
	switch p.encoding {
	case 0: // PLAIN
		ok = true
	case 2, 8: // PLAIN_DICTIONARY, RLE_DICTIONARY
		ok = words || p.kind == dictionaryPage && p.encoding == 2
	case 3: // RLE
		ok = kind == boolean
	case 5: // DELTA_BINARY_PACKED
		ok = kind == int32s || kind == int64s
	case 6: // DELTA_LENGTH_BYTE_ARRAY
		ok = kind == texts
	case 7: // DELTA_BYTE_ARRAY
		ok = kind == texts || kind == fixed
	case 9: // BYTE_STREAM_SPLIT
		ok = kind != boolean && kind != texts
	}
	if !ok {
		return fmt.Errorf("encoding %d is not one of its column, which is of type %d", p.encoding, kind)
	}
	return nil
}

// Physical types.
const (
	boolean = 0
	int32s  = 1
	int64s  = 2
	texts   = 6
	fixed   = 7
)

// summed holds a page to its checksum; one that is not written is 0.
func (p *page) summed(r io.ReaderAt, at int64) error {
	sum := crc32.NewIEEE()
	if _, err := io.Copy(sum, io.NewSectionReader(r, at, p.packed)); err != nil {
		return err
	}
	if sum.Sum32() != uint32(p.sum) {
		return errors.New("its checksum is another: it was damaged, or written without one")
	}
	return nil
}
