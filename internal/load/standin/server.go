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
	"sync"
	"time"

	"github.com/llenergymeasure/llem/internal/load"
)

// Ask is what a request's body asks of the server, beside OpenAI's fields.
type Ask struct {
	Prompt    string `json:"prompt"` // the request's number in decimal, under which its stamps are kept
	MaxTokens int    `json:"max_tokens"`
	// IntervalNS is the time between tokens; 0: as fast as the socket takes them.
	IntervalNS int64 `json:"interval_ns"`
	// Burst is how many chunks go in one write; 0 is 1.
	Burst int `json:"burst"`
}

// Stamps are one request's, in nanoseconds of CLOCK_MONOTONIC.
type Stamps struct {
	Received int64   `json:"received"` // its last byte was read
	Due      []int64 `json:"due"`      // the schedule's, of each token
	Written  []int64 `json:"written"`  // just before each token was handed to the kernel
}

// Server answers on connections. The zero value is ready.
type Server struct {
	mu     sync.Mutex
	stamps map[string]*Stamps
}

// token is a chunk as vLLM writes them, in HTTP's framing.
var token = frame(`data: {"id":"cmpl-0123456789abcdef0123456789abcdef","object":"text_completion","created":1764000000,"model":"standin","choices":[{"index":0,"text":" the","logprobs":null,"finish_reason":null,"stop_reason":null}]}` + "\n\n")

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
	r := bufio.NewReaderSize(c, 4<<10)
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
		case req.URL.Path == "/cpu":
			err = s.answer(c, load.CPUTime())
		case req.Method == http.MethodPost:
			err = s.stream(c, body)
		default:
			err = s.answer(c, map[string]any{"data": []any{}})
		}
		if err != nil {
			return err
		}
	}
}

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

// stream answers one request with as many tokens as it asks for.
func (s *Server) stream(c net.Conn, body []byte) error {
	var a Ask
	if err := json.Unmarshal(body, &a); err != nil {
		return err
	}
	if _, err := io.WriteString(c, head); err != nil {
		return err
	}
	var err error
	switch {
	case a.Prompt == halting:
		err = halt(c, a)
	case a.IntervalNS > 0:
		err = s.paced(c, a)
	default:
		err = flood(c, a)
	}
	if err != nil {
		return err
	}
	end := frame(fmt.Sprintf(`data: {"choices":[{"index":0,"text":"","finish_reason":"length"}],"usage":{"prompt_tokens":1,"completion_tokens":%d}}`+"\n\n", a.MaxTokens))
	end = append(append(end, frame("data: [DONE]\n\n")...), "0\r\n\r\n"...)
	_, err = c.Write(end)
	return err
}

// paced sends each token when it is due and stamps it before.
func (s *Server) paced(c net.Conn, a Ask) error {
	st := &Stamps{Received: load.Monotonic(time.Now()), Due: make([]int64, 0, a.MaxTokens), Written: make([]int64, 0, a.MaxTokens)}
	s.mu.Lock()
	if s.stamps == nil {
		s.stamps = map[string]*Stamps{}
	}
	s.stamps[a.Prompt] = st
	s.mu.Unlock()
	first := st.Received + int64(float64(a.IntervalNS)*(1+phase(a.Prompt)))
	for i := range a.MaxTokens {
		due := first + int64(i)*a.IntervalNS
		time.Sleep(time.Duration(due - load.Monotonic(time.Now())))
		st.Due = append(st.Due, due)
		st.Written = append(st.Written, load.Monotonic(time.Now()))
		if _, err := c.Write(token); err != nil {
			return err
		}
	}
	return nil
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

func halt(c net.Conn, a Ask) error {
	half := len(token) / 2
	if _, err := c.Write(token[:half]); err != nil {
		return err
	}
	time.Sleep(time.Duration(a.IntervalNS) * time.Duration(a.MaxTokens))
	_, err := c.Write(token[half:])
	return err
}

// flood sends tokens as fast as the socket takes them.
func flood(c net.Conn, a Ask) error {
	burst := make([]byte, 0, max(1, a.Burst)*len(token))
	for range max(1, a.Burst) {
		burst = append(burst, token...)
	}
	for left := a.MaxTokens; left > 0; {
		n := min(left, max(1, a.Burst))
		if _, err := c.Write(burst[:n*len(token)]); err != nil {
			return err
		}
		left -= n
	}
	return nil
}
