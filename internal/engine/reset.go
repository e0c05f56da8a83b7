package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/llenergymeasure/llem/internal/study"
)

// KeepsNone is how the cache of an engine is emptied whose requests leave nothing
// to find.
const KeepsNone = "none: it keeps no prompt for later requests"

// CachesPrompts says whether an experiment's server keeps prompts to find them again,
// as far as its flags tell: one that was told not to has nothing to be emptied.
func (e *Engine) CachesPrompts(exp study.Experiment) bool {
	for name, v := range exp.Engine.Args {
		if off, known := e.uncached[spelled(name)]; known && v == off {
			return false
		}
	}
	return true
}

// CanReset says whether the server's prefix cache can be emptied, or is never filled:
// that is known before a server is kept for it.
func (e *Engine) CanReset() bool { return e.reset != "" }

// A server that has just answered may take a moment until nothing of the request is
// held any more, and refuses until then.
const (
	resetTries = 20
	resetPause = 250 * time.Millisecond
)

// ResetCache empties the server's prefix cache, and says how: the route that was called,
// or none and why. Servers that have it answer 200, and some of them false in a 200 while
// a request still holds a part of the cache.
func (e *Engine) ResetCache(ctx context.Context, at Address) (how string, err error) {
	if e.reset == KeepsNone {
		return KeepsNone, nil
	}
	for try := 1; ; try++ {
		body, err := fetch(ctx, http.MethodPost, at, e.reset)
		var said struct{ Success *bool }
		if err == nil && json.Unmarshal(body, &said) == nil && said.Success != nil && !*said.Success {
			err = fmt.Errorf("%s%s answered success: false", at, e.reset)
		}
		var no *refusal
		if err == nil {
			return "POST " + e.reset, nil
		}
		if errors.As(err, &no) && no.code == http.StatusNotFound {
			return "", fmt.Errorf("the server has no %s: %w", e.reset, err)
		}
		if try == resetTries {
			return "", err
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(resetPause):
		}
	}
}
