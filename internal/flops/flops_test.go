package flops

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/llenergymeasure/llem/internal/hub"
)

var model = hub.Parameters{NonEmbedding: 1000, Layers: 2, Heads: 4, HeadDim: 8, Hidden: 32, Vocab: 100, Confidence: hub.High, Source: "safetensors"}

func TestByHand(t *testing.T) {
	e := Of(Input{Parameters: model, Requests: []Lengths{{3, 2}, {1, 1}}})
	for _, c := range []struct {
		name string
		got  *float64
		want float64
	}{
		{"prefill", e.Prefill, 2 * 1000 * 4}, {"decode", e.Decode, 2 * 1000 * 3}, {"value", e.Value, 14000},
		{"lm_head", e.LMHead, 2 * 32 * 100 * 3},
		// 4 positions see 1+2+3+4 keys, 1 position sees 1.
		{"attention", e.Attention, 4 * 2 * 4 * 8 * 11}, {"total", e.Total, 14000 + 19200 + 2816},
	} {
		if c.got == nil || *c.got != c.want {
			t.Errorf("%s = %v, want %g", c.name, c.got, c.want)
		}
	}
	if e.Confidence != hub.High || len(e.Notes) != 1 {
		t.Errorf("confidence %q, notes %q", e.Confidence, e.Notes)
	}
}

func TestUnknownIsNullWithANote(t *testing.T) {
	for name, in := range map[string]Input{
		"parameters": {Requests: []Lengths{{1, 1}}, Why: "the engine does not say"},
		"tokens":     {Parameters: model},
	} {
		if e := Of(in); e.Value != nil || e.Total != nil || len(e.Notes) != 1 {
			t.Errorf("unknown %s: %+v", name, e)
		}
	}
	noShape := hub.Parameters{NonEmbedding: 5}
	if e := Of(Input{Parameters: noShape, Requests: []Lengths{{1, 1}}}); e.Value == nil || e.Attention != nil || e.Total != nil {
		t.Errorf("without a shape: %+v", e)
	}
}

func TestAttentionMatchesCountingPairs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in, out := rapid.IntRange(1, 40).Draw(t, "in"), rapid.IntRange(1, 40).Draw(t, "out")
		pairs := 0
		for i := range in + out - 1 {
			for j := range in + out - 1 {
				if j <= i {
					pairs++
				}
			}
		}
		e := Of(Input{Parameters: model, Requests: []Lengths{{in, out}}})
		if want := float64(4 * 2 * 4 * 8 * pairs); *e.Attention != want {
			t.Fatalf("attention = %g, want %g", *e.Attention, want)
		}
	})
}

func TestOnlyActiveParametersCount(t *testing.T) {
	m := model
	m.Total, m.Active = 1200, 500 // 700 rest
	e := Of(Input{Parameters: m, Requests: []Lengths{{3, 2}}})
	if e.Value == nil || *e.Value != 2*300*5 || !strings.Contains(e.Notes[0], "300 parameters (active, non-embedding") {
		t.Errorf("value %v, notes %q; want 2 × 300 × 5", e.Value, e.Notes)
	}
}

func TestAGuessSaysWhyItIsOne(t *testing.T) {
	p, _ := hub.ByName("some-8B")
	e := Of(Input{Parameters: p, Requests: []Lengths{{3, 2}}, Why: "model_type x is not known"})
	if e.Confidence != hub.Low || len(e.Notes) < 2 || !strings.Contains(e.Notes[1], "model_type x") {
		t.Errorf("confidence %q, notes %q", e.Confidence, e.Notes)
	}
}

// Attention counts the layers that attend, and the keys that each window holds.
func TestAttentionWithinWindowsMatchesCountingPairs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in, out, window := rapid.IntRange(1, 40).Draw(t, "in"), rapid.IntRange(1, 40).Draw(t, "out"), rapid.IntRange(1, 50).Draw(t, "window")
		var all, sliding, chunked int
		for i := range in + out - 1 {
			all += i + 1
			sliding += min(i+1, window)
			chunked += i%window + 1
		}
		p := hub.Parameters{NonEmbedding: 1, Layers: 9, Heads: 1, HeadDim: 1, Attention: []hub.Attention{
			{Layers: 2, Keys: 24, Values: 16}, {Layers: 3, Keys: 8, Values: 8, Window: int64(window)}, {Layers: 1, Keys: 4, Values: 4, Window: int64(window), Chunked: true},
		}}
		e := Of(Input{Parameters: p, Requests: []Lengths{{in, out}}})
		if want := float64(2*2*40*all + 2*3*16*sliding + 2*8*chunked); *e.Attention != want {
			t.Fatalf("attention = %g, want %g", *e.Attention, want)
		}
	})
}

func TestUnknownAttentionSaysWhy(t *testing.T) {
	p := model
	p.AttentionUnknown = "it chooses among tokens"
	e := Of(Input{Parameters: p, Requests: []Lengths{{3, 2}}})
	if e.Value == nil || e.Attention != nil || e.Total != nil || !strings.Contains(strings.Join(e.Notes, "; "), p.AttentionUnknown) {
		t.Errorf("%+v", e)
	}
}

func TestTheNThatWasUsedIsSaid(t *testing.T) {
	m := model
	m.Total, m.Active, m.Notes = 1200, 500, []string{"a doubt"}
	e := Of(Input{Parameters: m, Requests: []Lengths{{3, 2}}})
	if e.N == nil || *e.N != 300 || e.Basis != "active, non-embedding, from safetensors" || e.Notes[1] != "a doubt" {
		t.Errorf("%v %q %q", e.N, e.Basis, e.Notes)
	}
}
