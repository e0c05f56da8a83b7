package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

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

// piece is a token of one of the prompts of a request; token is -1 when that
// answer ends.
type piece struct{ index, token int }

// together hands out the tokens of several requests as they come. It has room
// for all of them, so that nothing waits for its reader.
func together(reqs []*request) <-chan piece {
	room := 0
	for _, r := range reqs {
		room += r.maxTokens + 1
	}
	out := make(chan piece, room)
	for i, r := range reqs {
		go func() {
			for token := range r.out {
				out <- piece{i, token}
			}
			out <- piece{i, -1}
		}()
	}
	return out
}

// stream sends one event a token, flushed, then each answer's finish reason,
// the usage where it was asked for, and [DONE]. It calls gone when the client
// has gone, which ends the requests, and returns when all have ended.
func (a *answer) stream(reqs []*request, gone func()) {
	a.w.Header().Set("Content-Type", "text/event-stream")
	a.w.Header().Set("Cache-Control", "no-cache")
	flush := http.NewResponseController(a.w).Flush
	_ = flush()
	n := 0
	pieces := together(reqs)
	for open := len(reqs); open > 0; {
		p := <-pieces
		if p.token < 0 {
			open--
			a.event(a.choice(p.index, "", &reqs[p.index].finish))
			continue
		}
		n++
		a.event(a.choice(p.index, string(rune(p.token)), nil))
		if flush() != nil {
			gone()
		}
	}
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

func (a *answer) choice(index int, text string, finish *string) map[string]any {
	o := a.object(".chunk")
	c := map[string]any{"index": index, "finish_reason": finish}
	if a.chat {
		c["delta"] = map[string]string{"content": text}
	} else {
		c["text"] = text
	}
	o["choices"] = []any{c}
	return o
}

func (a *answer) whole(reqs []*request) {
	n := 0
	choices := []any{}
	for i, r := range reqs {
		var text strings.Builder
		for token := range r.out {
			n++
			text.WriteByte(byte(token))
		}
		c := map[string]any{"index": i, "finish_reason": r.finish}
		if a.chat {
			c["message"] = message{Role: "assistant", Content: text.String()}
		} else {
			c["text"] = text.String()
		}
		choices = append(choices, c)
	}
	o := a.object("")
	o["choices"], o["usage"] = choices, a.counts(n)
	reply(a.w, o)
}
