package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/llenergymeasure/llem/internal/study"
)

// KeepsNone is how the cache of an engine is emptied whose requests leave nothing
// to find.
const KeepsNone = "none: it keeps no prompt for later requests"

func noCache(context.Context, Address) (string, error) { return KeepsNone, nil }

// CachesPrompts says whether an experiment's server keeps prompts to find them again,
// as far as its flags tell: one that was told not to has nothing to be emptied.
func CachesPrompts(e study.Experiment) bool {
	off := map[string]any{"enable-prefix-caching": false, "no-enable-prefix-caching": true, "disable-radix-cache": true}
	for name, v := range e.Engine.Args {
		if no, known := off[strings.ReplaceAll(strings.TrimLeft(name, "-"), "_", "-")]; known && v == no {
			return false
		}
	}
	return true
}

// A server that has just answered may take a moment until nothing of the request is
// held any more, and refuses until then.
const (
	resetTries = 20
	resetPause = 250 * time.Millisecond
)

// resetBy empties the prefix cache by a route. Servers that have it answer 200, and
// some of them false in a 200 while a request still holds a part of the cache.
func resetBy(route string) func(ctx context.Context, at Address) (string, error) {
	return func(ctx context.Context, at Address) (string, error) {
		for try := 1; ; try++ {
			body, err := fetch(ctx, http.MethodPost, at, route)
			var said struct{ Success *bool }
			if err == nil && json.Unmarshal(body, &said) == nil && said.Success != nil && !*said.Success {
				err = fmt.Errorf("%s%s answered success: false", at, route)
			}
			var no *refusal
			if err == nil {
				return "POST " + route, nil
			}
			if errors.As(err, &no) && no.code == http.StatusNotFound {
				return "", fmt.Errorf("the server has no %s: %w", route, err)
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
}
