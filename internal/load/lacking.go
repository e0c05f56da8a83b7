package load

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Lacking counts requests that lack something.
type Lacking struct {
	Input, Output int            // completed ones of unknown tokens
	Text          int            // completed ones with tokens that the server counted and no chunk with text: no latency
	Apart         int            // completed ones whose text came at once: no time between tokens
	Failed        int            // failed ones with text of unknown tokens
	Refused       map[string]int // why counts of a usage were not taken, and of how many requests
}

// InputWhy says why prompts' tokens are unknown, of so many completed requests.
func (l Lacking) InputWhy(completed int) string {
	return l.why(l.Input, completed, refusedInputNone, refusedInputBad, refusedInputMore, refusedTotal, refusedGrowing)
}

// OutputWhy says why answers' tokens are unknown, of so many completed requests.
func (l Lacking) OutputWhy(completed int) string {
	return l.why(l.Output, completed, refusedOutputNone, refusedOutputBad, refusedOutputOver, refusedOutputUnder, refusedTotal, refusedGrowing)
}

func (l Lacking) why(n, completed int, reasons ...string) string {
	if completed == 0 {
		return "no request completed"
	}
	var parts []string
	silent := n
	for _, text := range slices.Sorted(maps.Keys(l.Refused)) {
		for _, reason := range strings.Split(text, "; ") {
			if slices.Contains(reasons, reason) {
				parts = append(parts, fmt.Sprintf("in %d of %d answers, %s", l.Refused[text], completed, reason))
				silent -= l.Refused[text]
				break
			}
		}
	}
	if silent > 0 {
		parts = append(parts, fmt.Sprintf("%d of %d answers came without a usage that counts them", silent, completed))
	}
	return strings.Join(parts, ", ")
}
