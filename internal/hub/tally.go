package hub

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	gguf "github.com/gpustack/gguf-parser-go"
)

// tally counts tensors by what they are.
type tally struct {
	p       Parameters
	routed  int64   // elements of routed experts
	config  *config // nil: unknown
	layers  int64   // blocks of the model; tensors of later ones predict several tokens and are not counted. 0: unknown
	experts int64
	used    int64 // experts that work for a token
}

// add counts one tensor of a safetensors file.
func (t *tally) add(name string, x tensor) error {
	n, err := x.elements()
	switch {
	case err != nil:
		return err
	case strings.HasSuffix(name, ".qweight") || strings.HasSuffix(name, ".weight_packed") || x.DType == "U8" || x.DType == "I32" && strings.Contains(name, "weight"):
		return errPacked
	case scale(name) || foreign(name) || !strings.Contains("F64 F32 F16 BF16 F8_E4M3 F8_E5M2 I8", x.DType):
		return nil
	}
	if t.config != nil {
		t.layers = t.config.Layers
	}
	t.count(name, n)
	if t.p.DType == "" && len(x.Shape) == 2 {
		t.p.DType = Precision(x.DType)
	}
	return nil
}

var block = regexp.MustCompile(`(?:^|\.)(?:layers|blk|h)\.(\d+)\.`)

func (t *tally) count(name string, n int64) {
	if m := block.FindStringSubmatch(name); m != nil && t.layers > 0 {
		if i, err := strconv.ParseInt(m[1], 10, 64); err != nil || i >= t.layers {
			return
		}
	}
	t.p.Total += n
	switch kindOf(name) {
	case embedding:
		t.p.Embedding += n
	case lmHead:
		t.p.LMHead += n
	case expert:
		t.routed += n
	}
}

// parameters are the counts, once all is added.
func (t *tally) parameters() (Parameters, error) {
	p, used, experts := t.p, t.used, t.experts
	if c := t.config; c != nil {
		used, experts = c.perToken(), c.experts()
		if c.tied() { // a file may hold the shared weights twice
			p.Total, p.LMHead = p.Total-p.LMHead, 0
		}
	}
	p.NonEmbedding = p.Total - p.Embedding - p.LMHead
	p.Active = p.Total
	if t.routed > 0 {
		if used <= 0 || experts < used {
			return Parameters{}, fmt.Errorf("%w: it has experts, and nothing says how many of them work for a token", ErrUnsupported)
		}
		p.Active -= t.routed / experts * (experts - used)
	}
	return p, nil
}

// scale says whether a tensor holds scales of quantised weights, which are no
// parameters of the model, or a buffer.
func scale(name string) bool {
	for _, s := range []string{"_scale", "_scale_inv", ".scales", ".rotary_emb.inv_freq", ".attn.bias", ".attn.masked_bias", ".attention.bias", ".attention.masked_bias", ".k_scale", ".v_scale"} {
		if strings.HasSuffix(name, s) {
			return true
		}
	}
	return false
}

// foreign says whether a tensor is of another modality than text.
func foreign(name string) bool {
	for _, s := range []string{"vision_tower.", "vision_model.", "visual.", "multi_modal_projector.", "audio_tower.", "mm_projector."} {
		if strings.HasPrefix(name, s) || strings.Contains(name, "."+s) {
			return true
		}
	}
	return false
}

type role int

const (
	body role = iota
	embedding
	lmHead
	expert
)

// kindOf tells embeddings, the output layer and routed experts by their names.
func kindOf(name string) role {
	for _, s := range []string{"embed_tokens.weight", "wte.weight", "wpe.weight", "word_embeddings.weight", "embed_positions.weight", "embed_in.weight", "token_embd.weight", "position_embd.weight"} {
		if name == s || strings.HasSuffix(name, "."+s) {
			return embedding
		}
	}
	for _, s := range []string{"lm_head.weight", "lm_head.bias", "output.weight", "output.bias", "embed_out.weight"} {
		if name == s || strings.HasSuffix(name, ".lm_head.weight") {
			return lmHead
		}
	}
	for _, s := range []string{".experts.", "_exps.", "block_sparse_moe.input_linear.", "block_sparse_moe.output_linear."} {
		if strings.Contains(name, s) {
			return expert
		}
	}
	return body
}

// fromGGUF reads a GGUF file's header.
func fromGGUF(path string) (Parameters, error) {
	f, err := gguf.ParseGGUFFile(path)
	if err != nil {
		return Parameters{}, fmt.Errorf("GGUF header of %s: %w", path, err)
	}
	a := f.Architecture()
	t := tally{layers: int64(a.BlockCount), experts: int64(a.ExpertCount), used: int64(a.ExpertUsedCount)}
	if kv, ok := f.Header.MetadataKV.Get(a.Architecture + ".nextn_predict_layers"); ok {
		t.layers -= gguf.ValueNumeric[int64](kv)
	}
	t.p = Parameters{
		Source: "gguf", Confidence: High, Layers: int(t.layers), Hidden: int(a.EmbeddingLength),
		Heads: int(a.AttentionHeadCount), HeadDim: int(a.AttentionKeyLength), DType: Precision(f.Metadata().FileType.String()),
	}
	for _, x := range f.TensorInfos {
		if strings.HasPrefix(x.Name, "rope_") {
			continue
		}
		t.count(x.Name, int64(x.Elements()))
		if x.Name == "token_embd.weight" && len(x.Dimensions) == 2 {
			t.p.Vocab = int(x.Dimensions[1])
		}
	}
	return t.parameters()
}
