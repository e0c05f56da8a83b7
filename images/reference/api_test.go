package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
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
	e := ready()
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
	if len(got.Data) != 1 || got.Data[0].ID != "reference/tiny" || got.Data[0].Total != e.m.parametersTotal() || got.Data[0].NonEmbedding != e.m.parametersNonEmbedding() || got.Data[0].MaxLen != 256 {
		t.Errorf("%s", text)
	}
}

type reply1 struct {
	Choices []struct {
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
	ready()
	for _, c := range []struct {
		body string
		code int
		says string
	}{
		{`{"prompt": `, 400, "not the JSON"},
		{`{}`, 400, "prompt is neither"},
		{`{"prompt": ""}`, 400, "empty"},
		{`{"prompt": [1, 999]}`, 400, "999"},
		{`{"prompt": {"a": 1}}`, 400, "neither"},
		{`{"prompt": "a", "max_tokens": 0}`, 400, "max_tokens"},
		{`{"prompt": "a", "max_tokens": 256}`, 400, "context of 256"},
		{`{"prompt": "a", "temperature": -1}`, 400, "temperature"},
		{`{"prompt": "a", "model": "gpt-5"}`, 404, "gpt-5"},
	} {
		code, text := ask(t, "POST", url+"/v1/completions", c.body)
		var got struct {
			Error struct{ Message, Type string }
		}
		if err := json.Unmarshal([]byte(text), &got); err != nil || code != c.code || !strings.Contains(got.Error.Message, c.says) || got.Error.Type == "" {
			t.Errorf("%s: %d %s", c.body, code, text)
		}
	}
	if code, _ := ask(t, "GET", url+"/v1/completions", ""); code != 405 {
		t.Errorf("GET: %d", code)
	}
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
