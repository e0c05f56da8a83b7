package standin

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/llenergymeasure/llem/internal/load"
)

// ask is what a request's body asks of the server, beside OpenAI's fields.
type ask struct {
	Prompt    prompt `json:"prompt"`
	MaxTokens int    `json:"max_tokens"`
	// IntervalNS is the time between tokens; 0: the server's own.
	IntervalNS int64 `json:"interval_ns"`
	// Burst is how many chunks go in one write; 0 is 1.
	Burst   int `json:"burst"`
	Options struct {
		Continuous bool `json:"continuous_usage_stats"` // usage in every chunk, as vLLM has it
	} `json:"stream_options"`
}

// prompt is a text, or the ids of tokens. Of a text that is a number in decimal
// the stamps are kept under it, of any other by the order of the requests.
type prompt struct {
	Text   string
	Tokens int // ids, or words and the mark that begins a text
}

// UnmarshalJSON reads either.
func (p *prompt) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '[' {
		var ids []json.RawMessage
		err := json.Unmarshal(data, &ids)
		p.Tokens = len(ids)
		return err
	}
	err := json.Unmarshal(data, &p.Text)
	p.Tokens = 1 + len(strings.Fields(p.Text))
	return err
}

// Stamps are one request's, in nanoseconds of CLOCK_MONOTONIC.
type Stamps struct {
	Arrived  int64   `json:"arrived"`  // the kernel received its last byte; 0: it does not say
	Received int64   `json:"received"` // its last byte was read
	Due      []int64 `json:"due"`      // the schedule's, of each token
	Written  []int64 `json:"written"`  // just before each token was handed to the kernel
}

// Server answers on connections. The zero value is ready.
type Server struct {
	// Interval is the time between the tokens of requests that do not say; 0: as
	// fast as the socket takes them.
	Interval time.Duration

	mu     sync.Mutex
	stamps map[string]*Stamps
	seen   Seen
}

// Seen is what a server was asked for, and when, in nanoseconds of
// CLOCK_MONOTONIC.
type Seen struct {
	Requests, Tokens int
	First, Last      int64 // when the first request was read, and the last answer written
}

// A chunk as vLLM writes them. Its text is one token of images/tinymodel.
const (
	chunk = `data: {"id":"cmpl-0123456789abcdef0123456789abcdef","object":"text_completion","created":1764000000,"model":"standin","choices":[{"index":0,"text":" baba","logprobs":null,"finish_reason":%s,"stop_reason":null}]%s}` + "\n\n"
	usage = `,"usage":{"prompt_tokens":%d,"total_tokens":%d,"completion_tokens":%d}`
)

var (
	token = frame(fmt.Sprintf(chunk, "null", ""))
	last  = frame(fmt.Sprintf(chunk, `"length"`, ""))
)

// token is the framed chunk of the request's token i.
func (a *ask) token(i int) []byte {
	switch reason := "null"; {
	case a.Options.Continuous:
		if i == a.MaxTokens-1 {
			reason = `"length"`
		}
		return frame(fmt.Sprintf(chunk, reason, fmt.Sprintf(usage, a.Prompt.Tokens, a.Prompt.Tokens+i+1, i+1)))
	case i == a.MaxTokens-1:
		return last
	}
	return token
}

func frame(s string) []byte { return fmt.Appendf(nil, "%x\r\n%s\r\n", len(s), s) }

const head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"

// Serve accepts connections until the listener is closed, and returns why.
func (s *Server) Serve(l net.Listener) error {
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer c.Close()
			s.connection(c) //nolint:errcheck // a client may leave at any time
		}()
	}
}

func (s *Server) connection(c net.Conn) error {
	in, err := load.NewTimed(c)
	if err != nil {
		return err
	}
	r := bufio.NewReaderSize(in, 4<<10)
	for {
		req, err := http.ReadRequest(r)
		if err != nil {
			return err
		}
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return err
		}
		switch {
		case req.URL.Path == "/stamps":
			err = s.answer(c, s.told())
		case req.URL.Path == "/seen":
			s.mu.Lock()
			seen := s.seen
			s.mu.Unlock()
			err = s.answer(c, seen)
		case req.URL.Path == "/cpu":
			err = s.answer(c, load.CPUTime())
		case req.Method == http.MethodPost:
			err = s.stream(c, body, in.Received())
		case req.URL.Path == "/metrics":
			_, err = io.WriteString(c, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
		default:
			err = s.answer(c, models)
		}
		if err != nil {
			return err
		}
	}
}

// models is what the server says of itself on any other route: its model, as vLLM
// would.
var models = map[string]any{"object": "list", "data": []any{
	map[string]any{"id": "standin", "object": "model", "created": 1764000000, "owned_by": "vllm", "max_model_len": 4096},
}}

// answer writes a value as JSON.
func (s *Server) answer(c net.Conn, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(data), data)
	return err
}

// told hands the stamps over and forgets them.
func (s *Server) told() map[string]*Stamps {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.stamps
	s.stamps = nil
	return out
}

// stream answers one request, which the kernel received at a time, with as many tokens
// as it asks for.
func (s *Server) stream(c net.Conn, body []byte, arrived int64) error {
	var a ask
	if err := json.Unmarshal(body, &a); err != nil {
		return err
	}
	s.mu.Lock()
	if s.seen.First == 0 {
		s.seen.First = load.Monotonic(time.Now())
	}
	s.mu.Unlock()
	if a.IntervalNS == 0 {
		a.IntervalNS = s.Interval.Nanoseconds()
	}
	if _, err := io.WriteString(c, head); err != nil {
		return err
	}
	var err error
	switch {
	case a.Prompt.Text == halting:
		err = halt(c, a)
	case a.IntervalNS > 0:
		err = s.paced(c, a, arrived)
	default:
		err = flood(c, a)
	}
	if err != nil {
		return err
	}
	end := frame(fmt.Sprintf(`data: {"id":"cmpl-0123456789abcdef0123456789abcdef","object":"text_completion","created":1764000000,"model":"standin","choices":[]`+usage+"}\n\n",
		a.Prompt.Tokens, a.Prompt.Tokens+a.MaxTokens, a.MaxTokens))
	end = append(append(end, frame("data: [DONE]\n\n")...), "0\r\n\r\n"...)
	_, err = c.Write(end)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen.Requests, s.seen.Tokens, s.seen.Last = s.seen.Requests+1, s.seen.Tokens+a.MaxTokens, load.Monotonic(time.Now())
	return err
}

// paced sends each token when it is due and stamps it before.
func (s *Server) paced(c net.Conn, a ask, arrived int64) error {
	st := &Stamps{Arrived: arrived, Received: load.Monotonic(time.Now()), Due: make([]int64, 0, a.MaxTokens), Written: make([]int64, 0, a.MaxTokens)}
	s.mu.Lock()
	if s.stamps == nil {
		s.stamps = map[string]*Stamps{}
	}
	s.stamps[a.Prompt.key(len(s.stamps))] = st
	s.mu.Unlock()
	first := st.Received + int64(float64(a.IntervalNS)*(1+phase(a.Prompt.Text)))
	for i := range a.MaxTokens {
		due := first + int64(i)*a.IntervalNS
		time.Sleep(time.Duration(due - load.Monotonic(time.Now())))
		st.Due = append(st.Due, due)
		st.Written = append(st.Written, load.Monotonic(time.Now()))
		if _, err := c.Write(a.token(i)); err != nil {
			return err
		}
	}
	return nil
}

// key is what the stamps of a prompt are kept under.
func (p prompt) key(others int) string {
	if _, err := strconv.Atoi(p.Text); err != nil {
		return fmt.Sprintf("request %d", others)
	}
	return p.Text
}

// phase spreads requests over an interval, evenly however many there are: the
// golden ratio's multiples.
func phase(id string) float64 {
	n, _ := strconv.Atoi(id) // what has no number has no phase of its own
	_, f := math.Modf(float64(n) * (math.Sqrt(5) - 1) / 2)
	return f
}

// halting is the prompt of a request that gets half a token, and the other half
// when all would have been sent.
const halting = "halting"

func halt(c net.Conn, a ask) error {
	half := len(token) / 2
	if _, err := c.Write(token[:half]); err != nil {
		return err
	}
	time.Sleep(time.Duration(a.IntervalNS) * time.Duration(a.MaxTokens))
	_, err := c.Write(token[half:])
	return err
}

// flood sends tokens as fast as the socket takes them.
func flood(c net.Conn, a ask) error {
	burst := make([]byte, 0, max(1, a.Burst)*len(token))
	for i := 0; i < a.MaxTokens; {
		burst = burst[:0]
		for range min(a.MaxTokens-i, max(1, a.Burst)) {
			burst = append(burst, a.token(i)...)
			i++
		}
		if _, err := c.Write(burst); err != nil {
			return err
		}
	}
	return nil
}
