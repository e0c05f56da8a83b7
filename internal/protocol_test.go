package internal_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	commentLine = regexp.MustCompile(`\n\s*//\s*`)
	heading     = regexp.MustCompile(`(?m)^## (\d+)\. `)
	citation    = regexp.MustCompile(`(?i)protocol section (\d+)`)
	otherForm   = regexp.MustCompile(`(?i)sections? \d+ of the protocol|the protocol, section \d+`)
)

// Comments cite docs/protocol.md as "protocol section N".
func TestCitedSectionsOfTheProtocolExist(t *testing.T) {
	page, err := os.ReadFile("../docs/protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(string(page), -1) {
		sections[m[1]] = true
	}
	cited := 0
	sources(t, func(path, text string) {
		text = commentLine.ReplaceAllString(text, " ")
		for _, m := range citation.FindAllStringSubmatch(text, -1) {
			if cited++; !sections[m[1]] {
				t.Errorf("%s cites section %s, which docs/protocol.md does not have", path, m[1])
			}
		}
		if m := otherForm.FindString(text); m != "" {
			t.Errorf("%s cites %q: write protocol section N", path, m)
		}
	})
	if cited == 0 {
		t.Error("no comment cites the protocol")
	}
}

// sources gives each Go file of the module, by its path in it.
func sources(t *testing.T, look func(path, text string)) {
	t.Helper()
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".go" {
			return err
		}
		text, err := os.ReadFile(path)
		look(strings.TrimPrefix(path, "../"), string(text))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
