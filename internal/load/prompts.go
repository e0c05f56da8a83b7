package load

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
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
	Seed         int64
	Warmup       bool // another stream: never the window's prompts
	Low, High    int  // token ids of ordinary text: Low ≤ id < High
	AsText       bool // ids are bytes; give text as well, for an API without token ids
}

// maxNumber is more than any prompt's number.
const maxNumber = 1 << 31

// Synthetic makes N prompts of random token ids. The first tokens of each spell
// its number, so that no two prompts, of the window or of the warmup, share a
// prefix that a cache could use. A prompt depends on its seed, stream and
// number alone: neither on N nor on how many warmups there were.
func Synthetic(o SyntheticOptions) ([]Request, error) {
	base := o.High - o.Low
	if base < 2 {
		return nil, fmt.Errorf("synthetic prompts need a vocabulary; the engine names token ids %d to %d", o.Low, o.High)
	}
	digits, room := 0, 1
	for digits < o.InputTokens && room < maxNumber {
		digits, room = digits+1, room*base
	}
	if room < 2*(o.First+o.N) {
		return nil, fmt.Errorf("workload.max_input_tokens %d is too short for %d different prompts: use a longer one", o.InputTokens, o.First+o.N)
	}
	out := make([]Request, o.N)
	for i := range out {
		out[i] = o.prompt(i, base, digits)
	}
	return out, nil
}

func (o SyntheticOptions) prompt(i, base, digits int) Request {
	stream, number := uint64(0), 2*(o.First+i)
	if o.Warmup {
		stream, number = 1, number+1
	}
	rng := rand.New(rand.NewPCG(uint64(o.Seed), stream<<32|uint64(o.First+i)))
	tokens := make([]int, o.InputTokens)
	for k := range tokens {
		if k < digits {
			tokens[k] = o.Low + number%base
			number /= base
			continue
		}
		tokens[k] = o.Low + rng.IntN(base)
	}
	r := Request{ID: o.First + i, Tokens: tokens, InputTokens: len(tokens), MaxOutputTokens: o.OutputTokens}
	if o.AsText {
		text := make([]byte, len(tokens))
		for k, id := range tokens {
			text[k] = byte(id)
		}
		r.Prompt = string(text)
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
func Checksum(reqs []Request) string {
	h := sha256.New()
	for _, r := range reqs {
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
		r.ID, r.Tokens, r.InputTokens = first+i, nil, 0
		r.Prompt = fmt.Sprintf("%s%d) %s", mark, first+i, r.Prompt)
		r.Hash = hash(r)
		out[i] = r
	}
	return out
}
