package hub

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// maxLayers bounds what a configuration may say, as others' bytes are read.
const maxLayers = 10_000

// sane refuses numbers that no model has, and models of which no one number of
// parameters works for every token.
func (c config) sane() error {
	largest := max(c.Hidden, c.FFN, c.Vocab, c.Heads, c.kv(), c.experts(), c.ExpertFFN, c.SharedFFN, c.DenseFFN, c.KVRank, c.NopeDim,
		c.RopeDim, c.ValueDim, c.headDim(), c.SharedExperts, c.Positions)
	switch {
	case c.Layers > maxLayers:
		return fmt.Errorf("%w: the configuration has %d layers", ErrUnsupported, c.Layers)
	case largest > maxDimension || c.QRank != nil && *c.QRank > maxDimension:
		return fmt.Errorf("%w: the configuration has a dimension that no model has", ErrUnsupported)
	case c.whole.truthy("is_encoder_decoder") || c.raw.truthy("is_encoder_decoder"):
		return fmt.Errorf("%w: an encoder and a decoder share the work, so no one number of parameters works for every token", ErrUnsupported)
	}
	return nil
}

// maxDimension bounds a dimension, so that products of them with layers fit.
const maxDimension = 1 << 28

var (
	aheadKeys = []string{"num_nextn_predict_layers", "mtp_num_hidden_layers", "num_mtp_layers", "mtp_num_layers", "num_mtp_modules", "nextn_predict_layers", "n_predict"}
	aheadLeaf = regexp.MustCompile(`(?:^|\.)(?:eh_proj|enorm|hnorm|shared_head|nextn|mtp\w*)(?:\.|$)`)
	loopKey   = regexp.MustCompile(`(?:^|_)(?:loops?|loop_\w+|repeats?|recur\w*|recursions?|ut_steps|universal|layer_sharing|shared?_layers?|reuse\w*|mem_blocks|hidden_groups|mixture_of_depths?|mod_every\w*|early_exit\w*|exit_layers?|layer_skip|skip_layers)(?:_|$)|^hybrid_layer_ids$`)
	denoises  = regexp.MustCompile(`(?i)llada|dream|diffu|sdar|mdlm|mercury`)
)

// ahead are the blocks that predict, by the configuration.
func (c config) ahead() int64 { return (&reader{object: c.raw}).value(aheadKeys...) }

// predictsAhead says whether blocks beyond the model's own are known to be for
// tokens further ahead.
func (c config) predictsAhead(d *stack, beyond int64, list []weight) bool {
	if n := c.ahead(); n > 0 {
		return beyond <= n
	}
	return slices.ContainsFunc(list, func(w weight) bool {
		at := locate(w.name)
		return at.stack == d.name && at.block >= c.Layers && aheadLeaf.MatchString(strings.Join(at.path, "."))
	})
}

var senseKey = regexp.MustCompile(`vision|visual|image|img_|audio|speech|video|modal|^mm_|sound|cross_attention_layers`)

// hasSenses says whether the configuration speaks of images, sound or video.
func (c config) hasSenses() bool {
	for key := range c.whole {
		if senseKey.MatchString(key) && c.whole.has(key) {
			return true
		}
	}
	return c.raw.any(senseKey)
}

// doubts are reasons why parameters × tokens is not what such a model costs.
func (c config) doubts() (out []string) {
	for _, key := range sortedKeys(c.raw) {
		if loopKey.MatchString(key) && !strings.Contains(key, "kv") && c.raw.has(key) {
			out = append(out, fmt.Sprintf("by the configuration (%.60q) a block may work several times for a token or not at all, and each is counted once", key))
			break
		}
	}
	if name := c.ModelType + " " + strings.Join(c.whole.names("architectures"), " "); denoises.MatchString(name) {
		out = append(out, "the model writes many tokens in several passes, so a token does not cost one pass")
	}
	for _, key := range c.unread {
		if expertsKey(key) {
			out = append(out, fmt.Sprintf("the configuration's %s could not be read", key))
		}
	}
	return out
}

func expertsKey(key string) bool {
	return strings.Contains(key, "expert") || strings.Contains(key, "moe")
}
