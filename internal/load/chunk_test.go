package load

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// timing reads a stream whose events each arrive in a separate read, a
// millisecond after the last.
func timing(t *testing.T, events ...string) (*Timing, error) {
	t.Helper()
	tr := &Timing{FirstToken: -1, LastToken: -1}
	s := stream{tr: tr, keepText: true}
	defer s.close()
	for i, e := range events {
		if err := s.event([]byte(e), time.Duration(i+1)*time.Millisecond); err != nil {
			return tr, err
		}
	}
	return tr, nil
}

// came is a chunk of n tokens in that millisecond.
func came(ms, n int) Chunk { return NewChunk(time.Duration(ms)*time.Millisecond, n) }

func TestWhatCountsAsAToken(t *testing.T) {
	const usage = `{"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":2,"completion_tokens_details":{"reasoning_tokens":1}}}`
	for _, c := range []struct {
		name   string
		events []string
		want   Timing // First and LastToken in milliseconds here
	}{
		{"completion", []string{`{"choices":[{"text":"a"}]}`, `{"choices":[{"text":"b","finish_reason":"length"}]}`, usage, "[DONE]"},
			Timing{FirstToken: 1, LastToken: 2, InputTokens: 7, OutputTokens: 2, Reasoning: 1, UsageSource: "server", FinishReason: "length", Text: []byte("ab"), Chunks: []Chunk{came(1, 1), came(2, 1)}}},
		{"chat: a role and an empty text are no tokens", []string{`{"choices":[{"delta":{"role":"assistant","content":""}}]}`, `{"choices":[{"delta":{"content":"a"}}]}`, `{"choices":[{"delta":{},"finish_reason":"stop"}]}`},
			Timing{FirstToken: 2, LastToken: 2, Reasoning: Unknown, UsageSource: "chunks", FinishReason: "stop", Text: []byte("a"), Chunks: []Chunk{came(2, 1)}}},
		{"reasoning is tokens", []string{`{"choices":[{"delta":{"reasoning_content":"hm"}}]}`, `{"choices":[{"delta":{"reasoning":"hm"}}]}`, `{"choices":[{"delta":{"content":"a"}}]}`},
			Timing{FirstToken: 1, LastToken: 3, Reasoning: Unknown, UsageSource: "chunks", Text: []byte("a"), Chunks: []Chunk{came(1, 1), came(2, 1), came(3, 1)}}},
		{"reasoning without details in the usage", []string{`{"choices":[{"delta":{"reasoning_content":"hm"}}]}`, `{"choices":[{"delta":{"content":"a"}}]}`, `{"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":2,"completion_tokens_details":null}}`},
			Timing{FirstToken: 1, LastToken: 2, InputTokens: 7, OutputTokens: 2, Reasoning: 1, UsageSource: "server", Text: []byte("a"), Chunks: []Chunk{came(1, 1), came(2, 1)}}},
		{"a tool's arguments are tokens", []string{`{"choices":[{"delta":{"tool_calls":[{"function":{"name":"f","arguments":""}}]}}]}`, `{"choices":[{"delta":{"tool_calls":[{"function":{"arguments":"{}"}}]}}]}`, `{"choices":[{"delta":{"tool_calls":[{"index":0}]}}]}`},
			Timing{FirstToken: 1, LastToken: 2, Reasoning: Unknown, UsageSource: "chunks", Chunks: []Chunk{came(1, 1), came(2, 1)}}},
		{"token ids count", []string{`{"choices":[{"text":"abc","token_ids":[1,2,3]}]}`},
			Timing{FirstToken: 1, LastToken: 1, Reasoning: Unknown, UsageSource: "chunks", Text: []byte("abc"), Chunks: []Chunk{came(1, 3)}}},
		{"a running usage tells how many a chunk carried", []string{
			`{"choices":[{"text":"a"}],"usage":{"prompt_tokens":5,"completion_tokens":1}}`,
			`{"choices":[{"text":"bcd"}],"usage":{"prompt_tokens":5,"completion_tokens":4}}`,
		},
			Timing{FirstToken: 1, LastToken: 2, InputTokens: 5, OutputTokens: 4, UsageSource: "server", Text: []byte("abcd"), Chunks: []Chunk{came(1, 1), came(2, 3)}}},
		{"a running usage of several tokens from the first chunk", []string{
			`{"choices":[{"text":"abc"}],"usage":{"prompt_tokens":5,"completion_tokens":3}}`,
			`{"choices":[{"text":""}],"usage":{"prompt_tokens":5,"completion_tokens":4}}`,
			`{"choices":[{"text":"é"}],"usage":{"prompt_tokens":5,"completion_tokens":5}}`,
		}, // the second was held back for half a character
			Timing{FirstToken: 1, LastToken: 3, InputTokens: 5, OutputTokens: 5, UsageSource: "server", Text: []byte("abcé"), Chunks: []Chunk{came(1, 3), came(3, 2)}}},
		{"a total with the last token is not that chunk's", []string{`{"choices":[{"text":"a"}]}`, `{"choices":[{"text":"b"}],"usage":{"prompt_tokens":5,"completion_tokens":9}}`},
			Timing{FirstToken: 1, LastToken: 2, InputTokens: 5, OutputTokens: 9, UsageSource: "server", Text: []byte("ab"), Chunks: []Chunk{came(1, 1), came(2, 1)}}},
		{"the only chunk carried everything", []string{`{"choices":[{"text":"abc"}]}`, `{"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":3}}`},
			Timing{FirstToken: 1, LastToken: 1, InputTokens: 5, OutputTokens: 3, UsageSource: "server", Text: []byte("abc"), Chunks: []Chunk{came(1, 3)}}},
		{"an empty event is a ping", []string{"", `{"choices":[{"text":"a"}]}`, " "},
			Timing{FirstToken: 2, LastToken: 2, Reasoning: Unknown, UsageSource: "chunks", Text: []byte("a"), Chunks: []Chunk{came(2, 1)}}},
		{"a usage below zero is not taken", []string{`{"choices":[{"text":"a"}],"usage":{"prompt_tokens":-5,"completion_tokens":-9}}`},
			Timing{FirstToken: 1, LastToken: 1, Refused: refusedInputBad + "; " + refusedOutputBad, Reasoning: Unknown, UsageSource: "chunks", Text: []byte("a"), Chunks: []Chunk{came(1, 1)}}},
		{"usage of zeros is none", []string{`{"choices":[{"text":"a"}],"usage":{"prompt_tokens":0,"completion_tokens":0}}`},
			Timing{FirstToken: 1, LastToken: 1, Reasoning: Unknown, UsageSource: "chunks", Text: []byte("a"), Chunks: []Chunk{came(1, 1)}}},
		{"nothing", []string{"[DONE]"}, Timing{FirstToken: -1, LastToken: -1, Reasoning: Unknown, UsageSource: "none"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := timing(t, c.events...)
			if err != nil {
				t.Fatal(err)
			}
			scale := func(d time.Duration) time.Duration {
				if d < 0 {
					return d
				}
				return d * time.Millisecond
			}
			want := c.want
			want.FirstToken, want.LastToken = scale(want.FirstToken), scale(want.LastToken)
			if diff := cmp.Diff(&want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestEventsThatAreErrors(t *testing.T) {
	for event, says := range map[string]string{
		`{"error":{"message":"out of blocks","code":500}}`: "out of blocks",
		`<html>Bad Gateway</html>`:                         "not JSON",
		`{"choices":[{"te`:                                 "not JSON",
		`{"choices":"none"}`:                               "no chunk of a completion",
		`17`:                                               "no chunk of a completion",
	} {
		tr, err := timing(t, `{"choices":[{"text":"a"}]}`, event)
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: error %v, want one that says %q", event, err, says)
		}
		if len(tr.Chunks) != 1 || tr.OutputTokens != 0 {
			t.Errorf("%s: %d chunks and %d tokens kept, want the chunk before it", event, len(tr.Chunks), tr.OutputTokens)
		}
	}
	if _, err := timing(t, `{"choices":[{"text":"a"}],"error":null}`); err != nil {
		t.Errorf("an error of null: %v", err)
	}
}

func FuzzEvent(f *testing.F) {
	f.Add([]byte(`{"choices":[{"text":"a","token_ids":[1]}],"usage":{"completion_tokens":-3}}`))
	f.Add([]byte(`[DONE]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		tr := &Timing{FirstToken: -1, LastToken: -1}
		s := stream{tr: tr}
		_ = s.event(data, time.Millisecond) // an error is an answer
		_ = s.event(data, time.Millisecond) // and so is the next
		s.close()
		sum := 0
		for _, c := range tr.Chunks {
			sum += c.Tokens()
		}
		if tr.OutputTokens < 0 || tr.InputTokens < 0 || tr.Reasoning < Unknown || tr.Reasoning > tr.OutputTokens || (tr.FirstToken < 0) != (len(tr.Chunks) == 0) || sum != s.counted {
			t.Errorf("%q: %+v", data, tr)
		}
	})
}
