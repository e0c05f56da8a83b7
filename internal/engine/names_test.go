package engine

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// mayName are files outside this package in which an engine's name stands for something
// else, or is an example in a text.
var mayName = map[string]string{
	"internal/peer/":            "vLLM's own benchmark is a peer",
	"internal/load/standin/":    "a server that says it is vLLM, for tests of the client",
	"internal/dataset/shape.go": "reference is a column of datasets",
	"internal/pattern/":         "patterns and trace files are called by the tools that have them",
	"internal/study/schema.go":  "the file to start from names images for an example, and study may not import this package",
}

// alsoWords are names that mean something else too: they count where nothing else stands.
var alsoWords = []string{"reference", "transformers", "openai", "hf", "tgi"}

// What differs between engines is in their rows: no other package asks for one by name,
// and help texts have their examples from the table.
func TestNoEngineIsNamedOutsideThisPackage(t *testing.T) {
	var all, own []string
	for _, e := range engines {
		all = append(all, e.name)
		all = append(all, e.aliases...)
	}
	for _, name := range all {
		if !slices.Contains(alsoWords, name) {
			own = append(own, regexp.QuoteMeta(name), regexp.QuoteMeta(strings.ReplaceAll(name, "-", "")))
		}
	}
	whole := regexp.MustCompile(`(?i)^(` + strings.Join(all, "|") + `)/?$`)
	part := regexp.MustCompile(`(?i)\b(` + strings.Join(own, "|") + `)\b`)
	within := regexp.MustCompile(`(?i)` + strings.Join(own, "|"))

	used := map[string]bool{}
	look := func(path string, d fs.DirEntry, err error) error {
		path = filepath.ToSlash(strings.TrimPrefix(path, "../../"))
		switch {
		case err != nil:
			return err
		case d.IsDir() && (path == "internal/engine" || d.Name() == "testdata"):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		files := token.NewFileSet()
		f, err := parser.ParseFile(files, "../../"+path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(f, func(n ast.Node) bool {
			var named string
			switch n := n.(type) {
			case *ast.ImportSpec:
				return false
			case *ast.Ident:
				named = within.FindString(n.Name)
			case *ast.BasicLit:
				text, err := strconv.Unquote(n.Value)
				if n.Kind == token.STRING && err == nil && (whole.MatchString(text) || part.MatchString(text)) {
					named = n.Value
				}
			}
			if named == "" {
				return true
			}
			for allowed := range mayName {
				if strings.HasPrefix(path, allowed) {
					used[allowed] = true
					return true
				}
			}
			t.Errorf("%s: %.80s names an engine: what differs between engines is in its row", files.Position(n.Pos()), named)
			return true
		})
		return nil
	}
	for _, root := range []string{"../../cmd", "../../internal"} {
		if err := filepath.WalkDir(root, look); err != nil {
			t.Fatal(err)
		}
	}
	for allowed, why := range mayName {
		if !used[allowed] {
			t.Errorf("%s names no engine, and is allowed to: %s", allowed, why)
		}
	}
}
