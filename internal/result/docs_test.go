package result

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite generated files")

// docs/fields.md is made from the structs that are written, so that it cannot say
// otherwise.
func TestTheFieldsAreDocumented(t *testing.T) {
	const path = "../../docs/fields.md"
	want := fields(t)
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"ointer", " nil", "struct ", "of no known type", "[[", "slice of"} { // a reader of JSON knows none
		if strings.Contains(want, word) {
			t.Errorf("the page says %q, which is a word of Go's", word)
		}
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("%s (go test ./internal/result -update rewrites it): -want +got:\n%s", path, diff)
	}
}

const fieldsHead = `# Every field of a result

Made from the structs that are written (` + "`go test ./internal/result -update`" + `). A type with ? may be null, which is
unknown and never 0. ` + "`_j`" + ` is joules, ` + "`_w`" + ` watts, ` + "`_mb`" + ` 2²⁰ bytes, ` + "`_ms`" + ` milliseconds, ` + "`_ns`" + ` nanoseconds; ` + "`u_`" + ` is a standard
uncertainty (k = 1).
`

// fields renders the record, the Parquet files, and what measure and export write.
func fields(t *testing.T) string {
	t.Helper()
	structs := map[string]*ast.TypeSpec{}
	docs := map[string]string{}
	for _, file := range []string{"record.go", "record_engine.go", "environment.go", "parquet.go", "command.go", "export.go", "study.go", "../report/study.go", "../report/compare.go"} {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.TYPE {
				continue
			}
			s := g.Specs[0].(*ast.TypeSpec)
			structs[s.Name.Name], docs[s.Name.Name] = s, g.Doc.Text()
		}
	}
	w := &fieldWriter{structs: structs, docs: docs, done: map[string]bool{}}
	w.b.WriteString(fieldsHead)
	for _, part := range []struct{ title, root, tag string }{
		{"result.json", "Record", "json"}, {TimeseriesFile, "TimeseriesRow", "parquet"}, {RequestsFile, "RequestRow", "parquet"},
		{SamplesFile, "SampleRow", "parquet"}, {"llem measure --json", "Command", "json"}, {"llem export", "ExportRow", "parquet"},
		{"plan.json of a study", "StudyPlan", "json"}, {"summary.json of a study, llem compare --json", "StudySummary", "json"},
	} {
		fmt.Fprintf(&w.b, "\n## %s\n", part.title)
		w.write(part.root, "", part.tag)
	}
	return w.b.String()
}

type fieldWriter struct {
	b       strings.Builder
	structs map[string]*ast.TypeSpec
	docs    map[string]string
	done    map[string]bool
}

// write is the table of one struct, then those of the structs in it.
func (w *fieldWriter) write(name, path, tag string) {
	if w.done[name] {
		return
	}
	w.done[name] = true
	if path != "" {
		fmt.Fprintf(&w.b, "\n### %s\n", path)
	}
	if doc := clean(w.docs[name]); doc != "" {
		fmt.Fprintf(&w.b, "\n%s\n", doc)
	}
	w.b.WriteString("\n| field | type | |\n|---|---|---|\n")
	type inner struct{ name, path string }
	var later []inner
	for _, f := range w.structs[name].Type.(*ast.StructType).Fields.List {
		if f.Tag == nil {
			continue // not written
		}
		if reflect.StructTag(strings.Trim(f.Tag.Value, "`")).Get(tag) == "-" {
			continue
		}
		key, _, _ := strings.Cut(reflect.StructTag(strings.Trim(f.Tag.Value, "`")).Get(tag), ",")
		kind, in := typeName(f.Type)
		fmt.Fprintf(&w.b, "| `%s` | %s | %s |\n", key, kind, strings.ReplaceAll(clean(f.Doc.Text()+" "+f.Comment.Text()), "|", "\\|"))
		if _, ok := w.structs[in]; ok {
			later = append(later, inner{in, strings.TrimPrefix(path+"."+key, ".")})
		}
	}
	for _, l := range later {
		w.write(l.name, l.path, tag)
	}
}

func clean(comment string) string { return strings.Join(strings.Fields(comment), " ") }

// typeName is a type as a reader of JSON knows it, and the struct in it.
func typeName(e ast.Expr) (kind, in string) {
	switch e := e.(type) {
	case *ast.StarExpr:
		kind, in = typeName(e.X)
		return kind + "?", in
	case *ast.ArrayType:
		kind, in = typeName(e.Elt)
		return "list of " + kind, in
	case *ast.MapType:
		kind, in = typeName(e.Value)
		return "map to " + kind, in
	case *ast.SelectorExpr: // of another package
		switch e.Sel.Name {
		case "Time":
			return "time (RFC 3339, UTC)", ""
		case "Verdict":
			return "string", ""
		}
		return "of no known type: " + e.Sel.Name, ""
	case *ast.Ident:
		switch e.Name {
		case "any":
			return "object", ""
		case "bool":
			return "boolean", ""
		case "int":
			return "int64", ""
		case "string", "float64", "float32", "int32", "int64":
			return e.Name, ""
		}
		return "object", e.Name
	}
	return "object", ""
}
