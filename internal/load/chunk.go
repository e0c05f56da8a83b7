package load

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// chunk is what is read of one event of a completions or chat stream.
type chunk struct {
	Choices []choice        `json:"choices"`
	Usage   json.RawMessage `json:"usage"`
	Error   json.RawMessage `json:"error"`
	Model   any             `json:"model"` // a name; anything else is no name
}

type choice struct {
	Text         string          `json:"text"`
	Delta        delta           `json:"delta"`
	TokenIDs     []int           `json:"token_ids"`
	FinishReason string          `json:"finish_reason"`
	Error        json.RawMessage `json:"error"`
}

// delta is what a chunk of a chat adds. Servers have three names for reasoning.
type delta struct {
	Content          string `json:"content"`
	Refusal          string `json:"refusal"`
	ReasoningContent string `json:"reasoning_content"`
	Reasoning        string `json:"reasoning"`
	Thinking         string `json:"thinking"`
	ToolCalls        []struct {
		Function call `json:"function"`
	} `json:"tool_calls"`
	FunctionCall call `json:"function_call"` // the older form of one
}

// call is of a tool.
type call struct {
	Name      string `json:"name"`
	Arguments string `json:"arguments"`
}

// tokens is how many tokens the choice carries at least, and whether they are
// reasoning. A role or an empty text is none; a call of a tool is what the model wrote.
func (c *choice) tokens() (n int, reasoning bool) {
	d := &c.Delta
	said := len(c.Text) + len(d.Content) + len(d.Refusal) + len(d.FunctionCall.Name) + len(d.FunctionCall.Arguments)
	for i := range d.ToolCalls {
		f := &d.ToolCalls[i].Function
		said += len(f.Name) + len(f.Arguments)
	}
	if said+len(d.ReasoningContent)+len(d.Reasoning)+len(d.Thinking) == 0 {
		return 0, false
	}
	return max(1, len(c.TokenIDs)), said == 0
}

// stream turns events into a timing.
type stream struct {
	tr        *Timing
	wish      wish
	keepText  bool
	fast      fastParser // of the event at hand
	like      likeness   // of the last one that can be one
	counted   int        // tokens of the chunks so far
	reasoning int        // part of counted
	usage     usage
	cached    cachedTokens
	jumped    bool   // a chunk with tokens came without a usage
	done      bool   // [DONE] was seen
	finished  bool   // a finish reason was seen
	ending    bool   // its last event ended with the stream, not with a blank line
	opened    bool   // an event of an answer was seen
	strange   []byte // the first event of no answer's shape; empty: none
}

var doneMark = []byte("[DONE]")

// event takes one event that was read at the time at, since t0. An empty one
// is a server's way to keep the connection awake.
func (s *stream) event(data []byte, at time.Duration) error {
	data = bytes.TrimSpace(data)
	if len(data) == 0 {
		return nil
	}
	if bytes.Equal(data, doneMark) {
		s.done = true
		return nil
	}
	tokens, reasoning, counted, err := s.look(data)
	s.opened = s.opened || err == nil && len(s.strange) == 0
	if err != nil || tokens == 0 {
		return err
	}
	// A server that counts as it goes tells how many tokens the chunk carried.
	// A total that comes with the last token alone tells nothing about it.
	s.jumped = s.jumped || !counted
	if step := int(s.usage.CompletionTokens) - s.counted; !s.jumped && step > tokens {
		if reasoning == tokens {
			reasoning = step
		}
		tokens = step
	}
	s.reasoning += reasoning
	s.token(tokens, at)
	return nil
}

// look reads one event, by its likeness to the one before or by the fast parser where
// that is enough: how many tokens it shows, how many of them are reasoning, and
// whether the server counted as it sent it.
func (s *stream) look(data []byte) (tokens, reasoning int, counted bool, err error) {
	if !s.keepText {
		if s.like.tokens > 0 && s.like.fits(data) {
			return s.like.tokens, s.like.thought, false, nil
		}
		if g := &s.fast; g.read(data) {
			s.like.learn(g)
			return g.tokens, g.reasoning, s.takeFast(), nil
		}
	}
	var c chunk
	if err := s.decode(data, &c); err != nil {
		return 0, 0, false, err
	}
	if u := readUsage(c.Usage); u.real() {
		counted, s.usage = true, *u
	}
	if name, ok := c.Model.(string); ok {
		s.named([]byte(name))
	}
	tokens, reasoning = s.choices(c.Choices)
	return tokens, reasoning, counted, nil
}

// takeFast takes finish reason and usage from the fast parser.
func (s *stream) takeFast() (counted bool) {
	g := &s.fast
	s.named(g.model)
	if g.finish != "" {
		s.finished, s.tr.FinishReason = true, g.finish
	}
	if counted = g.hasUsage && g.counts.real(); !counted {
		return false
	}
	s.usage = g.counts
	if g.hasCached {
		s.cached.CachedTokens = g.cached
		s.usage.Prompt = &s.cached
	}
	return true
}

// longestName bounds what is kept of a model's name.
const longestName = 200

// named notes the first model that is named and was not asked for.
func (s *stream) named(model []byte) {
	if s.wish.model != "" && len(model) > 0 && s.tr.Model == "" && string(model) != s.wish.model {
		s.tr.Model = string(model[:min(len(model), longestName)])
	}
}

// choices takes what one chunk says, and counts the tokens that it shows.
func (s *stream) choices(list []choice) (tokens, reasoning int) {
	for i := range list {
		ch := &list[i]
		n, thought := ch.tokens()
		tokens += n
		if thought {
			reasoning += n
		}
		if ch.FinishReason != "" {
			s.finished, s.tr.FinishReason = true, ch.FinishReason
		}
		if s.keepText {
			s.tr.Text = append(append(s.tr.Text, ch.Text...), ch.Delta.Content...)
		}
	}
	return tokens, reasoning
}

// decode reads one event; what the server reports as its failure is an error. An
// event that is neither that nor of an answer is kept, for what else becomes of it.
func (s *stream) decode(data []byte, c *chunk) error {
	if err := json.Unmarshal(data, c); err != nil {
		if said := complaint(data); said != "" {
			return s.failed(data)
		}
		switch valid := json.Valid(data); {
		case !valid && s.ending && s.finished: // cut in what follows an answer
			return nil
		case !valid && s.ending:
			return fmt.Errorf("stream ended inside an event after %d tokens: %.*q", s.counted, mostWords, data)
		case !valid:
			return fmt.Errorf("the server sent an event that is not JSON: %.*q", mostWords, data)
		}
		return fmt.Errorf("the server sent an event that is no chunk of a completion (%v): %.*q", err, mostWords, data)
	}
	if !void(c.Error) {
		return s.failed(c.Error)
	}
	for i := range c.Choices {
		if e := c.Choices[i].Error; !void(e) {
			return s.failed(e)
		}
	}
	if len(c.Choices) > 0 || !void(c.Usage) {
		return nil
	}
	if complaint(data) != "" {
		return s.failed(data)
	}
	if c.Choices == nil && len(s.strange) == 0 {
		s.strange = bytes.Clone(data[:min(len(data), mostForeign)])
	}
	return nil
}

// failed is the error that the server reported within its stream.
func (s *stream) failed(data []byte) error {
	said := words(data)
	if said == "" {
		said = "an error without a word"
	}
	return fmt.Errorf("the server reported in its stream: %s", said)
}

func (s *stream) token(n int, at time.Duration) {
	if s.tr.FirstToken < 0 {
		s.tr.FirstToken = at
	}
	s.tr.LastToken = at
	s.tr.Chunks = append(s.tr.Chunks, NewChunk(at, n))
	s.counted += n
}

// verdict is nil for a stream whose answer is whole: it holds tokens, and its server
// said that it ended. A finish reason that names a failure is of an answer that was
// given up: vLLM and SGLang say abort, TensorRT-LLM cancelled and timeout. Any other
// word is an end of the model's own, for which servers have names of their own (stop,
// eos_token, end_turn); a length that is not the planned one shows apart.
func (s *stream) verdict(f *foreign, kind string) error {
	if err := f.failure(); err != nil {
		return err
	}
	held := s.counted > 0 || s.usage.CompletionTokens > 0
	switch {
	case names(s.tr.FinishReason):
		return fmt.Errorf("the server gave the answer up: finish reason %.60s after %d tokens", s.tr.FinishReason, s.counted)
	case s.finished && held:
		return nil
	case len(s.strange) > 0:
		return fmt.Errorf("the server sent an event that is no part of an answer, after %d tokens: %s", s.counted, words(s.strange))
	case len(f.text) > 0 && (s.done || s.counted > 0):
		return fmt.Errorf("the server sent a text that is no event of a stream, after %d tokens: %s", s.counted, words(f.text))
	case s.done && held:
		return nil
	case s.finished:
		return fmt.Errorf("no token came: the answer ended with finish reason %.60s, without text and without a usage that counts tokens", s.tr.FinishReason)
	case s.done:
		return errors.New("no token came: the stream held [DONE] and nothing of an answer")
	case !s.opened:
		return f.instead(kind)
	}
	return fmt.Errorf("stream ended early: neither [DONE] nor a finish reason after %d tokens", s.counted)
}

// longestReason is how much of a finish reason is kept.
const longestReason = 64

// shortReason is a finish reason without what holds it in memory.
func shortReason(s string) string { return strings.Clone(s[:min(len(s), longestReason)]) }
