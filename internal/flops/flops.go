package flops

import (
	"fmt"
	"math"

	"github.com/llenergymeasure/llem/internal/hub"
)

// Method is the only one.
const Method = "palm_formula"

// Lengths of one request, in tokens.
type Lengths struct{ Input, Output int }

// Input is what an estimate needs.
type Input struct {
	Parameters hub.Parameters // NonEmbedding 0: unknown
	Requests   []Lengths
	Precision  string
	Why        string // why the parameters are unknown, or not known better
}

// Estimate in floating-point operations. Nil is unknown.
type Estimate struct {
	N                        *int64 // of 2 × N × tokens
	Basis                    string // what N counts, and where it is from
	Value, Prefill, Decode   *float64
	Attention, LMHead, Total *float64
	Confidence, Precision    string
	Notes                    []string
}

// tokens sums tokens in and out.
func tokens(list []Lengths) (input, output float64) {
	for _, r := range list {
		input, output = input+float64(r.Input), output+float64(r.Output)
	}
	return input, output
}

// keys sums what the attention of each position sees: all before it and itself, at
// most window of them, or those of its chunk.
func keys(list []Lengths, window float64, chunked bool) (sum float64) {
	for _, r := range list {
		// Positions 0 … input+output−2 are processed; position i sees i+1 keys.
		n := max(0, float64(r.Input+r.Output-1))
		switch {
		case window <= 0 || n <= window:
			sum += n * (n + 1) / 2
		case chunked:
			whole := math.Floor(n / window)
			rest := n - whole*window
			sum += whole*window*(window+1)/2 + rest*(rest+1)/2
		default:
			sum += window*(window+1)/2 + (n-window)*window
		}
	}
	return sum
}

// Of estimates the operations of a window.
func Of(in Input) Estimate {
	e := Estimate{Precision: in.Precision}
	if e.Precision == "" {
		e.Precision = "n/a"
	}
	input, output := tokens(in.Requests)
	p := in.Parameters
	used := p.Used()
	switch {
	case used <= 0:
		e.Notes = []string{"the number of parameters is unknown: " + in.Why}
		return e
	case input+output == 0:
		e.Notes = []string{noTokens}
		return e
	}
	e.N, e.Basis = &used, basis(p)
	n := float64(used)
	prefill, decode := 2*n*input, 2*n*output
	e.Prefill, e.Decode, e.Value = &prefill, &decode, sum(prefill, decode)
	e.Confidence = p.Confidence
	e.Notes = []string{fmt.Sprintf("2 × %d parameters (%s) × (%.0f + %.0f) tokens", used, e.Basis, input, output)}
	if in.Why != "" {
		e.Notes = append(e.Notes, "nothing better is known: "+in.Why)
	}
	e.Notes = append(e.Notes, p.Notes...)
	if p.Hidden > 0 && p.Vocab > 0 {
		e.LMHead = sum(2*float64(p.Hidden)*float64(p.Vocab)*output, 0)
	}
	e.attend(in)
	if e.LMHead != nil && e.Attention != nil {
		e.Total = sum(*e.Value, *e.LMHead+*e.Attention)
	}
	return e
}

// basis says what N counts and where it is from.
func basis(p hub.Parameters) string {
	what := "non-embedding"
	if p.Active > 0 && p.Active < p.Total {
		what = "active, non-embedding"
	}
	if p.Source == "name" {
		what = "all, by the model's name"
		if p.Active > 0 && p.Active < p.Total {
			what = "active, by the model's name"
		}
		return what
	}
	return what + ", from " + p.Source
}

// attend adds the operations of attention, or why they are unknown.
func (e *Estimate) attend(in Input) {
	p := in.Parameters
	groups := p.Attention
	if groups == nil && p.AttentionUnknown == "" && p.Layers > 0 && p.Heads > 0 && p.HeadDim > 0 {
		width := int64(p.Heads) * int64(p.HeadDim)
		groups = []hub.Attention{{Layers: int64(p.Layers), Keys: width, Values: width}}
	}
	if groups == nil {
		why := p.AttentionUnknown
		if why == "" {
			why = "the shape of the model is not known"
		}
		e.Notes = append(e.Notes, "attention and the sum with it are not known: "+why)
		return
	}
	e.Attention = new(float64)
	for _, g := range groups {
		// Two products (scores and values), two operations a multiply-add.
		*e.Attention += 2 * float64(g.Layers) * float64(g.Keys+g.Values) * keys(in.Requests, float64(g.Window), g.Chunked)
	}
}

func sum(a, b float64) *float64 { s := a + b; return &s }
