package engine

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/llenergymeasure/llem/internal/load"
)

// standin answers as an engine's sources say that it would. What it was asked is
// kept.
type standin struct {
	most   int               // tokens that are asked for, 3 at least
	routes map[string]string // METHOD path: what is answered
	stream []string          // the pieces of an answer to a completion or a chat, each in a packet of its own
	status int               // of that answer; 0: 200
	header map[string]string // of that answer
	noIDs  string            // what a prompt of token ids is refused with; empty: it is taken
	reset  bool              // the connection is reset after the pieces
	closes bool              // the connection is closed after a whole answer, without a word

	mu    sync.Mutex
	asked []string
	body  map[string]any // of the last completion or chat
}

// serve starts it.
func (s *standin) serve(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return server.URL
}

func (s *standin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	route := r.Method + " " + r.URL.Path
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	s.asked = append(s.asked, route)
	s.mu.Unlock()
	text, ok := s.routes[route]
	switch {
	case ok:
		io.WriteString(w, text) //nolint:errcheck // the client may have gone
	case route == "POST /v1/completions" || route == "POST /v1/chat/completions":
		s.answer(w, body)
	default:
		http.NotFound(w, r)
	}
}

func (s *standin) answer(w http.ResponseWriter, body []byte) {
	s.mu.Lock()
	s.body = map[string]any{}
	err := json.Unmarshal(body, &s.body)
	_, ids := s.body["prompt"].([]any)
	s.mu.Unlock()
	for k, v := range s.header {
		w.Header().Set(k, v)
	}
	switch {
	case err != nil:
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	case ids && s.noIDs != "":
		http.Error(w, s.noIDs, http.StatusBadRequest)
		return
	case s.status != 0:
		w.WriteHeader(s.status)
	default:
		w.Header().Set("Content-Type", "text/event-stream")
	}
	for _, p := range s.stream {
		io.WriteString(w, p)                      //nolint:errcheck // the client may have gone
		_ = http.NewResponseController(w).Flush() // as above
	}
	if s.reset || s.closes {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		if s.closes {
			io.WriteString(conn, "0\r\n\r\n") //nolint:errcheck // the client may have gone
			conn.Read(make([]byte, 1))        //nolint:errcheck // the next request is lost, if the client sends one
		} else {
			conn.(*net.TCPConn).SetLinger(0) //nolint:errcheck // closing then sends a reset
		}
		conn.Close()
	}
}

// times is how often a route was asked.
func (s *standin) times(route string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, a := range s.asked {
		if a == route {
			n++
		}
	}
	return n
}

// drive sends one request, of a prompt that is known by its text and by its ids.
func (s *standin) drive(t *testing.T, name, api string) load.Timing {
	t.Helper()
	e, err := Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	c := e.Client(Address{URL: s.serve(t)}, ClientOptions{API: api, Model: "m", Seed: 42, IgnoreEOS: true, KeepText: true})
	run, err := load.Drive(t.Context(), load.Config{
		Client: c, Requests: []load.Request{{Prompt: "why not", Tokens: []int{1, 2, 3}, MaxOutputTokens: max(3, s.most)}}, Pattern: load.Closed(1),
	})
	if err != nil {
		t.Fatal(err)
	}
	return *run.Timings.At(0)
}

// events are the pieces of a stream of server-sent events.
func events(chunks ...string) []string {
	out := slices.Clone(chunks)
	for i, c := range out {
		if !strings.HasPrefix(c, ":") {
			out[i] = "data: " + c + "\n\n"
		}
	}
	return out
}

// chunk is one event of a stream: a choice, and a usage or none.
func chunk(choice, usage string) string {
	if choice != "" {
		choice = `{"index":0,"logprobs":null,` + choice + `}`
	}
	if usage != "" {
		usage = `,"usage":` + usage
	}
	return `{"id":"1","object":"o","created":1,"model":"m","choices":[` + choice + `]` + usage + `}`
}

// used is a usage.
func used(prompt, completion int) string {
	return fmt.Sprintf(`{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d}`, prompt, completion, prompt+completion)
}
