package load

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// chunk is what is read of one event of a completions or chat stream.
type chunk struct {
	Choices []struct {
		Text  string `json:"text"`
		Delta struct {
			Content          string `json:"content"`
			ReasoningContent string `json:"reasoning_content"`
			Reasoning        string `json:"reasoning"`
		} `json:"delta"`
		TokenIDs     []int  `json:"token_ids"`
		FinishReason string `json:"finish_reason"`
	} `json:"choices"`
	Usage *usage          `json:"usage"`
	Error json.RawMessage `json:"error"`
}

type usage struct {
	PromptTokens     int `json:"prompt_tokens"`
	CompletionTokens int `json:"completion_tokens"`
	Details          struct {
		ReasoningTokens int `json:"reasoning_tokens"`
	} `json:"completion_tokens_details"`
}

// stream turns events into a trace.
type stream struct {
	tr       *Trace
	keepText bool
	counted  int // tokens of the chunks so far
	usage    usage
	done     bool // [DONE] was seen
	finished bool // a finish reason was seen
}

var doneMark = []byte("[DONE]")

// event takes one event that was read at the time at, since t0.
func (s *stream) event(data []byte, at time.Duration) error {
	if bytes.Equal(bytes.TrimSpace(data), doneMark) {
		s.done = true
		return nil
	}
	var c chunk
	if err := json.Unmarshal(data, &c); err != nil {
		return fmt.Errorf("the server sent an event that is not JSON: %.80q", data)
	}
	if len(c.Error) > 0 && !bytes.Equal(c.Error, []byte("null")) {
		return fmt.Errorf("the server reported in its stream: %.300s", c.Error)
	}
	before := s.usage.CompletionTokens
	// Ollama sends zero usage in every chunk but the last.
	if c.Usage != nil && c.Usage.PromptTokens+c.Usage.CompletionTokens > 0 {
		s.usage = *c.Usage
	}
	tokens := 0
	for i := range c.Choices {
		ch := &c.Choices[i]
		text := len(ch.Text) + len(ch.Delta.Content) + len(ch.Delta.ReasoningContent) + len(ch.Delta.Reasoning)
		if text > 0 {
			tokens += max(1, len(ch.TokenIDs))
		}
		if ch.FinishReason != "" {
			s.finished, s.tr.FinishReason = true, ch.FinishReason
		}
		if s.keepText {
			s.tr.Text = append(append(s.tr.Text, ch.Text...), ch.Delta.Content...)
		}
	}
	if tokens == 0 {
		return nil
	}
	// A server that counts as it goes tells how many tokens the chunk carried.
	if step := s.usage.CompletionTokens - before; before > 0 && step > tokens {
		tokens = step
	}
	s.token(tokens, at)
	return nil
}

func (s *stream) token(n int, at time.Duration) {
	if s.tr.FirstToken < 0 {
		s.tr.FirstToken = at
	}
	s.tr.LastToken = at
	s.tr.Chunks = append(s.tr.Chunks, Chunk{At: at, Tokens: n})
	s.counted += n
}

// close settles the token counts: the server's where it gave any.
func (s *stream) close() {
	s.tr.InputTokens = s.usage.PromptTokens
	s.tr.Reasoning = s.usage.Details.ReasoningTokens
	switch {
	case s.usage.CompletionTokens > 0:
		s.tr.OutputTokens, s.tr.UsageSource = s.usage.CompletionTokens, "server"
	case s.counted > 0:
		s.tr.OutputTokens, s.tr.UsageSource = s.counted, "chunks"
	default:
		s.tr.UsageSource = "none"
	}
}
