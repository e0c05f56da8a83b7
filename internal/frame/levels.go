package frame

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
)

// levelled says whether the levels of a page of version 2 tell of as many values,
// nulls and rows as its header. A library sets the values by the levels.
func (p *page) levelled(r io.ReaderAt, at int64, l leaf) error {
	if p.kind != dataPageV2 {
		return nil
	}
	rows, nulls := p.values, int64(0)
	if l.repetition > 0 && p.values > 0 {
		levels, err := readLevels(r, at, p.repetition, l.repetition, p.values)
		if err != nil {
			return fmt.Errorf("repetition levels: %w", err)
		}
		if rows = levels.of[0]; levels.first != 0 {
			return errors.New("it begins within a row")
		}
	}
	if l.definitions > 0 && p.values > 0 {
		levels, err := readLevels(r, at+p.repetition, p.definitions, l.definitions, p.values)
		if err != nil {
			return fmt.Errorf("definition levels: %w", err)
		}
		nulls = p.values - levels.of[l.definitions]
	}
	if rows != p.rows || nulls != p.nulls {
		return fmt.Errorf("it claims %d nulls and %d rows, and its levels tell of %d and %d", p.nulls, p.rows, nulls, rows)
	}
	return nil
}

// levels are how many of each level there are.
type levels struct {
	of    []int64
	first int
}

// readLevels counts n levels up to a highest, of runs and packed bits in turn: the
// hybrid encoding of Parquet.
func readLevels(r io.ReaderAt, at, size int64, highest int, n int64) (levels, error) {
	data := make([]byte, size)
	if _, err := r.ReadAt(data, at); err != nil {
		return levels{}, err
	}
	out := levels{of: make([]int64, highest+1)}
	width := bits.Len(uint(highest))
	seen := int64(0)
	add := func(level int, times int64) error {
		if level > highest {
			return fmt.Errorf("level %d, and the highest is %d", level, highest)
		}
		if seen == 0 {
			out.first = level
		}
		seen += times
		out.of[level] += times
		return nil
	}
	for seen < n {
		head, used := binary.Uvarint(data)
		if used <= 0 {
			return levels{}, errors.New("they end too early")
		}
		data = data[used:]
		if head&1 == 0 { // a run; its level takes a whole number of bytes, and the deepest is below 256
			times := int64(head >> 1)
			if len(data) < 1 || times == 0 || times > n-seen {
				return levels{}, fmt.Errorf("a run of %d, and %d are left", times, n-seen)
			}
			if err := add(int(data[0]), times); err != nil {
				return levels{}, err
			}
			data = data[1:]
			continue
		}
		groups := int64(head >> 1)
		if groups == 0 || groups > (n-seen+7)/8 || groups*int64(width) > int64(len(data)) {
			return levels{}, fmt.Errorf("%d packed groups in %d bytes, and %d are left", groups, len(data), n-seen)
		}
		for i := range min(groups*8, n-seen) {
			if err := add(bitsAt(data, int(i)*width, width), 1); err != nil {
				return levels{}, err
			}
		}
		data = data[groups*int64(width):]
	}
	return out, nil
}

// bitsAt reads width bits from a bit on, the lowest first.
func bitsAt(data []byte, at, width int) (v int) {
	for i := range width {
		v |= int(data[(at+i)/8]>>((at+i)%8)&1) << i
	}
	return v
}
