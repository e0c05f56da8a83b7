package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// TokenCounter is an engine whose server says how many tokens a text is to it, without
// computing them. By assertion.
type TokenCounter interface {
	// CountTokens counts what a plain prompt of that text comes to, with what the
	// tokenizer adds to it. ErrNoCount says that the server does not.
	CountTokens(ctx context.Context, at Address, model, text string) (int, error)
}

// ErrNoCount says that a server does not count tokens.
var ErrNoCount = errors.New("the server has no route that counts tokens")

// tokenizer is the route of a server that counts.
type tokenizer struct {
	body func(model, text string) any
	// count reads the answer.
	count func(answer []byte) (int, error)
}

func (o *openai) CountTokens(ctx context.Context, at Address, model, text string) (int, error) {
	if o.tokenizer == nil {
		return 0, ErrNoCount
	}
	return o.tokenizer.ask(ctx, at, model, text)
}

func (reference) CountTokens(ctx context.Context, at Address, model, text string) (int, error) {
	return vllmTokenizer.ask(ctx, at, model, text)
}

const tokenizeRoute = "/tokenize"

// maxTokenized bounds an answer that lists the tokens of a text of n bytes: each is a
// byte at least, and takes no more than this of JSON.
func maxTokenized(n int) int64 { return 1<<20 + 32*int64(n) }

func (t *tokenizer) ask(ctx context.Context, at Address, model, text string) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	body, err := post(ctx, at, tokenizeRoute, t.body(model, text))
	if err != nil {
		return 0, err
	}
	defer body.Close()
	data, err := readAll(body, maxTokenized(len(text)), at.URL+tokenizeRoute)
	if err != nil {
		return 0, err
	}
	n, err := t.count(data)
	if err == nil && n <= 0 {
		err = errors.New("it counts none")
	}
	if err != nil {
		return 0, fmt.Errorf("%s%s: %w", at, tokenizeRoute, err)
	}
	return n, nil
}

// vllmTokenizer is vLLM's (vllm/entrypoints/serve/tokenize), and the reference
// engine's.
var vllmTokenizer = &tokenizer{
	body: func(model, text string) any {
		return map[string]any{"model": model, "prompt": text, "add_special_tokens": true}
	},
	count: func(answer []byte) (int, error) {
		var a struct{ Count int }
		err := json.Unmarshal(answer, &a)
		return a.Count, err
	},
}

// llamacppTokenizer is that of llama.cpp's server (tools/server/README.md).
var llamacppTokenizer = &tokenizer{
	body: func(_, text string) any { return map[string]any{"content": text, "add_special": true} },
	count: func(answer []byte) (int, error) {
		var a struct{ Tokens []int }
		err := json.Unmarshal(answer, &a)
		return len(a.Tokens), err
	},
}
