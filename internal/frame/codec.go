package frame

import (
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Codecs of Parquet.
const (
	plain   = 0
	snappy  = 1
	gzipped = 2
	zstd    = 6
	lz4     = 7
)

// unpackable says whether it can be told beforehand what pages of a codec unpack to.
// Of Brotli it cannot, and the others are not read by the library.
func unpackable(codec int64) error {
	switch codec {
	case plain, snappy, gzipped, zstd, lz4:
		return nil
	}
	return fmt.Errorf("it is packed with codec %d (LZO, Brotli and the old LZ4 are 3 to 5), which llem does not read: write the file with Zstandard", codec)
}

// unpacks holds what the packed bytes unpack to, as far as it can be told without
// taking memory, to what the header says: a library makes room for whatever comes.
func (p *page) unpacks(r io.ReaderAt, at, codec int64) error {
	want, at, end := p.unpacked-p.levels(), at+p.levels(), at+p.packed
	if p.plain || codec == plain || at == end && want == 0 {
		return nil
	}
	switch codec {
	case zstd:
		return zstdUnpacks(r, at, end, want)
	case snappy:
		data := make([]byte, min(binary.MaxVarintLen64, end-at))
		if _, err := r.ReadAt(data, at); err != nil {
			return err
		}
		size, n := binary.Uvarint(data)
		return agrees(n > 0 && size == uint64(want), want)
	case gzipped:
		return gzipUnpacks(io.NewSectionReader(r, at, end-at), want)
	}
	data := make([]byte, end-at) // as the library takes, too
	if _, err := r.ReadAt(data, at); err != nil {
		return err
	}
	size, err := lz4Size(data, want)
	if err != nil {
		return err
	}
	return agrees(size == want, want)
}

func agrees(ok bool, want int64) error {
	if ok {
		return nil
	}
	return fmt.Errorf("it should unpack to %d bytes, and its packed bytes do not", want)
}

func gzipUnpacks(packed io.Reader, want int64) error {
	z, err := gzip.NewReader(packed)
	if err != nil {
		return fmt.Errorf("its packed bytes are damaged: %w", err)
	}
	n, err := io.Copy(io.Discard, io.LimitReader(z, want+1))
	if err != nil {
		return fmt.Errorf("its packed bytes are damaged: %w", err)
	}
	return agrees(n == want, want)
}

// lz4Size is what a block of LZ4 unpacks to, up to some bytes more than want.
func lz4Size(data []byte, want int64) (size int64, err error) {
	damaged := errors.New("its packed bytes are damaged")
	more := func(n int64) (int64, bool) { // lengths from 15 on go on in bytes of 255
		for n == 15 || n > 15 {
			if len(data) == 0 {
				return 0, false
			}
			b := data[0]
			data = data[1:]
			if n += int64(b); b < 255 {
				break
			}
		}
		return n, true
	}
	for size <= want {
		if len(data) == 0 {
			return 0, damaged
		}
		token := data[0]
		data = data[1:]
		literals, ok := more(int64(token >> 4))
		if !ok || literals > int64(len(data)) {
			return 0, damaged
		}
		size += literals
		if data = data[literals:]; len(data) == 0 {
			return size, nil
		}
		if len(data) < 2 {
			return 0, damaged
		}
		back := int64(binary.LittleEndian.Uint16(data))
		data = data[2:]
		match, ok := more(int64(token & 0xf))
		if !ok || back == 0 || back > size {
			return 0, damaged
		}
		size += match + 4
	}
	return size, nil
}
