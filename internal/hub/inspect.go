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
	High   = "high"   // every tensor was counted
	Medium = "medium" // the architecture's closed form
	Low    = "low"    // the model's name
)

// ErrUnsupported says that a model's parameters cannot be counted here.
var ErrUnsupported = errors.New("parameters cannot be counted")

// Parameters of a language model, without what sees or hears for it and without
// blocks that only predict further tokens ahead; shape fields are 0 where unknown.
type Parameters struct {
	Total        int64 // tied weights once
	Embedding    int64 // token and position embeddings
	LMHead       int64 // 0 where it is tied to the embedding
	NonEmbedding int64 // Total − Embedding − LMHead
	// Active are those of Total that work for one token: all but the experts that
	// are not chosen for it.
	Active int64

	Layers, Hidden, Heads, HeadDim, Vocab int
	DType                                 string // of most weights, as Precision names it
	Source                                string // safetensors | gguf | config | name
	Confidence                            string
}

// Inspect counts the parameters of m.
func Inspect(m Model) (Parameters, error) {
	if strings.HasSuffix(m.Path, ".gguf") {
		return fromGGUF(m.Path)
	}
	cfg, cfgErr := readConfig(filepath.Join(m.Path, "config.json"))
	c := &cfg
	if cfgErr != nil {
		c = nil
	}
	p, err := fromSafetensors(openIn(m.Path), c)
	switch {
	case err == nil:
		if c != nil {
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
	return int64(n * unit), err == nil && n > 0
}
