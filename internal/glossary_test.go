package internal_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// The last table of docs/glossary.md has words, each at the begin of a row, that the
// code does not use.
func TestWordsThatTheGlossaryKeepsOut(t *testing.T) {
	page, err := os.ReadFile("../docs/glossary.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "\n| not | but |\n|---|---|\n")
	var words []string
	for row := range strings.Lines(table) {
		first, _, _ := strings.Cut(strings.TrimPrefix(row, "| "), " |")
		words = append(words, strings.Split(first, ", ")...)
	}
	if len(words) == 0 {
		t.Fatal("docs/glossary.md has no table of words that are not written")
	}
	out := regexp.MustCompile(`(?i)\b(` + strings.Join(words, "|") + `)s?\b`)
	sources(t, func(path, text string) {
		if word := out.FindString(text); word != "" {
			t.Errorf("%s has the word %s: docs/glossary.md has another for it", path, word)
		}
	})
}
