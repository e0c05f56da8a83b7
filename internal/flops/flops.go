package flops

import (
	"fmt"

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
	Value, Prefill, Decode   *float64
	Attention, LMHead, Total *float64
	Confidence, Precision    string
	Notes                    []string
}

// lengths sums tokens in and out, and the keys that the attention of each position
// sees.
func lengths(list []Lengths) (input, output, positions float64) {
	for _, r := range list {
		input, output = input+float64(r.Input), output+float64(r.Output)
		// Positions 0 … input+output−2 are processed; position i sees i+1 keys.
		if n := float64(r.Input + r.Output - 1); n > 0 {
			positions += n * (n + 1) / 2
		}
	}
	return input, output, positions
}

// Of estimates the operations of a window.
func Of(in Input) Estimate {
	e := Estimate{Precision: in.Precision}
	if e.Precision == "" {
		e.Precision = "n/a"
	}
	input, output, positions := lengths(in.Requests)
	p := in.Parameters
	switch {
	case p.NonEmbedding <= 0:
		e.Notes = []string{"the number of parameters is unknown: " + in.Why}
		return e
	case input+output == 0:
		e.Notes = []string{"no tokens in the window"}
		return e
	}
	n := float64(p.NonEmbedding)
	what := "non-embedding"
	if idle := p.Total - p.Active; p.Active > 0 && idle > 0 {
		n, what = float64(p.NonEmbedding-idle), "active non-embedding"
	}
	prefill, decode := 2*n*input, 2*n*output
	e.Prefill, e.Decode, e.Value = &prefill, &decode, sum(prefill, decode)
	e.Confidence = p.Confidence
	e.Notes = []string{fmt.Sprintf("2 × %.0f %s parameters × (%.0f + %.0f) tokens, parameters from %s", n, what, input, output, p.Source)}
	if in.Why != "" {
		e.Notes = append(e.Notes, "nothing better is known: "+in.Why)
	}
	if p.Hidden > 0 && p.Vocab > 0 {
		e.LMHead = sum(2*float64(p.Hidden)*float64(p.Vocab)*output, 0)
	}
	if p.Layers > 0 && p.Heads > 0 && p.HeadDim > 0 {
		// Two products (scores and values), two operations a multiply-add.
		e.Attention = sum(4*float64(p.Layers)*float64(p.Heads)*float64(p.HeadDim)*positions, 0)
	}
	if e.LMHead != nil && e.Attention != nil {
		e.Total = sum(*e.Value, *e.LMHead+*e.Attention)
	} else {
		e.Notes = append(e.Notes, "the model's shape is not known whole, so attention or the output layer stands out")
	}
	return e
}

func sum(a, b float64) *float64 { s := a + b; return &s }
