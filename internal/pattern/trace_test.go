package pattern

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
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
		asked      string
		unit       string
		want       []Arrival
	}{
		"Mooncake": {"a.jsonl", `{"timestamp": 27482, "input_length": 6955, "output_length": 52, "hash_ids": [46, 47, 2353]}` + "\n" +
			`{"timestamp": 30535, "input_length": 6472, "output_length": 26, "hash_ids": [46, 47]}` + "\n", "ms", "ms", []Arrival{{0, 6955, 52, 1}, {3053 * time.Millisecond, 6472, 26, 2}}},
		"Azure 2023": {"a.csv", "TIMESTAMP,ContextTokens,GeneratedTokens\r\n2023-11-16 18:17:03.9799600,4808,10\r\n2023-11-16 18:17:04.0319600,3180,8\r\n", "", "dates",
			[]Arrival{{0, 4808, 10, 2}, {52 * time.Millisecond, 3180, 8, 3}}},
		"Azure 2024": {"a.csv", "TIMESTAMP,ContextTokens,GeneratedTokens\n2024-05-10 00:00:00.009930+00:00,2162,5\n2024-05-10 00:00:00.017335+00:00,2399,6\n", "", "dates",
			[]Arrival{{0, 2162, 5, 2}, {7405 * time.Microsecond, 2399, 6, 3}}},
		"a mark of byte order, blank lines, equal times, no last newline": {"a.jsonl", "\uFEFF" + `{"timestamp":0.5,"input_length":1,"output_length":1}` + "\r\n\n" + `{"timestamp":0.5,"input_length":2,"output_length":3}`, "", "",
			[]Arrival{{0, 1, 1, 1}, {0, 2, 3, 3}}},
		"Qwen-Bailian": {"a.jsonl", `{"chat_id": 159, "parent_chat_id": 55, "timestamp": 61.114, "input_length": 521, "output_length": 132, "type": "text", "turn": 2, "hash_ids": [1089]}` + "\n" + `{"chat_id": 160, "parent_chat_id": -1, "timestamp": 62.5, "input_length": 4, "output_length": 1}`,
			"", "s", []Arrival{{0, 521, 132, 1}, {1386 * time.Millisecond, 4, 1, 2}}},
		"vLLM's timed trace, GuideLLM": {"a.jsonl", `{"timestamp":0.0,"input_length":40,"output_length":8}` + "\n" + `{"timestamp":0.5,"input_length":40,"output_length":8}`, "s", "s", []Arrival{{0, 40, 8, 1}, {500 * time.Millisecond, 40, 8, 2}}},
		"fractions of milliseconds":    {"a.jsonl", `{"timestamp":0.0,"input_length":40,"output_length":8}` + "\n" + `{"timestamp":0.5,"input_length":40,"output_length":8}`, "ms", "ms", []Arrival{{0, 40, 8, 1}, {500 * time.Microsecond, 40, 8, 2}}},
		"seconds since 1970":           {"a.jsonl", `{"timestamp":1700000000.25,"input_length":4,"output_length":8}` + "\n" + `{"timestamp":1700000001.5,"input_length":4,"output_length":8}`, "", "s", []Arrival{{0, 4, 8, 1}, {1250 * time.Millisecond, 4, 8, 2}}},
		"milliseconds since 1970":      {"a.csv", "output_length,timestamp,input_length\n8,1700000000250,4\n8,1700000001500,4\n", "", "ms", []Arrival{{0, 4, 8, 2}, {1250 * time.Millisecond, 4, 8, 3}}},
		"BurstGPT": {"a.csv", "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n5,ChatGPT,472,18,490,Conversation log\n45,ChatGPT,1087,230,1317,Conversation log\n", "", "s",
			[]Arrival{{0, 472, 18, 2}, {40 * time.Second, 1087, 230, 3}}},
		"BurstGPT of its second release": {"a.csv", "Timestamp,Session ID,Elapsed time,Model,Request tokens,Response tokens,Total tokens,Log Type\n19440110.0,\"a,b\",43,GPT-4,906,446,1352,Conversation log\n19440161.5,,2,ChatGPT,36,29,65,Conversation log\n", "s", "s",
			[]Arrival{{0, 906, 446, 2}, {51500 * time.Millisecond, 36, 29, 3}}},
	} {
		path := traceFile(t, c.file, c.text)
		got, err := ReadTrace(Load{File: path, TimeUnit: c.asked})
		sum := sha256.Sum256([]byte(c.text))
		if diff := cmp.Diff(Trace{path, hex.EncodeToString(sum[:]), c.unit, c.want}, got); err != nil || diff != "" {
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
		"not sorted":          {"a.jsonl", line + "\n" + `{"timestamp":3,"input_length":1,"output_length":1}`, "a.jsonl:3: its time is before that of line 1: sort the file by time"},
		"rows not sorted":     {"a.csv", header + row + "2023-11-16 18:17:02.9799600,1,1\n", "a.csv:3: it comes 1s before the request of line 2"},
		"no JSON":             {"a.jsonl", line + "5,1,1\n", "a.jsonl:2: not an object of a trace"},
		"a field is missing":  {"a.jsonl", `{"timestamp":5,"input_length":1}`, "a.jsonl:1: a line of a trace has timestamp, input_length and output_length (tokens), and this one has input_length, timestamp"},
		"a broken length":     {"a.jsonl", `{"timestamp":5,"input_length":1.5,"output_length":1}`, "a.jsonl:1: not an object of a trace"},
		"an endless time":     {"a.jsonl", `{"timestamp":1e300,"input_length":1,"output_length":1}`, "a.jsonl:1: timestamp 1e+300 is no number of milliseconds"},
		"no prompt":           {"a.jsonl", `{"timestamp":5,"input_length":0,"output_length":1}`, "a.jsonl:1: a prompt of 0 tokens: it has 1 to 10000000"},
		"no answer":           {"a.csv", header + "2023-11-16 18:17:03,7,0\n", "a.csv:2: an answer of 0 tokens"},
		"a huge prompt":       {"a.csv", header + "2023-11-16 18:17:03,70000000,1\n", "a.csv:2: a prompt of 70000000 tokens"},
		"not UTF-8":           {"a.jsonl", line + "{\"timestamp\":5,\"input_length\":1,\"output_length\":1,\"x\":\"\xff\"}\n", "a.jsonl:2: the line is not UTF-8"},
		"rows not UTF-8":      {"a.csv", header + "\xff,1,1\n", "a.csv:2: the line is not UTF-8"},
		"a long line":         {"a.jsonl", line + strings.Repeat("x", maxTraceLine+1), "a.jsonl:2: the line is over 1 MiB"},
		"other columns":       {"a.csv", "time,in,out\n" + row, `a.csv:1: the columns are "time,in,out", and a trace's are TIMESTAMP,ContextTokens,GeneratedTokens, or Timestamp,Request tokens,Response tokens, or timestamp,input_length,output_length`},
		"no header":           {"a.csv", row, "a.csv:1: the columns are"},
		"too few columns":     {"a.csv", header + "2023-11-16 18:17:03,7\n", "a.csv:2: 2 columns, and the first line has 3"},
		"no time":             {"a.csv", header + "yesterday,7,7\n", `a.csv:2: TIMESTAMP "yesterday" is no time such as 2023-11-16`},
		"an ancient time":     {"a.csv", header + "0001-11-16 18:17:03,7,7\n", "is no time such as"},
		"a length of letters": {"a.csv", header + "2023-11-16 18:17:03,seven,7\n", `a.csv:2: ContextTokens "seven" is no number of tokens`},
		"another format":      {"a.parquet", "", "a.parquet is neither a .jsonl nor a .csv file"},
	} {
		_, err := ReadTrace(Load{File: traceFile(t, c.file, c.text)})
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "workload.load.file: ") {
			t.Errorf("%s: got %v\nwant %s", name, err, c.want)
		}
	}
	if _, err := ReadTrace(Load{File: filepath.Join(t.TempDir(), "none.csv")}); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("no file: %v", err)
	}
	folder := filepath.Join(t.TempDir(), "a.csv")
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadTrace(Load{File: folder}); err == nil || !strings.Contains(err.Error(), "is not a regular file") {
		t.Errorf("a folder: %v", err)
	}
}

// Numbers without a unit are never guessed: the error says what each guess would come to.
func TestTracesOfAnUnknownUnitAreRefused(t *testing.T) {
	t.Parallel()
	var hour strings.Builder
	for i := range 3601 {
		fmt.Fprintf(&hour, `{"timestamp": %d, "input_length": 5, "output_length": 5, "hash_ids": [1]}`+"\n", i)
	}
	const three = `{"timestamp":%s,"input_length":4,"output_length":8}` + "\n" + `{"timestamp":%s,"input_length":4,"output_length":8}`
	for name, c := range map[string]struct{ file, text, unit, want string }{
		"an hour, or 3.6 s":     {"a.jsonl", hour.String(), "", "do 3601 requests come within 3.6 s (milliseconds, as in Mooncake's traces) or within 60 min (seconds, as vLLM and GuideLLM read them)? Set workload.load.time_unit: ms, or s"},
		"fractions":             {"a.jsonl", fmt.Sprintf(three, "0.25", "19.75"), "", "within 0.0195 s (milliseconds, as in Mooncake's traces) or within 19.5 s"},
		"whole numbers":         {"a.jsonl", fmt.Sprintf(three, "27482", "30535"), "", "within 3.05 s (milliseconds, as in Mooncake's traces) or within 50.9 min"},
		"days":                  {"a.jsonl", fmt.Sprintf(three, "0", "1e7"), "", "within 2.78 h (milliseconds, as in Mooncake's traces) or within 116 days"},
		"in CSV":                {"a.csv", "timestamp,input_length,output_length\n0,1,1\n2,1,1\n", "", "within 0.002 s (milliseconds, as in Mooncake's traces) or within 2 s"},
		"dates have no unit":    {"a.csv", "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03,1,1\n", "ms", "TIMESTAMP is in dates, and workload.load.time_unit is ms: leave the key out"},
		"BurstGPT's are known":  {"a.csv", "Timestamp,Model,Request tokens,Response tokens\n5,x,1,1\n", "ms", "Timestamp is in seconds, and workload.load.time_unit is ms"},
		"BurstGPT's failures":   {"a.csv", "Timestamp,Model,Request tokens,Response tokens\n5,x,7,0\n", "", "a.csv:2: Response tokens is 0, as of requests that failed: take such lines out"},
		"seconds without end":   {"a.jsonl", fmt.Sprintf(three, "1", "1e10"), "s", "a.jsonl:2: timestamp 1e+10 is no number of seconds"},
		"a time that is a text": {"a.csv", "timestamp,input_length,output_length\nsoon,1,1\n", "s", `a.csv:2: timestamp "soon" is no number`},
		"keys of others":        {"a.jsonl", `{"arrival": 1, "prompt_tokens": 4}`, "", "and this one has arrival, prompt_tokens"},
	} {
		_, err := ReadTrace(Load{File: traceFile(t, c.file, c.text), TimeUnit: c.unit})
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "workload.load.file: ") {
			t.Errorf("%s: got %v\nwant %s", name, err, c.want)
		}
	}
}

func FuzzTrace(f *testing.F) {
	f.Add([]byte(`{"timestamp":5,"input_length":1,"output_length":1}`), true)
	f.Add([]byte("TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.9799600,4808,10\n"), false)
	f.Fuzz(func(t *testing.T, text []byte, lines bool) {
		format := traceFormats[map[bool]string{true: ".jsonl", false: ".csv"}[lines]]("")
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
