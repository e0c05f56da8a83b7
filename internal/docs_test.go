package internal_test

import (
	"go/ast"
	"go/doc/comment"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// The documentation of a package, where it is more than a few lines, is a numbered
// pipeline, and names nothing that is not there.
func TestPackagesAreDocumentedAsPipelines(t *testing.T) {
	files, err := filepath.Glob("*/doc.go")
	deeper, deeperErr := filepath.Glob("*/*/doc.go")
	if files = append(files, deeper...); err != nil || deeperErr != nil || len(deeper) == 0 {
		t.Fatal(files, err, deeperErr)
	}
	for _, file := range files {
		list, err := filepath.Glob(filepath.Join(filepath.Dir(file), "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		symbols := map[string]bool{}
		var text string
		for _, path := range list {
			f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments|parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			if path == file {
				text = f.Doc.Text()
			}
			declared(f, symbols)
		}
		missing := map[string]bool{}
		p := comment.Parser{LookupSym: func(of, name string) bool {
			if of != "" {
				name = of + "." + name
			}
			if !symbols[name] {
				missing[name] = true
			}
			return true
		}}
		numbered := false
		for _, block := range p.Parse(text).Content {
			l, ok := block.(*comment.List)
			numbered = numbered || ok && l.Items[0].Number == "1"
		}
		if !numbered && strings.Count(text, "\n") >= 10 && filepath.Base(filepath.Dir(file)) != "standin" { // made for tests
			t.Errorf("%s has no numbered steps", file)
		}
		for name := range missing {
			t.Errorf("%s links to %s, which the package does not have", file, name)
		}
	}
}

// declared adds the names of a file's declarations, methods with their types.
func declared(f *ast.File, symbols map[string]bool) {
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			name := d.Name.Name
			if d.Recv != nil {
				of := d.Recv.List[0].Type
				if star, ok := of.(*ast.StarExpr); ok {
					of = star.X
				}
				if id, ok := of.(*ast.Ident); ok {
					name = id.Name + "." + name
				}
			}
			symbols[name] = true
		case *ast.GenDecl:
			for _, s := range d.Specs {
				switch s := s.(type) {
				case *ast.TypeSpec:
					symbols[s.Name.Name] = true
				case *ast.ValueSpec:
					for _, n := range s.Names {
						symbols[n.Name] = true
					}
				}
			}
		}
	}
}
