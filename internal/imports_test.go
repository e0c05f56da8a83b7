// Package internal_test holds the packages to the import rules of
// docs/architecture.md.
package internal_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/llenergymeasure/llem/"

// may says which packages of this module each package imports.
var may = map[string][]string{
	"stats": {}, "frame": {}, "draw": {}, "device": {},
	"dataset": {"table"},
	"hub":     {"dataset"},
	"pattern": {"draw"},
	"study":   {"pattern", "dataset"},
	"measure": {"device", "stats"},
	"table":   {},
	"load":    {"study", "pattern", "dataset", "draw", "stats"},
	"result":  {"frame"},
	"meter":   {"device", "measure"},
	"flops":   {"hub"},
	"launch":  {"study"},
	"engine":  {"launch", "load", "study"},
	"docker":  {"launch"},
	"peer":    {"result"},
	"report":  {"result", "stats", "pattern", "peer"},
	"lease":   {"device", "launch", "measure"},
	"job":     {"device", "engine", "launch", "load", "dataset", "measure", "hub", "study"},
	"record":  {"device", "job", "engine", "launch", "load", "dataset", "measure", "meter/card", "flops", "hub", "result", "stats", "study"},
	// It knows an executor by its interface alone.
	"campaign": {"job", "launch", "lease", "dataset", "measure", "hub", "result", "stats", "study"},
	"harness":  {"campaign", "device", "job", "record", "engine", "launch", "lease", "load", "dataset", "measure", "meter/card", "hub", "result", "stats", "study"},
	// It reads a result's folder, which record does not.
	"record/verify": {"record", "measure", "result", "study"},
	// A server whose truth is known, for the benchmarks and llem doctor --client.
	"load/standin": {"load"},
	// What is known of kinds of cards, in pure functions: records are computed again by it.
	"meter/card": {"device", "measure"},
	// A hub and a GPU for tests; they and the GPU's command are nobody's.
	"hub/standin":               {},
	"meter/standin":             {},
	"meter/standin/cmd/standin": {"meter/standin"},
}

// only names the package that imports a third-party module.
var only = map[string][]string{
	"github.com/docker/docker":           {"internal/docker"},
	"github.com/docker/go-units":         {"internal/docker"},
	"github.com/NVIDIA/go-nvml":          {"internal/meter"},
	"github.com/parquet-go/parquet-go":   {"internal/result"},
	"github.com/klauspost/compress":      {"internal/table"},
	"github.com/andybalholm/brotli":      {"internal/table"},
	"github.com/pierrec/lz4":             {"internal/table"},
	"go.yaml.in/yaml":                    {"internal/study"},
	"github.com/hashicorp/go-multierror": {"internal/study"},
	"github.com/alecthomas/kong":         {"cmd/llem"},
	"gonum.org/v1/gonum/blas":            {"images/reference"},
	"gonum.org/v1/gonum/stat":            {"internal/stats"},
}

// pure are packages of values and functions: they take no context and do no I/O.
var pure = []string{"record"}

// impure are what such a package has no use for.
var impure = []string{"context", "os", "io", "net", "net/http", "log/slog", "os/exec", "sync", "syscall"}

type goPackage struct {
	ImportPath string
	Imports    []string
	CgoFiles   []string
}

func packages(t *testing.T) []goPackage {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports,CgoFiles", module+"...").Output()
	if err != nil {
		t.Fatal(err)
	}
	var list []goPackage
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return list
		} else if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
}

func TestWhoImportsWhom(t *testing.T) {
	used := map[string]bool{}
	for _, p := range packages(t) {
		path := strings.TrimPrefix(p.ImportPath, module)
		name, internal := strings.CutPrefix(path, "internal/")
		allowed, known := may[name]
		if internal && !known && name != path {
			t.Errorf("%s has no row in the table of who imports whom", path)
		}
		for _, i := range p.Imports {
			if internal && slices.Contains(pure, name) && slices.Contains(impure, i) {
				t.Errorf("%s imports %s, and is pure", path, i)
			}
			if other, ours := strings.CutPrefix(i, module+"internal/"); ours && internal && !slices.Contains(allowed, other) {
				t.Errorf("%s imports internal/%s", path, other)
			}
			for m, owners := range only {
				if i != m && !strings.HasPrefix(i, m+"/") {
					continue
				}
				used[m] = true
				if !slices.Contains(owners, path) {
					t.Errorf("%s imports %s, which is %s's alone", path, i, strings.Join(owners, " and "))
				}
			}
		}
		if len(p.CgoFiles) > 0 && path != "internal/meter" && path != "internal/meter/standin" {
			t.Errorf("%s uses cgo", path)
		}
	}
	for m := range only {
		if !used[m] {
			t.Errorf("nobody imports %s", m)
		}
	}
}

// Each function that docs/architecture.md walks through is in the file that it names.
func TestTheWalkNamesFunctionsThatExist(t *testing.T) {
	page, err := os.ReadFile("../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	steps := regexp.MustCompile("(?m)^\\| \\d+ \\| `([^`]+)` \\| `(?:(\\w+)\\.)?(\\w+)` \\|").FindAllStringSubmatch(string(page), -1)
	folders := map[string]bool{}
	for _, s := range steps {
		file, of, name := s[1], s[2], s[3]
		folders[filepath.Dir(file)] = true
		parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", file), nil, 0)
		if err != nil {
			t.Error(err)
			continue
		}
		if !slices.ContainsFunc(parsed.Decls, func(d ast.Decl) bool {
			f, ok := d.(*ast.FuncDecl)
			return ok && f.Name.Name == name && receiver(f) == of
		}) {
			t.Errorf("%s has no %s.%s", file, of, name)
		}
	}
	if len(steps) < 10 || len(folders) < 6 {
		t.Errorf("the walk has %d steps in %d packages", len(steps), len(folders))
	}
}

// receiver is the type that a function is a method of; empty: it is a plain function.
func receiver(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return ""
	}
	e := f.Recv.List[0].Type
	if star, ok := e.(*ast.StarExpr); ok {
		e = star.X
	}
	switch of := e.(type) { // of a generic type
	case *ast.IndexExpr:
		e = of.X
	case *ast.IndexListExpr:
		e = of.X
	}
	name, _ := e.(*ast.Ident)
	return name.Name
}
