package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// server speaks OpenAI's completions and chat API. eng is nil until the model
// is loaded.
type server struct {
	name, preset string
	maxLen       int
	seed         int64
	eng          atomic.Pointer[engine]
	ids          atomic.Int64
}

func (s *server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", s.loaded(func(w http.ResponseWriter, _ *http.Request, _ *engine) { fmt.Fprintln(w, "ok") }))
	mux.HandleFunc("GET /version", func(w http.ResponseWriter, _ *http.Request) { reply(w, map[string]string{"version": version}) })
	mux.HandleFunc("GET /v1/models", s.loaded(s.models))
	mux.HandleFunc("GET /metrics", s.loaded(metrics))
	mux.HandleFunc("POST /sync", s.loaded(func(w http.ResponseWriter, r *http.Request, e *engine) {
		if e.sync(r.Context()) == nil {
			fmt.Fprintln(w, "idle")
		}
	}))
	mux.HandleFunc("POST /v1/completions", s.loaded(func(w http.ResponseWriter, r *http.Request, e *engine) { s.complete(w, r, e, false) }))
	mux.HandleFunc("POST /v1/chat/completions", s.loaded(func(w http.ResponseWriter, r *http.Request, e *engine) { s.complete(w, r, e, true) }))
	return mux
}

// loaded answers 503 until the model is there.
func (s *server) loaded(next func(http.ResponseWriter, *http.Request, *engine)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		e := s.eng.Load()
		if e == nil {
			refuse(w, http.StatusServiceUnavailable, "the model is being loaded")
			return
		}
		next(w, r, e)
	}
}

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // a client that has gone is no error of ours
}

func refuse(w http.ResponseWriter, code int, format string, args ...any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{
		"message": fmt.Sprintf(format, args...), "type": http.StatusText(code), "code": code,
	}})
}

func (s *server) models(w http.ResponseWriter, _ *http.Request, e *engine) {
	m := e.m
	reply(w, map[string]any{"object": "list", "data": []any{map[string]any{
		"id": s.name, "object": "model", "owned_by": "llem-reference", "created": 0,
		"parameters_total": m.parametersTotal(), "parameters_non_embedding": m.parametersNonEmbedding(),
		"dtype": "float32", "max_model_len": s.maxLen, "vocab_size": vocabulary,
		"text_token_low": textLow, "text_token_high": textHigh,
		"hidden_size": m.hidden, "num_layers": m.layers, "num_heads": m.heads, "head_dim": m.headDim(),
	}}})
}

func metrics(w http.ResponseWriter, _ *http.Request, e *engine) {
	e.mu.Lock()
	running, waiting, prompts, generated := len(e.running), len(e.waiting), e.prompts, e.generated
	e.mu.Unlock()
	w.Header().Set("Content-Type", "text/plain; version=0.0.4")
	one := func(name, kind, help string, v any) {
		fmt.Fprintf(w, "# HELP llem_reference_%s %s\n# TYPE llem_reference_%s %s\nllem_reference_%s %v\n", name, help, name, kind, name, v)
	}
	one("requests_running", "gauge", "Requests being decoded.", running)
	one("requests_waiting", "gauge", "Requests not yet let in.", waiting)
	one("prompt_tokens_total", "counter", "Tokens prefilled.", prompts)
	one("generation_tokens_total", "counter", "Tokens generated.", generated)
	fmt.Fprintf(w, "# HELP llem_reference_multiply_adds_total Multiply-adds done in matrix products.\n# TYPE llem_reference_multiply_adds_total counter\n")
	wk := &e.m.work
	fmt.Fprintf(w, "llem_reference_multiply_adds_total{part=\"layers\"} %d\n", wk.layers.Load())
	fmt.Fprintf(w, "llem_reference_multiply_adds_total{part=\"attention\"} %d\n", wk.attention.Load())
	fmt.Fprintf(w, "llem_reference_multiply_adds_total{part=\"lm_head\"} %d\n", wk.lmHead.Load())
}

// body is what is read of a request; other fields are passed over.
type body struct {
	Model         string          `json:"model"`
	Prompt        json.RawMessage `json:"prompt"`
	Messages      []message       `json:"messages"`
	MaxTokens     *int            `json:"max_tokens"`
	MaxCompletion *int            `json:"max_completion_tokens"`
	Temperature   float64         `json:"temperature"`
	Seed          *int64          `json:"seed"`
	IgnoreEOS     bool            `json:"ignore_eos"`
	Stream        bool            `json:"stream"`
	StreamOptions struct {
		IncludeUsage bool `json:"include_usage"`
	} `json:"stream_options"`
}

type message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

// maxBody bounds a request's body.
const maxBody = 16 << 20

func (s *server) complete(w http.ResponseWriter, r *http.Request, e *engine, chat bool) {
	var b body
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&b); err != nil {
		refuse(w, http.StatusBadRequest, "the body is not the JSON of a request: %v", err)
		return
	}
	if b.Model != "" && b.Model != s.name {
		refuse(w, http.StatusNotFound, "model %q is not served here, %q is", b.Model, s.name)
		return
	}
	req, err := s.request(r.Context(), &b, chat)
	if err != nil {
		refuse(w, http.StatusBadRequest, "%v", err)
		return
	}
	e.submit(req)
	a := answer{w: w, chat: chat, model: s.name, id: fmt.Sprintf("cmpl-%d", s.ids.Add(1)), prompt: len(req.prompt), usage: b.StreamOptions.IncludeUsage}
	if b.Stream {
		a.stream(req)
		return
	}
	a.whole(req)
}

// request checks a body and makes it one for the engine.
func (s *server) request(ctx context.Context, b *body, chat bool) (*request, error) {
	prompt, err := tokens(b, chat)
	if err != nil {
		return nil, err
	}
	if len(prompt) == 0 {
		return nil, errors.New("the prompt is empty")
	}
	n := 16 // OpenAI's default
	if b.MaxTokens != nil {
		n = *b.MaxTokens
	} else if b.MaxCompletion != nil {
		n = *b.MaxCompletion
	}
	if n < 1 {
		return nil, fmt.Errorf("max_tokens is %d and must be at least 1", n)
	}
	if len(prompt)+n > s.maxLen {
		return nil, fmt.Errorf("%d prompt tokens and max_tokens %d do not fit the context of %d", len(prompt), n, s.maxLen)
	}
	if b.Temperature < 0 {
		return nil, fmt.Errorf("temperature is %g and must not be negative", b.Temperature)
	}
	r := &request{ctx: ctx, prompt: prompt, maxTokens: n, temperature: b.Temperature, ignoreEOS: b.IgnoreEOS, seed: s.seed}
	if b.Seed != nil {
		r.seed = *b.Seed
	}
	return r, nil
}

func tokens(b *body, chat bool) ([]int, error) {
	if chat {
		var text strings.Builder
		for _, m := range b.Messages {
			fmt.Fprintf(&text, "%s: %s\n", m.Role, m.Content)
		}
		return bytesOf(text.String()), nil
	}
	var text string
	if json.Unmarshal(b.Prompt, &text) == nil {
		return bytesOf(text), nil
	}
	var ids []int
	if err := json.Unmarshal(b.Prompt, &ids); err != nil {
		return nil, errors.New("prompt is neither a string nor a list of token ids")
	}
	for _, id := range ids {
		if id < 0 || id >= vocabulary {
			return nil, fmt.Errorf("token id %d is outside the vocabulary of %d", id, vocabulary)
		}
	}
	return ids, nil
}

func bytesOf(text string) []int {
	out := make([]int, len(text))
	for i := range len(text) {
		out[i] = int(text[i])
	}
	return out
}

// answer writes one response.
type answer struct {
	w         http.ResponseWriter
	chat      bool
	model, id string
	prompt    int
	usage     bool
}

func (a *answer) object(suffix string) map[string]any {
	kind := "text_completion"
	if a.chat {
		kind = "chat.completion" + suffix
	}
	return map[string]any{"id": a.id, "object": kind, "created": time.Now().Unix(), "model": a.model}
}

func (a *answer) counts(out int) map[string]int {
	return map[string]int{"prompt_tokens": a.prompt, "completion_tokens": out, "total_tokens": a.prompt + out}
}

// stream sends one event a token, flushed, then the finish reason, the usage
// where it was asked for, and [DONE].
func (a *answer) stream(r *request) {
	a.w.Header().Set("Content-Type", "text/event-stream")
	a.w.Header().Set("Cache-Control", "no-cache")
	flush := http.NewResponseController(a.w).Flush
	_ = flush()
	n := 0
	for token := range r.out {
		n++
		a.event(a.choice(string(rune(token)), nil))
		if flush() != nil {
			return // the client has gone; its context ends the request
		}
	}
	a.event(a.choice("", &r.finish))
	if a.usage {
		o := a.object(".chunk")
		o["choices"], o["usage"] = []any{}, a.counts(n)
		a.event(o)
	}
	fmt.Fprint(a.w, "data: [DONE]\n\n")
}

func (a *answer) event(v any) {
	data, err := json.Marshal(v)
	if err != nil {
		return // strings and numbers always encode
	}
	fmt.Fprintf(a.w, "data: %s\n\n", data)
}

func (a *answer) choice(text string, finish *string) map[string]any {
	o := a.object(".chunk")
	c := map[string]any{"index": 0, "finish_reason": finish}
	if a.chat {
		c["delta"] = map[string]string{"content": text}
	} else {
		c["text"] = text
	}
	o["choices"] = []any{c}
	return o
}

func (a *answer) whole(r *request) {
	var text strings.Builder
	n := 0
	for token := range r.out {
		n++
		text.WriteByte(byte(token))
	}
	o := a.object("")
	c := map[string]any{"index": 0, "finish_reason": r.finish}
	if a.chat {
		c["message"] = message{Role: "assistant", Content: text.String()}
	} else {
		c["text"] = text.String()
	}
	o["choices"], o["usage"] = []any{c}, a.counts(n)
	reply(a.w, o)
}
