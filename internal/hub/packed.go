package hub

import (
	"regexp"
	"slices"
	"strings"
)

// unpacker makes weights of tensors. Quantised files keep several parameters in one
// element, and scales and zero points beside them, which are no parameters.
type unpacker struct {
	tensors map[string]tensor
	modules map[string][]string // leaves of a module
	quant   quantization
	dims    map[int64]bool // lengths of rows that the configuration gives; nil: unknown
}

func newUnpacker(tensors map[string]tensor, c *config) *unpacker {
	u := &unpacker{tensors: tensors, modules: map[string][]string{}}
	for name := range tensors {
		module, leaf := cut(name)
		u.modules[module] = append(u.modules[module], leaf)
	}
	if c != nil {
		u.quant, u.dims = newQuantization(c.whole), c.inputs()
	}
	return u
}

// unpack are the weights, sorted by name, and the names of tensors that it could
// not make out, with their elements.
func (u *unpacker) unpack() (out []weight, unknown map[string]int64, err error) {
	unknown = map[string]int64{}
	for _, name := range sortedKeys(u.tensors) {
		t := u.tensors[name]
		n, err := t.elements()
		if err != nil {
			return nil, nil, &nameError{name, err}
		}
		if n == 0 || buffer(name, t) || u.auxiliary(name) {
			continue
		}
		w, ok := u.weight(name, t, n)
		switch {
		case !ok:
			unknown[name] = n
		case w.n > maxElements:
			return nil, nil, &nameError{name, errTooLarge}
		default:
			out = append(out, w)
		}
	}
	return out, unknown, nil
}

var bufferName = regexp.MustCompile(`(?:^|\.)(?:inv_freq|masked_bias|position_ids|num_batches_tracked|tid2eid|rope_freqs(?:\.weight)?|rope_factors_(?:long|short)(?:\.weight)?|(?:cos|sin)_cached)$`)

// buffer says whether a tensor is a constant: frequencies of positions, a mask.
func buffer(name string, t tensor) bool {
	if bufferName.MatchString(name) {
		return true
	}
	s := t.Shape // a causal mask
	return len(s) == 4 && s[0] == 1 && s[1] == 1 && s[2] == s[3] && s[2] > 1 || t.DType == "BOOL"
}

// Tensors that belong to quantised weights: the first kind always, the second where
// their module has any.
var (
	auxiliaryAlways = regexp.MustCompile(`^(?:qzeros|g_idx|\w*weight_(?:scale\w*|zero_point|shape|global_scale|offset)|\w*(?:input|output|activation)_(?:scale\w*|global_scale|zero_point|amax)|[kvq]_(?:scale|zero_point)|SCB|weight_format|absmax|quant_map|nested_\w+|bitsandbytes__\w+|\w*scale_inv|\w*amax|dequant_scale|azp_adj)$`)
	auxiliaryBeside = regexp.MustCompile(`^(?:\w*_)?(?:scales?|scale_2|biases|zeros?|zero_point|zero_points|codebooks|meta|shape)$|^(?:q_scale|q_scale_max|q_groups|q_group_map|q_invperm|q_perm|suh|svh|su|sv|SU|SV|mcg|mul1)$`)
)

func (u *unpacker) auxiliary(name string) bool {
	module, leaf := cut(name)
	if auxiliaryAlways.MatchString(leaf) {
		return true
	}
	return auxiliaryBeside.MatchString(leaf) && slices.ContainsFunc(u.modules[module], func(other string) bool {
		return other != leaf && !auxiliaryBeside.MatchString(other) && !auxiliaryAlways.MatchString(other) && quantised(u.tensors[module+"."+other].DType)
	})
}

func quantised(dtype string) bool {
	return strings.HasPrefix(dtype, "F8_") || strings.HasPrefix(dtype, "F6") || dtype == "F4" || dtype == "I8" || dtype == "U8" || dtype == "I16" ||
		dtype == "U16" || dtype == "I32" || dtype == "U32" || dtype == "I64"
}

// weight makes one of a tensor; ok is false where its parameters are not known.
func (u *unpacker) weight(name string, t tensor, n int64) (w weight, ok bool) {
	module, leaf := cut(name)
	switch t.DType {
	case "F4":
		if t.Bytes == n {
			return named(name, t, 4, "f4")
		}
		return weight{name, n, t.Shape, t.DType}, true
	case "F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2", "F6_E2M3", "F6_E3M2":
		return weight{name, n, t.Shape, t.DType}, true
	case "U8", "I8":
		return u.bytes(name, t, n)
	}
	if len(t.Shape) == 0 {
		return w, false
	}
	switch leaf {
	case "qweight":
		return u.qweight(name, module, t)
	case "weight_packed":
		return u.compressed(name, module, t)
	case "weight":
		return u.mlx(name, module, t)
	case "q_weight":
		rows, ok := u.beside(module, "q_invperm")
		return weight{name, rows.last() * t.last(), []int64{t.last(), rows.last()}, "exl2"}, ok
	case "trellis":
		in, ok := u.beside(module, "suh", "su")
		out, ok2 := u.beside(module, "svh", "sv")
		return weight{name, in.last() * out.last(), []int64{out.last(), in.last()}, "exl3"}, ok && ok2
	case "codes":
		book, ok := u.beside(module, "codebooks")
		if !ok || len(book.Shape) != 4 || len(t.Shape) != 3 {
			return w, false
		}
		shape := []int64{t.Shape[0] * book.Shape[2], t.Shape[1] * book.Shape[3]}
		return weight{name, shape[0] * shape[1], shape, "aqlm"}, true
	case "W_q":
		return widened(name, t, u.quant.bits, 32)
	}
	return w, false
}

// twice is a module whose weights the file holds in two forms; "": there is none.
func (u *unpacker) twice() string {
	for _, module := range sortedKeys(u.modules) {
		n := 0
		for _, leaf := range u.modules[module] {
			if slices.Contains([]string{"weight", "qweight", "weight_packed", "q_weight", "W_q", "codes", "trellis"}, leaf) {
				n++
			}
		}
		if n > 1 {
			return module
		}
	}
	return ""
}

// beside is another tensor of a module.
func (u *unpacker) beside(module string, leaves ...string) (tensor, bool) {
	for _, leaf := range leaves {
		if t, ok := u.tensors[module+"."+leaf]; ok && len(t.Shape) > 0 {
			return t, true
		}
	}
	return tensor{}, false
}

func (t tensor) last() int64 {
	if len(t.Shape) == 0 {
		return 0
	}
	return t.Shape[len(t.Shape)-1]
}

// qweight is GPTQ's, whose rows are packed, or AWQ's, whose columns are. Shapes of
// scales and zeros tell which, and how many bits.
func (u *unpacker) qweight(name, module string, t tensor) (w weight, ok bool) {
	scales, ok := u.beside(module, "scales")
	if !ok || len(t.Shape) != 2 || scales.last() < 1 {
		return w, false
	}
	in, out, bits := t.Shape[0], scales.last(), u.quant.bits
	if t.Shape[1] == out { // GPTQ
		if zeros, ok := u.beside(module, "qzeros"); ok && zeros.last() > 0 {
			bits = (32*zeros.last() + out/2) / out
		}
		if bits < 1 || bits > 16 {
			return w, false
		}
		in = in * 32 / bits
		if order, ok := u.beside(module, "g_idx"); ok {
			in = order.last()
		}
	} else if bits = 32 * t.Shape[1] / out; bits < 1 || bits > 16 {
		return w, false
	}
	return weight{name, in * out, []int64{out, in}, integer(bits)}, true
}

// compressed is compressed-tensors' packing in words of 32 bits.
func (u *unpacker) compressed(name, module string, t tensor) (w weight, ok bool) {
	bits := u.quant.bits
	if scale, ok := u.beside(module, "weight_scale"); ok && len(scale.Shape) == 2 && len(t.Shape) == 2 {
		var fits []int64
		for _, g := range u.quant.groups {
			if g.size > 0 && g.bits > 0 && t.last()*32/g.bits == scale.last()*g.size && !slices.Contains(fits, g.bits) {
				fits = append(fits, g.bits)
			}
		}
		if len(fits) == 1 {
			bits = fits[0]
		}
	}
	return widened(name, t, bits, 32)
}

// mlx packs along rows in words of 32 bits, with a scale for each group.
func (u *unpacker) mlx(name, module string, t tensor) (w weight, ok bool) {
	scales, ok := u.beside(module, "scales")
	bits, group := u.quant.of(module)
	if !ok || t.DType != "U32" || group < 1 {
		return w, false
	}
	if w, ok = widened(name, t, bits, 32); !ok || w.shape[len(w.shape)-1] != scales.last()*group {
		return w, false
	}
	if u.quant.mode != "" && u.quant.mode != "affine" {
		w.dtype = u.quant.mode
	}
	return w, true
}

// widened has its last dimension in parameters, bits of word each.
func widened(name string, t tensor, bits, word int64) (weight, bool) {
	if bits < 1 || bits > word || len(t.Shape) == 0 || t.last() > maxElements {
		return weight{}, false
	}
	shape := slices.Clone(t.Shape)
	shape[len(shape)-1] = t.last() * word / bits
	n, err := tensor{Shape: shape}.elements()
	return weight{name, n, shape, integer(bits)}, err == nil
}
