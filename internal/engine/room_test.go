package engine

import (
	"slices"
	"strconv"
	"testing"
)

// Prompts of a file are sent whole: the context has room for the longest of them,
// whatever workload.max_input_tokens says.
func TestTheContextHasRoomForTheLongestPrompt(t *testing.T) {
	const text = "model: /data/m.gguf\nengine: {image: i}\nworkload: {source: p.jsonl, max_input_tokens: 512, max_output_tokens: 100, load: {concurrency: 4}}\n"
	for longest, want := range map[int]int{0: 768, 1400: 1792, 20: 256} {
		e, h := decoded(t, text), Host{Model: gguf, LongestPrompt: longest}
		s, err := llamacpp.Spec(e, h)
		if err != nil {
			t.Fatal(err)
		}
		if i := slices.Index(s.Cmd, "--ctx-size"); i < 0 || s.Cmd[i+1] != strconv.Itoa(4*want) {
			t.Errorf("longest %d: llama.cpp is started with %v, want a context of 4 times %d", longest, s.Cmd, want)
		}
		if s, err = ollama.Spec(e, h); err != nil || s.Env["OLLAMA_CONTEXT_LENGTH"] != strconv.Itoa(want) {
			t.Errorf("longest %d: Ollama is started with %v, %v, want a context of %d", longest, s.Env, err, want)
		}
		if got := ollamaParameters(e, h)[numCtx]; got != want {
			t.Errorf("longest %d: Ollama's model has a context of %v, want %d", longest, got, want)
		}
	}
}
