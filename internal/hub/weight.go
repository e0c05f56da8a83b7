package hub

import (
	"fmt"
	"math/bits"
	"strings"
)

// tensor is one entry of a header.
type tensor struct {
	DType string
	Shape []int64 // as PyTorch gives it: what lies side by side last
	Bytes int64   // 0: the header does not say
}

// maxElements bounds a tensor: the largest model of today has 2^41 parameters.
const maxElements = 1 << 46

// elements are the product of the shape, which a header may give as it likes.
func (t tensor) elements() (int64, error) {
	n := uint64(1)
	for _, d := range t.Shape {
		if d < 0 {
			return 0, fmt.Errorf("header: shape %v is impossible", t.Shape)
		}
		if d == 0 {
			return 0, nil
		}
	}
	for _, d := range t.Shape {
		high, low := bits.Mul64(n, uint64(d))
		if high != 0 || low > maxElements {
			return 0, fmt.Errorf("header: shape %v is impossible", t.Shape)
		}
		n = low
	}
	packed := t.DType == "F4" && int64(n) == t.Bytes // the shape counts bytes
	if want := bitsOf[t.DType]; want > 0 && t.Bytes > 0 && (int64(n)*want+7)/8 != t.Bytes && !packed {
		return 0, fmt.Errorf("header: a tensor of shape %v and type %s cannot take %d bytes", t.Shape, t.DType, t.Bytes)
	}
	return int64(n), nil
}

// bitsOf one element, by safetensors' names.
var bitsOf = map[string]int64{
	"F64": 64, "F32": 32, "F16": 16, "BF16": 16, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "F6_E2M3": 6, "F6_E3M2": 6, "F4": 4,
	"I64": 64, "U64": 64, "I32": 32, "U32": 32, "I16": 16, "U16": 16, "I8": 8, "U8": 8, "BOOL": 8,
}

// weight is a tensor as the model has it, however a file packs it.
type weight struct {
	name  string
	n     int64   // parameters
	shape []int64 // nil: not known
	dtype string
}

// matrix is the shape without dimensions of 1.
func (w weight) matrix() []int64 {
	var out []int64
	for _, d := range w.shape {
		if d != 1 {
			out = append(out, d)
		}
	}
	return out
}

// cut splits a name at its last dot.
func cut(name string) (module, leaf string) {
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		return name[:i], name[i+1:]
	}
	return "", name
}

// nameWords are the parts of a name between dots and underscores, in lower case.
func nameWords(name string) []string {
	return strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return r == '.' || r == '_' || r == '/' || r == '-' })
}
