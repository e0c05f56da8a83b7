package hub

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

type role int

const (
	body role = iota
	embedding
	lmHead
	routed
	predicting // works on further tokens ahead
	foreign    // of another modality than text
	unknown
)

// roles finds what each weight is for, by where it lies and by its shape.
type roles struct {
	c       config
	decoder *stack
	inside  map[string]map[string]bool // numbers under a path of a block, such as those of experts
	vocab   int64                      // 0: unknown, so that names decide
	dims    map[int64]bool
	widest  int64 // that the configuration explains in a block; 0: unknown
	senses  bool  // the model sees or hears by its configuration
}

func newRoles(c config, d *stack, list []weight) *roles {
	r := &roles{c: c, decoder: d, inside: map[string]map[string]bool{}, vocab: c.Vocab, dims: c.dims(), senses: c.hasSenses()}
	if r.vocab == 0 {
		r.vocab = rows(list, c.Hidden)
	}
	if c.FFN > 0 {
		r.widest = explained * slices.Max(slices.Collect(maps.Keys(r.dims)))
	}
	for _, w := range list {
		at := locate(w.name)
		if key, number := r.numbered(at); number != "" {
			if r.inside[key] == nil {
				r.inside[key] = map[string]bool{}
			}
			r.inside[key][number] = true
		}
	}
	return r
}

// explained is how many times the widest matrix that a configuration gives a block may
// be: recurrent layers and gates join several in one.
const explained = 3

// rows are those of the one table that is as wide as the model and is named as one
// of embeddings: the vocabulary, where the configuration does not give it. 0: there
// is no such table, or there are several.
func rows(list []weight, hidden int64) (n int64) {
	for _, w := range list {
		m := w.matrix()
		if locate(w.name).block >= 0 || len(m) != 2 || m[1] != hidden || m[0] < 8*hidden/10 || !tableName.MatchString(w.name) ||
			headName.MatchString(w.name) || foreignWords(w.name) || positionName.MatchString(w.name) {
			continue
		}
		if n > 0 {
			return 0
		}
		n = m[0]
	}
	return n
}

// numbered is the first number inside a block, and what stands before it.
func (r *roles) numbered(at place) (key, number string) {
	if at.block < 0 {
		return "", ""
	}
	for i, p := range at.path {
		if _, err := strconv.Atoi(p); err == nil && i > 0 {
			return at.stack + "." + strconv.FormatInt(at.block, 10) + "." + strings.Join(at.path[:i], "."), p
		}
	}
	return "", ""
}

// of is a weight's role.
func (r *roles) of(w weight) role {
	at := locate(w.name)
	switch {
	case r.decoder != nil && at.stack == r.decoder.name:
		if r.c.Layers > 0 && at.block >= r.c.Layers {
			return predicting
		}
		return r.inBlock(w, at)
	case predicts(w.name):
		return predicting
	case towerWords(w.name), foreignWords(w.name) && r.senses:
		return foreign
	case at.block >= 0 && !r.plain(w, at):
		return unknown
	}
	return r.outside(w)
}

// plain says whether a weight of another stack is one matrix in a list of them, such
// as the projections of Gemma 3n.
func (r *roles) plain(w weight, at place) bool {
	m := w.matrix()
	return len(at.path) == 1 && (len(m) < 2 || len(m) == 2 && r.dims[m[0]] && r.dims[m[1]])
}

var (
	headName     = regexp.MustCompile(`(?:^|\.)(?:lm_head|head|output|embed_out|output_layer|ff_out|unembed|unembedding|logits|lm_output|output_embeddings)(?:\.|$)`)
	tableName    = regexp.MustCompile(`(?:^|[._])(?:embed|embd|embeds|embedding|embeddings|wte|wpe)(?:[._]|$)`)
	positionName = regexp.MustCompile(`(?:^|[._])(?:wpe|position|positions|pos)(?:[._]|$)`)
)

// outside is the role of a weight in no block: a table of the vocabulary or of
// positions, the output layer, a norm, a projection.
func (r *roles) outside(w weight) role {
	m := w.matrix()
	switch {
	case r.vocab == 0 && (headName.MatchString(w.name) || tableName.MatchString(w.name)), w.shape == nil:
		return r.byName(w.name)
	case len(m) == 1 && m[0] == r.vocab || len(m) == 2 && r.isVocab(w.name, m):
		return r.byName(w.name)
	case len(m) <= 1:
		return body
	case len(m) == 2 && (r.isPositions(w.name, m) || r.addsRows(w.name, m)):
		return embedding
	case !slices.ContainsFunc(m, func(d int64) bool { return d > 8 && !r.known(d) }):
		return body
	}
	return unknown
}

func (r *roles) byName(name string) role {
	switch {
	case headName.MatchString(name):
		return lmHead
	case tableName.MatchString(name) || r.vocab > 0:
		return embedding
	}
	return unknown
}

// isVocab says whether a matrix has a row or a column for each token. Tables are
// made longer than the vocabulary, to a round number.
func (r *roles) isVocab(name string, m []int64) bool {
	for i, d := range m {
		other := m[1-i]
		if r.vocab > 0 && (d == r.vocab || slices.Contains(r.c.Tables, d)) && other != d {
			return true
		}
		near := d > r.vocab-r.vocab/50 && d <= r.vocab+max(1024, r.vocab/50)
		if r.vocab > 0 && near && (d > r.vocab && other == r.c.Hidden || tableName.MatchString(name)) {
			return true
		}
	}
	return false
}

func (r *roles) isPositions(name string, m []int64) bool {
	p := r.c.Positions
	return slices.Contains(m, r.c.Hidden) && (p > 0 && m[0] >= p && m[0] <= p+8 || positionName.MatchString(name))
}

var rowsName = regexp.MustCompile(`(?:^|[._])(?:embed|embeds|embd|emb|embedding|embeddings|tokens)(?:\.weight)?$`)

// addsRows says whether a matrix is a table of tokens that were added to the
// vocabulary.
func (r *roles) addsRows(name string, m []int64) bool {
	return rowsName.MatchString(name) && m[1] == r.c.Hidden && m[0] <= r.vocab/4 && !r.dims[m[0]]
}

// known says whether a dimension is one that the configuration gives, or a product
// of one and the number of layers.
func (r *roles) known(d int64) bool {
	per := int64(0)
	for _, key := range []string{"hidden_size_per_layer_input", "word_embed_proj_dim", "embedding_size", "embedding_length_per_layer_input"} {
		if n, ok := count(r.c.raw[key]); ok && n > 0 && (d == n || d == n*r.c.Layers) {
			per = n
		}
	}
	return per > 0 || r.dims[d]
}

var attentionPart = regexp.MustCompile(`attn|attention`)

// inBlock is the role of a weight in a block of the decoder.
func (r *roles) inBlock(w weight, at place) role {
	path := strings.Join(at.path, ".")
	m := w.matrix()
	shared := hasWord(path, set("shared", "share"))
	switch crosses := hasWord(path, set("cross", "crossattention", "xattn")); {
	case r.crossed(at), (crosses || hasWord(path, senses)) && r.senses:
		return foreign
	case crosses:
		return unknown
	}
	if key, number := r.numbered(at); number != "" {
		switch n := int64(len(r.inside[key])); {
		case !shared && (strings.Contains(key[len(at.stack):], "expert") || n == r.c.experts()):
			return routed
		case n > 8: // a row of modules of which nothing says when they work
			return unknown
		}
	}
	if e := r.c.experts(); !shared && e > 0 && r.stacked(path, m, e) {
		return routed
	}
	switch {
	case w.shape == nil || len(m) < 2:
		return body
	case r.c.experts() == 0 && !shared && namesExperts(path):
		return unknown
	case len(m) > 2 && !r.perHead(path, m), r.widest > 0 && slices.Max(m) > r.widest && !slices.Contains(m, r.vocab):
		return unknown
	case len(m) == 2 && r.vocab > 0 && slices.Contains(m, r.vocab) && !r.dims[r.vocab]:
		return embedding
	}
	return body
}

// crossed says whether a weight is of a block that sees images and rests without.
func (r *roles) crossed(at place) bool {
	list, ok := counts(r.c.raw["cross_attention_layers"])
	return ok && slices.Contains(list, at.block)
}

// stacked says whether a weight holds all e experts of a block: in a dimension of its
// own, or side by side in the rows.
func (r *roles) stacked(path string, m []int64, e int64) bool {
	named := namesExperts(path)
	attention := attentionPart.MatchString(path) && !named
	switch {
	case len(m) >= 3:
		return !attention && slices.Contains(m, e) && (m[0] == e || m[len(m)-1] == e || named)
	case len(m) == 2 && named: // biases, or rows of all
		return m[0] == e || m[0]%e == 0 && m[0] > e && m[1] > e || m[1]%e == 0 && m[1]/e > 8
	case len(m) == 2 && !attention:
		return r.sideBySide(m, e)
	}
	return false
}

func namesExperts(path string) bool {
	return strings.Contains(path, "expert") || strings.Contains(path, "_exps")
}

// sideBySide says whether rows or columns are e times an expert's width.
func (r *roles) sideBySide(m []int64, e int64) bool {
	width := r.c.ExpertFFN
	if width == 0 {
		width = r.c.FFN
	}
	for _, d := range m {
		if width > 1 && !r.dims[d] && (d == e*width || d == 2*e*width) {
			return true
		}
	}
	return false
}

// perHead says whether a weight of three dimensions is a convolution, or one matrix
// for each head of attention.
func (r *roles) perHead(path string, m []int64) bool {
	return len(m) == 3 && attentionPart.MatchString(path) && (slices.Contains(m, r.c.Heads) || slices.Contains(m, r.c.kv())) && r.c.Heads > 1
}
