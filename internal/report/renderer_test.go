package report

import (
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A renderer knows documents, and no record.
func TestARendererReadsTheDocumentAlone(t *testing.T) {
	files, err := filepath.Glob("text*.go")
	if err != nil {
		t.Fatal(err)
	}
	files = slices.DeleteFunc(files, func(f string) bool { return strings.HasSuffix(f, "_test.go") })
	for _, file := range append(files, "document.go") {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range f.Imports {
			if strings.Contains(i.Path.Value, "/internal/") {
				t.Errorf("%s imports %s", file, i.Path.Value)
			}
		}
	}
	if len(files) != 2 {
		t.Errorf("the files of the text renderer are %q", files)
	}
}
