package engine

import (
	"context"
	"errors"
	"fmt"
)

// ErrNoCount says that a server does not count tokens.
var ErrNoCount = errors.New("the server has no route that counts tokens")

// tokenizer is the route of a server that counts.
type tokenizer struct {
	body func(model, text string) any
	// count reads the answer.
	count func(answer []byte) (int, error)
}

// CountTokens asks a server how many tokens a plain prompt of that text comes to, with
// what the tokenizer adds to it; nothing is computed for it. ErrNoCount says that the
// server does not count.
func (e *Engine) CountTokens(ctx context.Context, at Address, model, text string) (int, error) {
	if e.tokenizer == nil {
		return 0, ErrNoCount
	}
	return e.tokenizer.ask(ctx, at, model, text)
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
