package load

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
)

// SyntheticOptions ask for prompts of exact token length.
type SyntheticOptions struct {
	N            int
	First        int // number of the first prompt in its stream
	InputTokens  int
	OutputTokens int
	Sizes        Sizes // in place of the two; nil: they hold
	// Prefix tokens are what the prompts of one of Groups begin with; 0: nothing.
	Prefix, Groups int
	Seed           int64
	Warmup         bool // another stream: never the window's prompts
	Vocabulary     Vocabulary
}

// Size is that of prompt i of its stream.
func (o SyntheticOptions) Size(i int) Size {
	if o.Sizes == nil {
		return Size{o.InputTokens, o.OutputTokens}
	}
	return o.Sizes(i)
}

// Vocabulary is what synthetic prompts are drawn from.
type Vocabulary struct {
	IDs   []int    // of ordinary tokens
	Texts []string // what each reads; nil: they cannot be sent as text
	// Head are the ids that the tokenizer puts before a text of its own accord.
	// Prompts of ids begin with them too, so that both are the same work.
	Head []int
	// Trim says that the tokenizer puts a space before a text of its own accord.
	Trim bool
	// Source tells it: tokenizer.json, gguf or engine.
	Source string
}

// Bytes is a vocabulary whose ids low ≤ id < high are the bytes of a text.
func Bytes(low, high int, text bool) Vocabulary {
	v := Vocabulary{Source: "engine"}
	for id := low; id < high; id++ {
		v.IDs = append(v.IDs, id)
		if text {
			v.Texts = append(v.Texts, string([]byte{byte(id)}))
		}
	}
	return v
}

// maxNumber is more than any prompt's number.
const maxNumber = 1 << 31

// Synthetic makes N prompts of random ordinary tokens. The first of each, after what
// its group shares, spell its number, so that no two prompts, of the window or of the
// warmup, share more that a cache could use. A prompt depends on its seed, stream and
// number alone: neither on N nor on how many warmups there were.
func Synthetic(o SyntheticOptions) ([]Request, error) {
	out := make([]Request, o.N)
	for i := range out {
		size := o.Size(o.First + i)
		digits, err := o.digits(i, size)
		if err != nil {
			return nil, err
		}
		out[i] = o.prompt(i, digits, size)
	}
	return out, nil
}

// Fit refuses prompts that are too short to be as many different ones, before any is
// made.
func (o SyntheticOptions) Fit() error {
	for i := range o.N {
		if _, err := o.digits(i, o.Size(o.First+i)); err != nil {
			return err
		}
		if o.Sizes == nil {
			return nil // all are alike
		}
	}
	return nil
}

// digits is how many of a prompt's tokens spell its number.
func (o SyntheticOptions) digits(i int, size Size) (int, error) {
	base := len(o.Vocabulary.IDs)
	if base < 2 {
		return 0, fmt.Errorf("synthetic prompts need a vocabulary, and %d tokens are none", base)
	}
	digits, room := 0, 1
	for digits < size.Input-len(o.Vocabulary.Head)-o.Prefix && room < maxNumber {
		digits, room = digits+1, room*base
	}
	switch {
	case room >= 2*(o.First+o.N):
		return digits, nil
	case o.Sizes == nil && o.Prefix == 0:
		return 0, fmt.Errorf("workload.max_input_tokens %d is too short for %d different prompts: use a longer one", size.Input, o.First+o.N)
	}
	return 0, fmt.Errorf("request %d: %d tokens%s are too short for %d different prompts: send fewer, or longer ones", o.First+i+1, size.Input, o.less(), o.First+o.N)
}

// less says that a part of a prompt is not its own.
func (o SyntheticOptions) less() string {
	if o.Prefix == 0 {
		return ""
	}
	return fmt.Sprintf(", %d of which its group shares,", o.Prefix)
}

// prefix draws what the prompts of i's group begin with, each number a place in the
// vocabulary. Those of the warmup are others.
func (o SyntheticOptions) prefix(i int, stream uint64) []int {
	if o.Prefix == 0 {
		return nil
	}
	rng := rand.New(rand.NewPCG(uint64(o.Seed), (2+stream)<<32|uint64(i%o.Groups)))
	out := make([]int, o.Prefix)
	for k := range out {
		out[k] = rng.IntN(len(o.Vocabulary.IDs))
	}
	return out
}

func (o SyntheticOptions) prompt(i, digits int, size Size) Request {
	v := o.Vocabulary
	stream, number := uint64(0), 2*(o.First+i)
	if o.Warmup {
		stream, number = 1, number+1
	}
	rng := rand.New(rand.NewPCG(uint64(o.Seed), stream<<32|uint64(o.First+i)))
	tokens := slices.Grow(slices.Clone(v.Head), size.Input-len(v.Head))
	var text strings.Builder
	shared := o.prefix(o.First+i, stream)
	for k := range size.Input - len(v.Head) {
		var pick int
		switch {
		case k < len(shared):
			pick = shared[k]
		case k < len(shared)+digits:
			pick, number = number%len(v.IDs), number/len(v.IDs)
		default:
			pick = rng.IntN(len(v.IDs))
		}
		tokens = append(tokens, v.IDs[pick])
		if v.Texts != nil {
			text.WriteString(v.Texts[pick])
		}
	}
	r := Request{ID: o.First + i, Tokens: tokens, Prompt: text.String(), InputTokens: len(tokens), MaxOutputTokens: size.Output}
	if v.Trim {
		r.Prompt = strings.TrimPrefix(r.Prompt, " ")
	}
	r.Hash = hash(r)
	return r
}

// hash is over what is sent of the prompt.
func hash(r Request) string {
	sum := sha256.Sum256(payload(r))
	return hex.EncodeToString(sum[:8])
}

func payload(r Request) []byte {
	if r.Tokens == nil {
		return append([]byte{'t'}, r.Prompt...)
	}
	b := []byte{'i'}
	for _, id := range r.Tokens {
		b = binary.LittleEndian.AppendUint32(b, uint32(id))
	}
	return b
}

// Checksum is over all that is sent, in order: "sha256:" and 64 hex digits.
func Checksum(reqs iter.Seq[Request]) string {
	h := sha256.New()
	for r := range reqs {
		p := payload(r)
		var head [16]byte
		binary.LittleEndian.PutUint64(head[:], uint64(len(p)))
		binary.LittleEndian.PutUint64(head[8:], uint64(r.MaxOutputTokens))
		h.Write(head[:])
		h.Write(p)
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}

// Distinct returns n prompts like those of reqs, of the same length but for a
// few characters at the front that make each unlike all the others: what a
// warmup sends in place of prompts from a file.
func Distinct(reqs []Request, first, n int) []Request {
	mark := "(" // that no prompt begins with
	for slices.ContainsFunc(reqs, func(r Request) bool { return strings.HasPrefix(r.Prompt, mark) }) {
		mark = "_" + mark
	}
	out := make([]Request, n)
	for i := range out {
		r := reqs[(first+i)%len(reqs)]
		r.ID, r.Tokens, r.InputTokens, r.body = first+i, nil, 0, nil
		r.Prompt = fmt.Sprintf("%s%d) %s", mark, first+i, r.Prompt)
		r.Hash = hash(r)
		out[i] = r
	}
	return out
}
