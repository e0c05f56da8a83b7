package table

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
)

// Encodings, by the format's numbers.
const (
	plainEncoding       = 0
	plainDictionary     = 2
	rleEncoding         = 3
	deltaLengthEncoding = 6
	deltaBytesEncoding  = 7
	rleDictionary       = 8
)

var errValues = errors.New("a page has fewer values than it says")

// runs decodes n numbers of so many bits, which come in runs of one number and in
// packed groups of eight (RLE/bit-packing hybrid).
func runs(b []byte, width, n int) ([]uint32, error) {
	if width > 32 {
		return nil, fmt.Errorf("a page's numbers are said to have %d bits", width)
	}
	out := make([]uint32, 0, min(n, 8*(len(b)+1)))
	for len(out) < n {
		head, size := binary.Uvarint(b)
		if size <= 0 {
			return nil, errValues
		}
		b = b[size:]
		count := head >> 1
		if head&1 == 0 {
			bytes := (width + 7) / 8
			if bytes > len(b) {
				return nil, errValues
			}
			var word [4]byte
			copy(word[:], b[:bytes])
			b = b[bytes:]
			if count == 0 {
				return nil, errValues
			}
			v := binary.LittleEndian.Uint32(word[:])
			for range min(count, uint64(n-len(out))) {
				out = append(out, v)
			}
			continue
		}
		if count == 0 || width > 0 && count > uint64(len(b)/width) {
			return nil, errValues
		}
		if width == 0 {
			out = append(out, make([]uint32, min(count*8, uint64(n-len(out))))...)
			continue
		}
		packed := b[:int(count)*width]
		b = b[len(packed):]
		for i := 0; i < int(count)*8 && len(out) < n; i++ {
			out = append(out, uint32(bitsAt(packed, i*width, width)))
		}
	}
	return out, nil
}

// bitsAt is the number of so many bits, at most 57, that begins at a bit of b.
func bitsAt(b []byte, at, width int) uint64 {
	var word [8]byte
	copy(word[:], b[at/8:])
	return binary.LittleEndian.Uint64(word[:]) >> (at % 8) & (1<<width - 1)
}

// levels decodes repetition or definition levels, of which most is the highest.
func levels(b []byte, most, n int) ([]uint32, error) {
	if most == 0 {
		return nil, nil
	}
	out, err := runs(b, bits.Len(uint(most)), n)
	if err != nil {
		return nil, err
	}
	for _, l := range out {
		if l > uint32(most) {
			return nil, fmt.Errorf("a level is %d, and the highest is %d", l, most)
		}
	}
	return out, nil
}

// deltas decodes numbers by DELTA_BINARY_PACKED, at most n, and gives what follows them.
func deltas(b []byte, n int) (out []int64, rest []byte, err error) {
	c := compact{b: b}
	block, minis, total, last := c.uvarint(), c.uvarint(), c.uvarint(), c.number()
	switch {
	case c.err != nil:
		return nil, nil, errValues
	case minis == 0 || minis > 1<<10 || block == 0 || block > 1<<16 || block%minis != 0 || block/minis%8 != 0:
		return nil, nil, errors.New("a page's blocks of numbers have no possible size")
	case total > uint64(n):
		return nil, nil, fmt.Errorf("a page has %d lengths, and %d values", total, n)
	case total == 0:
		return nil, c.b[c.i:], nil
	}
	each := int(block / minis)
	out = append(make([]int64, 0, min(int(total), 64*len(b)+1)), last)
	for uint64(len(out)) < total {
		least := c.number()
		widths := c.i
		c.pass(int(minis))
		for m := 0; m < int(minis) && uint64(len(out)) < total && c.err == nil; m++ {
			width := int(c.b[widths+m])
			at := c.i
			if c.pass(each / 8 * width); width > 57 || c.err != nil {
				return nil, nil, errValues
			}
			for i := 0; i < each && uint64(len(out)) < total; i++ {
				last += least + int64(bitsAt(c.b[at:c.i], i*width, width))
				out = append(out, last)
			}
		}
		if c.err != nil {
			return nil, nil, errValues
		}
	}
	return out, c.b[c.i:], nil
}

// texts gives the next value of a page each time it is called.
type texts func() ([]byte, error)

// plainTexts are values that stand one after another, each behind its length.
func plainTexts(b []byte) texts {
	return func() ([]byte, error) {
		if len(b) < 4 {
			return nil, errValues
		}
		n := binary.LittleEndian.Uint32(b)
		if b = b[4:]; uint64(n) > uint64(len(b)) {
			return nil, fmt.Errorf("a value is said to have %d bytes, and %d are left of its page", n, len(b))
		}
		v := b[:n:n]
		b = b[n:]
		return v, nil
	}
}

// lengthTexts are values that stand behind the lengths of all.
func lengthTexts(b []byte, n int) (texts, error) {
	lengths, b, err := deltas(b, n)
	if err != nil {
		return nil, err
	}
	return func() ([]byte, error) {
		if len(lengths) == 0 {
			return nil, errValues
		}
		n := lengths[0]
		lengths = lengths[1:]
		if n < 0 || n > int64(len(b)) {
			return nil, fmt.Errorf("a value is said to have %d bytes, and %d are left of its page", n, len(b))
		}
		v := b[:n:n]
		b = b[n:]
		return v, nil
	}, nil
}

// sharedTexts are values that begin as the one before.
func sharedTexts(b []byte, n int) (texts, error) {
	shared, b, err := deltas(b, n)
	if err != nil {
		return nil, err
	}
	rest, err := lengthTexts(b, n)
	if err != nil {
		return nil, err
	}
	var last []byte
	return func() ([]byte, error) {
		own, err := rest()
		if err != nil || len(shared) == 0 {
			return nil, errValues
		}
		n := shared[0]
		shared = shared[1:]
		if n < 0 || n > int64(len(last)) || n+int64(len(own)) > maxPage {
			return nil, fmt.Errorf("a value is said to share %d bytes with the one before, which has %d", n, len(last))
		}
		v := append(last[:n:n], own...)
		last = v
		return v, nil
	}, nil
}

// pickedTexts are values of a dictionary.
func pickedTexts(b []byte, dictionary [][]byte, n int) (texts, error) {
	if len(b) == 0 {
		return func() ([]byte, error) { return nil, errValues }, nil
	}
	picks, err := runs(b[1:], int(b[0]), n)
	if err != nil {
		return nil, err
	}
	return func() ([]byte, error) {
		if len(picks) == 0 {
			return nil, errValues
		}
		i := picks[0]
		picks = picks[1:]
		if int64(i) >= int64(len(dictionary)) {
			return nil, fmt.Errorf("a value is number %d of a dictionary of %d", i, len(dictionary))
		}
		return dictionary[i], nil
	}, nil
}

// decode is the values of a page's bytes, n of them.
func decode(b []byte, encoding int64, dictionary [][]byte, n int) (texts, error) {
	switch encoding {
	case plainEncoding:
		return plainTexts(b), nil
	case plainDictionary, rleDictionary:
		return pickedTexts(b, dictionary, n)
	case deltaLengthEncoding:
		return lengthTexts(b, n)
	case deltaBytesEncoding:
		return sharedTexts(b, n)
	}
	return nil, fmt.Errorf("its values are encoded by number %d, which is not read", encoding)
}
