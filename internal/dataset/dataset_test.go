package dataset

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"
)

var update = flag.Bool("update", false, "rewrite generated files")

func read(o Options) (texts []string, file File, err error) { return new(Cache).Read(o) }

// dataset writes a file of prompts.
func dataset(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// parquetTable is a Parquet file of a column of prompts that may be null, with others beside
// it.
func parquetTable(t *testing.T, prompts ...string) string {
	t.Helper()
	type row struct {
		ID     int64    `parquet:"id"`
		Tags   []string `parquet:"tags,list"`
		Answer string   `parquet:"answer"`
		Text   *string  `parquet:"text,optional,zstd,dict"`
	}
	var out bytes.Buffer
	w := parquet.NewGenericWriter[row](&out, parquet.MaxRowsPerRowGroup(2))
	for i, p := range prompts {
		r := row{ID: int64(i), Tags: []string{"a", "b"}, Answer: "no"}
		if p != "" {
			r.Text = &p
		}
		if _, err := w.Write([]row{r}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return dataset(t, "p.parquet", out.String())
}

// Every format gives the same prompts, in order, without those that are empty or
// repeated.
func TestPromptsOfEveryFormat(t *testing.T) {
	t.Parallel()
	want := []string{"one", "two\nlines", "three, \"quoted\""}
	for name, c := range map[string]struct{ path, column string }{
		"csv":          {dataset(t, "p.csv", "\ufeffid,prompt\r\n1,one\r\n2,\"two\nlines\"\r\n3,\r\n4,one\r\n5,\"three, \"\"quoted\"\"\"\r\n"), ""},
		"csv, column":  {dataset(t, "p.csv", "q,prompt\none,x\n\"two\nlines\",x\n,x\none,x\n\"three, \"\"quoted\"\"\",x\n"), "q"},
		"parquet":      {parquetTable(t, "one", "two\nlines", "", "one", "three, \"quoted\""), ""},
		"json":         {dataset(t, "p.json", `[{"prompt":"one"},{"prompt":"two\nlines"},{"prompt":null},{"prompt":"one"},{"prompt":"three, \"quoted\""}]`), ""},
		"json, column": {dataset(t, "p.json", `[{"q":"one","prompt":1},{"q":"two\nlines"},{"q":"  "},{"q":"one"},{"q":"three, \"quoted\""}]`), "q"},
		"ShareGPT": {dataset(t, "p.json", `[
			{"id":"a","conversations":[{"from":"human","value":"one"},{"from":"gpt","value":"no"},{"from":"human","value":"no"}]},
			{"id":"b","conversations":[{"from":"gpt","value":"no"},{"from":"user","value":"two\nlines"}]},
			{"id":"c","conversations":[]},
			{"id":"d","conversations":[{"from":"human","value":"one"}]},
			{"id":"e","conversations":[{"from":"system","value":" "},{"from":"human","value":"three, \"quoted\""}]}]`), ""},
		"messages": {dataset(t, "p.jsonl", `{"messages":[{"role":"user","content":"one"},{"role":"assistant","content":"no"}]}
{"messages":[{"role":"user","content":"two\nlines"}]}
{"messages":[{"role":"user","content":""},{"role":"assistant","content":"no"}]}
{"messages":[{"role":"user","content":"one"}],"images":[]}
{"messages":[{"role":"user","content":"three, \"quoted\""}],"image":null}
`), ""},
	} {
		got, file, err := read(Options{Path: c.path, Column: c.column})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
		if diff := cmp.Diff(map[string]int{"empty": 1, "repeated": 1}, file.LeftOut); diff != "" || len(file.Digest) != 64 {
			t.Errorf("%s: left out, -want +got:\n%s%s", name, diff, file.Digest)
		}
	}
}

func TestTheRowsOfTheDocsAreUpToDate(t *testing.T) {
	const path, row = "../../docs/load.md", "| `FILE."
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, found := strings.Cut(string(page), row)
	for rest = row + rest; strings.HasPrefix(rest, row); {
		_, rest, _ = strings.Cut(rest, "\n")
	}
	want := head + Table() + rest
	if !found {
		t.Fatalf("%s has no rows of formats", path)
	}
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, string(page)); diff != "" {
		t.Errorf("%s (go test ./internal/dataset -update rewrites it): -want +got:\n%s", path, diff)
	}
}

func TestDatasetsThatCannotBeRead(t *testing.T) {
	t.Parallel()
	whole, err := os.ReadFile(parquetTable(t, "one", "two", "three", "four"))
	if err != nil {
		t.Fatal(err)
	}
	damaged := bytes.Clone(whole)
	for i := 4; i < len(damaged)/2; i++ {
		damaged[i] ^= 0x5a
	}
	for _, c := range []struct{ name, path, column, says string }{
		{"another format", dataset(t, "p.txt", "a"), "", "p.txt is no file of prompts: it ends neither in .jsonl nor in .json, .csv or .parquet"},
		{"no column of prompts", dataset(t, "p.csv", "a,b\n1,2\n"), "", "p.csv:1: none of the keys prompt, text, instruction, input, question, conversations, conversation, messages; name one with workload.column, or several with workload.template: it has a, b"},
		{"no such column", dataset(t, "p.csv", "a,b\n1,2\n"), "c", `p.csv:1: it has no "c" (workload.column); it has a, b`},
		{"a short row", dataset(t, "p.csv", "a,prompt\n1,x\n2\n"), "", "p.csv: record on line 3: wrong number of fields"},
		{"an open quote", dataset(t, "p.csv", "prompt\n\"x\n"), "", "p.csv: parse error on line 2"},
		{"no UTF-8", dataset(t, "p.csv", "prompt\nx\n\xff\xfe\n"), "", "p.csv:3: the prompt is not UTF-8"},
		{"a huge one", dataset(t, "p.csv", "prompt\n"+strings.Repeat("x", MaxPrompt+1)+"\n"), "", "p.csv:2: the prompt is over 10 MiB"},
		{"no JSON", dataset(t, "p.json", "nothing"), "", "p.json: not JSON"},
		{"one object", dataset(t, "p.json", `{"prompt":"a"}`), "", "p.json: want an array of objects; one object a line is a .jsonl file"},
		{"something behind it", dataset(t, "p.json", `[{"prompt":"a"}] {"prompt":"b"}`), "", "p.json: something stands behind the array's end"},
		{"a row that is none", dataset(t, "p.json", `[{"prompt":"a"}, 5]`), "", "p.json, row 2: not a JSON object"},
		{"an array without an end", dataset(t, "p.json", `[{"prompt":"a"}, {"prompt":"b"}`), "", "p.json: the array does not end"},
		{"half a row", dataset(t, "p.json", `[{"prompt":"a"}, {"pro`), "", "p.json, row 2: not JSON"},
		{"only an answer", dataset(t, "p.json", `[{"messages":[{"role":"assistant","content":"b"}]}]`), "", `"messages" is not one message of the user`},
		{"no key", dataset(t, "p.json", `[{"a":"b"}]`), "", "p.json, row 1: none of the keys prompt, text, instruction, input, question, conversations, conversation, messages"},
		{"not the key", dataset(t, "p.json", `[{"prompt":"b"}]`), "q", `p.json, row 1: it has no "q" (workload.column); it has prompt`},
		{"no Parquet", dataset(t, "p.parquet", "PAR1 it is not"), "", "p.parquet is no Parquet file"},
		{"an empty Parquet", dataset(t, "p.parquet", ""), "", "p.parquet is no Parquet file"},
		{"half a Parquet", dataset(t, "p.parquet", string(whole[:len(whole)/2])), "", "p.parquet is no Parquet file"},
		{"a damaged Parquet", dataset(t, "p.parquet", string(damaged)), "", "p.parquet"},
		{"a column of numbers", dataset(t, "p.parquet", string(whole)), "id", `p.parquet, row 1: "id" is not a string: it is a number`},
	} {
		_, _, err := read(Options{Path: c.path, Column: c.column})
		if err == nil || !strings.Contains(err.Error(), c.says) || !strings.HasPrefix(err.Error(), "workload.source: ") {
			t.Errorf("%s: error %.300v, want one that says %q", c.name, err, c.says)
		}
	}
}

// A Parquet file that is cut or flipped anywhere is an error or its prompts, and
// never a panic.
func TestAParquetFileThatIsCut(t *testing.T) {
	t.Parallel()
	whole, err := os.ReadFile(parquetTable(t, "one", "two", "three"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "p.parquet")
	for i := range whole {
		for _, data := range [][]byte{whole[:i], append(append(bytes.Clone(whole[:i]), whole[i]^0xff), whole[i+1:]...)} {
			if err := os.WriteFile(path, data, 0o644); err != nil {
				t.Fatal(err)
			}
			_, _, _ = read(Options{Path: path}) // it returns
		}
	}
}

// parquetOf is a Parquet file of some rows.
func parquetOf[T any](t *testing.T, rows ...T) string {
	t.Helper()
	var out bytes.Buffer
	w := parquet.NewGenericWriter[T](&out)
	if _, err := w.Write(rows); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return dataset(t, "p.parquet", out.String())
}
