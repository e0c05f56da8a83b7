package hub

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// tally sums weights by what they are for, and keeps every reason to doubt the sum.
type tally struct {
	c       config
	decoder *stack
	roles   *roles
	list    []weight

	sum    map[role]int64
	routed map[int64]int64 // parameters of routed experts by block
	number map[int64]int64 // experts that a block shows; 0: stacked
	large  map[string]int64
	types  map[string]int64
	mixed  bool     // attention has experts as well
	doubts []string // the sum may be wrong: confidence low
	hints  []string // a small thing is not as expected: confidence medium
	notes  []string
}

// negligible is the share of all parameters up to which weights of unknown role
// leave the confidence as it is.
const negligible = 0.001

func newTally(c config, list []weight) *tally {
	t := &tally{c: c, list: list, sum: map[role]int64{}, routed: map[int64]int64{}, number: map[int64]int64{}, large: map[string]int64{}, types: map[string]int64{}}
	all := stacks(list, c.Hidden)
	var whole bool
	t.decoder, whole = decoder(all, c.Layers, c.ahead())
	if c.Hidden == 0 || c.Layers == 0 {
		t.doubt("the configuration does not give the width and the number of layers")
	} else if !whole {
		t.doubt("no row of %d blocks with width %d is among the weights", c.Layers, c.Hidden)
	}
	t.roles = newRoles(c, t.decoder, list)
	return t
}

func (t *tally) doubt(format string, args ...any) {
	t.doubts = append(t.doubts, fmt.Sprintf(format, args...))
}
func (t *tally) hint(format string, args ...any) {
	t.hints = append(t.hints, fmt.Sprintf(format, args...))
}

// add counts all weights.
func (t *tally) add() error {
	var total int64
	for _, w := range t.list {
		if total += w.n; total > maxElements {
			return errTooLarge
		}
		kind := t.roles.of(w)
		t.sum[kind] += w.n
		at := locate(w.name)
		switch kind {
		case unknown:
			t.large[starred(w.name)] += w.n
		case routed:
			t.routed[at.block] += w.n
			t.mixed = t.mixed || attentionPart.MatchString(strings.Join(at.path, "."))
			if key, number := t.roles.numbered(at); number != "" {
				t.number[at.block] = max(t.number[at.block], int64(len(t.roles.inside[key])))
			} else if _, ok := t.number[at.block]; !ok {
				t.number[at.block] = 0
			}
		}
		if kind != foreign && kind != predicting && len(w.matrix()) != 1 {
			t.types[w.dtype] += w.n
		}
	}
	return nil
}

// starred is a name with * for its numbers.
func starred(name string) string {
	parts := strings.Split(name, ".")
	for i, p := range parts {
		if p != "" && strings.Trim(p, "0123456789") == "" {
			parts[i] = "*"
		}
	}
	return strings.Join(parts, ".")
}

// parameters are the counts. Errors say that how many work for a token is unknown.
func (t *tally) parameters(source string) (Parameters, error) {
	if err := t.add(); err != nil {
		return Parameters{}, err
	}
	s := t.sum
	p := Parameters{Source: source, Embedding: s[embedding], LMHead: s[lmHead], Predicting: s[predicting], Foreign: s[foreign], DType: Precision(t.mostly())}
	p.NonEmbedding = s[body] + s[routed] + s[unknown]
	if t.sharedHead() {
		p.LMHead = 0
	}
	p.Total = p.Embedding + p.LMHead + p.NonEmbedding
	idle, err := t.idle()
	if err != nil {
		return Parameters{}, err
	}
	p.Active = p.Total - idle
	if p.NonEmbedding-idle <= 0 {
		return Parameters{}, fmt.Errorf("%w: none of its tensors is of a decoder's blocks", ErrUnsupported)
	}
	t.c.shape(&p)
	p.Vocab = int(t.roles.vocab)
	t.judge(&p)
	p.Attention, p.AttentionUnknown = t.c.layout(t.decoder, t.list)
	p.Notes = append(p.Notes, t.c.remarks(p.Attention)...)
	return p, nil
}

// mostly is the data type of most parameters.
func (t *tally) mostly() (out string) {
	for _, name := range sortedKeys(t.types) {
		if out == "" || t.types[name] > t.types[out] {
			out = name
		}
	}
	return out
}

// sharedHead says whether a file holds the embedding's weights again as those of the
// output layer.
func (t *tally) sharedHead() bool {
	switch {
	case t.sum[lmHead] == 0:
		if said := t.c.Tied != nil || t.c.TiedOuter != nil; said && t.sum[embedding] > 0 && !t.c.tied() {
			t.hint("the configuration says that the output layer has weights of its own, and the files show none")
		}
	case t.c.Tied != nil && t.c.TiedOuter != nil && *t.c.Tied != *t.c.TiedOuter:
		t.hint("the configuration says both that the output layer shares the embedding's weights and that it does not")
		return false
	case t.sum[embedding] > 0 && (t.c.Tied != nil || t.c.TiedOuter != nil):
		return t.c.tied()
	}
	return false
}

// idle are the routed experts' parameters that work for no given token.
func (t *tally) idle() (idle int64, err error) {
	for _, block := range slices.Sorted(maps.Keys(t.routed)) {
		n, e := t.routed[block], t.number[block]
		if e == 0 {
			e = t.expertsOf(block)
		}
		k := t.c.perToken(block)
		switch {
		case e < 1 || k < 1:
			return 0, fmt.Errorf("%w: it has experts, and nothing says how many of them work for a token", ErrUnsupported)
		case k > e:
			return 0, fmt.Errorf("%w: %d experts work for a token, of %d in block %d", ErrUnsupported, k, e, block)
		}
		idle += n/e*(e-k) + n%e*(e-k)/e
	}
	return idle, nil
}

func (t *tally) expertsOf(block int64) int64 {
	if list := t.c.ExpertList; block < int64(len(list)) {
		return list[block]
	}
	return t.c.experts()
}

// judge sets the confidence and the notes that give its reasons.
func (t *tally) judge(p *Parameters) {
	t.judgeRoles(p)
	t.judgeExperts()
	t.doubts = append(t.doubts, t.c.doubts()...)
	if want, err := t.c.count(); err == nil && len(t.c.unread) == 0 && far(want.NonEmbedding, p.NonEmbedding) {
		t.doubt("tensors hold %d parameters without embeddings and output layer, and the configuration gives %d", p.NonEmbedding, want.NonEmbedding)
	}
	switch {
	case len(t.doubts) > 0:
		p.Confidence = Low
	case len(t.hints) > 0:
		p.Confidence = Medium
	default:
		p.Confidence = High
	}
	p.Notes = slices.Concat(t.doubts, t.hints, t.notes)
	if p.Predicting > 0 {
		p.Notes = append(p.Notes, fmt.Sprintf("not counted: %d parameters of blocks that only predict further tokens", p.Predicting))
	}
	if p.Foreign > 0 {
		p.Notes = append(p.Notes, fmt.Sprintf("not counted: %d parameters of other modalities than text, which work on images or sound alone", p.Foreign))
	}
}

// far says whether two counts differ by more than 1 %.
func far(a, b int64) bool { return max(a, b)-min(a, b) > max(a, b)/100 }

func (t *tally) judgeRoles(p *Parameters) {
	if n := t.sum[unknown]; float64(n) > negligible*float64(p.Total) {
		var names []string
		for _, name := range sortedKeys(t.large) {
			names = append(names, fmt.Sprintf("%.120q (%d)", name, t.large[name]))
		}
		const most = 4
		if len(names) > most {
			names = append(names[:most], fmt.Sprintf("and %d more", len(names)-most))
		}
		t.doubt("what these tensors are for is not known, and they are counted as working for every token: %s", strings.Join(names, ", "))
	}
	switch {
	case t.roles.vocab == 0:
		t.doubt("the configuration does not give vocab_size, so embeddings and output layer are known by their names alone")
	case p.Embedding == 0:
		t.doubt("no table of embeddings with %d rows was found", t.roles.vocab)
	case t.c.Vocab == 0 && !t.c.gguf: // whose names are a standard
		t.hint("the configuration does not give vocab_size: it is taken from the one table of embeddings")
	}
	if d := t.decoder; d != nil && t.c.Layers > 0 {
		beyond := int64(0)
		for block := range d.blocks {
			if block >= t.c.Layers {
				beyond++
			}
		}
		if beyond > 0 && !t.c.predictsAhead(d, beyond, t.list) {
			t.doubt("%d blocks follow the %d that the configuration gives, and nothing says what they are for", beyond, t.c.Layers)
		}
	}
}

func (t *tally) judgeExperts() {
	e := t.c.experts()
	t.doubts = append(t.doubts, t.c.mixture.doubts...)
	switch {
	case e > 0 && len(t.routed) == 0:
		t.doubt("the configuration has %d experts, and no tensor of experts was found", e)
	case e == 0 && len(t.routed) > 0:
		t.doubt("tensors of experts were found, and the configuration does not give their number")
	}
	for _, block := range slices.Sorted(maps.Keys(t.number)) {
		n := t.number[block]
		if want := t.expertsOf(block); n > 0 && e > 0 && n != want {
			t.doubt("block %d has %d experts, and the configuration gives %d", block, n, want)
			return
		}
	}
	t.judgeWidth(e)
}

// judgeWidth holds the experts' parameters to two or three matrices of the width that
// the configuration gives.
func (t *tally) judgeWidth(e int64) {
	width := t.c.ExpertFFN
	if width == 0 {
		width = t.c.FFN
	}
	if len(t.routed) == 0 || width == 0 || t.c.Hidden == 0 || t.c.raw.has("moe_latent_size") || t.mixed || t.c.ExpertList != nil {
		return
	}
	for _, block := range slices.Sorted(maps.Keys(t.routed)) {
		n := t.routed[block]
		one := e * width * t.c.Hidden
		if far(n, 3*one) && far(n, 2*one) {
			t.doubt("experts of block %d have %d parameters, and the configuration gives %d", block, n, 3*one)
			return
		}
	}
}
