package study

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// traceFile writes a trace and returns its path.
func traceFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// The first lines of the published traces, as they stand there.
func TestTracesAreRead(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		file, text string
		want       []Arrival
	}{
		"Mooncake": {"a.jsonl", `{"timestamp": 27482, "input_length": 6955, "output_length": 52, "hash_ids": [46, 47, 2353]}` + "\n" +
			`{"timestamp": 30535, "input_length": 6472, "output_length": 26, "hash_ids": [46, 47]}` + "\n", []Arrival{{0, 6955, 52, 1}, {3053 * time.Millisecond, 6472, 26, 2}}},
		"Azure 2023": {"a.csv", "TIMESTAMP,ContextTokens,GeneratedTokens\r\n2023-11-16 18:17:03.9799600,4808,10\r\n2023-11-16 18:17:04.0319600,3180,8\r\n",
			[]Arrival{{0, 4808, 10, 2}, {52 * time.Millisecond, 3180, 8, 3}}},
		"Azure 2024": {"a.csv", "TIMESTAMP,ContextTokens,GeneratedTokens\n2024-05-10 00:00:00.009930+00:00,2162,5\n2024-05-10 00:00:00.017335+00:00,2399,6\n",
			[]Arrival{{0, 2162, 5, 2}, {7405 * time.Microsecond, 2399, 6, 3}}},
		"a mark of byte order, blank lines, equal times, no last newline": {"a.jsonl", "\uFEFF" + `{"timestamp":0.5,"input_length":1,"output_length":1}` + "\r\n\n" + `{"timestamp":0.5,"input_length":2,"output_length":3}`,
			[]Arrival{{0, 1, 1, 1}, {0, 2, 3, 3}}},
	} {
		path := traceFile(t, c.file, c.text)
		got, err := ReadTrace(path)
		sum := sha256.Sum256([]byte(c.text))
		if diff := cmp.Diff(Trace{path, hex.EncodeToString(sum[:]), c.want}, got); err != nil || diff != "" {
			t.Errorf("%s: %v, -want +got:\n%s", name, err, diff)
		}
	}
}

func TestTracesThatCannotBe(t *testing.T) {
	t.Parallel()
	const line, header = `{"timestamp":5,"input_length":1,"output_length":1}` + "\n", "TIMESTAMP,ContextTokens,GeneratedTokens\n"
	const row = "2023-11-16 18:17:03.9799600,4808,10\n"
	for name, c := range map[string]struct{ file, text, want string }{
		"empty":               {"a.jsonl", "", "a.jsonl holds no request"},
		"blank lines":         {"a.jsonl", "\n\n", "a.jsonl holds no request"},
		"a header alone":      {"a.csv", header, "a.csv holds no request"},
		"not sorted":          {"a.jsonl", line + "\n" + `{"timestamp":3,"input_length":1,"output_length":1}`, "a.jsonl:3: it comes 2ms before the request of line 1: sort the file by time"},
		"rows not sorted":     {"a.csv", header + row + "2023-11-16 18:17:02.9799600,1,1\n", "a.csv:3: it comes 1s before the request of line 2"},
		"no JSON":             {"a.jsonl", line + "5,1,1\n", "a.jsonl:2: not an object of a trace"},
		"a field is missing":  {"a.jsonl", `{"timestamp":5,"input_length":1}`, "a.jsonl:1: a line of a trace has timestamp (milliseconds), input_length and output_length"},
		"a broken length":     {"a.jsonl", `{"timestamp":5,"input_length":1.5,"output_length":1}`, "a.jsonl:1: not an object of a trace"},
		"an endless time":     {"a.jsonl", `{"timestamp":1e300,"input_length":1,"output_length":1}`, "a.jsonl:1: timestamp 1e+300 is no number of milliseconds"},
		"no prompt":           {"a.jsonl", `{"timestamp":5,"input_length":0,"output_length":1}`, "a.jsonl:1: a prompt of 0 tokens: it has 1 to 10000000"},
		"no answer":           {"a.csv", header + "2023-11-16 18:17:03,7,0\n", "a.csv:2: an answer of 0 tokens"},
		"a huge prompt":       {"a.csv", header + "2023-11-16 18:17:03,70000000,1\n", "a.csv:2: a prompt of 70000000 tokens"},
		"not UTF-8":           {"a.jsonl", line + "{\"timestamp\":5,\"input_length\":1,\"output_length\":1,\"x\":\"\xff\"}\n", "a.jsonl:2: the line is not UTF-8"},
		"rows not UTF-8":      {"a.csv", header + "\xff,1,1\n", "a.csv:2: the line is not UTF-8"},
		"a long line":         {"a.jsonl", line + strings.Repeat("x", maxTraceLine+1), "a.jsonl:2: the line is over 1 MiB"},
		"other columns":       {"a.csv", "time,in,out\n" + row, `a.csv:1: the columns are "time,in,out", and a trace's are TIMESTAMP,ContextTokens,GeneratedTokens`},
		"no header":           {"a.csv", row, "a.csv:1: the columns are"},
		"too few columns":     {"a.csv", header + "2023-11-16 18:17:03,7\n", "a.csv:2: 2 columns, and a trace has 3"},
		"no time":             {"a.csv", header + "yesterday,7,7\n", `a.csv:2: TIMESTAMP "yesterday" is no time such as 2023-11-16`},
		"an ancient time":     {"a.csv", header + "0001-11-16 18:17:03,7,7\n", "is no time such as"},
		"a length of letters": {"a.csv", header + "2023-11-16 18:17:03,seven,7\n", `a.csv:2: ContextTokens "seven" is no number of tokens`},
		"another format":      {"a.parquet", "", "a.parquet is neither a .jsonl nor a .csv file"},
	} {
		_, err := ReadTrace(traceFile(t, c.file, c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "workload.load.file: ") {
			t.Errorf("%s: got %v\nwant %s", name, err, c.want)
		}
	}
	if _, err := ReadTrace(filepath.Join(t.TempDir(), "none.csv")); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("no file: %v", err)
	}
	folder := filepath.Join(t.TempDir(), "a.csv")
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadTrace(folder); err == nil || !strings.Contains(err.Error(), "is not a regular file") {
		t.Errorf("a folder: %v", err)
	}
}

func FuzzTrace(f *testing.F) {
	f.Add([]byte(`{"timestamp":5,"input_length":1,"output_length":1}`), true)
	f.Add([]byte("TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.9799600,4808,10\n"), false)
	f.Fuzz(func(t *testing.T, text []byte, lines bool) {
		format := traceFormats[map[bool]string{true: ".jsonl", false: ".csv"}[lines]]()
		var got Trace
		if got.lines(strings.NewReader(string(text)), format) != nil {
			return
		}
		for i, a := range got.Arrivals {
			if a.Input < 1 || a.Output < 1 || a.Due < 0 || i > 0 && a.Due < got.Arrivals[i-1].Due {
				t.Errorf("request %d: %+v", i, a)
			}
		}
	})
}

// A plan's time has the schedule of a trace in it, which is read once.
func TestAPlanKnowsHowLongATraceIs(t *testing.T) {
	t.Parallel()
	path := traceFile(t, "a.csv", "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:00:00,8,1\n2023-11-16 18:00:40,8,1\n2023-11-16 18:01:30,8,1\n")
	for text, want := range map[string]time.Duration{"prompts: 2": 40 * time.Second, "prompts: 3": 90 * time.Second, "prompts: 3, max_seconds: 90": 40 * time.Second} {
		s, err := DecodeStudy("s.yaml", []byte("model: a/b\ngpus: none\nworkload: {"+text+", load: {pattern: trace, max_in_flight: 4, file: "+path+"}}\nsweep: {seed: [1, 2]}\nexecution: {cycles: 1, gap_seconds: 0}\n"), Options{})
		if err != nil {
			t.Fatal(err)
		}
		p, err := s.Plan()
		if err != nil {
			t.Fatal(err)
		}
		if got := p.AtLeast() - 2*time.Minute; got != 2*want { // less two thermal floors
			t.Errorf("%s: %v, want %v", text, got, 2*want)
		}
	}
}
