package hub

import (
	"math"
	"strings"
	"unicode/utf8"
)

// symbols are the characters of text.
func symbols(text string) []string { return strings.Split(text, "") }

// joined joins neighbours, the best pair first and of equals the leftmost, until
// no pair can be, and says whether all became one. best is lower for pairs
// that are joined earlier.
func joined(parts []string, best func(a, b string) (float64, bool)) bool {
	for len(parts) > 1 {
		at, lowest := -1, math.Inf(1)
		for i := range len(parts) - 1 {
			if r, ok := best(parts[i], parts[i+1]); ok && r < lowest {
				at, lowest = i, r
			}
		}
		if at < 0 {
			return false
		}
		parts[at] += parts[at+1]
		parts = append(parts[:at+1], parts[at+2:]...)
	}
	return true
}

// known is whether every character of text is a token, from which joining starts.
func known(text string, tokens map[string]int) bool {
	for _, s := range symbols(text) {
		if _, ok := tokens[s]; !ok {
			return false
		}
	}
	return true
}

// byMerges is byte-pair encoding: pairs are joined by the rank of their merge.
func byMerges(merges map[[2]string]int, tokens map[string]int) func(string) bool {
	return func(text string) bool {
		return known(text, tokens) && joined(symbols(text), func(a, b string) (float64, bool) {
			rank, ok := merges[[2]string{a, b}]
			return float64(rank), ok
		})
	}
}

// byScore is SentencePiece's byte-pair encoding: those are joined whose
// result is a token of the highest score.
func byScore(scores map[string]float64, tokens map[string]int) func(string) bool {
	return func(text string) bool {
		return known(text, tokens) && joined(symbols(text), func(a, b string) (float64, bool) {
			s, ok := scores[a+b]
			return -s, ok
		})
	}
}

// byLikelihood is SentencePiece's unigram model: the parts of the highest sum of
// scores win. A text that other parts could equal is not counted as whole.
func byLikelihood(scores map[string]float64) func(string) bool {
	return func(text string) bool {
		best := make([]float64, len(text)+1)
		for end := 1; end <= len(text); end++ {
			best[end] = math.Inf(-1)
			for start := range end {
				if start == 0 && end == len(text) || !utf8.RuneStart(text[start]) {
					continue
				}
				if s, ok := scores[text[start:end]]; ok && best[start]+s > best[end] {
					best[end] = best[start] + s
				}
			}
		}
		whole, ok := scores[text]
		return ok && whole > best[len(text)]
	}
}
