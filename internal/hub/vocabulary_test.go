package hub

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The truth of each is what the libraries tokenizers and sentencepiece make of
// every word: testdata/tokenizers/make.py.
func TestVocabularyHoldsTheWordsThatStayWhole(t *testing.T) {
	for _, tc := range []struct {
		path, truth string
		want        Vocabulary
	}{
		{"gpt2", "gpt2/truth.json", Vocabulary{BOS: -1, LeadingSpace: true, Size: 800, EOS: []int{0}}},
		{"llama3", "llama3/truth.json", Vocabulary{BOS: 0, Added: 1, LeadingSpace: true, Size: 800, EOS: []int{1}}},
		{"llama2", "llama2/truth.json", Vocabulary{BOS: 1, Added: 1, Size: 800, EOS: []int{2}}},
		{"unigram", "unigram/truth.json", Vocabulary{BOS: -1, Added: 1, Size: 700, EOS: []int{1}}},
		{"gpt2/vocab.gguf", "gpt2/truth.json", Vocabulary{BOS: -1, LeadingSpace: true, Size: 800, EOS: []int{0}}},
		{"llama2/vocab.gguf", "llama2/truth_gguf.json", Vocabulary{BOS: 1, Added: 1, Size: 800, EOS: []int{2}}},
	} {
		t.Run(tc.path, func(t *testing.T) {
			path := filepath.Join("testdata", "tokenizers", tc.path)
			v, err := Model{Path: path}.Vocabulary()
			if err != nil {
				t.Fatal(err)
			}
			var want, got []int
			data, err := os.ReadFile(filepath.Join("testdata", "tokenizers", tc.truth))
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(data, &want); err != nil {
				t.Fatal(err)
			}
			for _, w := range v.Words {
				got = append(got, w.ID)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("words (-library +got):\n%s", diff)
			}
			v.Words, v.Source = nil, ""
			if diff := cmp.Diff(tc.want, v); diff != "" {
				t.Errorf("vocabulary (-want +got):\n%s", diff)
			}
		})
	}
}

// folder is a model's folder with a tokenizer.json whose vocabulary has enough
// words, each of which its merges make; edit changes it.
func folder(t *testing.T, edit func(map[string]any)) string {
	t.Helper()
	vocab, merges := map[string]int{}, []string{}
	for _, s := range strings.Split("Ġabcdefghijklmnopqrstuvwxyz", "") {
		vocab[s] = len(vocab)
	}
	for i := range 150 {
		a, b := string(rune('a'+i%26)), string(rune('a'+i/26))
		merges = append(merges, "Ġ "+a, "Ġ"+a+" "+b)
		vocab["Ġ"+a] = len(vocab)
		vocab["Ġ"+a+b] = len(vocab)
	}
	doc := map[string]any{
		"pre_tokenizer": map[string]any{"type": "ByteLevel", "add_prefix_space": false},
		"model":         map[string]any{"type": "BPE", "vocab": vocab, "merges": merges},
	}
	edit(doc)
	data, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "tokenizer.json"), data)
	return dir
}

func words(t *testing.T, dir string) map[string]int {
	t.Helper()
	v, err := Model{Path: dir}.Vocabulary()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]int{}
	for _, w := range v.Words {
		out[w.Text] = w.ID
	}
	return out
}

func TestVocabularyLeavesOutWhatDoesNotStayOneToken(t *testing.T) {
	dir := folder(t, func(doc map[string]any) {
		vocab := doc["model"].(map[string]any)["vocab"].(map[string]int)
		vocab["Ġzzz"], vocab["Ġspecial"], vocab["ĠcamelCase"], vocab["ab"], vocab["Ġx"] = 900, 901, 902, 903, 904
		doc["added_tokens"] = []map[string]any{{"id": 901, "content": "Ġspecial"}, {"id": 905, "content": "qq"}, {"id": 906, "content": "<|end|>"}}
	})
	got := words(t, dir)
	for _, w := range []string{" zzz", " special", " camelCase", "ab", " x"} {
		if id, ok := got[w]; ok {
			t.Errorf("%q (%d) is among the words", w, id)
		}
	}
	if _, ok := got[" ab"]; !ok || len(got) < minWords {
		t.Errorf("%d words, and %q among them is %v", len(got), " ab", ok)
	}
}

func TestAnAddedTokenWithinWordsTakesThemOut(t *testing.T) {
	dir := folder(t, func(doc map[string]any) {
		doc["added_tokens"] = []map[string]any{{"id": 905, "content": "cb"}}
	})
	got := words(t, dir)
	if _, ok := got[" cb"]; ok {
		t.Error("a word that holds an added token is among the words")
	}
}

// Without a pre-tokenizer that tells words apart, "Ġab" and "Ġcd" could meet.
func TestWordsThatCouldBeGluedToTheNextAreLeftOut(t *testing.T) {
	dir := folder(t, func(doc map[string]any) {
		doc["normalizer"] = map[string]any{"type": "Replace", "pattern": map[string]string{"String": " "}, "content": "Ġ"}
		delete(doc, "pre_tokenizer")
		doc["model"].(map[string]any)["vocab"].(map[string]int)["bĠ"] = 900
	})
	got := words(t, dir)
	if _, ok := got[" ab"]; ok {
		t.Error("a word whose last letter is glued to a space is among the words")
	}
	if _, ok := got[" ac"]; !ok {
		t.Error("a word that nothing is glued to is not among the words")
	}
}

func TestTokenizerConfigOverridesTheTemplatesBOS(t *testing.T) {
	for added, want := range map[string]Vocabulary{
		`{}`:                       {BOS: 7, Added: 1},
		`{"add_bos_token": false}`: {BOS: -1},
		`{"add_bos_token": true, "bos_token": "<o>"}`: {BOS: 7, Added: 1},
		`{"add_bos_token": null}`:                     {BOS: 7, Added: 1},
	} {
		dir := folder(t, func(doc map[string]any) {
			doc["added_tokens"] = []map[string]any{{"id": 7, "content": "<s>"}, {"id": 8, "content": "<o>"}}
			doc["post_processor"] = map[string]any{
				"type": "TemplateProcessing", "special_tokens": map[string]any{"<s>": map[string]any{"ids": []int{7}}},
				"single": []any{map[string]any{"SpecialToken": map[string]string{"id": "<s>"}}, map[string]any{"Sequence": map[string]string{"id": "A"}}},
			}
		})
		write(t, filepath.Join(dir, "tokenizer_config.json"), []byte(added))
		v, err := Model{Path: dir}.Vocabulary()
		if err != nil || v.BOS != want.BOS || v.Added != want.Added {
			t.Errorf("%s: BOS %d, added %d, %v; want %d, %d", added, v.BOS, v.Added, err, want.BOS, want.Added)
		}
	}
}

func TestEOSFromEveryFileThatNamesIt(t *testing.T) {
	dir := folder(t, func(map[string]any) {})
	write(t, filepath.Join(dir, "generation_config.json"), []byte(`{"eos_token_id":[5,3]}`))
	write(t, filepath.Join(dir, "config.json"), []byte(`{"eos_token_id":3}`))
	v, err := Model{Path: dir}.Vocabulary()
	if err != nil || fmt.Sprint(v.EOS) != "[3 5]" {
		t.Errorf("EOS = %v, %v; want [3 5]", v.EOS, err)
	}
}

func TestVocabularyErrors(t *testing.T) {
	model := func(key string, value any) func(map[string]any) {
		return func(doc map[string]any) { doc["model"].(map[string]any)[key] = value }
	}
	for _, tc := range []struct {
		name string
		edit func(map[string]any)
		want string
	}{
		{"kind", model("type", "WordPiece"), "its model is WordPiece"},
		{"suffix", model("end_of_word_suffix", "</w>"), "marks word parts"},
		{"merges", model("merges", []string{"abc"}), "merge 0 is not two texts"},
		{"few", model("vocab", map[string]int{"Ġab": 1}), "has 0 tokens that are a word each, and 100 are needed"},
		{"vocab", model("vocab", 5), "its vocabulary"},
		{"pre-tokenizer", func(doc map[string]any) { doc["pre_tokenizer"] = map[string]any{"type": "Split3"} }, "pre-tokenizer Split3 is not known"},
		{"normalizer", func(doc map[string]any) { doc["normalizer"] = map[string]any{"type": "Rot13"} }, "normalizer Rot13 is not known"},
		{"no spaces", func(doc map[string]any) { doc["pre_tokenizer"] = map[string]any{"type": "WhitespaceSplit"} }, "keeps no space before them"},
		{"pattern", func(doc map[string]any) {
			doc["pre_tokenizer"] = map[string]any{"type": "Split", "pattern": map[string]string{"Regex": "(?<=x)a"}, "behavior": "Isolated"}
		}, "is not understood"},
	} {
		dir := folder(t, tc.edit)
		_, err := Model{Path: dir}.Vocabulary()
		if !errors.Is(err, errVocabulary) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v; want errVocabulary with %q", tc.name, err, tc.want)
		}
	}
}

func TestMissingTokenizerSaysWhatToDo(t *testing.T) {
	dir := t.TempDir()
	for commit, says := range map[string]string{"": "was found, and there is no " + filepath.Join(dir, "tokenizer.json"), strings.Repeat("a", 40): "llem pull"} {
		_, err := Model{Path: dir, Commit: commit}.Vocabulary()
		if !errors.Is(err, errVocabulary) || errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "llem pull") != (commit != "") {
			t.Errorf("err = %v, want %q in it", err, says)
		}
	}
	write(t, filepath.Join(dir, "tokenizer.model"), nil)
	if _, err := (Model{Path: dir}).Vocabulary(); err == nil || !strings.Contains(err.Error(), "tokenizer.model is not read") {
		t.Errorf("err = %v, want what is there named", err)
	}
}

func FuzzTokenizerJSON(f *testing.F) {
	f.Add([]byte(`{"model":{"type":"BPE","vocab":{"a":0},"merges":["a b"]},"pre_tokenizer":{"type":"Metaspace","replacement":"▁"}}`))
	f.Add([]byte(`{"model":{"type":"Unigram","vocab":[["a",1]]},"normalizer":{"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"▁"}]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := jsonVocabulary(t.TempDir(), data); err != nil && !errors.Is(err, errVocabulary) {
			t.Errorf("%v is not errVocabulary", err)
		}
	})
}

func FuzzGGUFMetadata(f *testing.F) {
	data, err := os.ReadFile("testdata/tokenizers/llama2/vocab.gguf")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte("GGUF\x03\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		all := func(string) bool { return true }
		if m, _, err := parseGGUF(bytes.NewReader(data), all, true); err == nil && m == nil {
			t.Error("neither metadata nor an error")
		}
	})
}
