package main

// The marks of a text and of a chat. Their ids are their places here.
var marks = []string{"<|begin_of_text|>", "<|end_of_text|>", "<|pad|>", "<|system|>", "<|user|>", "<|assistant|>"}

const (
	begin = iota
	end
	pad
)

// chatTemplate is Jinja, as engines read it.
const chatTemplate = "{{ bos_token }}{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}{% endfor %}" +
	"{% if add_generation_prompt %}<|assistant|>{% endif %}"

// vocabulary is a byte-level BPE, as GPT-2's: the marks, the 256 bytes, the
// syllables, then the words, each with its space. Ids follow the order.
type vocabulary struct {
	tokens []string    // as GPT-2 spells bytes: a space is Ġ
	merges [][2]string // in order of rank
	words  int         // the id of the first word; all after it are words
}

const vocabularySize = 2048

func newVocabulary() vocabulary {
	var v vocabulary
	v.tokens = append(v.tokens, marks...)
	spelled := byteSpelling()
	for _, r := range spelled {
		v.tokens = append(v.tokens, string(r))
	}
	space := string(spelled[' '])
	merge := func(a, b string) {
		v.merges = append(v.merges, [2]string{a, b})
		v.tokens = append(v.tokens, a+b)
	}
	var syllables []string
	for _, c := range "bdfghjklmnprstvz" {
		for _, vowel := range "aeiou" {
			merge(string(c), string(vowel))
			syllables = append(syllables, string(c)+string(vowel))
		}
	}
	v.words = len(v.tokens)
	for _, s := range syllables {
		merge(space, s)
	}
	for k := 0; len(v.tokens) < vocabularySize; k++ {
		first := k % len(syllables)
		second := (first + k/len(syllables)) % len(syllables)
		merge(space+syllables[first], syllables[second])
	}
	return v
}

// byteSpelling is the printable rune that stands for each byte in GPT-2's
// vocabulary: itself where it can be seen, else one from U+0100 on.
func byteSpelling() [256]rune {
	var spelled [256]rune
	next := rune(0x100)
	for b := range 256 {
		r := rune(b)
		if r < '!' || r > '~' && r < '¡' || r == '\u00ad' {
			r = next
			next++
		}
		spelled[b] = r
	}
	return spelled
}
