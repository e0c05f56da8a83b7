package engine

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Each engine's parser has its own way with a boolean that is off and with a list.
func TestArgumentsAsTheEngineReadsThem(t *testing.T) {
	const text = "model: org/m\nengine: {image: i, args: {cache_it: false, --chunk-it: false, -x: false, z: true, sizes: [1, 2.5], none: []}}\n"
	for name, want := range map[string][]string{
		"vllm":         {"--no-chunk-it", "--no-cache-it", "--sizes", "1", "2.5", "--z"},
		"sglang":       {"--sizes", "1", "2.5", "--z"},
		"lmdeploy":     {"--sizes", "1", "2.5", "--z"},
		"tensorrt-llm": {"--sizes", "1", "--sizes", "2.5", "--z"},
		"tgi":          {"--sizes", "1", "--sizes", "2.5", "--z"},
		"llamacpp":     {"--sizes", "1", "--sizes", "2.5", "--z"},
	} {
		e, err := Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		h := Host{Model: hf}
		if name == "llamacpp" {
			h.Model = gguf
		}
		s, err := e.Spec(decoded(t, text), h)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, s.Cmd[max(0, len(s.Cmd)-len(want)):]); diff != "" {
			t.Errorf("%s is given %v: -want +got:\n%s", name, s.Cmd, diff)
		}
		bare, err := e.Spec(decoded(t, "model: org/m\nengine: {image: i}\n"), h)
		if err != nil {
			t.Fatal(err)
		}
		if got := len(s.Cmd) - len(bare.Cmd); got != len(want) {
			t.Errorf("%s: engine.args make %d words, want %d: %v", name, got, len(want), s.Cmd)
		}
	}
}
