package load

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

// chunks of real servers, and what is nearly one.
var chunks = []string{
	`{"id":"cmpl-1","object":"text_completion","created":1764,"model":"m","choices":[{"index":0,"text":" the","logprobs":null,"finish_reason":null,"stop_reason":null}]}`,
	`{"id":"cmpl-1","choices":[{"index":0,"text":"","finish_reason":"length"}],"usage":null}`,
	`{"choices":[{"delta":{"role":"assistant","content":""},"finish_reason":null}]}`,
	`{"choices":[{"delta":{"content":"\u00e9\n"},"index":0}],"usage":{"prompt_tokens":12,"total_tokens":13,"completion_tokens":1}}`,
	`{"choices":[{"delta":{"content":null,"reasoning_content":"hm"}}]}`,
	`{"choices":[{"delta":{"reasoning":"hm","tool_calls":[]}}]}`,
	`{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"name":"f","arguments":"{}"}}]}}]}`,
	`{"choices":[{"text":"a b c","token_ids":[5,6,7]}]}`,
	`{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":4,"completion_tokens_details":{"reasoning_tokens":2},"prompt_tokens_details":{"cached_tokens":8}}}`,
	`{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":4,"prompt_tokens_details":null,"completion_tokens_details":null}}`,
	`{"choices":[{"text":"x"}],"usage":{"prompt_tokens":0,"completion_tokens":0}}`,
	`{"model":"other","choices":[{"text":"x"}]}`, `{"choices":[{"text":"x"}],"model":"m\u0032"}`, `{"model":7,"choices":[{"text":"x"}]}`, `{"model":"a","model":"m","choices":[{"text":"x"}]}`, `{"Model":"b","choices":[{"text":"x"}]}`,
	`{"error":{"message":"no room"}}`, `{"error":null,"choices":[{"text":"x"}]}`,
	`{"Choices":[{"TEXT":"x"}]}`, `{"choices":[{"text":"x","text":""}]}`, `{"choices":[{"text":"x"}],"choices":[]}`,
	`{"choices":[{"text":"x","finish_reason":"abort"}]}`, `{"choices":[{"text":3}]}`, `{"choices":null}`, `[]`, `null`, `{}`, `{"choices":[{"text":"x"}]} x`,
	`{"usage":{"prompt_tokens":1.5}}`, `{"usage":{"prompt_tokens":-1}}`, `{"usage":{"prompt_tokens":01}}`, `{"usage":{"prompt_tokens":1e2}}`,
	`{"choices":[{"text":"\ud800"}]}`, `{"choices":[{"text":"\x"}]}`, "{\"choices\":[{\"text\":\"a\tb\"}]}", "{\"choices\":[{\"te\u017ft\":\"a\"}]}",
	`{"choices":[{"text":"x"}],"usage":{"prompt_tokens_details":{"cached_tokens":1},"prompt_tokens_details":null,"prompt_tokens":3}}`,
	`{"x":[{"a":{"b":[1,-2.5e+3,true,false,null,"\"\\"]}}],"choices":[{"text":"x"}]}`,
}

// both reads events by the fast parser and likenesses, and by the full decoder.
func both(events ...[]byte) (fast, full stream, fastErr, fullErr error) {
	begin := func(keep bool) stream {
		return stream{tr: &Timing{FirstToken: -1}, keepText: keep, wish: wish{model: "m"}}
	}
	fast, full = begin(false), begin(true)
	for i, e := range events {
		at := time.Duration(i) * time.Second
		if fastErr, fullErr = fast.event(e, at), full.event(e, at); fastErr != nil || fullErr != nil {
			break
		}
	}
	fast.close()
	full.close()
	full.tr.Text = nil // which only the full decoder keeps
	return fast, full, fastErr, fullErr
}

func same(t *testing.T, events ...[]byte) {
	t.Helper()
	fast, full, fastErr, fullErr := both(events...)
	if (fastErr == nil) != (fullErr == nil) || fastErr != nil && fastErr.Error() != fullErr.Error() {
		t.Errorf("%q: the quick way says %v, the full decoder %v", events, fastErr, fullErr)
	}
	if !reflect.DeepEqual(fast.tr, full.tr) || fast.counted != full.counted || fast.reasoning != full.reasoning || fast.finished != full.finished || fast.jumped != full.jumped || fast.done != full.done {
		t.Errorf("%q: the quick way gives %+v %+v, the full decoder %+v %+v", events, fast.tr, fast, full.tr, full)
	}
}

func TestAGlanceSeesWhatTheFullDecoderSees(t *testing.T) {
	t.Parallel()
	n := 0
	for _, c := range chunks {
		same(t, []byte(c))
		if g := new(fastParser); g.read([]byte(c)) {
			n++
		}
	}
	if n < 12 {
		t.Errorf("only %d of %d chunks are taken by the fast parser", n, len(chunks))
	}
}

func FuzzGlance(f *testing.F) {
	for _, c := range chunks {
		f.Add([]byte(c))
	}
	f.Fuzz(func(t *testing.T, data []byte) { same(t, data) })
}

// Whatever comes after whatever, a likeness is none where the full decoder sees a
// difference.
func TestALikenessSeesWhatTheFullDecoderSees(t *testing.T) {
	t.Parallel()
	for _, a := range chunks {
		for _, b := range chunks {
			same(t, []byte(a), []byte(b), []byte(a))
		}
	}
	p := new(likeness)
	g := fastParser{}
	if !g.read([]byte(chunks[0])) {
		t.Fatal("not taken")
	}
	p.learn(&g)
	for text, want := range map[string]bool{
		" cat": true, `\n`: true, "\u00e9": true, `\u00e9`: true, "": false, `\x`: false, `"`: false, `a","text":"b`: false, `\`: false, "a\nb": false,
	} {
		data := []byte(strings.Replace(chunks[0], " the", text, 1))
		if got := p.fits(data); got != want {
			t.Errorf("%q: is like: %v, want %v", text, got, want)
		}
	}
}

func FuzzLikeness(f *testing.F) {
	for i, c := range chunks {
		f.Add([]byte(c), []byte(chunks[(i+1)%len(chunks)]))
		f.Add([]byte(c), []byte(strings.Replace(c, "the", `a\tb`, 1)))
	}
	f.Fuzz(func(t *testing.T, a, b []byte) { same(t, a, b, a, b) })
}

// A chunk that is decoded and stamped costs no allocation.
func TestAChunkCostsNoAllocation(t *testing.T) {
	s := stream{tr: &Timing{FirstToken: -1, Chunks: make([]Chunk, 0, 1<<20)}}
	for _, c := range chunks[:4] {
		data := []byte(c)
		if n := testing.AllocsPerRun(1000, func() {
			if err := s.event(data, time.Second); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%g allocations for %s", n, c)
		}
	}
}
