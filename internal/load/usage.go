package load

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
)

// usage is the server's own count of an answer.
type usage struct {
	PromptTokens     count `json:"prompt_tokens"`
	CompletionTokens count `json:"completion_tokens"`
	TotalTokens      count `json:"total_tokens"`
	Details          struct {
		ReasoningTokens count `json:"reasoning_tokens"`
	} `json:"completion_tokens_details"`
	Prompt *cachedTokens `json:"prompt_tokens_details"`
}

type cachedTokens struct {
	CachedTokens count `json:"cached_tokens"`
}

// count is a number of tokens. Whatever is no whole number from 0 on is badCount,
// and no error: the answer beside it may be whole.
type count int

const badCount count = -1

// UnmarshalJSON never fails. Of null, as of everything that decodes, it is not asked.
func (c *count) UnmarshalJSON(data []byte) error {
	if bytes.Equal(data, []byte("null")) {
		return nil
	}
	*c = badCount
	if n, err := strconv.ParseFloat(string(data), 64); err == nil && n >= 0 && n < 1e15 && n == float64(int(n)) {
		*c = count(n)
	}
	return nil
}

// readUsage takes a usage of any shape; nil: there is none.
func readUsage(data json.RawMessage) *usage {
	if len(data) == 0 || bytes.Equal(data, []byte("null")) {
		return nil
	}
	u := new(usage)
	if json.Unmarshal(data, u) != nil {
		return &usage{PromptTokens: badCount, CompletionTokens: badCount}
	}
	return u
}

// real tells a count from a placeholder: Ollama sends zeros in every chunk but
// the last.
func (u *usage) real() bool {
	return u != nil && (u.PromptTokens != 0 || u.CompletionTokens != 0)
}

// Why a count of a usage is not taken. They are few, so that timings can share them.
const (
	refusedInputNone   = "prompt_tokens is 0 or missing"
	refusedInputBad    = "prompt_tokens is no whole number of tokens"
	refusedInputMore   = "prompt_tokens is more than the prompt has bytes"
	refusedOutputNone  = "completion_tokens is 0 or missing, and text came"
	refusedOutputBad   = "completion_tokens is no whole number of tokens"
	refusedOutputOver  = "completion_tokens is over max_tokens"
	refusedOutputUnder = "completion_tokens is less than the chunks with text that came"
	refusedTotal       = "total_tokens is not prompt_tokens + completion_tokens"
	refusedGrowing     = "the counts add up over requests"
)

// What a server's template may add to a prompt, in tokens: to a plain one the marks
// of its beginning and end.
const (
	plainTemplate = 16
	chatTemplate  = 4096
)

// split is how many chunks with text an answer of n tokens may come in: a gateway may
// cut a few tokens into pieces.
func split(n int) int { return n + n/8 + 4 }

// input is the prompt's tokens as the server counted them, or why that cannot be.
func (u *usage) input(w *wish) (n int, refused string) {
	switch p := u.PromptTokens; {
	case p < 0:
		return 0, refusedInputBad
	case p == 0:
		return 0, refusedInputNone
	case w.prompt > 0 && int(p) > w.prompt:
		return 0, refusedInputMore
	case u.contradicts():
		return 0, refusedTotal
	default:
		return int(p), ""
	}
}

// output is the answer's tokens as the server counted them, or why that cannot be;
// shown is how many chunks with text came.
func (u *usage) output(w *wish, shown int) (n int, refused string) {
	switch c := int(u.CompletionTokens); {
	case c < 0:
		return 0, refusedOutputBad
	case c == 0 && shown > 0:
		return 0, refusedOutputNone
	case w.output > 0 && c > w.output:
		return 0, refusedOutputOver
	case shown > split(c):
		return 0, refusedOutputUnder
	case u.contradicts():
		return 0, refusedTotal
	default:
		return c, ""
	}
}

// contradicts says that the total is another than the sum of what is there.
func (u *usage) contradicts() bool {
	p, c, t := u.PromptTokens, u.CompletionTokens, u.TotalTokens
	return t < 0 || t > 0 && p > 0 && c > 0 && t != p+c || t > 0 && t < max(p, c)
}

// close settles the token counts: the server's, where it gave any that can be.
func (s *stream) close() {
	tr := s.tr
	tr.FinishReason = shortReason(tr.FinishReason)
	tr.UsageSource = "none"
	if len(tr.Chunks) > 0 {
		tr.UsageSource = "chunks"
	}
	tr.Reasoning = Unknown
	if !s.usage.real() {
		return
	}
	var in, out string
	tr.InputTokens, in = s.usage.input(&s.wish)
	tr.OutputTokens, out = s.usage.output(&s.wish, s.counted)
	tr.Refused = refusals(in, out)
	if p := s.usage.Prompt; p != nil && p.CachedTokens >= 0 && in == "" {
		n := int(p.CachedTokens)
		tr.CachedTokens = &n
	}
	if tr.OutputTokens == 0 {
		return
	}
	tr.UsageSource = "server"
	s.reasoned()
	if len(tr.Chunks) == 1 && s.counted < tr.OutputTokens { // it carried them all
		s.counted, tr.Chunks[0] = tr.OutputTokens, NewChunk(tr.Chunks[0].At(), tr.OutputTokens)
	}
}

// reasoned settles how many of the tokens were reasoning: by the server's word, else
// by the chunks, where none of them, each or one token in each was. Zeros are also
// what a server writes that does not count them.
func (s *stream) reasoned() {
	tr := s.tr
	switch said := int(s.usage.Details.ReasoningTokens); {
	case said > 0 && said <= tr.OutputTokens:
		tr.Reasoning = said
	case s.counted == 0 && said == 0, s.reasoning > 0 && s.reasoning < s.counted && s.counted != tr.OutputTokens:
	case s.reasoning > 0 && s.reasoning == s.counted:
		tr.Reasoning = tr.OutputTokens
	default:
		tr.Reasoning = min(s.reasoning, tr.OutputTokens)
	}
}

func refusals(in, out string) string {
	switch {
	case in == "", strings.Contains(out, in):
		return out
	case out == "", strings.Contains(in, out):
		return in
	}
	return in + "; " + out
}
