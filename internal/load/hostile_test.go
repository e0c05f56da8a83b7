package load

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

// A server that is hostile, or broken, costs the client no more than a bounded answer of
// each request, also where the text is kept.
func TestHostileAnswersAreBounded(t *testing.T) {
	text := strings.Repeat("x", 4000)
	for name, c := range map[string]struct {
		begin, again string
		says         string
	}{
		"a data line":         {"data: ", text, "longer than llem reads"},
		"a line of text":      {`data: {"choices":[{"text":"`, text, "longer than llem reads"},
		"lines of one event":  {"", "data: " + text + "\n", "longer than llem reads"},
		"an unknown field":    {"retry: ", text, "longer than llem reads"},
		"long chunks":         {"", `data: {"choices":[{"text":"` + text + `"}]}` + "\n\n", "the answer does not end"},
		"long chunks of chat": {"", `data: {"choices":[{"delta":{"content":"` + text + `"}}]}` + "\n\n", "the answer does not end"},
		"short chunks":        {"", one, "the answer does not end"},
	} {
		var sent atomic.Int64
		s := serve(t, OpenAIOptions{KeepText: true}, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.ReadAll(r.Body)
			write(w, c.begin)
			for piece := strings.Repeat(c.again, 1+64<<10/len(c.again)); r.Context().Err() == nil; {
				n, err := io.WriteString(w, piece)
				if sent.Add(int64(n)); err != nil {
					return
				}
			}
		})
		tr := once(t, s)
		if tr.Status != StatusFailed || !strings.Contains(tr.Error, c.says) || len(tr.Error) > 500 {
			t.Errorf("%s: %s, %.500s", name, tr.Status, tr.Error)
		}
		if len(tr.Text) > longestText(2) {
			t.Errorf("%s: %d bytes of text are kept", name, len(tr.Text))
		}
		if n := sent.Load(); n > 32<<20 { // what the sockets hold is a part of it
			t.Errorf("%s: took %d bytes", name, n)
		}
	}
}

func TestWhatOpensAConnectionIsBounded(t *testing.T) {
	c := serve(t, OpenAIOptions{Connections: 1}, func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			write(w, strings.Repeat("x", 1<<20))
		}
	})
	if err := c.Prepare(t.Context(), []Request{{Prompt: "why", MaxOutputTokens: 2}}); err == nil || !strings.Contains(err.Error(), "more than llem reads") {
		t.Errorf("%v", err)
	}
}

// The key is in every request, also in those that only open connections.
func TestHeadersGoWithEveryRequest(t *testing.T) {
	for _, h2c := range []bool{false, true} {
		var without, all atomic.Int64
		opt := OpenAIOptions{Connections: 2, H2C: h2c, Header: http.Header{"Authorization": {"Bearer k"}, "X-Team": {"a", "b"}, "Content-Type": {"none"}}}
		s := h2cServer(t, func(w http.ResponseWriter, r *http.Request) {
			all.Add(1)
			if r.Header.Get("Authorization") != "Bearer k" || len(r.Header.Values("X-Team")) != 2 {
				without.Add(1)
			}
			if r.Method == http.MethodPost {
				if got := r.Header.Get("Content-Type"); got != "application/json" {
					t.Errorf("a body of %s", got)
				}
				write(w, one, last, counts, done)
			}
		})
		s.Config.Protocols.SetHTTP1(true)
		s.Start()
		opt.BaseURL = s.URL
		c := NewOpenAI(opt)
		if err := c.Prepare(t.Context(), []Request{{Prompt: "why", MaxOutputTokens: 2, Hash: "h"}}); err != nil {
			t.Fatal(err)
		}
		if tr := once(t, c); tr.Status != StatusOK || without.Load() > 0 || all.Load() < 2 {
			t.Errorf("h2c %v: %s %s; %d of %d requests without the headers", h2c, tr.Status, tr.Error, without.Load(), all.Load())
		}
		c.Close()
	}
}
