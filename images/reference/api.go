package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
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
	mux.HandleFunc("POST /tokenize", s.loaded(s.tokenize))
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

// refuse answers with OpenAI's error object.
func refuse(w http.ResponseWriter, status int, format string, args ...any) {
	kind := "invalid_request_error"
	if status >= http.StatusInternalServerError {
		kind = "server_error"
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{
		"message": fmt.Sprintf(format, args...), "type": kind, "param": nil, "code": nil,
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
	one("cached_tokens_total", "counter", "Prompt tokens found in a prefix cache, of which there is none.", 0)
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
	b, err := decode(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		refuse(w, http.StatusBadRequest, "the body is not the JSON of a request: %v", err)
		return
	}
	if b.Model != "" && b.Model != s.name {
		refuse(w, http.StatusNotFound, "model %q is not served here, %q is", b.Model, s.name)
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	reqs, err := s.requests(ctx, b, chat)
	if err != nil {
		refuse(w, http.StatusBadRequest, "%v", err)
		return
	}
	a := answer{w: w, chat: chat, model: s.name, id: fmt.Sprintf("cmpl-%d", s.ids.Add(1)), usage: b.StreamOptions.IncludeUsage}
	for _, req := range reqs {
		a.prompt += len(req.prompt)
		e.submit(req)
	}
	if b.Stream {
		a.stream(reqs, cancel)
		return
	}
	a.whole(reqs)
}

// tokenize counts a prompt's tokens.
func (s *server) tokenize(w http.ResponseWriter, r *http.Request, _ *engine) {
	b, err := decode(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		refuse(w, http.StatusBadRequest, "the body is not the JSON of a request: %v", err)
		return
	}
	list, err := prompts(b, false)
	if err == nil && len(list) != 1 {
		err = fmt.Errorf("%d prompts, and one is counted at a time", len(list))
	}
	if err != nil {
		refuse(w, http.StatusBadRequest, "%v", err)
		return
	}
	reply(w, map[string]any{"count": len(list[0]), "max_model_len": s.maxLen, "tokens": list[0]})
}

// decode reads one JSON object and nothing behind it.
func decode(r io.Reader) (*body, error) {
	var b body
	d := json.NewDecoder(r)
	if err := d.Decode(&b); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("something stands behind it")
	}
	return &b, nil
}

// requests checks a body and makes one request for the engine of each prompt.
func (s *server) requests(ctx context.Context, b *body, chat bool) ([]*request, error) {
	list, err := prompts(b, chat)
	if err != nil {
		return nil, err
	}
	if b.Temperature < 0 {
		return nil, fmt.Errorf("temperature is %g and must not be negative", b.Temperature)
	}
	var out []*request
	for _, prompt := range list {
		n, err := s.length(b, len(prompt), chat)
		if err != nil {
			return nil, err
		}
		r := &request{ctx: ctx, prompt: prompt, maxTokens: n, temperature: b.Temperature, ignoreEOS: b.IgnoreEOS, seed: s.seed}
		if b.Seed != nil {
			r.seed = *b.Seed
		}
		out = append(out, r)
	}
	return out, nil
}

// length is how many tokens an answer may have. Where the request does not say,
// OpenAI's defaults hold: 16 for completions, for chat what the context holds.
// More than the context holds is refused, not cut: the work is to be known.
func (s *server) length(b *body, prompt int, chat bool) (int, error) {
	room := s.maxLen - prompt
	switch {
	case prompt == 0:
		return 0, errors.New("the prompt is empty")
	case room < 1:
		return 0, fmt.Errorf("%d prompt tokens leave no room in the context of %d", prompt, s.maxLen)
	}
	n := min(16, room)
	switch {
	case b.MaxTokens != nil:
		n = *b.MaxTokens
	case b.MaxCompletion != nil:
		n = *b.MaxCompletion
	case chat:
		n = room
	}
	switch {
	case n < 1:
		return 0, fmt.Errorf("max_tokens is %d and must be at least 1", n)
	case n > room:
		return 0, fmt.Errorf("%d prompt tokens and max_tokens %d do not fit the context of %d", prompt, n, s.maxLen)
	}
	return n, nil
}

// maxPrompts bounds the prompts of one request.
const maxPrompts = 256

// prompts reads a prompt in any of OpenAI's forms: text, token ids, or a list
// of either.
func prompts(b *body, chat bool) ([][]int, error) {
	if chat {
		var text strings.Builder
		for _, m := range b.Messages {
			fmt.Fprintf(&text, "%s: %s\n", m.Role, m.Content)
		}
		return [][]int{bytesOf(text.String())}, nil
	}
	var text string
	var texts []string
	var ids []int
	var lists [][]int
	switch {
	case json.Unmarshal(b.Prompt, &text) == nil:
		lists = [][]int{bytesOf(text)}
	case json.Unmarshal(b.Prompt, &ids) == nil:
		lists = [][]int{ids}
	case json.Unmarshal(b.Prompt, &texts) == nil:
		for _, t := range texts {
			lists = append(lists, bytesOf(t))
		}
	case json.Unmarshal(b.Prompt, &lists) != nil:
		return nil, errors.New("prompt is neither text, nor token ids, nor a list of either")
	}
	if len(lists) > maxPrompts {
		return nil, fmt.Errorf("%d prompts in one request, at most %d are taken", len(lists), maxPrompts)
	}
	for _, l := range lists {
		for _, id := range l {
			if id < 0 || id >= vocabulary {
				return nil, fmt.Errorf("token id %d is outside the vocabulary of %d", id, vocabulary)
			}
		}
	}
	return lists, nil
}

func bytesOf(text string) []int {
	out := make([]int, len(text))
	for i := range len(text) {
		out[i] = int(text[i])
	}
	return out
}
