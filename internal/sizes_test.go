package internal_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// mostMethods is how many methods a type has at most: one of more is several types.
const mostMethods = 20

func TestTypesHaveFewMethods(t *testing.T) {
	methods := map[string]map[string]bool{} // by type; files for other builds have the same ones
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && d.Name() != ".."):
			return fs.SkipDir
		case filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, decl := range file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok || f.Recv == nil {
				continue
			}
			of := strings.TrimPrefix(filepath.ToSlash(filepath.Dir(path)), "../") + "." + receiver(f)
			if methods[of] == nil {
				methods[of] = map[string]bool{}
			}
			methods[of][f.Name.Name] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for of, names := range methods {
		if len(names) > mostMethods {
			t.Errorf("%s has %d methods, more than %d: split it by what its methods need", of, len(names), mostMethods)
		}
	}
}
