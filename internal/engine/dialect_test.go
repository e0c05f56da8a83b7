package engine

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/llenergymeasure/llem/internal/load"
)

// said is what a client made of an answer.
type said struct {
	Status, Text, Finish, Source string
	In, Out                      int
	Chunks                       []int // tokens of each
	Cached                       int   // -1: the server does not say
}

const cached0 = `{"prompt_tokens":3,"completion_tokens":3,"total_tokens":6,"prompt_tokens_details":{"cached_tokens":0}}`

// streams are the answers of each engine to a prompt of three tokens, for three
// tokens, as its sources write them.
var streams = map[string]struct {
	stream []string
	want   said
}{
	// Usage with every chunk, which shows that one carried two tokens, and again
	// after the last.
	"vllm completions": {events(
		chunk(`"text":" a","finish_reason":null,"stop_reason":null`, used(3, 1)), chunk(`"text":" b c","finish_reason":"length","stop_reason":null`, used(3, 3)),
		chunk("", cached0), "[DONE]"), said{"ok", " a b c", "length", "server", 3, 3, []int{1, 2}, 0}},
	"vllm chat": {events(
		chunk(`"delta":{"role":"assistant","content":""},"finish_reason":null`, used(3, 0)), chunk(`"delta":{"content":"a"},"finish_reason":null`, used(3, 1)),
		chunk(`"delta":{"content":"bc"},"finish_reason":"length","stop_reason":null`, used(3, 3)), chunk("", used(3, 3)), "[DONE]"),
		said{"ok", "abc", "length", "server", 3, 3, []int{1, 2}, -1}},
	"sglang completions": {events(
		chunk(`"text":"a","finish_reason":null,"matched_stop":null`, `{"prompt_tokens":3,"total_tokens":4,"completion_tokens":1,"prompt_tokens_details":null,"reasoning_tokens":0}`),
		chunk(`"text":"bc","finish_reason":null,"matched_stop":null`, used(3, 3)), chunk(`"text":"","finish_reason":"length","matched_stop":null`, used(3, 3)),
		chunk("", cached0), "[DONE]"), said{"ok", "abc", "length", "server", 3, 3, []int{1, 2}, 0}},
	"sglang chat": {events(
		chunk(`"delta":{"role":"assistant","content":"","reasoning_content":null,"tool_calls":null},"finish_reason":null,"matched_stop":null`, ""),
		chunk(`"delta":{"role":null,"content":"ab"},"finish_reason":null`, used(3, 2)), chunk(`"delta":{"content":"c"},"finish_reason":null`, used(3, 3)),
		chunk(`"delta":{"content":null},"finish_reason":"length"`, ""), chunk("", cached0), "[DONE]"),
		said{"ok", "abc", "length", "server", 3, 3, []int{2, 1}, 0}},
	"tensorrt-llm completions": {events(
		chunk(`"text":"a","token_ids":null,"finish_reason":null`, used(3, 1)), chunk(`"text":"b","finish_reason":null`, used(3, 2)),
		chunk(`"text":"c","finish_reason":"length"`, used(3, 3)), chunk("", cached0), "[DONE]"), said{"ok", "abc", "length", "server", 3, 3, []int{1, 1, 1}, 0}},
	// Pings as comments; the last chunk has the usage and what the server timed.
	"llamacpp completions": {events(
		": \n\n", chunk(`"text":"a","finish_reason":null`, ""), ":\n\n", chunk(`"text":"b","finish_reason":null`, ""), chunk(`"text":"c","finish_reason":null`, ""),
		`{"choices":[{"text":"","index":0,"finish_reason":"length"}],"usage":`+used(3, 3)+`,"timings":{"prompt_n":3,"prompt_ms":1.5,"predicted_n":3,"predicted_ms":2.5}}`, "[DONE]"),
		said{"ok", "abc", "length", "server", 3, 3, []int{1, 1, 1}, -1}},
	"llamacpp chat": {events(
		chunk(`"delta":{"role":"assistant","content":null},"finish_reason":null`, ""), chunk(`"delta":{"content":"a"},"finish_reason":null`, ""),
		chunk(`"delta":{"content":"bc"},"finish_reason":null`, ""), chunk(`"delta":{},"finish_reason":"length"`, ""), chunk("", used(3, 3)), "[DONE]"),
		said{"ok", "abc", "length", "server", 3, 3, []int{1, 1}, -1}},
	// A usage of zeros with every chunk of a completion but the last.
	"ollama completions": {events(
		chunk(`"text":"a","finish_reason":null`, used(0, 0)), chunk(`"text":"b","finish_reason":null`, used(0, 0)), chunk(`"text":"","finish_reason":"stop"`, used(0, 0)),
		chunk("", used(3, 3)), "[DONE]"), said{"ok", "ab", "stop", "server", 3, 3, []int{1, 1}, -1}},
	"ollama chat": {events(
		chunk(`"delta":{"role":"assistant","content":"a"},"finish_reason":null`, ""), chunk(`"delta":{"content":"b"},"finish_reason":null`, ""),
		chunk(`"delta":{"content":""},"finish_reason":"stop"`, ""), chunk("", used(3, 2)), "[DONE]"), said{"ok", "ab", "stop", "server", 3, 2, []int{1, 1}, -1}},
	// An empty reason until the last token, which has the usage.
	"tgi completions": {events(
		chunk(`"text":"a","finish_reason":""`, ""), chunk(`"text":"b","finish_reason":""`, ""), chunk(`"text":"</s>","finish_reason":"eos_token"`, used(3, 3)), "[DONE]"),
		said{"ok", "ab</s>", "eos_token", "server", 3, 3, []int{1, 1, 1}, -1}},
	"tgi chat": {events(
		chunk(`"delta":{"role":"assistant","content":"a"},"finish_reason":null`, "null"), chunk(`"delta":{"role":"assistant","content":"b"},"finish_reason":"length"`, "null"),
		chunk("", used(3, 2)), "[DONE]"), said{"ok", "ab", "length", "server", 3, 2, []int{1, 1}, -1}},
	"lmdeploy completions": {events(
		chunk(`"text":"a"`, "null"), chunk(`"text":"bc"`, "null"), chunk(`"text":"","finish_reason":"length"`, "null"), chunk("", used(3, 3)), "[DONE]"),
		said{"ok", "abc", "length", "server", 3, 3, []int{1, 1}, -1}},
	"transformers completions": {events(
		chunk(`"finish_reason":null,"text":"a"`, ""), chunk(`"finish_reason":null,"text":"b"`, ""), chunk(`"finish_reason":"length","text":"c"`, ""), chunk("", cached0), "[DONE]"),
		said{"ok", "abc", "length", "server", 3, 3, []int{1, 1, 1}, 0}},
}

func TestDialects(t *testing.T) {
	for name, c := range streams {
		t.Run(name, func(t *testing.T) {
			var engine, api string
			if _, err := fmt.Sscan(name, &engine, &api); err != nil {
				t.Fatal(err)
			}
			s := &standin{stream: c.stream}
			tr := s.drive(t, engine, api)
			got := saidOf(tr)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%s -want +got:\n%s", tr.Error, diff)
			}
			golden(t, "body_"+engine+"_"+api, s.body)
		})
	}
}

// What llem puts into a request's body is beneath workload.extra_body.
func TestTheUsersBodyIsAbove(t *testing.T) {
	s := &standin{stream: streams["llamacpp completions"].stream}
	c := llamacpp.Client(Address{URL: s.serve(t)}, ClientOptions{API: "completions", Model: "m", ExtraBody: map[string]any{"top_k": 40, "cache_prompt": true}})
	if _, err := load.Drive(t.Context(), load.Config{Client: c, Requests: []load.Request{{Tokens: []int{1}, MaxOutputTokens: 3}}, Pattern: load.Closed(1)}); err != nil {
		t.Fatal(err)
	}
	if s.body["top_k"] != 40.0 || s.body["cache_prompt"] != true || s.body["min_p"] != 0.0 {
		t.Errorf("sent %v", s.body)
	}
}
