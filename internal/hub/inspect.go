package hub

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	gguf "github.com/gpustack/gguf-parser-go"
)

// Confidence in a count of parameters.
const (
	High   = "high"
	Medium = "medium"
)

// ErrUnsupported says that a model's parameters cannot be counted here.
var ErrUnsupported = errors.New("parameters cannot be counted")

// Parameters of a model; shape fields are 0 where unknown.
type Parameters struct {
	Total        int64 // tied weights once
	Embedding    int64 // token and position embeddings
	LMHead       int64 // 0 where it is tied to the embedding
	NonEmbedding int64 // Total − Embedding − LMHead

	Layers, Hidden, Heads, HeadDim, Vocab int
	DType                                 string
	Source                                string // safetensors | gguf | config
	Confidence                            string
}

// Inspect counts the parameters of m.
func Inspect(m Model) (Parameters, error) {
	if strings.HasSuffix(m.Path, ".gguf") {
		return fromGGUF(m.Path)
	}
	c, cfgErr := readConfig(filepath.Join(m.Path, "config.json"))
	if cfgErr == nil {
		if err := c.refuse(); err != nil {
			return Parameters{}, err
		}
	}
	p, err := fromSafetensors(m.Path)
	switch {
	case err == nil:
		if cfgErr == nil {
			c.shape(&p)
		}
		return p, nil
	case !errors.Is(err, os.ErrNotExist) && !errors.Is(err, errPacked):
		return Parameters{}, err
	}
	if files, _ := filepath.Glob(filepath.Join(m.Path, "*.gguf")); len(files) == 1 {
		return fromGGUF(files[0])
	}
	if cfgErr != nil {
		return Parameters{}, fmt.Errorf("%w: %s has neither safetensors, one GGUF file nor a readable config.json (%v)", ErrUnsupported, m.Path, cfgErr)
	}
	return c.count()
}

// maxHeader bounds a safetensors header; the format's own limit.
const maxHeader = 100 << 20

var errPacked = errors.New("weights are packed")

// tensor is one entry of a safetensors header.
type tensor struct {
	DType string  `json:"dtype"`
	Shape []int64 `json:"shape"`
}

// readHeader reads the header of one safetensors file: 8 bytes of length,
// little-endian, then JSON.
func readHeader(r io.Reader, size int64) (map[string]tensor, error) {
	var head [8]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, fmt.Errorf("safetensors header: %w", err)
	}
	n := binary.LittleEndian.Uint64(head[:])
	if n > maxHeader || int64(n) > size-8 {
		return nil, fmt.Errorf("safetensors header: length %d does not fit a file of %d bytes", n, size)
	}
	data := make([]byte, n)
	if _, err := io.ReadFull(r, data); err != nil {
		return nil, fmt.Errorf("safetensors header: %w", err)
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil {
		return nil, fmt.Errorf("safetensors header: %w", err)
	}
	out := map[string]tensor{}
	for name, v := range raw {
		if name == "__metadata__" {
			continue
		}
		var t tensor
		if err := json.Unmarshal(v, &t); err != nil {
			return nil, fmt.Errorf("safetensors header: tensor %s: %w", name, err)
		}
		out[name] = t
	}
	return out, nil
}

func (t tensor) elements() (int64, error) {
	n := int64(1)
	for _, d := range t.Shape {
		if d < 0 || d > 1<<40 || n > 1<<50 {
			return 0, fmt.Errorf("safetensors header: shape %v is impossible", t.Shape)
		}
		n *= d
	}
	return n, nil
}

// fromSafetensors reads model.safetensors or all shards of its index.
func fromSafetensors(dir string) (Parameters, error) {
	files, err := shards(dir)
	if err != nil {
		return Parameters{}, err
	}
	p := Parameters{Source: "safetensors", Confidence: High}
	for _, name := range files {
		if err := addShard(&p, filepath.Join(dir, name)); err != nil {
			return Parameters{}, fmt.Errorf("%s: %w", name, err)
		}
	}
	p.NonEmbedding = p.Total - p.Embedding - p.LMHead
	return p, nil
}

func shards(dir string) ([]string, error) {
	data, err := os.ReadFile(filepath.Join(dir, "model.safetensors.index.json"))
	if errors.Is(err, os.ErrNotExist) {
		_, err := os.Stat(filepath.Join(dir, "model.safetensors"))
		return []string{"model.safetensors"}, err
	}
	if err != nil {
		return nil, err
	}
	var index struct {
		WeightMap map[string]string `json:"weight_map"`
	}
	if err := json.Unmarshal(data, &index); err != nil {
		return nil, fmt.Errorf("model.safetensors.index.json: %w", err)
	}
	seen := map[string]bool{}
	var out []string
	for _, f := range index.WeightMap {
		if filepath.Base(f) != f {
			return nil, fmt.Errorf("model.safetensors.index.json: %q is not a file beside it", f)
		}
		if !seen[f] {
			seen[f] = true
			out = append(out, f)
		}
	}
	if len(out) == 0 {
		return nil, errors.New("model.safetensors.index.json: it names no file")
	}
	return out, nil
}

func addShard(p *Parameters, path string) error {
	f, err := os.Open(path)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("a shard is missing: download the model again")
		}
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	header, err := readHeader(f, st.Size())
	if err != nil {
		return err
	}
	for name, t := range header {
		n, err := t.elements()
		if err != nil {
			return err
		}
		if strings.HasSuffix(name, ".qweight") || strings.HasSuffix(name, ".weight_packed") || t.DType == "U8" || t.DType == "I32" && strings.Contains(name, "weight") {
			return errPacked
		}
		if scale(name) || !strings.Contains("F64 F32 F16 BF16 F8_E4M3 F8_E5M2 I8", t.DType) {
			continue
		}
		p.Total += n
		switch kindOf(name) {
		case embedding:
			p.Embedding += n
		case lmHead:
			p.LMHead += n
		}
		if p.DType == "" && len(t.Shape) == 2 {
			p.DType = strings.ToLower(t.DType)
		}
	}
	return nil
}

// scale says whether a tensor holds scales of quantised weights, which are no
// parameters of the model, or a buffer.
func scale(name string) bool {
	for _, s := range []string{"_scale", "_scale_inv", ".scales", ".rotary_emb.inv_freq", ".attn.bias", ".attn.masked_bias", ".k_scale", ".v_scale"} {
		if strings.HasSuffix(name, s) {
			return !strings.HasSuffix(name, "c_attn.bias")
		}
	}
	return false
}

type role int

const (
	body role = iota
	embedding
	lmHead
)

// kindOf tells embeddings and the output layer by their names.
func kindOf(name string) role {
	for _, s := range []string{"embed_tokens.weight", "wte.weight", "wpe.weight", "word_embeddings.weight", "embed_positions.weight", "token_embd.weight", "position_embd.weight"} {
		if name == s || strings.HasSuffix(name, "."+s) {
			return embedding
		}
	}
	for _, s := range []string{"lm_head.weight", "lm_head.bias", "output.weight", "output.bias", "embed_out.weight"} {
		if name == s || strings.HasSuffix(name, ".lm_head.weight") {
			return lmHead
		}
	}
	return body
}

// fromGGUF reads a GGUF file's header.
func fromGGUF(path string) (p Parameters, err error) {
	f, err := gguf.ParseGGUFFile(path)
	if err != nil {
		return p, fmt.Errorf("GGUF header of %s: %w", path, err)
	}
	a := f.Architecture()
	if a.ExpertCount > 0 {
		return p, fmt.Errorf("%w: mixture-of-experts models are not in this version", ErrUnsupported)
	}
	p = Parameters{
		Source: "gguf", Confidence: High, Layers: int(a.BlockCount), Hidden: int(a.EmbeddingLength),
		Heads: int(a.AttentionHeadCount), HeadDim: int(a.AttentionKeyLength), DType: f.Metadata().FileType.String(),
	}
	for _, t := range f.TensorInfos {
		n := int64(t.Elements())
		if strings.HasPrefix(t.Name, "rope_") {
			continue
		}
		p.Total += n
		switch kindOf(t.Name) {
		case embedding:
			p.Embedding += n
			if t.Name == "token_embd.weight" && len(t.Dimensions) == 2 {
				p.Vocab = int(t.Dimensions[1])
			}
		case lmHead:
			p.LMHead += n
		}
	}
	p.NonEmbedding = p.Total - p.Embedding - p.LMHead
	return p, nil
}
