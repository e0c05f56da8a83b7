package load

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/llenergymeasure/llem/internal/dataset"
)

func TestSyntheticPromptsAreExactDistinctAndDoNotDependOnTheOthers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		low := rapid.IntRange(0, 300).Draw(t, "low")
		high := low + rapid.IntRange(20, 32000).Draw(t, "vocabulary")
		o := SyntheticOptions{
			N: rapid.IntRange(1, 60).Draw(t, "n"), InputTokens: rapid.IntRange(8, 100).Draw(t, "input"),
			OutputTokens: rapid.IntRange(1, 9).Draw(t, "output"), Seed: rapid.Int64().Draw(t, "seed"),
			Vocabulary: Bytes(low, high, false),
		}
		reqs, err := Synthetic(o)
		if err != nil {
			t.Fatal(err)
		}
		warm := o
		warm.Warmup, warm.First = true, rapid.IntRange(0, 50).Draw(t, "first")
		others, err := Synthetic(warm)
		if err != nil {
			t.Fatal(err)
		}
		starts := map[string]bool{}
		for _, r := range append(reqs, others...) {
			if len(r.Tokens) != o.InputTokens || r.InputTokens != o.InputTokens || r.MaxOutputTokens != o.OutputTokens {
				t.Fatalf("request %d: %d tokens in, %d out", r.ID, len(r.Tokens), r.MaxOutputTokens)
			}
			for _, id := range r.Tokens {
				if id < low || id >= high {
					t.Fatalf("token %d is not in [%d, %d)", id, low, high)
				}
			}
			start := fmt.Sprint(r.Tokens[:8])
			if starts[start] {
				t.Fatalf("two prompts begin with %s", start)
			}
			starts[start] = true
		}
		more := o
		more.N = o.N + rapid.IntRange(1, 500).Draw(t, "more")
		again, err := Synthetic(more)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(reqs, again[:o.N], cmpopts.IgnoreUnexported(Request{})); diff != "" {
			t.Fatalf("more prompts changed the first ones:\n%s", diff)
		}
	})
}

func TestSyntheticTextIsItsTokens(t *testing.T) {
	reqs, err := Synthetic(SyntheticOptions{N: 3, InputTokens: 20, OutputTokens: 1, Seed: 1, Vocabulary: Bytes(97, 123, true)})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range reqs {
		if len(r.Prompt) != 20 || int(r.Prompt[7]) != r.Tokens[7] || strings.Trim(r.Prompt, "abcdefghijklmnopqrstuvwxyz") != "" {
			t.Errorf("text %q of tokens %v", r.Prompt, r.Tokens)
		}
	}
}

func TestSyntheticPromptsBeginAsTheTokenizerWould(t *testing.T) {
	v := Vocabulary{IDs: []int{10, 11, 12}, Texts: []string{" ten", " eleven", " twelve"}, Head: []int{1}, Trim: true}
	reqs, err := Synthetic(SyntheticOptions{N: 5, InputTokens: 12, OutputTokens: 1, Vocabulary: v})
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]int{"ten": 10, "eleven": 11, "twelve": 12}
	for _, r := range reqs {
		if len(r.Tokens) != 12 || r.Tokens[0] != 1 {
			t.Errorf("tokens %v, want 12 that begin with 1", r.Tokens)
		}
		var read []int
		for w := range strings.SplitSeq(r.Prompt, " ") {
			read = append(read, names[w])
		}
		if diff := cmp.Diff(r.Tokens[1:], read); diff != "" {
			t.Errorf("the text %q reads otherwise than its tokens:\n%s", r.Prompt, diff)
		}
	}
}

func TestSyntheticPromptsThatCannotBe(t *testing.T) {
	for says, o := range map[string]SyntheticOptions{
		"vocabulary":                  {N: 1, InputTokens: 10},
		"workload.max_input_tokens 1": {N: 100, InputTokens: 1, Vocabulary: Bytes(0, 100, false)},
	} {
		if _, err := Synthetic(o); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("error %v, want one that says %q", err, says)
		}
	}
}

func TestChecksumIsOfWhatIsSent(t *testing.T) {
	o := SyntheticOptions{N: 4, InputTokens: 20, OutputTokens: 5, Seed: 1, Vocabulary: Bytes(32, 127, false)}
	sum := func(o SyntheticOptions) string {
		reqs, err := Synthetic(o)
		if err != nil {
			t.Fatal(err)
		}
		return Checksum(slices.Values(reqs))
	}
	base := sum(o)
	if base != sum(o) || !strings.HasPrefix(base, "sha256:") || len(base) != 7+64 {
		t.Errorf("checksums %s and %s of the same prompts", base, sum(o))
	}
	for name, change := range map[string]func(*SyntheticOptions){
		"seed": func(o *SyntheticOptions) { o.Seed++ }, "n": func(o *SyntheticOptions) { o.N++ },
		"input": func(o *SyntheticOptions) { o.InputTokens++ }, "output": func(o *SyntheticOptions) { o.OutputTokens++ },
		"warmup": func(o *SyntheticOptions) { o.Warmup = true },
	} {
		other := o
		change(&other)
		if sum(other) == base {
			t.Errorf("another %s has the same checksum", name)
		}
	}
}

func TestDistinctPromptsAreLikeTheirsButNeverTheSame(t *testing.T) {
	reqs := []Request{{Prompt: "one", MaxOutputTokens: 4}, {Prompt: "two", MaxOutputTokens: 8}}
	seen := map[string]bool{"one": true, "two": true}
	for i := range 3 {
		for k, r := range Distinct(reqs, i*2, 2) {
			if seen[r.Prompt] || !strings.HasSuffix(r.Prompt, reqs[k].Prompt) || r.MaxOutputTokens != reqs[k].MaxOutputTokens {
				t.Errorf("warmup prompt %q", r.Prompt)
			}
			seen[r.Prompt] = true
		}
	}
	if reqs[0].Prompt != "one" {
		t.Error("the measured prompts were changed")
	}
}

// Whatever the file holds, and also where it holds what a warmup would send.
func TestDistinctIsDisjointFromAnyPrompts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		texts := rapid.SliceOfN(rapid.StringMatching(`_?(\([0-3]\) )?[ab]`), 1, 9).Draw(t, "prompts")
		var reqs []Request
		seen := map[string]bool{}
		for _, text := range texts {
			reqs = append(reqs, Request{Prompt: text, Tokens: []int{1}, InputTokens: 1})
			seen[text] = true
		}
		for _, r := range append(Distinct(reqs, 0, 5), Distinct(reqs, 5, 5)...) {
			if seen[r.Prompt] || r.Tokens != nil || r.InputTokens != 0 {
				t.Fatalf("%+v was sent before", r)
			}
			seen[r.Prompt] = true
		}
	})
}

func promptsFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "prompts.jsonl")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestReadPromptsTakesEachKeyAndPassesBlankLines(t *testing.T) {
	path := promptsFile(t, "\ufeff"+`{"prompt":"a","output":"not this"}
{"text":"b"}

{"instruction":"c","input":""}
{"instruction":"d","input":"below"}
   {"input":"e"}
{"question":"f","answer":1}`)
	reqs, file, err := ReadPrompts(PromptsOptions{File: dataset.Options{Path: path}, N: 6, OutputTokens: 3})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i, r := range reqs {
		got = append(got, r.Prompt)
		if r.ID != i || r.MaxOutputTokens != 3 || r.Hash == "" || r.Tokens != nil {
			t.Errorf("request %+v", r)
		}
	}
	if diff := cmp.Diff([]string{"a", "b", "c", "d\n\nbelow", "e", "f"}, got); diff != "" {
		t.Error(diff)
	}
	if len(file.Digest) != 64 || len(file.LeftOut) != 0 {
		t.Errorf("%+v", file)
	}
}

func TestReadPromptsShufflesByItsSeed(t *testing.T) {
	var text strings.Builder
	for i := range 50 {
		fmt.Fprintf(&text, "{\"prompt\": \"%d\"}\n", i)
	}
	path := promptsFile(t, text.String())
	order := func(shuffle bool, seed int64) string {
		reqs, _, err := ReadPrompts(PromptsOptions{File: dataset.Options{Path: path}, N: 50, Shuffle: shuffle, Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		var s strings.Builder
		for _, r := range reqs {
			s.WriteString(r.Prompt + " ")
		}
		return s.String()
	}
	if first, again := order(true, 1), order(true, 1); first != again || first == order(true, 2) || first == order(false, 1) {
		t.Error("the order is not the seed's")
	}
}

func TestReadPromptsNamesTheLineThatIsBad(t *testing.T) {
	good := strings.Repeat(`{"prompt":"a"}`+"\n", 499) // one of them is sent
	for _, c := range []struct{ name, text, says string }{
		{"broken", good + `{"prompt":"a`, "prompts.jsonl:500: not a JSON object"},
		{"no object", good + "17\n", ":500: not a JSON object"},
		{"no key", good + `{"answer":"a"}`, ":500: none of the keys prompt"},
		{"an array", good + `["a"]`, ":500: not a JSON object"},
		{"no text", good + `{"prompt":["a"]}`, `:500: "prompt" is not a string`},
		{"only empty", `{"prompt":" "}`, "holds no prompt beside 1 empty, which are left out"},
		{"too few that differ", good, "holds 1 prompts beside 498 repeated, which are left out, workload.prompts asks for 2: set workload.prompts: 1"},
		{"images", good + `{"prompt":"what is it","images":["a"]}`, `:500: it has "images", and images are not in this version of llem`},
		{"several turns", good + `{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"c"}]}`, "conversations of several turns"},
		{"another's message", good + `{"messages":[{"role":"developer","content":"a"},{"role":"user","content":"b"}]}`, `"messages" has a turn of "developer" before the user's`},
		{"parts of content", good + `{"messages":[{"role":"user","content":[{"type":"image_url"}]}]}`, `"content" of a message in "messages" is not a string, and images are not`},
		{"no turns", good + `{"conversations":"a"}`, `:500: "conversations" is no list of turns`},
		{"not UTF-8", good + "{\"prompt\":\"\xff\"}", ":500: it is not UTF-8"},
		{"huge", good + `{"prompt":"` + strings.Repeat("x", dataset.MaxPrompt+1) + `"}`, ":500: the prompt is over 10 MiB"},
		{"empty", "", "holds no prompt"},
		{"blank", "\n\n", "holds no prompt"},
		{"too few", `{"prompt":"a"}`, "holds 1 prompts, workload.prompts asks for 2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := ReadPrompts(PromptsOptions{File: dataset.Options{Path: promptsFile(t, c.text)}, N: 2})
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %.300v, want one that says %q", err, c.says)
			}
		})
	}
}

func TestReadPromptsRefusesAFileOfNoPrompt(t *testing.T) {
	for name, text := range map[string]string{"p.csv": "", "p.json": "[]"} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := ReadPrompts(PromptsOptions{File: dataset.Options{Path: path}, N: 1}); err == nil || !strings.Contains(err.Error(), name+" holds no prompt") {
			t.Errorf("%s: error %v, want one that says it holds no prompt", name, err)
		}
	}
}

func TestReadPromptsReadsFilesOnly(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "folder.jsonl")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	pipe := filepath.Join(t.TempDir(), "pipe.jsonl") // which nobody writes to
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, says := range map[string]string{dir: "not a regular file", pipe: "not a regular file", filepath.Join(t.TempDir(), "none.jsonl"): "no such file"} {
		if _, _, err := ReadPrompts(PromptsOptions{File: dataset.Options{Path: path}, N: 1}); err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "workload.source") {
			t.Errorf("%s: error %v, want one that says %q", path, err, says)
		}
	}
}

func TestReadPromptsTakesLongLinesAndCRLF(t *testing.T) {
	long := strings.Repeat("x", dataset.MaxPrompt-100)
	reqs, _, err := ReadPrompts(PromptsOptions{File: dataset.Options{Path: promptsFile(t, `{"prompt":"`+long+"\"}\r\n\r\n{\"prompt\":\"b\\r\"}\r\n")}, N: 2})
	if err != nil || len(reqs) != 2 || reqs[0].Prompt != long || reqs[1].Prompt != "b\r" {
		t.Errorf("%d prompts, %v", len(reqs), err)
	}
}
