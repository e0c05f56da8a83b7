package flops

import "strings"

// Without is the estimate where tokens are not known: why input's or output's are
// not, each empty where they are. What would rest on them is nil.
func (e Estimate) Without(input, output string) Estimate {
	if input == "" && output == "" {
		return e
	}
	notes := []string{}
	if input != "" {
		e.Prefill = nil
		notes = append(notes, "input tokens are unknown: "+input)
	}
	if output != "" {
		e.Decode, e.LMHead = nil, nil
		notes = append(notes, "output tokens are unknown: "+output)
	}
	for _, n := range e.Notes {
		if !strings.HasPrefix(n, "2 × ") && n != noTokens { // of the tokens that were summed
			notes = append(notes, n)
		}
	}
	e.Value, e.Attention, e.Total, e.Confidence, e.Notes = nil, nil, nil, "", notes
	return e
}

const noTokens = "no tokens in the window"
