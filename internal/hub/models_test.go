package hub_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/llenergymeasure/llem/internal/flops"
	"github.com/llenergymeasure/llem/internal/hub"
)

// published is a model of testdata/models: its configuration and the names and
// shapes of its tensors as its maker publishes them, and what its card says. Every
// tensor has a role, given by hand, so the sums are independent of package hub.
type published struct {
	Name      string
	Files     string // how the table names its files; "" is BF16 safetensors
	Card      card
	Experts   [2]int64    // routed experts of a layer, and those that work for a token
	Attention [][]float64 // [layers, heads × mean of key and value dimension, window]; no window: all keys; null: unlike that
	Unsure    string      // why the answer has to be null or of low confidence; "": it has to be right
	Weights   string      // name of the file of tensors; "" is model.safetensors, "-" is none
	Settings  string      // name of the configuration; "" is config.json
	Config    json.RawMessage
	GGUF      map[string]any // metadata: the model is one GGUF file
	Tensors   []pattern
}

// card is what the maker publishes, to as many digits.
type card struct {
	Source, Total, Active string

	NonEmbedding  string `json:"non_embedding"`
	Whole         bool   // total is of all tensors: towers and prediction blocks as well
	ActiveWithout string `json:"active_without"` // tables that active leaves out: emb, emb head
}

// pattern is [name, type, shape, role, parameters of one element]; a name has sets
// such as {0-47}, {3-47/4} and {q,k,v}. Roles: body (or none given), emb, head, routed,
// extra (a part that writes no text), none (scales, zeros, buffers).
type pattern struct {
	name, dtype, role string
	shape             []int64
	each              float64
}

func (p *pattern) UnmarshalJSON(data []byte) error {
	p.role, p.each = "body", 1
	fields := []any{&p.name, &p.dtype, &p.shape, &p.role, &p.each}
	return json.Unmarshal(data, &fields)
}

func (p pattern) elements() int64 {
	n := int64(1)
	for _, d := range p.shape {
		n *= d
	}
	return n
}

var set = regexp.MustCompile(`\{([^{}]*)\}`)

// names are those of the pattern.
func (p pattern) names() []string {
	out := []string{p.name}
	for strings.Contains(out[0], "{") {
		var next []string
		for _, name := range out {
			at := set.FindStringSubmatchIndex(name)
			for _, item := range items(name[at[2]:at[3]]) {
				next = append(next, name[:at[0]]+item+name[at[1]:])
			}
		}
		out = next
	}
	return out
}

// count is the number of names.
func (p pattern) count() int64 {
	n := 1
	for _, m := range set.FindAllStringSubmatch(p.name, -1) {
		n *= len(items(m[1]))
	}
	return int64(n)
}

var span = regexp.MustCompile(`^(\d+)-(\d+)(?:/(\d+))?$`)

func items(list string) (out []string) {
	for item := range strings.SplitSeq(list, ",") {
		m := span.FindStringSubmatch(item)
		if m == nil {
			out = append(out, item)
			continue
		}
		first, _ := strconv.Atoi(m[1])
		last, _ := strconv.Atoi(m[2])
		step, _ := strconv.Atoi(m[3])
		for i := first; i <= last; i += max(step, 1) {
			out = append(out, strconv.Itoa(i))
		}
	}
	return out
}

// truth is what the roles sum up to.
type truth struct{ total, active, n, extra, emb, head int64 }

func (m published) truth() (w truth) {
	var routed int64
	for _, p := range m.Tensors {
		n := int64(float64(p.elements())*p.each) * p.count()
		switch p.role {
		case "emb":
			w.emb += n
		case "head":
			w.head += n
		case "routed":
			routed += n
		case "extra":
			w.extra += n
			continue
		case "none":
			continue
		}
		w.total += n
	}
	w.active = w.total
	if routed > 0 {
		w.active -= routed / m.Experts[0] * (m.Experts[0] - m.Experts[1])
	}
	w.n = w.active - w.emb - w.head
	return w
}

// within says whether n is the figure as a card writes it (30.5B, 230B, 8030261248): rounded or cut.
func within(n int64, figure string) bool {
	unit, number := 1.0, strings.TrimRight(figure, "BMT")
	switch figure[len(figure)-1] {
	case 'M':
		unit = 1e6
	case 'B':
		unit = 1e9
	case 'T':
		unit = 1e12
	}
	whole, fraction, _ := strings.Cut(number, ".")
	digit := math.Pow10(-len(fraction))
	if fraction == "" && unit > 1 { // 230B has two digits
		digit = math.Pow10(len(whole) - len(strings.TrimRight(whole, "0")))
	}
	v, err := strconv.ParseFloat(number, 64)
	if n == int64(v*unit) {
		return err == nil
	}
	off := float64(n)/unit - v
	return err == nil && unit > 1 && -digit/2 <= off && off < digit
}

// The fixture itself is held to the card.
func (m published) holdToCard(t *testing.T, w truth) {
	t.Helper()
	total, active := w.total, w.active
	if m.Card.Whole {
		total += w.extra
	}
	if strings.Contains(m.Card.ActiveWithout, "emb") {
		active -= w.emb
	}
	if strings.Contains(m.Card.ActiveWithout, "head") {
		active -= w.head
	}
	for _, c := range []struct {
		what, figure string
		n            int64
	}{{"total", m.Card.Total, total}, {"active", m.Card.Active, active}, {"without embeddings", m.Card.NonEmbedding, w.total - w.emb - w.head}} {
		if c.figure != "" && !within(c.n, c.figure) {
			t.Errorf("the fixture has %s %d, the card %s", c.what, c.n, c.figure)
		}
	}
	if m.Card.Total+m.Card.NonEmbedding == "" || m.Card.Source == "" {
		t.Error("the fixture has no figure of a card to be held to")
	}
}

// load is what the table's FLOPs are asked for.
var load = flops.Lengths{Input: 6000, Output: 200}

// attention is 4 × width for every key that a position sees.
func (m published) attention() (sum float64) {
	for _, a := range m.Attention {
		window := math.Inf(1)
		if len(a) > 2 {
			window = a[2]
		}
		for i := range load.Input + load.Output - 1 {
			sum += 4 * a[0] * a[1] * min(float64(i+1), window)
		}
	}
	return sum
}

// answer is what package hub and flops make of the folder.
type answer struct {
	p   hub.Parameters
	e   flops.Estimate
	n   int64 // of the estimate; 0: null
	err error
}

func inspect(path string) (a answer) {
	a.p, a.err = hub.Inspect(hub.Model{Path: path})
	in := flops.Input{Parameters: a.p, Requests: []flops.Lengths{load}}
	if a.err != nil {
		in.Why = a.err.Error()
	}
	a.e = flops.Of(in)
	if a.e.Value != nil {
		a.n = int64(math.Round(*a.e.Value / 2 / float64(load.Input+load.Output)))
	}
	return a
}

// faults says what of a is not so.
func (m published) faults(a answer, w truth) (out []string) {
	for _, c := range []struct {
		what      string
		got, want int64
	}{{"total", a.p.Total, w.total}, {"active", a.p.Active, w.active}, {"N", a.n, w.n}} {
		if math.Abs(float64(c.got-c.want)) > 0.001*float64(c.want) {
			out = append(out, fmt.Sprintf("%s %d, want %d", c.what, c.got, c.want))
		}
	}
	switch want := m.attention(); {
	case a.e.Attention == nil:
	case m.Attention == nil:
		out = append(out, fmt.Sprintf("attention %.4g, want null", *a.e.Attention))
	case math.Abs(*a.e.Attention-want) > 0.01*want:
		out = append(out, fmt.Sprintf("attention %.4g, want %.4g", *a.e.Attention, want))
	}
	return out
}

func readPublished(t *testing.T) (names []string, models map[string]published) {
	t.Helper()
	files, err := filepath.Glob("testdata/models/*.json")
	if err != nil || len(files) < 44 {
		t.Fatalf("%d models, %v; want 44 or more", len(files), err)
	}
	models = map[string]published{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var m published
		if err := json.Unmarshal(data, &m); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		names, models[name] = append(names, name), m
	}
	slices.Sort(names)
	return names, models
}
