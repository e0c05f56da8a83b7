package hub

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
)

// ggufTensor has its dimensions as ggml gives them: first what lies side by side.
type ggufTensor struct {
	name  string
	shape []int
	kind  uint32
}

// ggufFile is the header of a GGUF file of version 3. Values are strings, numbers and
// lists of numbers.
func ggufFile(meta map[string]any, tensors ...ggufTensor) []byte {
	le := binary.LittleEndian
	text := func(b []byte, s string) []byte { return append(le.AppendUint64(b, uint64(len(s))), s...) }
	b := le.AppendUint32([]byte("GGUF"), 3)
	b = le.AppendUint64(le.AppendUint64(b, uint64(len(tensors))), uint64(len(meta)))
	for _, key := range slices.Sorted(maps.Keys(meta)) {
		b = text(b, key)
		switch v := meta[key].(type) {
		case string:
			b = text(le.AppendUint32(b, ggufString), v)
		case int:
			b = le.AppendUint32(le.AppendUint32(b, 4), uint32(v))
		case []int:
			b = le.AppendUint64(le.AppendUint32(le.AppendUint32(b, ggufArray), 4), uint64(len(v)))
			for _, n := range v {
				b = le.AppendUint32(b, uint32(n))
			}
		default:
			panic(fmt.Sprintf("%s: %v", key, v))
		}
	}
	for _, t := range tensors {
		b = le.AppendUint32(text(b, t.name), uint32(len(t.shape)))
		for _, d := range t.shape {
			b = le.AppendUint64(b, uint64(d))
		}
		b = le.AppendUint64(le.AppendUint32(b, t.kind), 0)
	}
	return b
}
