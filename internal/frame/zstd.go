package frame

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// From RFC 8878, 3.1.1.
const (
	zstdMagic    = 0xFD2FB528
	zstdLongest  = 18 // bytes before the first block
	zstdBlock    = 128 << 10
	zstdRaw      = 0
	zstdRepeated = 1 // one byte, many times
	zstdReserved = 3
)

// slack is what a frame without its content's size may hold above what the page
// states: blocks are counted as full.
const slack = 8 << 20

// zstdUnpacks says whether the frames from at to end hold want bytes, as far as
// their heads and those of their blocks tell.
func zstdUnpacks(r io.ReaderAt, at, end, want int64) error {
	total, exact := int64(0), true
	for at < end {
		size, stated, next, err := zstdFrame(r, at, end)
		if err != nil {
			return err
		}
		total, at, exact = total+size, next, exact && stated
		if total > want+slack {
			break
		}
	}
	if exact && total != want || total > want+slack {
		return agrees(false, want)
	}
	return nil
}

// zstdFrame is the most that a frame unpacks to, whether the frame states it, and
// where it ends.
func zstdFrame(r io.ReaderAt, at, end int64) (most int64, stated bool, next int64, err error) {
	data := make([]byte, min(zstdLongest, end-at))
	if _, err := r.ReadAt(data, at); err != nil {
		return 0, false, 0, err
	}
	size, stated, length, err := zstdHead(data)
	if err != nil {
		return 0, false, 0, err
	}
	at += length
	sum := int64(0)
	for last := false; !last; {
		var head [3]byte
		if end-at < int64(len(head)) {
			return 0, false, 0, errors.New("its packed bytes end within a block")
		}
		if _, err := r.ReadAt(head[:], at); err != nil {
			return 0, false, 0, err
		}
		v := int64(head[0]) | int64(head[1])<<8 | int64(head[2])<<16
		last = v&1 == 1
		packed, holds := v>>3, v>>3
		switch v >> 1 & 3 {
		case zstdRaw:
		case zstdRepeated:
			packed = 1
		case zstdReserved:
			return 0, false, 0, errors.New("a packed block is of no known type")
		default:
			holds = zstdBlock
		}
		if at += int64(len(head)) + packed; at > end || holds > zstdBlock {
			return 0, false, 0, errors.New("a packed block is longer than its page")
		}
		sum += holds
	}
	if data[4]&4 != 0 {
		at += 4 // a checksum
	}
	if stated {
		sum = size
	}
	return sum, stated, at, nil
}

// zstdHead is the content's size in a frame's head, where it is stated, and how long
// the head is.
func zstdHead(data []byte) (size int64, stated bool, length int64, err error) {
	if len(data) < 6 || binary.LittleEndian.Uint32(data) != zstdMagic {
		return 0, false, 0, errors.New("its packed bytes are not Zstandard")
	}
	head := data[4]
	at := 5 + []int{0, 1, 2, 4}[head&3] // behind the dictionary's id
	width := []int{0, 2, 4, 8}[head>>6]
	if head&0x20 == 0 {
		at++ // the window
	} else if width == 0 {
		width = 1
	}
	if len(data) < at+width {
		return 0, false, 0, errors.New("its packed bytes end within their head")
	}
	v := uint64(0)
	for i := width - 1; i >= 0; i-- {
		v = v<<8 | uint64(data[at+i])
	}
	if width == 2 {
		v += 256
	}
	if v > mostPage {
		return 0, false, 0, fmt.Errorf("its packed bytes claim %d bytes; the most is %d", v, mostPage)
	}
	return int64(v), width > 0, int64(at + width), nil
}
