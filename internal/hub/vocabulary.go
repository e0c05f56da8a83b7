package hub

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// errVocabulary says that synthetic prompts cannot be drawn from a model's
// tokenizer.
var errVocabulary = errors.New("no vocabulary for synthetic prompts")

// minWords is how few word tokens make a vocabulary; fewer come from a tokenizer
// that does not work in words.
const minWords = 100

// Word is an ordinary token: one space and ASCII letters.
type Word struct {
	ID   int
	Text string // with its leading space
}

// Vocabulary holds those tokens of a model from which a text can be put together
// that its tokenizer takes apart again into the same tokens: the texts of any
// Words, one after the other, are one token each.
type Vocabulary struct {
	Words []Word // by ID
	// BOS is the token that the tokenizer sets before a plain prompt; -1: none.
	BOS int
	// Added are the tokens that it adds to a plain prompt, BOS included.
	Added int
	// LeadingSpace: a prompt must begin with the space of its first word. Else the
	// tokenizer sets one itself, and a prompt must begin without.
	LeadingSpace bool
	Size         int    // highest token ID + 1
	EOS          []int  // tokens that end an answer
	Source       string // the file
}

// tokenizer is what is read of a model's tokenizer, whichever file tells it.
type tokenizer struct {
	space  string                 // what a space is in token texts: "Ġ" or "▁"
	tokens map[string]int         // ordinary tokens by text, as the file has them
	whole  func(text string) bool // whether the tokenizer leaves text one token
	split  bool                   // words are known to be told apart before tokens are made
	lower  bool                   // the tokenizer lower-cases
	carved []string               // texts that are cut out of a prompt wherever they stand
	result Vocabulary             // all but the words
}

// Vocabulary reads the tokenizer of m: tokenizer.json of a folder, or the
// metadata of a GGUF file. It fails where the words cannot be read.
func (m Model) Vocabulary() (Vocabulary, error) {
	path := filepath.Join(m.Path, "tokenizer.json")
	if !strings.HasSuffix(m.Path, ".gguf") {
		data, err := os.ReadFile(path)
		switch {
		case err == nil:
			return jsonVocabulary(m.Path, data)
		case !errors.Is(err, os.ErrNotExist):
			return Vocabulary{}, fmt.Errorf("%w: %w", errVocabulary, err)
		}
		if files, _ := filepath.Glob(filepath.Join(m.Path, "*.gguf")); len(files) != 1 {
			return Vocabulary{}, m.noTokenizer(path)
		} else {
			path = files[0]
		}
	} else {
		path = m.Path
	}
	return ggufVocabulary(path)
}

func (m Model) noTokenizer(path string) error {
	var others []string
	for _, name := range []string{"tokenizer.model", "tekken.json", "vocab.json", "vocab.txt"} {
		if _, err := os.Stat(filepath.Join(m.Path, name)); err == nil {
			others = append(others, name)
		}
	}
	if len(others) > 0 {
		return fmt.Errorf("%w: there is no %s, and %s is not read: save the tokenizer with transformers (AutoTokenizer, use_fast)", errVocabulary, path, strings.Join(others, ", "))
	}
	if m.Commit == "" { // a folder of the user's, which nothing downloads into
		return fmt.Errorf("%w: the model was found, and there is no %s: put that of the model it was made from there (in Python AutoTokenizer.from_pretrained(NAME).save_pretrained(%q))", errVocabulary, path, m.Path)
	}
	return fmt.Errorf("%w: there is no %s: `llem pull CONFIG` fetches it", errVocabulary, path)
}

// vocabulary picks the words of t.
func (t *tokenizer) vocabulary() (Vocabulary, error) {
	v := t.result
	glued := t.glued()
	for text, id := range t.tokens {
		word, ok := strings.CutPrefix(text, t.space)
		if !ok || !plain(word, t.lower) || glued[word[len(word)-1]] || t.cut(" "+word+" ") || !t.whole(text) {
			continue
		}
		v.Words = append(v.Words, Word{ID: id, Text: " " + word})
	}
	slices.SortFunc(v.Words, func(a, b Word) int { return cmp.Compare(a.ID, b.ID) })
	if len(v.Words) < minWords {
		return Vocabulary{}, fmt.Errorf("%w: %s has %d tokens that are a word each, and %d are needed", errVocabulary, v.Source, len(v.Words), minWords)
	}
	return v, nil
}

// plain is whether word is at least two ASCII letters, of which at most the
// first is a capital: some tokenizers part "camelCase", and lower ones fold it.
func plain(word string, lower bool) bool {
	for i := range len(word) {
		c := word[i]
		if capital := 'A' <= c && c <= 'Z'; capital && (i > 0 || lower) || !capital && (c < 'a' || c > 'z') {
			return false
		}
	}
	return len(word) >= 2
}

// glued are the letters that some token joins to the space after them. Where
// words are not told apart first, a word that ends in one could be joined to the
// next.
func (t *tokenizer) glued() map[byte]bool {
	out := map[byte]bool{}
	if t.split {
		return out
	}
	for text := range t.tokens {
		for rest := text; ; {
			i := strings.Index(rest, t.space)
			if i < 0 {
				break
			}
			if i > 0 {
				out[rest[i-1]] = true
			}
			rest = rest[i+len(t.space):]
		}
	}
	return out
}

// cut is whether an added token is cut out of text.
func (t *tokenizer) cut(text string) bool {
	return slices.ContainsFunc(t.carved, func(s string) bool { return strings.Contains(text, s) })
}

// carve notes an added token that could stand within words.
func (t *tokenizer) carve(content string) {
	if content != "" && strings.Trim(content, " abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") == "" {
		t.carved = append(t.carved, content)
	}
}

// tokenIDs reads one id or a list of them, as eos_token_id is.
func tokenIDs(raw json.RawMessage) []int {
	var one int
	if json.Unmarshal(raw, &one) == nil && string(raw) != "null" {
		return []int{one}
	}
	var many []int
	if json.Unmarshal(raw, &many) == nil {
		return many
	}
	return nil
}
