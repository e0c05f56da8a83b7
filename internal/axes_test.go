package internal_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/llenergymeasure/llem/internal/measure"
	"github.com/llenergymeasure/llem/internal/pattern"
)

// inspect calls see with each node of the program's Go files outside of a package, and
// with where it is. Tests are left out.
func inspect(t *testing.T, home string, see func(at string, n ast.Node)) {
	t.Helper()
	for _, root := range []string{"../cmd", "../internal", "../images"} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && (d.Name() == "testdata" || path == home):
				return fs.SkipDir
			case filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go"):
				return nil
			}
			set := token.NewFileSet()
			file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if n != nil {
					see(set.Position(n.Pos()).String(), n)
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// literal is the text of a string literal.
func literal(n ast.Node) (string, bool) {
	l, ok := n.(*ast.BasicLit)
	if !ok || l.Kind != token.STRING {
		return "", false
	}
	text, err := strconv.Unquote(l.Value)
	return text, err == nil
}

func TestOnlyTheirPackageNamesPatterns(t *testing.T) {
	names := pattern.Names()
	found := func(home string) (at []string) {
		inspect(t, home, func(place string, n ast.Node) {
			// The stand-in server has a word of these for chunks that it writes together.
			if text, ok := literal(n); ok && slices.Contains(names, text) && !strings.HasPrefix(place, "../internal/load/standin/") {
				at = append(at, place+": "+text)
			}
		})
		return at
	}
	for _, at := range found("../internal/pattern") {
		t.Errorf("%s is a load pattern's name: ask the load what differs, or add it to the pattern's row", at)
	}
	if all := found(""); len(all) < len(names) {
		t.Errorf("of the table's names %q only %q were found", names, all)
	}
}

// driverTexts are the texts outside of internal/meter that may name the driver's library,
// and why: a user reads or writes them, or records have them. None may change with how
// the library is read.
var driverTexts = map[string][]string{
	"a value of energy.backend, and of the column source in samples.parquet": {"nvml", "Who owns the energy figure", "energy: {backend: auto}"},
	"a code of a warning, locked by the research document":                   {"nvml_low_sample_count"},
	"what to do about a warning":                                             {"see the log for NVML's error"},
	"a key's documentation":                                                  {"a list of NVML indices and UUIDs", "energy.backend nvml is not available"},
	"a finding or an error":                                                  {"NVML lists no GPU", "NVML shows no GPU", "NVML: ", "close NVML"},
}

// What a driver's library calls things, numbers them and tells generations apart by is
// known to meters alone. The names of the fields in records are measure's own.
func TestOnlyMetersKnowADriversNames(t *testing.T) {
	unused := map[string]bool{}
	for _, texts := range driverTexts {
		for _, text := range texts {
			unused[text] = true
		}
	}
	excepted := func(text string) bool {
		for part := range driverTexts {
			for _, allowed := range driverTexts[part] {
				if text == allowed || len(allowed) > len("nvml") && strings.Contains(text, allowed) {
					delete(unused, allowed)
					return true
				}
			}
		}
		return false
	}
	fields := []string{"185", "186", "269", "270", "271"} // 74 and 75 are percentiles, too
	generation := regexp.MustCompile(`^\d{1,2}\.\d$`)
	versions := []string{"1.0", "1.1", "3.3"} // of a tokenizer's file, of the record, of an engine
	library := regexp.MustCompile(`(?i)nvml`)
	inspect(t, "../internal/meter", func(at string, n ast.Node) {
		text, isText := literal(n)
		number, _ := n.(*ast.BasicLit)
		name, _ := n.(*ast.Ident)
		switch {
		case name != nil && library.MatchString(name.Name):
			t.Errorf("%s: %s names the driver's library: say what it is in any driver's words", at, name.Name)
		case number != nil && slices.Contains(fields, number.Value):
			t.Errorf("%s: %s is the number of a field of the driver's", at, number.Value)
		case isText && generation.MatchString(text) && !slices.Contains(versions, text):
			t.Errorf("%s: %q is a generation of GPUs: package meter/card knows what that means", at, text)
		case isText && library.MatchString(text) && !excepted(text):
			t.Errorf("%s: %q names the driver's library: see driverTexts", at, text)
		}
	})
	files, err := filepath.Glob("measure/*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, path := range files {
		source, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(source), "\n") {
			if library.MatchString(line) && !excepted(line) {
				t.Errorf("%s:%d: %s: package measure is of any driver's readings", path, i+1, line)
			}
		}
	}
	for text := range unused {
		t.Errorf("nothing says %q any more: take it out of driverTexts", text)
	}
}

// launcherTexts are the texts that may name a launcher, and why.
var launcherTexts = map[string][]string{
	"a key of records and of a study's file":                 {"json:\"docker\""},
	"a program at the head of an image's entrypoint":         {"docker-init"},
	"by what a process knows that it is in a container":      {".dockerenv", "/docker/"},
	"what users write in their files who come from others":   {"docker_image", "a Docker Compose file"},
	"a hint for people, in the word that they know it by":    {"make room where Docker keeps its data"},
	"the row of a launcher in the table, with its package's": {"internal/docker"},
}

// A launcher is known to its package and its row alone: all else asks launch's interfaces.
func TestOnlyTheirPackageNamesLaunchers(t *testing.T) {
	const table = "../cmd/llem/launchers.go"
	unused := map[string]bool{}
	for _, texts := range launcherTexts {
		for _, text := range texts {
			unused[text] = true
		}
	}
	launcher := regexp.MustCompile(`(?i)docker`)
	inspect(t, "../internal/docker", func(at string, n ast.Node) {
		text, isText := literal(n)
		name, _ := n.(*ast.Ident)
		switch {
		case name != nil && name.Name != "Docker" && launcher.MatchString(name.Name) && !strings.HasPrefix(at, table): // Docker is a field of records
			t.Errorf("%s: %s names a launcher: ask launch's interfaces", at, name.Name)
		case isText && launcher.MatchString(text):
			known := false
			for part := range unused {
				if strings.Contains(text, part) && (part != "internal/docker" || strings.HasPrefix(at, table)) {
					known, unused[part] = true, false
				}
			}
			if !known {
				t.Errorf("%s: %q names a launcher: have it in launch.Words, or see launcherTexts", at, text)
			}
		}
	})
	for text, is := range unused {
		if is {
			t.Errorf("nothing says %q any more: take it out of launcherTexts", text)
		}
	}
}

// rows are what a test adds to an axis: a file with a row, that row in the axis's table,
// after the row that the table has, and a test of the program that has it, in the package that uses it.
var rows = map[string]struct{ table, after, row, file, tested string }{
	"a ninth load pattern":   {"pattern/pattern.go", "\ttrace,\n", "\tpairs,\n", "pattern/pairs.go", "load"},
	"a fifth dataset format": {"dataset/format.go", "\tformatParquet,\n", "\tformatTSV,\n", "dataset/tsv.go", "load"},
	"a second renderer":      {"report/document.go", "\t{\"text\", writeText},\n", "\t{\"html\", writeHTML},\n", "report/html.go", "report"},
	"GPUs of another vendor": {"meter/table.go", "\tsimulatedRow,\n", "\trocmRow,\n", "meter/rocm.go", "meter"},
	// llem uses the first. A launcher is a package, which the table imports.
	"a second launcher": {"../cmd/llem/launchers.go", "var launchers = []launch.Row{\n", "\tprocess.Row,\n", "process/process.go", "launch"},
}

// imported is what a table imports for a row of another package.
const imported = "import (\n"

// A new variant is one file, one row and test data: built with these, and with nothing else
// changed, it is decoded, documented and run.
func TestANewVariantIsOneFileAndOneRow(t *testing.T) {
	t.Parallel()
	for name, c := range rows {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			table, err := os.ReadFile(c.table)
			if err != nil {
				t.Fatal(err)
			}
			longer := strings.Replace(string(table), c.after, c.after+c.row, 1)
			if longer == string(table) {
				t.Fatalf("the table of %s has no %q", c.table, c.after)
			}
			if home := filepath.Dir(c.file); home != filepath.Dir(c.table) {
				longer = strings.Replace(longer, imported, imported+strconv.Quote(module+"internal/"+home)+"\n", 1)
			}
			dir := t.TempDir()
			added := filepath.Base(c.file)
			tested := strings.TrimSuffix(added, ".go") + "_test.go"
			replaced := filepath.Join(dir, "table.go")
			overlay, err := json.Marshal(map[string]map[string]string{"Replace": {
				absolute(t, c.table):                         replaced,
				absolute(t, c.file):                          absolute(t, "testdata/axes/"+added),
				absolute(t, filepath.Join(c.tested, tested)): absolute(t, "testdata/axes/"+tested),
			}})
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(dir, "overlay.json")
			for path, data := range map[string][]byte{replaced: []byte(longer), file: overlay} {
				if err := os.WriteFile(path, data, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			cmd := exec.Command("go", "test", "-vet=off", "-count=1", "-v", "-run", "^TestNewVariant$", "./"+c.tested)
			cmd.Env = append(os.Environ(), "GOFLAGS="+os.Getenv("GOFLAGS")+" -overlay="+file) // for what the test builds, too
			out, err := cmd.CombinedOutput()
			if err != nil || !strings.Contains(string(out), "--- PASS: TestNewVariant") {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	abs, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return abs
}

func TestWarningsAreRaisedAsTheirTableHasThem(t *testing.T) {
	raised := map[string]bool{}
	inspect(t, "", func(at string, n ast.Node) {
		call, ok := n.(*ast.CallExpr)
		if !ok || len(call.Args) == 0 {
			return
		}
		code, ok := literal(call.Args[0])
		switch types.ExprString(call.Fun) {
		case "Warn", "measure.Warn", "j.warn", "o.warn":
		default:
			return
		}
		raised[code] = ok
		if _, known := measure.KindOf(code); ok && !known {
			t.Errorf("%s: no warning has the code %s", at, code)
		}
	})
	for _, k := range measure.Kinds() {
		if !raised[k.Code] {
			t.Errorf("nothing raises the warning %s", k.Code)
		}
	}
}
