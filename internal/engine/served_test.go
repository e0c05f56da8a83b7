package engine

import "testing"

// A server may name its model in an answer by more than was asked for, and a gateway another.
func TestAnAnswerNamesItsModel(t *testing.T) {
	for _, c := range []struct {
		asked, loaded, answered string
		same                    bool
	}{
		{"tiny", "", "tiny:latest", true}, {"org/tiny-1b", "", "org/tiny-1b@main", true}, {"org/tiny-1b", "", "/models/tiny-1b", true},
		{"short", "org/tiny-1b", "org/tiny-1b", true}, {"gpt-x", "", "gpt-x-mini", false}, {"org/tiny-1b", "", "other/tiny-1b", false}, {"tiny", "", "tiny:7b", false},
	} {
		if got := (Match{ID: c.asked, Loaded: c.loaded}).Names(c.answered); got != c.same {
			t.Errorf("%+v: %v", c, got)
		}
	}
}
