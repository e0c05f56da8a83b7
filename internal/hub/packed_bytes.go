package hub

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

var errTooLarge = errors.New("header: it has more parameters than any model")

// nameError is a fault of one tensor.
type nameError struct {
	name string
	err  error
}

func (e *nameError) Error() string { return fmt.Sprintf("tensor %.120q: %v", e.name, e.err) }
func (e *nameError) Unwrap() error { return e.err }

// bytes makes a weight of a tensor of bytes: one parameter each, or two or four.
func (u *unpacker) bytes(name string, t tensor, n int64) (w weight, ok bool) {
	module, leaf := cut(name)
	_, absmax := u.tensors[name+".absmax"]
	switch {
	case absmax:
		return weight{name, 2 * n, nil, u.quant.orElse("nf4")}, true
	case strings.HasSuffix(leaf, "_blocks") || leaf == "blocks": // of 16 bytes, 32 parameters
		if t.last() != 16 || len(t.Shape) < 2 {
			return w, false
		}
		shape := append(slices.Clone(t.Shape[:len(t.Shape)-2]), 32*t.Shape[len(t.Shape)-2])
		return weight{name, 2 * n, shape, "mxfp4"}, true
	case len(t.Shape) < 2:
		return w, false
	case u.quant.method == "bitnet":
		shape := slices.Clone(t.Shape)
		shape[0] *= 4
		return weight{name, 4 * n, shape, "int2"}, t.DType == "U8"
	case leaf == "W_q":
		return widened(name, t, u.quant.bits, 8)
	case leaf == "weight_packed":
		return named(name, t, 4, u.quant.orElse("nvfp4"))
	}
	if scale, ok := u.beside(module, "weight_scale", "scale", "scales", leaf+"_scale", leaf+"_scales", "weight_scale_inv"); ok && scale.last() > 0 {
		switch each := t.last() / scale.last(); {
		case each*scale.last() != t.last():
		case scale.DType == "F8_E8M0" && each == 16, t.DType == "U8" && scale.DType == "U8" && each == 16:
			return named(name, t, 4, "mxfp4")
		case scale.DType == "F8_E4M3" && each == 8:
			return named(name, t, 4, "nvfp4")
		case scale.DType == "F8_E8M0" && each == 32:
			return weight{name, n, t.Shape, "int8"}, true
		}
	}
	return u.byDimension(name, t, n)
}

func named(name string, t tensor, bits int64, dtype string) (weight, bool) {
	w, ok := widened(name, t, bits, 8)
	w.dtype = dtype
	return w, ok
}

// byDimension compares a row's bytes with what matrices take by the configuration.
func (u *unpacker) byDimension(name string, t tensor, n int64) (weight, bool) {
	switch d := t.last(); {
	case u.dims[d] && !u.dims[2*d]:
		return weight{name, n, t.Shape, "int8"}, true
	case u.dims[2*d] && !u.dims[d]:
		return named(name, t, 4, "int4")
	case u.quant.bits == 8 && u.dims[d]:
		return weight{name, n, t.Shape, "int8"}, true
	case u.quant.bits == 4 && u.dims[2*d]:
		return named(name, t, 4, "int4")
	}
	return weight{}, false
}

func integer(bits int64) string { return fmt.Sprintf("int%d", bits) }

// quantization is what a configuration says of how weights are packed.
type quantization struct {
	method string
	bits   int64 // 0: unknown
	groups []bitGroup
	mode   string // of MLX
	size   int64
	each   object // of MLX: modules that differ
}

// bitGroup is one way of packing.
type bitGroup struct{ bits, size int64 }

func newQuantization(whole object) (q quantization) {
	o := whole.object("quantization_config", "compression_config", "quantization", "quant_config")
	if mlx := whole.object("quantization"); mlx != nil {
		o = mlx
	}
	if o == nil {
		return q
	}
	r := &reader{object: o}
	q.method, q.mode, q.each = strings.ToLower(o.text("quant_method", "quant_algo", "quant_type")), o.text("mode"), o
	q.bits, q.size = r.value("bits", "w_bit", "num_bits", "nbits"), r.value("group_size", "q_group_size")
	if hqq := o.object("weight_quant_params"); q.bits == 0 && hqq != nil {
		q.bits = (&reader{object: hqq}).value("nbits")
	}
	for _, v := range o.object("config_groups") {
		g, _ := v.(map[string]any)
		w := &reader{object: object(g).object("weights")}
		q.groups = append(q.groups, bitGroup{w.value("num_bits"), w.value("group_size")})
	}
	if len(q.groups) > 0 && q.bits == 0 {
		q.bits = q.groups[0].bits
		for _, g := range q.groups {
			if g.bits != q.bits { // which module is of which is not looked at
				q.bits = 0
				break
			}
		}
	}
	return q
}

// of is MLX's bits and group of one module, which may differ from the rest.
func (q quantization) of(module string) (bits, size int64) {
	bits, size = q.bits, q.size
	if own := q.each.object(module); own != nil {
		r := &reader{object: own}
		if n := r.value("bits"); n > 0 {
			bits = n
		}
		if n := r.value("group_size"); n > 0 {
			size = n
		}
	}
	return bits, size
}

// orElse is the name of the packing where it says one in four bits.
func (q quantization) orElse(name string) string {
	if kind, _ := q.each["bnb_4bit_quant_type"].(string); kind == "fp4" {
		return kind
	}
	if strings.HasPrefix(q.method, "mxfp4") {
		return "mxfp4"
	}
	return name
}

// dims are the dimensions that matrices of the model have by its configuration.
func (c config) dims() map[int64]bool {
	out := c.inputs()
	for _, d := range []int64{
		2 * c.FFN, 2 * c.ExpertFFN, c.kv() * c.headDim(), (c.Heads + 2*c.kv()) * c.headDim(), c.KVRank + c.RopeDim,
		c.Heads * (c.NopeDim + c.RopeDim), c.Heads * (c.NopeDim + c.ValueDim),
	} {
		if d > 1 {
			out[d] = true
		}
	}
	return out
}

// inputs are the lengths of vectors that matrices of the model take.
func (c config) inputs() map[int64]bool {
	out := map[int64]bool{}
	for _, d := range []int64{
		c.Hidden, c.FFN, c.ExpertFFN, c.SharedFFN, c.DenseFFN, c.SharedExperts * max(c.ExpertFFN, c.FFN),
		c.Heads * c.headDim(), c.KVRank, c.Heads * c.ValueDim,
	} {
		if d > 1 {
			out[d] = true
		}
	}
	if c.QRank != nil && *c.QRank > 1 {
		out[*c.QRank] = true
	}
	for _, key := range []string{"shared_expert_dim", "share_expert_dim", "moe_shared_expert_intermediate_size", "o_lora_rank", "global_head_dim"} {
		if n, ok := count(c.raw[key]); ok && n > 1 {
			out[n], out[n*max(1, c.Heads)] = true, true
		}
	}
	return out
}
