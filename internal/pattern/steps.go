package pattern

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var steps = pattern{
	Name: "steps", Brief: "at one rate after another", Sends: "evenly, at one rate after another, each written RATE@SECONDS; the last one stays",
	Needs: []Key{{
		Name:  "steps",
		Match: regexp.MustCompile(`^(\d{1,6}(\.\d{1,6})?)@(\d{1,6}(\.\d{1,6})?)$`), Hint: "is no step: write RATE@SECONDS, such as 2.5@30",
		Doc: "One rate after another, each as RATE@SECONDS; the last one goes on until all prompts are sent.",
		Wrong: func(l Load) string {
			if slices.ContainsFunc(readSteps(l.Steps), func(s step) bool { return s.rate <= 0 || s.seconds <= 0 }) {
				return "a step of no rate or no time; write RATE@SECONDS with both above 0"
			}
			return ""
		},
	}},
	Mean: func(l Load, n int) float64 { return stepsDue(l.Steps, float64(n)) },
	Peak: func(l Load) float64 {
		peak := 0.0
		for _, s := range readSteps(l.Steps) {
			peak = max(peak, s.rate)
		}
		return peak
	},
}

// step is a rate that is kept for a time.
type step struct{ rate, seconds float64 }

// readSteps reads RATE@SECONDS; what does not match was refused before.
func readSteps(list []string) []step {
	out := make([]step, 0, len(list))
	for _, text := range list {
		rate, seconds, _ := strings.Cut(text, "@")
		r, err := strconv.ParseFloat(rate, 64)
		s, serr := strconv.ParseFloat(seconds, 64)
		if err == nil && serr == nil {
			out = append(out, step{r, s})
		}
	}
	return out
}

// stepsDue is when n requests have come; the last rate goes on.
func stepsDue(list []string, n float64) float64 {
	at := 0.0
	all := readSteps(list)
	for i, s := range all {
		if here := s.rate * s.seconds; i < len(all)-1 && n >= here {
			n -= here
			at += s.seconds
			continue
		}
		return at + n/s.rate
	}
	return at
}
