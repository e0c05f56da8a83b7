package job

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/llenergymeasure/llem/internal/engine"
	"github.com/llenergymeasure/llem/internal/hub"
	"github.com/llenergymeasure/llem/internal/load"
)

func TestPromptsAreDrawnFromTheModelsWords(t *testing.T) {
	t.Parallel()
	words := []hub.Word{{ID: 7, Text: " seven"}, {ID: 9, Text: " nine"}}
	for name, c := range map[string]struct {
		of   hub.Vocabulary
		want load.Vocabulary
	}{
		"with a beginning":    {hub.Vocabulary{Words: words, BOS: 0, LeadingSpace: true, Source: "/m/tokenizer.json"}, load.Vocabulary{Head: []int{0}, Source: "tokenizer.json"}},
		"with a space of its": {hub.Vocabulary{Words: words, BOS: -1, Source: "/m/a.gguf"}, load.Vocabulary{Trim: true, Source: "gguf"}},
	} {
		c.want.IDs, c.want.Texts = []int{7, 9}, []string{" seven", " nine"}
		if diff := cmp.Diff(&c.want, vocabulary(c.of)); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
}

func TestAnEngineIsGivenTheTokenOnlyWhereItMayAskTheHub(t *testing.T) {
	t.Parallel()
	vllm, err := engine.Lookup("vllm")
	if err != nil {
		t.Fatal(err)
	}
	reference, err := engine.Lookup("reference")
	if err != nil {
		t.Fatal(err)
	}
	mounted := engine.Model{Path: "/models/m"}
	for name, c := range map[string]struct {
		eng     *engine.Engine
		model   engine.Model
		offline string // engine.env's; empty: not set
		want    bool
	}{
		"a mounted model":            {vllm, mounted, "", false},
		"the same, off offline mode": {vllm, mounted, "0", true},
		"the same, in it by name":    {vllm, mounted, "True", false},
		"a model that is not here":   {vllm, engine.Model{}, "", true},
		"a name of the engine's own": {reference, engine.Model{}, "", false},
	} {
		j := &Job{Run: Run{HFToken: true}, Engine: c.eng, Model: Model{Mount: c.model}}
		if c.offline != "" {
			j.Experiment.Engine.Env = map[string]string{"HF_HUB_OFFLINE": c.offline}
		}
		if got := j.Host().TokenFile != ""; got != c.want {
			t.Errorf("%s: given %v, want %v", name, got, c.want)
		}
	}
}

func TestTheLongestPromptOfAFileIsToldByItsBytes(t *testing.T) {
	t.Parallel()
	p := Prompts{Digest: "sha256:1", Measured: []load.Request{{Prompt: "ab"}, {Prompt: "äöü"}}}
	if got := p.longest(); got != 3 {
		t.Errorf("%d, want 3", got)
	}
	p.Digest = ""
	if got := p.longest(); got != 0 {
		t.Errorf("%d for synthetic prompts, want 0", got)
	}
}
