package hub

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
)

// ggufMeta is the metadata of a GGUF file: a string, bool, float64, or []string or
// []float64 by key. Of an array that is not kept it has the length, an int.
type ggufMeta map[string]any

// Bounds of a GGUF file: one string and one array of its metadata, what is kept of
// all strings, its keys, and the name of a key or a tensor.
const (
	maxText  = 64 << 20
	maxArray = 4 << 20
	maxKept  = 256 << 20
	maxKeys  = 1 << 16
	maxName  = 64 << 10
)

var errGGUF = errors.New("not a GGUF file of version 2 or 3")

// readGGUFMeta reads the metadata whose keys have prefix.
func readGGUFMeta(path, prefix string) (ggufMeta, error) {
	m, _, err := readGGUF(path, func(key string) bool { return strings.HasPrefix(key, prefix) }, false)
	return m, err
}

// readGGUF reads the metadata that keep says, and where they are asked for the
// tensors.
func readGGUF(path string, keep func(key string) bool, tensors bool) (ggufMeta, map[string]tensor, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	m, list, err := parseGGUF(f, keep, tensors)
	if err != nil {
		return nil, nil, fmt.Errorf("GGUF header of %s: %w", path, err)
	}
	return m, list, nil
}

func parseGGUF(from io.Reader, keep func(key string) bool, tensors bool) (ggufMeta, map[string]tensor, error) {
	r := &ggufReader{r: bufio.NewReaderSize(from, 1<<20)}
	magic, version := r.uint(4), r.uint(4)
	if r.err != nil || magic != 0x46554747 || version < 2 || version > 3 {
		return nil, nil, errGGUF
	}
	count, n := r.uint(8), r.uint(8)
	if n > maxKeys {
		r.fail("%d keys of metadata", n)
	}
	m := ggufMeta{}
	for ; n > 0 && r.err == nil; n-- {
		key := r.name()
		r.skips = !keep(key)
		v := r.value(r.uint(4))
		if _, length := v.(int); !r.skips || length {
			m[key] = v
		}
	}
	if !tensors {
		return m, nil, r.err
	}
	list := r.tensors(count)
	return m, list, r.err
}

// ggufReader reads little-endian values and keeps the first error.
type ggufReader struct {
	r     *bufio.Reader
	buf   [8]byte
	err   error
	kept  uint64 // bytes of strings
	skips bool   // the value is not kept
}

func (r *ggufReader) uint(size int) uint64 {
	if r.err != nil {
		return 0
	}
	r.buf = [8]byte{}
	if _, err := io.ReadFull(r.r, r.buf[:size]); err != nil {
		r.err = err
	}
	return binary.LittleEndian.Uint64(r.buf[:])
}

func (r *ggufReader) name() string {
	r.skips = false
	s := r.text()
	if len(s) > maxName {
		r.fail("a name of %d bytes", len(s))
	}
	return s
}

func (r *ggufReader) text() string {
	n := r.uint(8)
	if r.kept += n; n > maxText || r.kept > maxKept && !r.skips {
		r.fail("a string of %d bytes", n)
	}
	if r.err != nil {
		return ""
	}
	if r.skips {
		r.kept -= n
		r.discard(n)
		return ""
	}
	var b strings.Builder
	if _, err := io.CopyN(&b, r.r, int64(n)); err != nil { // grows with what is there
		r.err = err
	}
	return b.String()
}

func (r *ggufReader) discard(n uint64) {
	if _, err := r.r.Discard(int(n)); err != nil && r.err == nil {
		r.err = err
	}
}

func (r *ggufReader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
}

// Value types of GGUF (ggml/docs/gguf.md) are 0 to 12; sizes are those of numbers.
var ggufSizes = [...]int{1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8}

const (
	ggufFloat32, ggufBool, ggufString, ggufArray = 6, 7, 8, 9
	ggufInt64, ggufFloat64                       = 11, 12
)

func (r *ggufReader) value(kind uint64) any {
	switch {
	case kind == ggufString:
		return r.text()
	case kind == ggufArray:
		return r.array(r.uint(4), r.uint(8))
	case kind >= uint64(len(ggufSizes)):
		r.fail("a value of unknown type %d", kind)
		return nil
	case kind == ggufBool:
		return r.uint(1) != 0
	}
	return r.number(kind)
}

func (r *ggufReader) number(kind uint64) float64 {
	size := ggufSizes[kind]
	v := r.uint(size)
	switch kind {
	case ggufFloat32:
		return float64(math.Float32frombits(uint32(v)))
	case ggufFloat64:
		return math.Float64frombits(v)
	case 1, 3, 5, ggufInt64:
		shift := 64 - 8*size
		return float64(int64(v<<shift) >> shift)
	}
	return float64(v)
}

func (r *ggufReader) array(kind, n uint64) any {
	if n > maxArray || kind == ggufArray || kind >= uint64(len(ggufSizes)) {
		r.fail("an array of %d values of type %d", n, kind)
		return nil
	}
	switch {
	case r.skips && kind == ggufString:
		for i := n; i > 0 && r.err == nil; i-- {
			r.text()
		}
		return int(n)
	case r.skips:
		r.discard(n * uint64(ggufSizes[kind]))
		return int(n)
	case kind == ggufString:
		var out []string
		for ; n > 0 && r.err == nil; n-- {
			out = append(out, r.text())
		}
		return out
	}
	var out []float64
	for ; n > 0 && r.err == nil; n-- {
		out = append(out, r.number(kind))
	}
	return out
}

func (m ggufMeta) text(key string) string       { s, _ := m[key].(string); return s }
func (m ggufMeta) texts(key string) []string    { s, _ := m[key].([]string); return s }
func (m ggufMeta) numbers(key string) []float64 { s, _ := m[key].([]float64); return s }

func (m ggufMeta) flag(key string, otherwise bool) bool {
	if v, ok := m[key].(bool); ok {
		return v
	}
	return otherwise
}

func (m ggufMeta) number(key string, otherwise int) int {
	if n, ok := count(m[key]); ok {
		return int(n)
	}
	return otherwise
}
