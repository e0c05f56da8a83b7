package hub

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// tokenizerJSON is what is read of a tokenizer.json, the format of the library
// tokenizers.
type tokenizerJSON struct {
	Added []struct {
		ID      int    `json:"id"`
		Content string `json:"content"`
	} `json:"added_tokens"`
	Normalizer    *step      `json:"normalizer"`
	Pretokenizer  *step      `json:"pre_tokenizer"`
	PostProcessor *processor `json:"post_processor"`
	Model         struct {
		Type         string            `json:"type"`
		Vocab        json.RawMessage   `json:"vocab"`
		Merges       []json.RawMessage `json:"merges"`
		IgnoreMerges bool              `json:"ignore_merges"`
		Dropout      *float64          `json:"dropout"`
		Prefix       string            `json:"continuing_subword_prefix"`
		Suffix       string            `json:"end_of_word_suffix"`
	} `json:"model"`
}

// processor is what sets tokens around a prompt.
type processor struct {
	Type       string      `json:"type"`
	Processors []processor `json:"processors"`
	Single     []struct {
		SpecialToken *struct {
			ID string `json:"id"`
		} `json:"SpecialToken"`
	} `json:"single"`
	SpecialTokens map[string]struct {
		IDs []int `json:"ids"`
	} `json:"special_tokens"`
}

// around are the tokens set before a prompt and after it.
func (p *processor) around() (before, after []int) {
	if p == nil {
		return nil, nil
	}
	for i := range p.Processors {
		b, a := p.Processors[i].around()
		before, after = append(before, b...), append(after, a...)
	}
	seen := false
	for _, x := range p.Single {
		switch {
		case x.SpecialToken == nil:
			seen = true
		case seen:
			after = append(after, p.SpecialTokens[x.SpecialToken.ID].IDs...)
		default:
			before = append(before, p.SpecialTokens[x.SpecialToken.ID].IDs...)
		}
	}
	return before, after
}

// jsonVocabulary reads tokenizer.json and what stands beside it in dir.
func jsonVocabulary(dir string, data []byte) (Vocabulary, error) {
	path := filepath.Join(dir, "tokenizer.json")
	var j tokenizerJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return Vocabulary{}, fmt.Errorf("%w: %s: %v", errVocabulary, path, err)
	}
	t := &tokenizer{result: Vocabulary{BOS: -1, Source: path}}
	for _, read := range []func(*tokenizer) error{j.words, j.spaces} {
		if err := read(t); err != nil {
			return Vocabulary{}, fmt.Errorf("%w (%s)", err, path)
		}
	}
	for _, id := range t.tokens {
		t.result.Size = max(t.result.Size, id+1)
	}
	for _, a := range j.Added {
		t.result.Size = max(t.result.Size, a.ID+1)
		delete(t.tokens, a.Content)
		t.carve(strings.ReplaceAll(a.Content, t.space, " "))
	}
	j.beside(dir, &t.result)
	return t.vocabulary()
}

// words reads the tokens and how texts become one.
func (j *tokenizerJSON) words(t *tokenizer) error {
	m := j.Model
	switch {
	case m.Prefix != "" || m.Suffix != "" || m.Dropout != nil && *m.Dropout > 0:
		return fmt.Errorf("%w: its %s model marks word parts or drops merges, which is not supported", errVocabulary, m.Type)
	case m.Type == "BPE" || m.Type == "" && len(m.Merges) > 0:
		if err := json.Unmarshal(m.Vocab, &t.tokens); err != nil {
			return fmt.Errorf("%w: its vocabulary: %v", errVocabulary, err)
		}
		merges, err := readMerges(m.Merges)
		t.whole = byMerges(merges, t.tokens)
		if m.IgnoreMerges {
			t.whole = func(string) bool { return true }
		}
		return err
	case m.Type == "Unigram" || m.Type == "":
		return j.unigram(t)
	}
	return fmt.Errorf("%w: its model is %s; BPE and Unigram are supported", errVocabulary, m.Type)
}

func (j *tokenizerJSON) unigram(t *tokenizer) error {
	var rows [][2]json.RawMessage
	if err := json.Unmarshal(j.Model.Vocab, &rows); err != nil {
		return fmt.Errorf("%w: its vocabulary: %v", errVocabulary, err)
	}
	t.tokens = make(map[string]int, len(rows))
	scores := make(map[string]float64, len(rows))
	for id, row := range rows {
		var text string
		var score float64
		if json.Unmarshal(row[0], &text) != nil || json.Unmarshal(row[1], &score) != nil {
			return fmt.Errorf("%w: its vocabulary: entry %d is not a text and a score", errVocabulary, id)
		}
		t.tokens[text], scores[text] = id, score
	}
	t.whole = byLikelihood(scores)
	return nil
}

// readMerges reads "a b" or ["a","b"].
func readMerges(raw []json.RawMessage) (map[[2]string]int, error) {
	out := make(map[[2]string]int, len(raw))
	for rank, r := range raw {
		var pair []string
		var line string
		if json.Unmarshal(r, &pair) != nil {
			if json.Unmarshal(r, &line) == nil {
				pair = strings.Split(line, " ")
			}
		}
		if len(pair) != 2 {
			return nil, fmt.Errorf("%w: its merge %d is not two texts", errVocabulary, rank)
		}
		if key := [2]string{pair[0], pair[1]}; out[key] == 0 {
			out[key] = rank + 1
		}
	}
	return out, nil
}

// probe is tokenized to see what becomes of spaces and words.
var probe = []string{"ab", "Cd", "ef"}

// spaces finds out, by trying, what a space becomes, whether words are told apart
// first and whether a prompt begins with a space.
func (j *tokenizerJSON) spaces(t *tokenizer) error {
	for _, leading := range []bool{false, true} {
		text := strings.Join(probe, " ")
		if leading {
			text = " " + text
		}
		pieces, err := j.pieces(text)
		if err != nil {
			return err
		}
		for _, space := range []string{"Ġ", "▁"} {
			apart := space + strings.Join(probe, "\x00"+space)
			for _, lower := range []bool{false, true} {
				want := apart
				if lower {
					want = strings.ToLower(apart)
				}
				got := strings.Join(pieces, "\x00")
				if got != want && got != strings.ReplaceAll(want, "\x00", "") {
					continue
				}
				t.space, t.lower, t.split = space, lower, got == want
				t.result.LeadingSpace = leading
				return t.splits(j.Model.IgnoreMerges)
			}
		}
	}
	return fmt.Errorf("%w: its pre-tokenizer parts words, or keeps no space before them", errVocabulary)
}

// splits refuses what only whole words allow.
func (t *tokenizer) splits(ignoreMerges bool) error {
	if ignoreMerges && !t.split {
		return fmt.Errorf("%w: it ignores merges but does not tell words apart", errVocabulary)
	}
	return nil
}

// pieces are what text is parted into before tokens are made.
func (j *tokenizerJSON) pieces(text string) ([]string, error) {
	var err error
	if j.Normalizer != nil {
		if text, err = j.Normalizer.normalize(text); err != nil {
			return nil, err
		}
	}
	if j.Pretokenizer == nil {
		return []string{text}, nil
	}
	return j.Pretokenizer.pretokenize([]string{text})
}

// beside reads what tells BOS and EOS: the tokenizer's own template, over it
// add_bos_token of tokenizer_config.json, and the EOS of generation_config.json
// and config.json.
func (j *tokenizerJSON) beside(dir string, v *Vocabulary) {
	before, after := j.PostProcessor.around()
	if len(before) > 0 {
		v.BOS = before[0]
	}
	v.Added = len(before) + len(after)
	var c struct {
		AddBOS *bool           `json:"add_bos_token"`
		BOS    json.RawMessage `json:"bos_token"`
		EOS    json.RawMessage `json:"eos_token"`
	}
	readJSON(filepath.Join(dir, "tokenizer_config.json"), &c)
	switch bos := j.id(c.BOS); {
	case c.AddBOS == nil:
	case *c.AddBOS && v.BOS < 0 && bos >= 0:
		v.BOS, v.Added = bos, v.Added+1
	case !*c.AddBOS && v.BOS >= 0:
		v.BOS, v.Added = -1, v.Added-1
	}
	if id := j.id(c.EOS); id >= 0 {
		v.EOS = append(v.EOS, id)
	}
	for _, name := range []string{"generation_config.json", "config.json"} {
		var g struct {
			EOS json.RawMessage `json:"eos_token_id"`
		}
		readJSON(filepath.Join(dir, name), &g)
		v.EOS = append(v.EOS, tokenIDs(g.EOS)...)
	}
	slices.Sort(v.EOS)
	v.EOS = slices.Compact(v.EOS)
}

// id is that of an added token, named as a text or as an object with one; -1:
// there is none.
func (j *tokenizerJSON) id(raw json.RawMessage) int {
	var text string
	if json.Unmarshal(raw, &text) != nil {
		var o struct {
			Content string `json:"content"`
		}
		if json.Unmarshal(raw, &o) != nil {
			return -1
		}
		text = o.Content
	}
	for _, a := range j.Added {
		if a.Content == text && text != "" {
			return a.ID
		}
	}
	return -1
}

// readJSON reads a file that may be absent; one that cannot be read tells nothing.
func readJSON(path string, into any) {
	if data, err := os.ReadFile(path); err == nil {
		_ = json.Unmarshal(data, into) // the engine, which needs it, says what is wrong with it
	}
}
