package hub

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Attention is that of Layers layers of a kind.
type Attention struct {
	Layers       int64
	Keys, Values int64 // heads × dimensions: what a query and a key multiply, and a weight and a value
	Window       int64 // tokens that a position sees; 0: all before it
	Chunked      bool  // windows lie side by side and do not slide
}

// kind is what one layer does with earlier tokens.
type kind struct {
	attends bool
	window  int64
	chunked bool
}

// maxWidth bounds heads × dimensions.
const maxWidth = 1 << 24

// layout says which layers attend, to how many tokens and how wide; why says where it
// is not known. The weights are held against the configuration.
func (c config) layout(d *stack, list []weight) (out []Attention, why string) {
	if c.Layers <= 0 {
		return nil, "the number of layers is not known"
	}
	of := layering{c.raw, c.ModelType, c.Layers, c.ahead()}
	kinds, said, why := of.kinds()
	if why != "" {
		return nil, why
	}
	shown := shownWidths(d, list, c.Hidden)
	switch {
	case shown == nil && !said && of.keepsState():
		return nil, "some layers keep a state, and which ones attend is not known"
	case shown != nil && !said:
		for i := range kinds {
			kinds[i].attends = kinds[i].attends && shown[int64(i)] > 0
		}
	case shown != nil:
		for i, k := range kinds {
			if k.attends != (shown[int64(i)] > 0) {
				return nil, fmt.Sprintf("layer %d attends by the configuration or by its tensors, and not by both", i)
			}
		}
	}
	for i, k := range kinds {
		if !k.attends {
			continue
		}
		keys, values := c.width(int64(i), shown[int64(i)])
		if keys <= 0 || values <= 0 || max(keys, values) > maxWidth {
			return nil, "the width of its heads is not known"
		}
		out = merge(out, Attention{1, keys, values, k.window, k.chunked})
	}
	return out, ""
}

// merge adds a layer to those of its kind.
func merge(list []Attention, a Attention) []Attention {
	for i := range list {
		b := list[i]
		if b.Layers = 1; b == a {
			list[i].Layers++
			return list
		}
	}
	return append(list, a)
}

// width is a layer's heads × dimensions; shown is that of its values by the tensors,
// or 0.
func (c config) width(i, shown int64) (keys, values int64) {
	heads := c.Heads
	if i < int64(len(c.HeadList)) {
		heads = c.HeadList[i]
	}
	if c.KVRank > 0 || c.NopeDim > 0 {
		if shown > 0 && c.ValueDim > 0 {
			heads = shown / c.ValueDim
		}
		return heads * (c.NopeDim + c.RopeDim), heads * c.ValueDim
	}
	if shown > 0 {
		key, value := c.headDim(), c.headDim()
		if c.ValueDim > 0 {
			value = c.ValueDim
		}
		if key > 0 && value > 0 && key != value {
			return shown / value * key, shown
		}
		return shown, shown
	}
	return heads * c.headDim(), heads * c.headDim()
}

var outLeaves = []string{"o_proj", "out_proj", "wo", "dense", "c_proj", "attn_out", "attn_output", "o", "proj", "linear_proj", "attn_proj"}

var stateLeaf = regexp.MustCompile(`^(?:A_log|A_logs|dt_bias|ssm_\w+|time_\w+|conv1d|shortconv\w*|x_proj|dt_proj|f_a_proj|q_conv1d|output_gate)$`)

// shownWidths is the width of attention by block, from the projection that follows it; a
// block that keeps a state instead has none. nil: no such projection is known.
func shownWidths(d *stack, list []weight, hidden int64) map[int64]int64 {
	if d == nil {
		return nil
	}
	out, state := map[int64]int64{}, map[string]bool{}
	for _, w := range list {
		at := locate(w.name)
		if at.stack != d.name {
			continue
		}
		for i, p := range at.path {
			if stateLeaf.MatchString(p) {
				state[fmt.Sprint(at.block, at.path[:i])] = true
			}
		}
	}
	for _, w := range list {
		at := locate(w.name)
		if at.stack != d.name || len(w.shape) != 2 || len(at.path) < 2 {
			continue
		}
		module := at.path[:len(at.path)-1]
		leaf := module[len(module)-1]
		flat := leaf == "attn_output" || leaf == "attn_out" // of names without modules, as in GGUF
		if !flat && (!slices.Contains(outLeaves, leaf) || !attends(module[:len(module)-1]) || state[fmt.Sprint(at.block, module[:len(module)-1])]) {
			continue
		}
		switch {
		case w.shape[0] == hidden:
			out[at.block] = w.shape[1]
		case w.shape[1] == hidden:
			out[at.block] = w.shape[0]
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// attends says whether a module is one of attention over all keys.
func attends(module []string) bool {
	name := strings.Join(module, ".")
	return (attentionPart.MatchString(name) || strings.HasSuffix(name, "mixer")) && !hasWord(name, set("linear", "lightning", "mamba", "delta", "cross", "crossattention", "encoder"))
}

// remarks are what 2 × N × tokens leaves out of this model's cost.
func (c config) remarks(list []Attention) (out []string) {
	var attending int64
	for _, a := range list {
		attending += a.Layers
	}
	if list != nil && attending < c.Layers {
		out = append(out, fmt.Sprintf("%d of %d layers attend; what the others do beyond their parameters (states, scans, convolutions) is in no figure", attending, c.Layers))
	}
	for _, key := range c.unread {
		if expertsKey(key) { // which is a doubt
			continue
		}
		out = append(out, fmt.Sprintf("the configuration's %s could not be read", key))
	}
	return out
}
