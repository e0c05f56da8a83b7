package table

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// Codecs, by the format's numbers.
const (
	uncompressed = 0
	snappyCodec  = 1
	gzipCodec    = 2
	brotliCodec  = 4
	zstdCodec    = 6
	lz4Codec     = 7
)

// Most bytes that one compressed byte can stand for, of the codecs that have such a
// bound: what is said to be more is refused before memory is taken for it.
const (
	mostOfSnappy = 64
	mostOfGzip   = 1100
	mostOfLZ4    = 256
	spareRoom    = 64
)

var errLength = errors.New("a page does not have the length that is said")

// codecs keep what unpacking needs again.
type codecs struct{ zstd *zstd.Decoder }

// unpack gives exactly n bytes, which are at most maxPage.
func (c *codecs) unpack(codec int, b []byte, n int64) ([]byte, error) {
	within := func(most int64) bool { return n <= most*int64(len(b))+spareRoom }
	switch codec {
	case uncompressed:
		return b, exactly(b, n)
	case snappyCodec:
		if size, err := snappy.DecodedLen(b); err != nil || int64(size) != n || !within(mostOfSnappy) {
			return nil, errLength
		}
		return snappy.Decode(make([]byte, n), b)
	case gzipCodec:
		if !within(mostOfGzip) {
			return nil, errLength
		}
		z, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			return nil, err
		}
		return readExactly(z, n)
	case brotliCodec:
		return readExactly(brotli.NewReader(bytes.NewReader(b)), n)
	case zstdCodec:
		return c.unzstd(b, n)
	case lz4Codec:
		if !within(mostOfLZ4) {
			return nil, errLength
		}
		out := make([]byte, n)
		got, err := lz4.UncompressBlock(b, out)
		if err != nil || int64(got) != n {
			return nil, errLength
		}
		return out, nil
	}
	return nil, fmt.Errorf("it is compressed by codec %d, which is not read", codec)
}

func (c *codecs) unzstd(b []byte, n int64) ([]byte, error) {
	if c.zstd == nil {
		d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxPage), zstd.WithDecodeAllCapLimit(true))
		if err != nil {
			return nil, err
		}
		c.zstd = d
	}
	out, err := c.zstd.DecodeAll(b, make([]byte, 0, n))
	if err != nil {
		return nil, err
	}
	return out, exactly(out, n)
}

func exactly(b []byte, n int64) error {
	if int64(len(b)) != n {
		return errLength
	}
	return nil
}

// readExactly takes memory as the bytes come.
func readExactly(r io.Reader, n int64) ([]byte, error) {
	out, err := io.ReadAll(io.LimitReader(r, n+1))
	if err != nil {
		return nil, err
	}
	return out, exactly(out, n)
}
