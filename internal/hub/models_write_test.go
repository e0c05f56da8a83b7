package hub_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// write makes the model's folder in dir, or its GGUF file, and returns the path. Files
// have headers and no data.
func (m published) write(t *testing.T, dir string) string {
	t.Helper()
	if m.GGUF != nil {
		path := filepath.Join(dir, "model.gguf")
		writeFile(t, path, m.gguf(t))
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

// ggmlTypes are ggml's numbers of types (ggml/include/ggml.h).
var ggmlTypes = map[string]uint32{"F32": 0, "F16": 1, "Q4_0": 2, "Q8_0": 8, "Q3_K": 11, "Q4_K": 12, "Q5_K": 13, "Q6_K": 14, "BF16": 30, "MXFP4": 39}

// ggufWriter writes version 3, little-endian.
type ggufWriter struct{ bytes.Buffer }

func (w *ggufWriter) u32(v uint32)  { w.Write(binary.LittleEndian.AppendUint32(nil, v)) }
func (w *ggufWriter) u64(v uint64)  { w.Write(binary.LittleEndian.AppendUint64(nil, v)) }
func (w *ggufWriter) text(s string) { w.u64(uint64(len(s))); w.WriteString(s) }

func (w *ggufWriter) value(t *testing.T, v any) {
	t.Helper()
	const uint32Type, boolType, stringType, arrayType = 4, 7, 8, 9
	switch v := v.(type) {
	case string:
		w.u32(stringType)
		w.text(v)
	case bool:
		w.u32(boolType)
		w.Write(binary.LittleEndian.AppendUint16(nil, map[bool]uint16{true: 1}[v])[:1])
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

// gguf has shapes in ggml's order: what lies side by side first.
func (m published) gguf(t *testing.T) []byte {
	t.Helper()
	type info struct {
		name string
		p    pattern
	}
	var list []info
	for _, p := range m.Tensors {
		for _, name := range p.names() {
			list = append(list, info{name, p})
		}
	}
	w := &ggufWriter{}
	w.WriteString("GGUF")
	w.u32(3)
	w.u64(uint64(len(list)))
	w.u64(uint64(len(m.GGUF)))
	var keys []string
	for key := range m.GGUF {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		w.text(key)
		w.value(t, m.GGUF[key])
	}
	for _, x := range list {
		kind, ok := ggmlTypes[x.p.dtype]
		if !ok {
			t.Fatalf("%s: unknown type %s", x.name, x.p.dtype)
		}
		w.text(x.name)
		w.u32(uint32(len(x.p.shape)))
		for _, d := range x.p.shape {
			w.u64(uint64(d))
		}
		w.u32(kind)
		w.u64(0)
	}
	return w.Bytes()
}
