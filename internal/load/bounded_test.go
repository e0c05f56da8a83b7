package load

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/llenergymeasure/llem/internal/dataset"
	"github.com/llenergymeasure/llem/internal/pattern"
	"github.com/llenergymeasure/llem/internal/study"
)

// longRow writes a file of some text, then another again and again, n bytes of it.
func longRow(t *testing.T, name, begin, then string, n int64) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(begin); err != nil {
		t.Fatal(err)
	}
	block := []byte(strings.Repeat(then, 1<<20/len(then)))
	for ; n > 0; n -= int64(len(block)) {
		if _, err := f.Write(block[:min(n, int64(len(block)))]); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// A row that is longer than its limit ends the reading there, in every format, with the
// file, the place and the limit, and takes no memory to speak of beyond it.
func TestRowsHaveALimit(t *testing.T) {
	const long, most = 40 << 20, 300 << 20
	prompts := func(path string) error {
		_, _, err := ReadPrompts(PromptsOptions{File: dataset.Options{Path: path}, N: 1})
		return err
	}
	lengths := func(path string) error {
		_, _, err := readLengths(path, study.Workload{Lengths: study.Lengths{File: path}, MaxInputTokens: 9, MaxOutputTokens: 9})
		return err
	}
	for _, c := range []struct {
		name, begin string
		read        func(string) error
		says        string
	}{
		{"a.jsonl", "{\"prompt\":\"a\"}\n{\"prompt\":\"", prompts, "a.jsonl:2: the line is over 32 MiB, which is the limit"},
		{"b.json", `[{"prompt":"a"},{"prompt":"`, prompts, "b.json, row 2: it is over 32 MiB, which is the limit of a row"},
		{"c.json", `[{"prompt":"a"},{"numbers":[2`, prompts, "c.json, row 2: it is over 32 MiB"},
		{"d.csv", "id,prompt\n1,a\n2,", prompts, "d.csv: the row after line 2: it is over 32 MiB, which is the limit of a row"},
		{"e.csv", "id,prompt\n1,a\n2,\"quoted\nlines", prompts, "e.csv: the row after line 2: it is over 32 MiB"},
		{"f.csv", "input_tokens\n5\n", lengths, "f.csv: the row after line 2 is over 1 MiB, which is the limit"},
		{"g.csv", "input_tokens", lengths, "g.csv:1: the row is over 1 MiB, which is the limit"},
		{"h.jsonl", `{"timestamp":1,"input_length":1,"output_length":1}` + "\n" + `{"timestamp":`, func(path string) error { _, err := pattern.ReadTrace(pattern.Load{File: path}); return err }, "h.jsonl:2: the line is over 1 MiB"},
	} {
		path := longRow(t, c.name, c.begin, map[bool]string{true: ",1", false: "x"}[c.name == "c.json"], long)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := c.read(path)
		runtime.ReadMemStats(&after)
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %.200v, want %q", c.name, err, c.says)
		}
		if took := after.TotalAlloc - before.TotalAlloc; took > most {
			t.Errorf("%s: %d MiB were taken", c.name, took>>20)
		}
		os.Remove(path)
	}
}
