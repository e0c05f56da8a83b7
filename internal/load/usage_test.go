package load

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// usageOf is what is made of a usage that follows n chunks with text.
func usageOf(usage string, n int, w wish) Timing {
	tr := Timing{FirstToken: -1, FirstByte: -1, LastToken: -1, End: -1}
	body := strings.Repeat(one, n) + strings.Replace(last, `"b"`, `""`, 1) + `data: {"choices":[],"usage":` + usage + "}\n\n" + done
	_ = read(strings.NewReader(body), stamper{t0: time.Now()}, &tr, w, false) // of no token it is an error
	return tr
}

// A count that cannot be is not taken, and the other one beside it is.
func TestUsageThatCannotBeIsNotTaken(t *testing.T) {
	t.Parallel()
	w := wish{prompt: 40, output: 16}
	for _, c := range []struct {
		name, usage string
		chunks      int
		in, out     int
		refused     string
	}{
		{"one that can be", `{"prompt_tokens":9,"completion_tokens":16,"total_tokens":25}`, 16, 9, 16, ""},
		{"no total", `{"prompt_tokens":9,"completion_tokens":16}`, 16, 9, 16, ""},
		{"a total of 0", `{"prompt_tokens":9,"completion_tokens":16,"total_tokens":0}`, 16, 9, 16, ""},
		{"several tokens a chunk", `{"prompt_tokens":9,"completion_tokens":16}`, 2, 9, 16, ""},
		{"a token in pieces", `{"prompt_tokens":9,"completion_tokens":14}`, 16, 9, 14, ""},
		{"whole numbers as fractions", `{"prompt_tokens":9.0,"completion_tokens":1.6e1}`, 16, 9, 16, ""},
		{"over max_tokens", `{"prompt_tokens":9,"completion_tokens":17}`, 16, 9, 0, refusedOutputOver},
		{"far over max_tokens", `{"prompt_tokens":9,"completion_tokens":160,"total_tokens":169}`, 16, 9, 0, refusedOutputOver},
		{"no prompt", `{"prompt_tokens":0,"completion_tokens":16,"total_tokens":25}`, 16, 0, 16, refusedInputNone},
		{"a prompt of null", `{"prompt_tokens":null,"completion_tokens":16}`, 16, 0, 16, refusedInputNone},
		{"a prompt of more than its bytes", `{"prompt_tokens":41,"completion_tokens":16}`, 16, 0, 16, refusedInputMore},
		{"a prompt below zero", `{"prompt_tokens":-9,"completion_tokens":16}`, 16, 0, 16, refusedInputBad},
		{"a prompt of half tokens", `{"prompt_tokens":9.5,"completion_tokens":16}`, 16, 0, 16, refusedInputBad},
		{"a prompt of text", `{"prompt_tokens":"9","completion_tokens":16}`, 16, 0, 16, refusedInputBad},
		{"no answer", `{"prompt_tokens":9,"completion_tokens":0}`, 16, 9, 0, refusedOutputNone},
		{"an answer below zero", `{"prompt_tokens":9,"completion_tokens":-1}`, 16, 9, 0, refusedOutputBad},
		{"an answer of a fraction", `{"prompt_tokens":9,"completion_tokens":15.7}`, 16, 9, 0, refusedOutputBad},
		{"an answer of 10^300", `{"prompt_tokens":9,"completion_tokens":1e300}`, 16, 9, 0, refusedOutputBad},
		{"an answer of true", `{"prompt_tokens":9,"completion_tokens":true}`, 16, 9, 0, refusedOutputBad},
		{"fewer than the chunks with text", `{"prompt_tokens":9,"completion_tokens":1}`, 16, 9, 0, refusedOutputUnder},
		{"reasoning is not in it", `{"prompt_tokens":9,"completion_tokens":4}`, 12, 9, 0, refusedOutputUnder},
		{"another sum", `{"prompt_tokens":9,"completion_tokens":12,"total_tokens":25}`, 12, 0, 0, refusedTotal},
		{"a total below its parts", `{"prompt_tokens":0,"completion_tokens":16,"total_tokens":3}`, 16, 0, 0, refusedInputNone + "; " + refusedTotal},
		{"a usage of text", `"16 tokens"`, 16, 0, 0, refusedInputBad + "; " + refusedOutputBad},
		{"a usage of a list", `[9,16]`, 16, 0, 0, refusedInputBad + "; " + refusedOutputBad},
		{"zeros alone are no usage", `{"prompt_tokens":0,"completion_tokens":0}`, 16, 0, 0, ""},
		{"null is no usage", `null`, 16, 0, 0, ""},
		{"other names are no usage", `{"input_tokens":9,"output_tokens":16}`, 16, 0, 0, ""},
	} {
		tr := usageOf(c.usage, c.chunks, w)
		if tr.InputTokens != c.in || tr.OutputTokens != c.out || tr.Refused != c.refused || (tr.UsageSource == "server") != (c.out > 0) {
			t.Errorf("%s: %d in, %d out by %s, refused %q; want %d, %d and %q", c.name, tr.InputTokens, tr.OutputTokens, tr.UsageSource, tr.Refused, c.in, c.out, c.refused)
		}
	}
}

// How many tokens were reasoning is known by the server's word, and by chunks of one
// token each.
func TestReasoningIsUnknownUnlessItIsSaid(t *testing.T) {
	t.Parallel()
	const hm = `data: {"choices":[{"delta":{"reasoning":"hm"}}]}` + "\n\n"
	for _, c := range []struct {
		name, chunks, usage string
		want                int
	}{
		{"none came", one + one, `{"prompt_tokens":1,"completion_tokens":2}`, 0},
		{"a token each", hm + one, `{"prompt_tokens":1,"completion_tokens":2}`, 1},
		{"all", hm + hm, `{"prompt_tokens":1,"completion_tokens":7}`, 7},
		{"some of several tokens", hm + one, `{"prompt_tokens":1,"completion_tokens":7}`, Unknown},
		{"by the server", hm + one, `{"prompt_tokens":1,"completion_tokens":7,"completion_tokens_details":{"reasoning_tokens":5}}`, 5},
		{"more than there are", hm + one, `{"prompt_tokens":1,"completion_tokens":7,"completion_tokens_details":{"reasoning_tokens":8}}`, Unknown},
		{"no text", "", `{"prompt_tokens":1,"completion_tokens":7}`, Unknown},
		{"no usage", hm + one, `null`, Unknown},
	} {
		tr := Timing{FirstToken: -1}
		body := c.chunks + strings.Replace(last, `"b"`, `""`, 1) + `data: {"choices":[],"usage":` + c.usage + "}\n\n"
		if err := read(strings.NewReader(body), stamper{t0: time.Now()}, &tr, wish{}, false); err != nil || tr.Reasoning != c.want {
			t.Errorf("%s: %d reasoning (%v), want %d", c.name, tr.Reasoning, err, c.want)
		}
	}
}

// several are requests of so many bytes, each with the counts that its server gave.
func several(bytes []int, in, out func(i int) int, chunks func(i int) int) (List, []Request) {
	var timings []Timing
	var requests []Request
	for i, n := range bytes {
		requests = append(requests, Request{ID: i, Prompt: strings.Repeat("x", n)})
		tr := Timing{ID: i, Status: StatusOK, UsageSource: "server", InputTokens: in(i), OutputTokens: out(i), End: time.Duration(i+1) * time.Second, LastToken: 2 * second, FirstToken: second}
		for k := range chunks(i) {
			tr.Chunks = append(tr.Chunks, NewChunk(time.Duration(k+1)*time.Second, 1))
		}
		timings = append(timings, tr)
	}
	return timings, requests
}

func TestCountsThatAddUpOverRequestsAreNotTaken(t *testing.T) {
	t.Parallel()
	same := []int{40, 40, 40, 40, 41, 41, 41, 41}
	short, long := []int{10, 20, 40, 80, 160, 320, 640, 1280}, []int{900, 300, 1200, 60, 700, 100, 500, 800}
	of := func(n int) func(int) int { return func(int) int { return n } }
	sum := func(n int) func(int) int { return func(i int) int { return n * (i + 1) } }
	swapped := func(i int) int { return 9 * ((i ^ 1) + 1) } // by two that ended at once
	for _, c := range []struct {
		name            string
		bytes           []int
		in, out, chunks func(int) int
		wantIn, wantOut bool
	}{
		{"each its own", same, of(9), of(16), of(16), true, true},
		{"all that came so far", same, sum(9), sum(16), of(16), false, false},
		{"prompts alone", same, sum(9), of(16), of(16), false, true},
		{"answers alone, in multi-token chunks", same, of(9), sum(32), of(8), true, false},
		{"since the server began", same, func(i int) int { return 900 + 9*i }, func(i int) int { return 1600 + 16*i }, of(16), false, false},
		{"by two at once", same, swapped, of(16), of(16), false, true},
		{"prompts that are longer each", short, func(i int) int { return 3 << i }, of(16), of(16), true, true},
		{"answers that are longer each", same, of(9), func(i int) int { return 4 << i }, func(i int) int { return 4 << i }, true, true},
		{"prompts of many lengths", long, func(i int) int { return long[i] / 4 }, func(i int) int { return 5 + 37*i%100 }, of(5), true, true},
		{"answers in one piece, short ones first", same, of(9), func(i int) int { return 10 * (i + 1) }, of(1), true, true},
	} {
		timings, requests := several(c.bytes, c.in, c.out, c.chunks)
		Settle(timings, asPlanned(requests), "")
		f := Summarise(timings, false)
		if (f.InputTokens != nil) != c.wantIn || (f.OutputTokens != nil) != c.wantOut || (f.TPOT != nil) != c.wantOut {
			t.Errorf("%s: in %v, out %v, TPOT %v (%v)", c.name, f.InputTokens, f.OutputTokens, f.TPOT, f.Lacking)
		}
		if n := f.Lacking.Refused[refusedGrowing]; n != 0 && n != len(timings) || (n > 0) == (c.wantIn && c.wantOut) {
			t.Errorf("%s: refused %v", c.name, f.Lacking.Refused)
		}
	}
}

// What was counted before it was sent takes the place of a count that the server did
// not give, and never of one that it gave.
func TestPlannedPromptsFillInForTheServer(t *testing.T) {
	t.Parallel()
	in := func(i int) int { return []int{0, 9, 0}[i] }
	for _, c := range []struct {
		counted, source string
		want            any
	}{{"tokenize", "mixed", int64(7 + 9 + 7)}, {"", "server", nil}} {
		timings, requests := several([]int{40, 40, 40}, in, func(int) int { return 2 }, func(int) int { return 2 })
		for i := range requests {
			requests[i].InputTokens = 7
		}
		Settle(timings, asPlanned(requests), c.counted)
		f := Summarise(timings, false)
		if got := fmt.Sprint(value(f.InputTokens)); got != fmt.Sprint(c.want) || f.InputSource != c.source {
			t.Errorf("counted by %q: %s by %s, want %v by %s", c.counted, got, f.InputSource, c.want, c.source)
		}
	}
}

func asPlanned(list []Request) func(i int) Request {
	return func(i int) Request { return list[i] }
}

func value(n *int64) any {
	if n == nil {
		return nil
	}
	return *n
}

// One completed request of unknown tokens makes the totals unknown; one that failed
// does not.
func TestWhatOneRequestLacksTheTotalLacks(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(*Timing)
		out    bool
	}{
		{"all known", func(*Timing) {}, true},
		{"tokens unknown", func(t *Timing) { t.OutputTokens, t.UsageSource = 0, "chunks" }, false},
		{"failed", func(t *Timing) { t.Status, t.OutputTokens, t.UsageSource = StatusFailed, 0, "chunks" }, true},
		{"cut", func(t *Timing) { t.Status, t.OutputTokens, t.UsageSource = StatusCut, 0, "chunks" }, true},
	} {
		timings, requests := several([]int{40, 40, 40}, func(int) int { return 9 }, func(int) int { return 4 }, func(int) int { return 4 })
		c.change(&timings[1])
		Settle(timings, asPlanned(requests), "")
		if f := Summarise(timings, false); (f.OutputTokens != nil) != c.out || (f.MultiTokenChunks != nil) != c.out || (f.TPOT != nil) != c.out {
			t.Errorf("%s: %+v", c.name, f)
		}
	}
	if f := Summarise(List{{Status: StatusFailed, FirstToken: -1}}, false); f.InputTokens != nil || f.OutputTokens != nil {
		t.Errorf("none completed: %+v", f)
	}
}
