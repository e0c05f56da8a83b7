package hub

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// Confidence in a count of parameters.
const (
	// High: of every weight that matters (all but 0.1 % of the parameters) it is known
	// what it is for; a configuration with experts has tensors of experts; and the
	// count agrees with the configuration's own where that can be computed.
	High = "high"
	// Medium: the closed form of a known architecture, or tensors with a small thing
	// that is not as expected.
	Medium = "medium"
	// Low: the count may be wrong, for the reasons in Notes; or the model's name.
	Low = "low"
)

// ErrUnsupported says that a model's parameters cannot be counted here.
var ErrUnsupported = errors.New("parameters cannot be counted")

// Parameters of a language model, without what sees or hears for it and without
// blocks that only predict further tokens ahead; shape fields are 0 where unknown.
type Parameters struct {
	Total        int64 // tied weights once
	Embedding    int64 // tables of tokens (of each layer too) and of positions
	LMHead       int64 // 0 where it is tied to the embedding
	NonEmbedding int64 // Total − Embedding − LMHead
	// Active are those of Total that work for one token: all but the experts that
	// are not chosen for it.
	Active int64
	// Predicting and Foreign are not in Total: blocks that predict further tokens
	// ahead, and parts for other modalities than text.
	Predicting, Foreign int64

	Layers, Hidden, Heads, HeadDim, Vocab int
	Attention                             []Attention // of the layers that attend; nil: unknown
	AttentionUnknown                      string      // why
	DType                                 string      // of most weights, as Precision names it
	Source                                string      // safetensors | gguf | config | name
	Confidence                            string
	Notes                                 []string // reasons of the confidence, and what is not counted
}

// Used is N of 2 × N × tokens: active parameters without embeddings and the output
// layer. 0: unknown.
func (p Parameters) Used() int64 {
	if p.Active > 0 && p.Active < p.Total {
		return max(0, p.NonEmbedding-(p.Total-p.Active))
	}
	return max(0, p.NonEmbedding)
}

// Inspect counts the parameters of m.
func Inspect(m Model) (Parameters, error) {
	if strings.HasSuffix(m.Path, ".gguf") {
		return fromGGUF(m.Path)
	}
	c, cfgErr := readConfigOf(m.Path)
	p, err := fromSafetensors(filesIn(m.Path), c)
	if err == nil || !errors.Is(err, os.ErrNotExist) && !errors.Is(err, errPacked) {
		return p, err
	}
	if files, _ := filepath.Glob(filepath.Join(escape(m.Path), "*.gguf")); len(files) == 1 || len(files) > 1 && oneSplit(files) {
		return fromGGUF(files[0])
	}
	if cfgErr != nil {
		return Parameters{}, fmt.Errorf("%w: %s has neither safetensors, one GGUF file nor a readable config.json (%v)", ErrUnsupported, m.Path, cfgErr)
	}
	return c.closed(err)
}

// closed is the closed form, where files do not tell: why says what they lack.
func (c *config) closed(why error) (Parameters, error) {
	p, err := c.count()
	if err != nil {
		if errors.Is(why, errPacked) {
			return p, fmt.Errorf("%w; %v", err, why)
		}
		return p, err
	}
	if errors.Is(why, errPacked) {
		p.Notes = append(p.Notes, why.Error())
	}
	return p, nil
}

// readConfigOf reads config.json of a folder, else Mistral's params.json. It is nil
// where there is none that can be read.
func readConfigOf(dir string) (*config, error) {
	c, err := readConfig(filepath.Join(dir, "config.json"))
	if errors.Is(err, os.ErrNotExist) {
		if c, err2 := readConfig(filepath.Join(dir, "params.json")); err2 == nil {
			return &c, nil
		}
	}
	if err != nil {
		return nil, err
	}
	return &c, nil
}

var (
	sizeInName   = regexp.MustCompile(`(?i)(?:^|[-_/ ])(\d+(?:\.\d+)?)([bm])(?:$|[-_. ])`)
	activeInName = regexp.MustCompile(`(?i)[-_]a(\d+(?:\.\d+)?)([bm])(?:$|[-_. ])`)
)

// ByName reads the size that a model's name tells, such as 8B or 30B-A3B, where
// nothing better is known; ok is false where it tells none.
func ByName(name string) (p Parameters, ok bool) {
	total, ok := sized(sizeInName, name)
	if !ok {
		return Parameters{}, false
	}
	p = Parameters{Total: total, NonEmbedding: total, Active: total, Source: "name", Confidence: Low}
	if active, ok := sized(activeInName, name); ok && active < total {
		p.Active = active
	}
	return p, true
}

func sized(re *regexp.Regexp, name string) (int64, bool) {
	m := re.FindStringSubmatch(name)
	if m == nil {
		return 0, false
	}
	n, err := strconv.ParseFloat(m[1], 64)
	unit := 1e9
	if strings.EqualFold(m[2], "m") {
		unit = 1e6
	}
	return int64(n * unit), err == nil && n > 0 && n*unit < maxElements
}
