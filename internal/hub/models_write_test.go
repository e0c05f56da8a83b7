package hub_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// write makes the model's folder in dir, or its GGUF file, and returns the path.
// Safetensors have a header and no data, a GGUF file is sparse.
func (m published) write(t *testing.T, dir string) string {
	t.Helper()
	if m.GGUF != nil {
		path := filepath.Join(dir, "model.gguf")
		header, size := m.gguf(t)
		writeFile(t, path, header)
		if err := os.Truncate(path, size); err != nil {
			t.Fatal(err)
		}
		return path
	}
	settings, weights := m.Settings, m.Weights
	if settings == "" {
		settings = "config.json"
	}
	if weights == "" {
		weights = "model.safetensors"
	}
	writeFile(t, filepath.Join(dir, settings), m.Config)
	if weights != "-" {
		writeFile(t, filepath.Join(dir, weights), m.safetensors(t))
	}
	return dir
}

func writeFile(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// bits of one element, by safetensors' names.
var bits = map[string]int64{"F4": 4, "BOOL": 8, "I16": 16, "I8": 8, "U8": 8, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "BF16": 16, "F16": 16, "F32": 32, "I32": 32, "U32": 32, "I64": 64}

func (m published) safetensors(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	b.WriteString(`{"__metadata__":{"format":"pt"}`)
	var at int64
	seen := map[string]bool{}
	for _, p := range m.Tensors {
		size, ok := bits[p.dtype]
		if !ok {
			t.Fatalf("%s: unknown type %s", p.name, p.dtype)
		}
		shape := strings.ReplaceAll(fmt.Sprint(p.shape), " ", ",")
		for _, name := range p.names() {
			if seen[name] {
				t.Fatalf("the fixture has %s twice", name)
			}
			seen[name] = true
			end := at + p.elements()*size/8
			fmt.Fprintf(&b, `,%q:{"dtype":%q,"shape":%s,"data_offsets":[%d,%d]}`, name, p.dtype, shape, at, end)
			at = end
		}
	}
	b.WriteByte('}')
	return append(binary.LittleEndian.AppendUint64(nil, uint64(b.Len())), b.Bytes()...)
}

// ggmlTypes are ggml's numbers of types, elements of a block, and bytes of one
// (ggml/include/ggml.h, ggml/src/ggml-common.h).
var ggmlTypes = map[string]struct {
	number          uint32
	elements, bytes int64
}{
	"F32": {0, 1, 4}, "F16": {1, 1, 2}, "Q8_0": {8, 32, 34}, "Q4_K": {12, 256, 144}, "Q6_K": {14, 256, 210}, "MXFP4": {39, 32, 17},
}

// ggufWriter writes version 3, little-endian.
type ggufWriter struct{ bytes.Buffer }

func (w *ggufWriter) u32(v uint32)  { w.Write(binary.LittleEndian.AppendUint32(nil, v)) }
func (w *ggufWriter) u64(v uint64)  { w.Write(binary.LittleEndian.AppendUint64(nil, v)) }
func (w *ggufWriter) text(s string) { w.u64(uint64(len(s))); w.WriteString(s) }

// Types of metadata (ggml/docs/gguf.md).
const uint32Type, boolType, stringType, arrayType = 4, 7, 8, 9

func (w *ggufWriter) tokens(n int) {
	w.u32(arrayType)
	w.u32(stringType)
	w.u64(uint64(n))
	for i := range n {
		w.text(strconv.Itoa(i))
	}
}

func (w *ggufWriter) value(t *testing.T, v any) {
	t.Helper()
	switch v := v.(type) {
	case string:
		w.u32(stringType)
		w.text(v)
	case float64:
		w.u32(uint32Type)
		w.u32(uint32(v))
	case []any:
		w.u32(arrayType)
		if _, ok := v[0].(bool); ok {
			w.u32(boolType)
			w.u64(uint64(len(v)))
			for _, x := range v {
				w.WriteByte(map[bool]byte{true: 1}[x.(bool)])
			}
			return
		}
		w.u32(uint32Type)
		w.u64(uint64(len(v)))
		for _, x := range v {
			w.u32(uint32(x.(float64)))
		}
	default:
		t.Fatalf("metadata %v", v)
	}
}

// gguf has shapes in ggml's order: what lies side by side first. size is the file's
// with its data.
func (m published) gguf(t *testing.T) (header []byte, size int64) {
	t.Helper()
	var infos ggufWriter
	var count uint64
	for _, p := range m.Tensors {
		kind, ok := ggmlTypes[p.dtype]
		if !ok || p.shape[0]%kind.elements != 0 {
			t.Fatalf("%s: type %s of %v", p.name, p.dtype, p.shape)
		}
		for _, name := range p.names() {
			count++
			infos.text(name)
			infos.u32(uint32(len(p.shape)))
			for _, d := range p.shape {
				infos.u64(uint64(d))
			}
			infos.u32(kind.number)
			infos.u64(uint64(size))
			size += (p.elements()/kind.elements*kind.bytes + 31) / 32 * 32
		}
	}
	var w ggufWriter
	w.WriteString("GGUF")
	w.u32(3)
	w.u64(count)
	w.u64(uint64(len(m.GGUF)))
	for _, key := range slices.Sorted(maps.Keys(m.GGUF)) {
		w.text(key)
		if key == "tokenizer.ggml.tokens" { // the fixture gives their number
			w.tokens(int(m.GGUF[key].(float64)))
			continue
		}
		w.value(t, m.GGUF[key])
	}
	w.Write(infos.Bytes())
	return w.Bytes(), (int64(w.Len())+31)/32*32 + size
}
