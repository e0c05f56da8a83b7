package load_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/llenergymeasure/llem/internal/load"
	"github.com/llenergymeasure/llem/internal/study"
)

// echo is a server that answers at once with one token.
type echo struct{}

func (echo) Generate(_ context.Context, t0 time.Time, r load.Request, tr *load.Timing) error {
	tr.Sent = time.Since(t0)
	tr.FirstToken = time.Since(t0)
	tr.LastToken, tr.End = tr.FirstToken, tr.FirstToken
	tr.InputTokens, tr.OutputTokens, tr.UsageSource = len(strings.Fields(r.Prompt)), 1, "server"
	return nil
}

func ExampleDrive() {
	requests := []load.Request{{ID: 0, Prompt: "why is the sky blue"}, {ID: 1, Prompt: "and the sea"}}
	run, err := load.Drive(context.Background(), load.Config{Client: echo{}, Requests: requests, Pattern: load.Closed(2)})
	if err != nil {
		fmt.Println(err)
		return
	}
	f := load.Summarise(run.Timings, false)
	fmt.Println(f.Completed, "completed,", *f.InputTokens, "tokens in,", *f.OutputTokens, "out, counted by", f.TokenSource)
	// Output:
	// 2 completed, 8 tokens in, 2 out, counted by server
}

// An answer of three tokens, the first after 20 ms and one every 5 ms: TTFT, TPOT and E2E.
func ExampleSummarise() {
	t := load.Timing{
		Sent: 0, FirstToken: 20 * time.Millisecond, LastToken: 30 * time.Millisecond, End: 31 * time.Millisecond,
		InputTokens: 8, OutputTokens: 3, UsageSource: "server", Status: load.StatusOK,
	}
	for _, ms := range []time.Duration{20, 25, 30} {
		t.Chunks = append(t.Chunks, load.NewChunk(ms*time.Millisecond, 1))
	}
	f := load.Summarise(load.List{t}, false)
	fmt.Printf("TTFT %g, TPOT %g, ITL %.1f, E2E %g ms\n", f.TTFT.Mean, f.TPOT.Mean, f.ITL.Mean, f.E2E.Mean)
	// Output:
	// TTFT 20, TPOT 5, ITL 5.0, E2E 30 ms
}

// Prompts of exact length, no two of which begin alike. The warmup's are others.
func ExampleSynthetic() {
	o := load.SyntheticOptions{N: 2, InputTokens: 12, OutputTokens: 4, Seed: 1, Vocabulary: load.Bytes('a', 'z'+1, true)}
	measured, err := load.Synthetic(o)
	o.Warmup = true
	warmup, err2 := load.Synthetic(o)
	fmt.Println(len(measured[0].Tokens), measured[0].Prompt != measured[1].Prompt, measured[0].Prompt != warmup[0].Prompt, err, err2)
	// Output:
	// 12 true true <nil> <nil>
}

func ExampleConstant() {
	p := load.Constant(4, 0)
	for n := range 3 {
		at, open := p.At(n)
		fmt.Println(at, open)
	}
	// Output:
	// 0s true
	// 250ms true
	// 500ms true
}

// An open loop sends when its schedule says, and never more at once than it may.
func ExampleNew() {
	e, err := study.Decode("x.yaml", []byte("model: m\nworkload: {prompts: 3, load: {pattern: constant, rate_per_second: 10, max_in_flight: 2}}\n"), study.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	p, err := load.New(e.Workload, 1)
	for i := range p.N {
		at, _ := p.Pattern.At(i)
		fmt.Println(at)
	}
	fmt.Println(p.Pattern.InFlight(), "at most,", err)
	// Output:
	// 0s
	// 100ms
	// 200ms
	// 2 at most, <nil>
}

// Of two requests one kept the limit on its first token.
func ExampleGood() {
	answer := func(first time.Duration) load.Timing {
		return load.Timing{FirstToken: first, LastToken: 2 * first, End: 2 * first, OutputTokens: 5, UsageSource: "server", Status: load.StatusOK}
	}
	g := load.Good(load.List{answer(20 * time.Millisecond), answer(90 * time.Millisecond)}, study.SLO{TTFTMS: 50}, false)
	fmt.Println(g.Requests, "request,", g.Tokens, "tokens")
	// Output:
	// 1 request, 5 tokens
}

// Two requests at a time: the slice in which both were in flight, and its tokens.
func ExampleSteady() {
	answer := func(sent, first, end time.Duration) load.Timing {
		t := load.Timing{Sent: sent, FirstToken: first, LastToken: end, End: end, Status: load.StatusOK, OutputTokens: 2, UsageSource: "server"}
		t.Chunks = []load.Chunk{load.NewChunk(first, 1), load.NewChunk(end, 1)}
		return t
	}
	const s = time.Second
	start, end, tokens, ok := load.Steady(load.List{answer(0, s, 4*s), answer(0, 2*s, 5*s)}, 2)
	fmt.Println(start, end, tokens, ok)
	// Output:
	// 1s 4s 2 true
}

// A client reads an answer as it streams: its text, its tokens, and when each part came.
func ExampleNewOpenAI() {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "data: {\"choices\":[{\"text\":\"blue\"}]}\n\n")
		fmt.Fprint(w, "data: {\"choices\":[{\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":1}}\n\ndata: [DONE]\n\n")
	}))
	defer s.Close()
	c := load.NewOpenAI(load.OpenAIOptions{BaseURL: s.URL, API: "completions", Model: "m", KeepText: true})
	defer c.Close()
	var t load.Timing
	err := c.Generate(context.Background(), time.Now(), load.Request{Prompt: "the sky is", MaxOutputTokens: 1}, &t)
	fmt.Println(string(t.Text), t.InputTokens, t.OutputTokens, t.FinishReason, len(t.Chunks), "chunk,", err)
	// Output:
	// blue 5 1 stop 1 chunk, <nil>
}
