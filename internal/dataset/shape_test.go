package dataset

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// Text beside the prompt is sent by a template that is stated, and what is not sent is
// named.
func TestWhatIsBesideThePromptIsSentOrNamed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		file             string
		text             string
		column, template string
		want, stated     string
		notSent          []string
	}{
		"question and context (SQuAD)":   {"a.jsonl", `{"id":"1","title":"Rome","context":"A long passage.","question":"Who?","answers":{"text":["x"],"answer_start":[1]}}`, "", "", "A long passage.\n\nWho?", "{context}\n\n{question}", []string{"answers", "id", "title"}},
		"input and context":              {"a.jsonl", `{"input":"Who?","context":"three thousand words"}`, "", "", "three thousand words\n\nWho?", "{context}\n\n{input}", nil},
		"Alpaca":                         {"a.jsonl", `{"instruction":"Translate.","input":"Haus","output":"house"}`, "", "", "Translate.\n\nHaus", "{instruction}\n\n{input}", []string{"output"}},
		"Alpaca, with all of it again":   {"a.jsonl", `{"instruction":"Translate.","input":"Haus","output":"house","text":"Below is an instruction. Translate. Haus. Response: house"}`, "", "", "Translate.\n\nHaus", "{instruction}\n\n{input}", []string{"output", "text"}},
		"Dolly":                          {"a.jsonl", `{"instruction":"Sum up.","context":"A text.","response":"r","category":"summary"}`, "", "", "Sum up.\n\nA text.", "{instruction}\n\n{context}", []string{"category", "response"}},
		"OpenOrca":                       {"a.jsonl", `{"id":"niv.1","system_prompt":"You are kind.","question":"Why?","response":"so"}`, "", "", "You are kind.\n\nWhy?", "{system_prompt}\n\n{question}", []string{"id", "response"}},
		"MMLU":                           {"a.jsonl", `{"question":"2+2?","subject":"maths","choices":["3","4"],"answer":1}`, "", "", "2+2?\n\nA. 3\nB. 4", "{question}\n\n{choices}", []string{"answer", "subject"}},
		"BoolQ":                          {"a.jsonl", `{"passage":"P.","question":"is it","answer":true}`, "", "", "P.\n\nis it", "{passage}\n\n{question}", []string{"answer"}},
		"documents and a hint":           {"a.jsonl", `{"question":"q?","documents":["d1","d2"],"hint":"h"}`, "", "", "d1\n\nd2\n\nq?\n\nh", "{documents}\n\n{question}\n\n{hint}", nil},
		"a system and an empty input":    {"a.jsonl", `{"system":"s","instruction":"i","input":""}`, "", "", "s\n\ni", "{system}\n\n{instruction}", nil},
		"GSM8K in CSV":                   {"a.csv", "question,answer,tokens,split\nWhy?,\"so, #### 5\",128,train\n", "", "", "Why?", "{question}", []string{"answer", "split", "tokens"}},
		"context in CSV":                 {"a.csv", "question,context\nWhy?,Because.\n", "", "", "Because.\n\nWhy?", "{context}\n\n{question}", nil},
		"conversations with role":        {"a.jsonl", `{"conversations":[{"role":"system","content":"s"},{"role":"user","content":"u"},{"role":"assistant","content":"a"},{"role":"user","content":"later"}]}`, "", "", "s\n\nu", "{conversations}", []string{"1 later turns of conversations"}},
		"a conversation (LMSYS)":         {"a.jsonl", `{"conversation_id":"c","model":"m","conversation":[{"role":"user","content":"u"},{"role":"assistant","content":"a"}],"turn":1,"language":"English","openai_moderation":[{"flagged":false,"categories":{"hate":false}}],"redacted":false}`, "", "", "u", "{conversation}", []string{"conversation_id", "language", "model", "openai_moderation", "redacted", "turn"}},
		"a system beside conversations":  {"a.jsonl", `{"system":"s","conversations":[{"from":"human","value":"u"},{"from":"gpt","value":"a"}]}`, "", "", "s\n\nu", "{system}\n\n{conversations}", nil},
		"messages with a system":         {"a.jsonl", `{"messages":[{"role":"system","content":"s"},{"role":"user","content":"u"},{"role":"assistant","content":"a"}]}`, "", "", "s\n\nu", "{messages}", nil},
		"one column alone":               {"a.jsonl", `{"prompt":"p","notes":"n","facts":["f"]}`, "prompt", "", "p", "{prompt}", []string{"facts", "notes"}},
		"the user's template":            {"a.jsonl", `{"article":"long","year":1999,"lead":"","highlights":"h"}`, "", "Of {year}:\n\n{lead}\n\nSum up {{briefly}}: {article}", "Of 1999:\n\nSum up {briefly}: long", "Of {year}:\n\n{lead}\n\nSum up {{briefly}}: {article}", []string{"highlights"}},
		"other letters' case":            {"a.jsonl", `{"Question":"q","Context":"c"}`, "", "", "c\n\nq", "{Context}\n\n{Question}", nil},
		"unknown columns without values": {"a.jsonl", `{"prompt":"p","notes":null,"facts":[],"more":""}`, "", "", "p", "{prompt}", nil},
	} {
		got, file, err := read(Options{Path: dataset(t, c.file, c.text), Column: c.column, Template: c.template})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff([]any{c.want, c.stated, c.notSent}, []any{got[0], file.Template, file.NotSent}); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
}

// Text that no name says anything of is never dropped without a word: the error names it,
// and the keys by which one says what is sent.
func TestTextOfUnknownColumnsIsRefused(t *testing.T) {
	t.Parallel()
	words := strings.Repeat("word ", 3000)
	for name, c := range map[string]struct{ file, text, says string }{
		"a column that nobody knows": {"a.jsonl", `{"prompt":"p","background":"` + words + `"}`, `a.jsonl:1: "prompt" would be sent without "background", which has 15000 bytes of text too: say what is sent by workload.template, such as "{background}\n\n{prompt}", or workload.column: prompt; it has background, prompt`},
		"in a later row":             {"a.jsonl", `{"prompt":"p"}` + "\n" + `{"prompt":"q","persona":"a poet"}`, `a.jsonl:2: "prompt" would be sent without "persona"`},
		"two prompts":                {"a.jsonl", `{"input":"a b","question":"c d"}`, `"input" would be sent without "question"`},
		"a long source":              {"a.jsonl", `{"question":"q","source":"` + words + `"}`, `"question" would be sent without "source", which has 15000 bytes`},
		"an object":                  {"a.jsonl", `{"question":"q","table":{"rows":["x"]}}`, `"question" would be sent without "table"`},
		"a list":                     {"a.jsonl", `{"question":"q","facts":["x y"]}`, `"question" would be sent without "facts"`},
		"a conversation beside":      {"a.jsonl", `{"prompt":"q","messages":[{"role":"user","content":"x y"}]}`, `"prompt" would be sent without "messages"`},
		"a context of objects":       {"a.jsonl", `{"question":"q","context":{"title":["t"],"sentences":[["s"]]}}`, `"context" is not a string: it is an object`},
		"in CSV":                     {"a.csv", "prompt,persona\np,\nq,a poet\n", `a.csv:3: "prompt" would be sent without "persona"`},
		"in Parquet":                 {"p.parquet", "", `p.parquet, row 2: "Prompt" would be sent without "Persona", which has 6 bytes`},
		"no prompt":                  {"a.jsonl", `{"chosen":"a","rejected":"b"}`, "it has chosen, rejected"},
		"another's turn":             {"a.jsonl", `{"conversations":[{"from":"context","value":"c"},{"from":"human","value":"u"}]}`, `has a turn of "context" before the user's`},
		"turns of nobody":            {"a.jsonl", `{"conversations":[{"text":"c"}]}`, `"conversations" is no list of turns with role and content, or from and value`},
		"an image":                   {"a.jsonl", `{"question":"q","image":{"path":"a.png"}}`, `it has "image", and images are not`},
		"a list of prompts":          {"a.jsonl", `{"prompt":["a","b"]}`, `"prompt" is not a string: it is a list of strings`},
		"a number":                   {"a.jsonl", `{"prompt":5}`, `"prompt" is not a string: it is a number`},
	} {
		path := dataset(t, c.file, c.text)
		if c.text == "" {
			path = personas(t)
		}
		_, _, err := read(Options{Path: path})
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %.500v\nwant %s", name, err, c.says)
		}
	}
	for from, says := range map[string]string{"no column": "names no column", "{a": "write a column as {name}", "a}": "write a column as {name}", "{}": "write a column as {name}", "{b}": `it has no "b" (workload.template); it has a`} {
		if _, _, err := read(Options{Path: dataset(t, "a.jsonl", `{"a":"x"}`), Template: from}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", from, err, says)
		}
	}
}

// Lists and conversations of Parquet files are read as those of JSON.
func TestParquetListsAreSent(t *testing.T) {
	t.Parallel()
	type said struct {
		Role    string `parquet:"role"`
		Content string `parquet:"content"`
	}
	type quiz struct {
		Question string   `parquet:"question"`
		Choices  []string `parquet:"choices,list"`
		Answer   int64    `parquet:"answer"`
		Subject  string   `parquet:"subject"`
	}
	type talk struct {
		ID       string `parquet:"id"`
		Messages []said `parquet:"messages,list"`
	}
	for want, path := range map[string]string{
		"q0\n\nA. a\nB. b|q1\n\nA. c|q2": parquetOf(t, quiz{"q0", []string{"a", "b"}, 1, "s"}, quiz{"q1", []string{"c"}, 0, "s"}, quiz{"q2", nil, 0, "s"}),
		"s\n\nu|v":                       parquetOf(t, talk{"1", []said{{"system", "s"}, {"user", "u"}, {"assistant", "a"}}}, talk{"2", []said{{"user", "v"}}}),
	} {
		got, _, err := read(Options{Path: path})
		if all := strings.Join(got, "|"); err != nil || all != want {
			t.Errorf("got %q, %v\nwant %q", all, err, want)
		}
	}
}

// personas is a Parquet file with a column of text that is unknown, and empty at first.
func personas(t *testing.T) string {
	type row struct{ Prompt, Persona string }
	return parquetOf(t, row{"a b", ""}, row{"c d", "a poet"})
}

// The rows of any number of lines give one template, which has all that was sent.
func TestTheTemplateHasAllThatWasSent(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	for i := range 5 {
		fmt.Fprintf(&text, `{"instruction":"i%d"}`+"\n"+`{"instruction":"i%d","input":"x","system":"s%d"}`+"\n"+`{"prompt":"p%d"}`+"\n", i, i, i, i)
	}
	_, file, err := read(Options{Path: dataset(t, "a.jsonl", text.String())})
	if want := "{system}\n\n{instruction}\n\n{input} or {prompt}"; err != nil || file.Template != want {
		t.Errorf("%q, %v", file.Template, err)
	}
}

func FuzzPromptLine(f *testing.F) {
	f.Add([]byte(`{"instruction":"a","input":"b"}`))
	f.Add([]byte(`{"prompt":"\ud800"}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		r, err := objectRow(line)
		if err != nil {
			return
		}
		s, _ := newShape("", "")
		text, err := s.prompt(r)
		if err != nil && text != "" || !utf8.ValidString(text) {
			t.Errorf("%q: prompt %q, error %v", line, text, err)
		}
	})
}
