package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// web serves an engine, which is loaded when ready is called.
func web(t *testing.T) (url string, ready func() *engine) {
	t.Helper()
	s := &server{name: "reference/tiny", preset: "tiny", maxLen: 256, seed: 42}
	h := httptest.NewServer(s.routes())
	t.Cleanup(h.Close)
	return h.URL, func() *engine {
		e := running(t, 8)
		s.eng.Store(e)
		return e
	}
}

func ask(t *testing.T, method, url, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func TestHealthIs503UntilTheModelIsLoaded(t *testing.T) {
	url, ready := web(t)
	for _, path := range []string{"GET /health", "GET /v1/models", "GET /metrics", "POST /sync", "POST /v1/completions"} {
		method, path, _ := strings.Cut(path, " ")
		if code, text := ask(t, method, url+path, "{}"); code != 503 || !strings.Contains(text, "being loaded") {
			t.Errorf("%s before it is loaded: %d %s", path, code, text)
		}
	}
	if code, text := ask(t, "GET", url+"/version", ""); code != 200 || !strings.Contains(text, version) {
		t.Errorf("version: %d %s", code, text)
	}
	ready()
	if code, _ := ask(t, "GET", url+"/health", ""); code != 200 {
		t.Errorf("health when it is loaded: %d", code)
	}
}

func TestModelsTellTheParameters(t *testing.T) {
	url, ready := web(t)
	in, out := tensors(ready().m)
	_, text := ask(t, "GET", url+"/v1/models", "")
	var got struct {
		Data []struct {
			ID           string `json:"id"`
			Total        int64  `json:"parameters_total"`
			NonEmbedding int64  `json:"parameters_non_embedding"`
			MaxLen       int    `json:"max_model_len"`
		}
	}
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Data) != 1 || got.Data[0].ID != "reference/tiny" || got.Data[0].Total != in+out || got.Data[0].NonEmbedding != in || got.Data[0].MaxLen != 256 {
		t.Errorf("%s", text)
	}
}

type reply1 struct {
	Choices []struct {
		Index   int
		Text    string  `json:"text"`
		Finish  *string `json:"finish_reason"`
		Message message `json:"message"`
		Delta   message `json:"delta"`
	}
	Usage *struct {
		Prompt     int `json:"prompt_tokens"`
		Completion int `json:"completion_tokens"`
		Total      int `json:"total_tokens"`
	}
}

// streamed puts a stream's text together.
func streamed(t *testing.T, body string) (text, finish string, chunks int, last reply1) {
	t.Helper()
	events := strings.Split(strings.TrimSpace(body), "\n\n")
	if events[len(events)-1] != "data: [DONE]" {
		t.Fatalf("the stream ends in %q", events[len(events)-1])
	}
	for _, e := range events[:len(events)-1] {
		last = reply1{}
		if err := json.Unmarshal([]byte(strings.TrimPrefix(e, "data: ")), &last); err != nil {
			t.Fatalf("%v: %s", err, e)
		}
		for _, c := range last.Choices {
			if piece := c.Text + c.Delta.Content; piece != "" {
				text += piece
				chunks++
			}
			if c.Finish != nil {
				finish = *c.Finish
			}
		}
	}
	return text, finish, chunks, last
}

func TestCompletionsAndChatWholeAndStreamed(t *testing.T) {
	url, ready := web(t)
	e := ready()
	for path, prompt := range map[string]string{
		"/v1/completions":      `"prompt": "Why is the sky blue?"`,
		"/v1/chat/completions": `"messages": [{"role": "user", "content": "Why?"}]`,
	} {
		head := fmt.Sprintf(`{"model": "reference/tiny", %s, "max_tokens": 12, "ignore_eos": true`, prompt)
		code, text := ask(t, "POST", url+path, head+"}")
		var whole reply1
		if err := json.Unmarshal([]byte(text), &whole); code != 200 || err != nil {
			t.Fatalf("%s: %d %v\n%s", path, code, err, text)
		}
		said := whole.Choices[0].Text + whole.Choices[0].Message.Content
		if len(said) != 12 || *whole.Choices[0].Finish != "length" || whole.Usage.Completion != 12 || whole.Usage.Total != whole.Usage.Prompt+12 {
			t.Errorf("%s: %s", path, text)
		}
		_, body := ask(t, "POST", url+path, head+`, "stream": true, "stream_options": {"include_usage": true}}`)
		again, finish, chunks, last := streamed(t, body)
		if again != said || finish != "length" || chunks != 12 || last.Usage == nil || last.Usage.Completion != 12 || len(last.Choices) != 0 {
			t.Errorf("%s streamed: %q, finish %q, %d chunks, usage %+v; whole: %q", path, again, finish, chunks, last.Usage, said)
		}
		_, body = ask(t, "POST", url+path, head+`, "stream": true}`)
		if _, _, _, last := streamed(t, body); last.Usage != nil {
			t.Errorf("%s: usage that nobody asked for", path)
		}
	}
	_, text := ask(t, "GET", url+"/metrics", "")
	for _, want := range []string{
		"llem_reference_requests_running 0\n", "llem_reference_requests_waiting 0\n", "llem_reference_generation_tokens_total 72\n",
		fmt.Sprintf("llem_reference_multiply_adds_total{part=\"layers\"} %d\n", e.m.work.layers.Load()),
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

func TestPromptsAsTextAndAsTokenIDsAreTheSame(t *testing.T) {
	url, ready := web(t)
	ready()
	_, a := ask(t, "POST", url+"/v1/completions", `{"prompt": "AB", "max_tokens": 8, "ignore_eos": true, "seed": 3, "stream": true}`)
	_, b := ask(t, "POST", url+"/v1/completions", `{"prompt": [65, 66], "max_tokens": 8, "ignore_eos": true, "seed": 3, "stream": true}`)
	textA, _, _, _ := streamed(t, a)
	textB, _, _, _ := streamed(t, b)
	if textA != textB || len(textA) != 8 {
		t.Errorf("%q and %q", textA, textB)
	}
}

// Without ignore_eos an answer may end by itself; over many it does.
func TestTheEndMarkEndsAnAnswer(t *testing.T) {
	url, ready := web(t)
	ready()
	for i := range 50 {
		body := fmt.Sprintf(`{"prompt": "x", "max_tokens": 200, "temperature": 1.5, "seed": %d, "stream": true, "stream_options": {"include_usage": true}}`, i)
		_, text := ask(t, "POST", url+"/v1/completions", body)
		if said, finish, _, last := streamed(t, text); finish == "stop" {
			if len(said) != last.Usage.Completion || len(said) >= 200 {
				t.Errorf("%d characters, usage %+v", len(said), last.Usage)
			}
			return
		}
	}
	t.Error("no answer of 50 ended by itself")
}

func TestBadRequestsAreRefusedInOpenAIsWords(t *testing.T) {
	url, ready := web(t)
	e := ready()
	const completions, chat = "/v1/completions", "/v1/chat/completions"
	for _, c := range []struct{ path, body, says string }{
		{completions, ``, "not the JSON"},
		{completions, `{"prompt": `, "not the JSON"},
		{completions, `{"prompt": "a"} {"prompt": "b"}`, "not the JSON"},
		{completions, `{"prompt": "a", "max_tokens": "many"}`, "max_tokens"},
		{completions, `{}`, "prompt is neither"},
		{completions, `{"prompt": null}`, "empty"},
		{completions, `{"prompt": ""}`, "empty"},
		{completions, `{"prompt": []}`, "empty"},
		{completions, `{"prompt": ["a", ""]}`, "empty"},
		{completions, `{"prompt": [1, 999]}`, "999"},
		{completions, `{"prompt": [[1], [-1]]}`, "-1"},
		{completions, `{"prompt": ["a", 1]}`, "neither"},
		{completions, `{"prompt": {"a": 1}}`, "neither"},
		{completions, `{"prompt": [` + strings.Repeat(`"a",`, maxPrompts) + `"a"]}`, "at most 256"},
		{completions, `{"prompt": "a", "max_tokens": 0}`, "max_tokens"},
		{completions, `{"prompt": "a", "max_tokens": 256}`, "context of 256"},
		{completions, `{"prompt": "` + strings.Repeat("a", 256) + `"}`, "no room in the context of 256"},
		{completions, `{"prompt": "a", "temperature": -1}`, "temperature"},
		{chat, `{"messages": []}`, "empty"},
		{chat, `{"messages": "hello"}`, "messages"},
		{chat, `{"messages": [{"role": "user", "content": "` + strings.Repeat("a", 256) + `"}]}`, "no room"},
	} {
		code, text := ask(t, "POST", url+c.path, c.body)
		var got struct {
			Error map[string]any
		}
		if err := json.Unmarshal([]byte(text), &got); err != nil || code != 400 {
			t.Errorf("%.60s: %d %s", c.body, code, text)
			continue
		}
		if message, _ := got.Error["message"].(string); !strings.Contains(message, c.says) {
			t.Errorf("%.60s: %q does not say %q", c.body, message, c.says)
		}
		for k, want := range map[string]any{"type": "invalid_request_error", "param": nil, "code": nil} {
			if v, ok := got.Error[k]; !ok || v != want {
				t.Errorf("%.60s: %s is %v, want %v", c.body, k, v, want)
			}
		}
	}
	if code, _ := ask(t, "GET", url+completions, ""); code != 405 {
		t.Errorf("GET: %d", code)
	}
	if code, text := ask(t, "POST", url+completions, `{"prompt": "a", "model": "gpt-5"}`); code != 404 || !strings.Contains(text, "gpt-5") {
		t.Errorf("a model that is not served: %d %s", code, text)
	}
	if e.prompts != 0 || e.m.work.layers.Load() != 0 {
		t.Error("work was done for a request that was refused")
	}
}

// The context ends an answer where the request sets no length; a length that
// does not fit is refused above.
func TestLengthsThatTheRequestDoesNotSet(t *testing.T) {
	url, ready := web(t)
	ready()
	for name, c := range map[string]struct {
		path, body string
		want       int
	}{
		"completions":              {"/v1/completions", `"prompt": "ab"`, 16},
		"completions, little room": {"/v1/completions", `"prompt": "` + strings.Repeat("a", 250) + `"`, 6},
		"chat":                     {"/v1/chat/completions", `"messages": [{"role": "user", "content": "` + strings.Repeat("a", 240) + `"}]`, 9},
		"max_completion_tokens":    {"/v1/chat/completions", `"messages": [{"role": "user", "content": "a"}], "max_completion_tokens": 3`, 3},
		"the whole context":        {"/v1/completions", `"prompt": "a", "max_tokens": 255`, 255},
	} {
		t.Run(name, func(t *testing.T) {
			_, text := ask(t, "POST", url+c.path, "{"+c.body+`, "ignore_eos": true}`)
			var got reply1
			if err := json.Unmarshal([]byte(text), &got); err != nil || got.Usage == nil {
				t.Fatalf("%v: %s", err, text)
			}
			if got.Usage.Completion != c.want || *got.Choices[0].Finish != "length" {
				t.Errorf("%d tokens, finish %q; want %d, length", got.Usage.Completion, *got.Choices[0].Finish, c.want)
			}
		})
	}
}

// A list of prompts is answered by as many choices, each as it is alone.
func TestAListOfPrompts(t *testing.T) {
	url, ready := web(t)
	ready()
	var alone []string
	for _, prompt := range []string{`"AB"`, `"xyz"`} {
		_, text := ask(t, "POST", url+"/v1/completions", `{"prompt": `+prompt+`, "max_tokens": 8, "ignore_eos": true, "stream": true}`)
		said, _, _, _ := streamed(t, text)
		alone = append(alone, said)
	}
	for _, list := range []string{`["AB", "xyz"]`, `[[65, 66], [120, 121, 122]]`} {
		head := `{"prompt": ` + list + `, "max_tokens": 8, "ignore_eos": true, "stream_options": {"include_usage": true}`
		_, text := ask(t, "POST", url+"/v1/completions", head+"}")
		var whole reply1
		if err := json.Unmarshal([]byte(text), &whole); err != nil || len(whole.Choices) != 2 {
			t.Fatalf("%v: %s", err, text)
		}
		_, text = ask(t, "POST", url+"/v1/completions", head+`, "stream": true}`)
		_, _, chunks, last := streamed(t, text)
		if chunks != 16 || last.Usage == nil || *last.Usage != *whole.Usage || last.Usage.Prompt != 5 || last.Usage.Completion != 16 {
			t.Errorf("%s: %d chunks, usage %+v", list, chunks, last.Usage)
		}
		for i, c := range whole.Choices {
			if c.Index != i || c.Text != alone[i] || said(text, i) != alone[i] {
				t.Errorf("%s: choice %d is %q, streamed %q, alone %q", list, c.Index, c.Text, said(text, i), alone[i])
			}
		}
	}
}

// said puts one choice of a stream together.
func said(stream string, index int) (text string) {
	for e := range strings.SplitSeq(stream, "\n\n") {
		var r reply1
		if json.Unmarshal([]byte(strings.TrimPrefix(e, "data: ")), &r) == nil && len(r.Choices) == 1 && r.Choices[0].Index == index {
			text += r.Choices[0].Text
		}
	}
	return text
}

// scrape reads /metrics by the rules of its format: every sample has a type,
// and a number.
func scrape(t *testing.T, url string) map[string]int64 {
	t.Helper()
	_, text := ask(t, "GET", url+"/metrics", "")
	out, kinds := map[string]int64{}, map[string]string{}
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		switch {
		case strings.HasPrefix(line, "# HELP ") && len(f) > 3:
		case strings.HasPrefix(line, "# TYPE ") && len(f) == 4:
			kinds[f[2]] = f[3]
		default:
			name, _, _ := strings.Cut(f[0], "{")
			v, err := strconv.ParseInt(f[1], 10, 64)
			if err != nil || len(f) != 2 || (kinds[name] != "gauge" && kinds[name] != "counter") || (kinds[name] == "counter") != strings.HasSuffix(name, "_total") {
				t.Errorf("%q is no sample: %v", line, err)
			}
			out[strings.TrimPrefix(f[0], "llem_reference_")] = v
		}
	}
	return out
}

func TestMetricsCountWhatWasDone(t *testing.T) {
	url, ready := web(t)
	e := ready()
	if diff := cmp.Diff(map[string]int64{
		"requests_running": 0, "requests_waiting": 0, "prompt_tokens_total": 0, "generation_tokens_total": 0, "cached_tokens_total": 0,
		`multiply_adds_total{part="layers"}`: 0, `multiply_adds_total{part="attention"}`: 0, `multiply_adds_total{part="lm_head"}`: 0,
	}, scrape(t, url)); diff != "" {
		t.Errorf("at first, -want +got:\n%s", diff)
	}
	s := e.m.shape
	matrices := s.parametersNonEmbedding() - int64((2*s.layers+1)*s.hidden) // norms multiply no matrix
	var in, out, positions, pairs int64
	var wait sync.WaitGroup
	for _, c := range [][2]int64{{1, 1}, {7, 12}, {40, 3}, {100, 30}} {
		wait.Go(func() {
			ask(t, "POST", url+"/v1/completions", fmt.Sprintf(`{"prompt": %q, "max_tokens": %d, "ignore_eos": true}`, strings.Repeat("a", int(c[0])), c[1]))
		})
		n := c[0] + c[1] - 1 // the last token is not put in again
		in, out, positions, pairs = in+c[0], out+c[1], positions+n, pairs+n*(n+1)/2
	}
	wait.Wait()
	if diff := cmp.Diff(map[string]int64{
		"requests_running": 0, "requests_waiting": 0, "prompt_tokens_total": in, "generation_tokens_total": out, "cached_tokens_total": 0,
		`multiply_adds_total{part="layers"}`:    matrices * positions,
		`multiply_adds_total{part="attention"}`: 2 * int64(s.layers*s.hidden) * pairs, // scores and values
		`multiply_adds_total{part="lm_head"}`:   out * vocabulary * int64(s.hidden),
	}, scrape(t, url)); diff != "" {
		t.Errorf("after four answers, -want +got:\n%s", diff)
	}
}

// open starts a stream that would go on for long, and reads its first token.
func open(t *testing.T, ctx context.Context, url string) *bufio.Reader {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, "POST", url+"/v1/completions", strings.NewReader(`{"prompt": "a", "max_tokens": 4000, "ignore_eos": true, "stream": true}`))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	in := bufio.NewReader(resp.Body)
	if line, err := in.ReadString('\n'); err != nil || !strings.HasPrefix(line, "data: {") {
		t.Fatalf("the stream begins with %q, %v", line, err)
	}
	return in
}

func TestAClientThatGoesAwayStopsItsDecoding(t *testing.T) {
	s := &server{name: "reference/tiny", maxLen: 4096}
	h := httptest.NewServer(s.routes())
	defer h.Close()
	e := running(t, 2)
	s.eng.Store(e)
	ctx, cancel := context.WithCancel(t.Context())
	open(t, ctx, h.URL)
	open(t, ctx, h.URL)
	if m := scrape(t, h.URL); m["requests_running"] != 2 || m["generation_tokens_total"] < 2 {
		t.Errorf("while two are decoded: %v", m)
	}
	third := make(chan error, 1) // which waits, there being room for two
	go func() {
		req, err := http.NewRequestWithContext(ctx, "POST", h.URL+"/v1/completions", strings.NewReader(`{"prompt": "a", "max_tokens": 4000, "ignore_eos": true}`))
		if err == nil {
			_, err = http.DefaultClient.Do(req)
		}
		third <- err
	}()
	for scrape(t, h.URL)["requests_waiting"] != 1 {
	}
	cancel()
	if err := <-third; !errors.Is(err, context.Canceled) {
		t.Errorf("the third: %v", err)
	}
	if code, _ := ask(t, "POST", h.URL+"/sync", ""); code != 200 {
		t.Errorf("sync: %d", code)
	}
	m := scrape(t, h.URL)
	if m["requests_running"]+m["requests_waiting"] != 0 || m["generation_tokens_total"] >= 8000 {
		t.Errorf("after they have gone: %v", m)
	}
}

func TestSyncOverHTTPWaitsForTheLastAnswer(t *testing.T) {
	url, ready := web(t)
	e := ready()
	answered := make(chan string, 1)
	go func() {
		_, text := ask(t, "POST", url+"/v1/completions", `{"prompt": "a", "max_tokens": 200, "ignore_eos": true}`)
		answered <- text
	}()
	for scrape(t, url)["requests_running"] == 0 && e.m.work.layers.Load() == 0 {
	}
	if code, text := ask(t, "POST", url+"/sync", ""); code != 200 || !strings.Contains(text, "idle") {
		t.Errorf("sync: %d %s", code, text)
	}
	if got := scrape(t, url)["generation_tokens_total"]; got != 200 {
		t.Errorf("sync returned after %d of 200 tokens", got)
	}
	<-answered
}

func TestManyClientsAtOnce(t *testing.T) {
	url, ready := web(t)
	e := ready()
	var wait sync.WaitGroup
	for i := range 40 {
		wait.Go(func() {
			_, text := ask(t, "POST", url+"/v1/completions", fmt.Sprintf(`{"prompt": "%d", "max_tokens": 10, "ignore_eos": true, "stream": true}`, i))
			if said, _, _, _ := streamed(t, text); len(said) != 10 {
				t.Errorf("client %d was told %q", i, said)
			}
		})
	}
	wait.Wait()
	if code, _ := ask(t, "POST", url+"/sync", ""); code != 200 || e.generated != 400 {
		t.Errorf("sync: %d; %d tokens", code, e.generated)
	}
}

func TestFlagsThatCannotBe(t *testing.T) {
	for _, args := range [][]string{{"--model", "huge"}, {"--max-num-seqs", "65"}, {"--max-num-seqs", "0"}, {"--max-model-len", "1"}, {"extra"}, {"--modle", "tiny"}} {
		if _, err := parse(args); err == nil {
			t.Errorf("%v was taken", args)
		}
	}
	if o, err := parse([]string{"--model", "small"}); err != nil || o.served != "reference/small" {
		t.Errorf("%+v, %v", o, err)
	}
}

func TestTokensAreCountedWithoutWork(t *testing.T) {
	url, ready := web(t)
	e := ready()
	for body, want := range map[string]string{
		`{"model":"m","prompt":"añb"}`: `"count":4`, `{"prompt":[1,2,3]}`: `"count":3`, `{"prompt":["a","b"]}`: "2 prompts, and one is counted at a time", `{"prompt":5}`: "prompt is neither text", `x`: "is not the JSON of a request",
	} {
		resp, err := http.Post(url+"/tokenize", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || !strings.Contains(string(got), want) || (resp.StatusCode == 200) != strings.HasPrefix(want, `"count"`) {
			t.Errorf("%s: %d %s, %v", body, resp.StatusCode, got, err)
		}
	}
	if e.m.work.layers.Load() != 0 {
		t.Error("it computed")
	}
}
