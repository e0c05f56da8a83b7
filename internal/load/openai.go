package load

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// OpenAIOptions are the same for every request of an experiment.
type OpenAIOptions struct {
	BaseURL     string
	Header      http.Header // of every request
	API         string      // completions | chat
	Model       string      // as the server calls it
	Seed        int64
	Temperature float64
	IgnoreEOS   bool
	ExtraBody   map[string]any
	Timeout     time.Duration // of one request; 0: none
	KeepText    bool
	Connections int  // opened by Prepare and kept
	Bounded     bool // never more than Connections are needed: a request waits for one that is about to be free
	H2C         bool // HTTP/2 without TLS: requests share connections, as many as the server lets them

	OneShot         bool // the server closes each connection after its answer, whatever it says
	SendText        bool // completions take no token ids: send what they read
	ContinuousUsage bool // have every chunk say how many tokens there were so far
}

var _ Client = (*OpenAI)(nil)

// OpenAI streams completions from a server that speaks OpenAI's HTTP API. It
// never retries: a request that failed is a result.
type OpenAI struct {
	opt    OpenAIOptions
	url    string
	client *http.Client
	shared *shared // of h2c

	answers int // to each request, by extra_body's n and best_of
}

// NewOpenAI makes a client; Close it.
func NewOpenAI(opt OpenAIOptions) *OpenAI {
	path := "/v1/completions"
	if opt.API == "chat" {
		path = "/v1/chat/completions"
	}
	o := &OpenAI{opt: opt, url: strings.TrimRight(opt.BaseURL, "/") + path, answers: answers(opt.ExtraBody)}
	var protocols http.Protocols
	protocols.SetHTTP1(!opt.H2C)
	protocols.SetUnencryptedHTTP2(opt.H2C)
	transport := &http.Transport{
		// No proxy: the server is on this host, and a proxy's delay would be measured as its.
		DialContext:            dial,
		MaxIdleConnsPerHost:    math.MaxInt, // what was opened once is kept
		DisableCompression:     true,
		MaxResponseHeaderBytes: 1 << 20,
		DisableKeepAlives:      opt.OneShot,
		ReadBufferSize:         32 << 10,
		Protocols:              &protocols,
	}
	o.client = &http.Client{
		Transport: transport,
		// To follow one would be to send the request again.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	if opt.Bounded && !opt.OneShot && !opt.H2C {
		transport.MaxConnsPerHost = opt.Connections
	}
	if opt.H2C {
		o.shared = &shared{transport: transport}
		o.client.Transport = o.shared
	}
	return o
}

// answers is how many a request is asked for.
func answers(extra map[string]any) int {
	most := 1
	for _, key := range []string{"n", "best_of"} {
		switch n := extra[key].(type) {
		case int:
			most = max(most, n)
		case float64:
			most = max(most, int(n))
		}
	}
	return most
}

// socketKey is where a dial's context has the place for what it opened, if anybody asks.
type socketKey struct{}

// dial opens a connection whose bytes are stamped by the kernel.
func dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 15 * time.Second}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	t, err := NewTimed(c)
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	if socket, ok := ctx.Value(socketKey{}).(*net.Conn); ok {
		*socket = t
	}
	return t, nil
}

// Close drops the connections.
func (o *OpenAI) Close() { o.client.CloseIdleConnections() }

// Prepare encodes the requests and opens the
// connections, so that a send in the window is only a write.
func (o *OpenAI) Prepare(ctx context.Context, reqs []Request) error {
	for i := range reqs {
		if err := o.Encode(&reqs[i]); err != nil {
			return err
		}
	}
	if o.opt.OneShot && o.shared == nil {
		return nil // none would be there when its request is due
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	return o.connect(ctx, min(max(1, o.opt.Connections), len(reqs)))
}

// Encode completes a request, so that its send is only a write.
func (o *OpenAI) Encode(r *Request) (err error) {
	r.body, err = o.body(*r)
	return err
}

// body encodes one request.
func (o *OpenAI) body(r Request) ([]byte, error) {
	b := map[string]any{}
	maps.Copy(b, o.opt.ExtraBody)
	b["model"] = o.opt.Model
	b["max_tokens"] = r.MaxOutputTokens
	b["temperature"] = o.opt.Temperature
	b["seed"] = o.opt.Seed
	b["stream"] = true
	stream := map[string]any{"include_usage": true}
	if o.opt.ContinuousUsage {
		stream["continuous_usage_stats"] = true
	}
	b["stream_options"] = stream
	if o.opt.IgnoreEOS {
		b["ignore_eos"] = true
	}
	text := o.opt.API == "chat" || o.opt.SendText
	switch {
	case o.opt.API == "chat" && r.Prompt == "" && len(r.Tokens) > 0:
		return nil, fmt.Errorf("request %d has token ids and no text, which a chat needs: use workload.api: completions", r.ID)
	case text && r.Prompt == "" && len(r.Tokens) > 0:
		return nil, fmt.Errorf("request %d has token ids and no text, and this engine takes text alone: use a prompts file (workload.source)", r.ID)
	case o.opt.API == "chat":
		b["messages"] = []map[string]string{{"role": "user", "content": r.Prompt}}
	case len(r.Tokens) > 0 && !text:
		b["prompt"] = r.Tokens
	default:
		b["prompt"] = r.Prompt
	}
	data, err := json.Marshal(b)
	if err != nil {
		return nil, fmt.Errorf("encode request %d: %w", r.ID, err)
	}
	return data, nil
}

// Generate sends one request and reads its stream to the last byte.
func (o *OpenAI) Generate(ctx context.Context, t0 time.Time, r Request, tr *Timing) error {
	body := r.body
	if body == nil {
		var err error
		if body, err = o.body(r); err != nil {
			return err
		}
	}
	run := ctx
	if o.opt.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.opt.Timeout)
		defer cancel()
	}
	resp, conn, err := o.send(ctx, t0, body, tr)
	if err == nil {
		defer resp.Body.Close()
		tr.HTTPStatus = resp.StatusCode
		lags, _ := ctx.Value(lagsKey{}).(*histogram) // nil: nobody asks
		err = o.receive(resp, stamper{conn: conn, t0: t0, lags: lags}, tr, o.wish(&r))
	}
	switch {
	case run.Err() != nil || !errors.Is(err, context.DeadlineExceeded):
		return err
	case ctx.Err() != nil:
		return fmt.Errorf("no complete answer within %s (workload.request_timeout_seconds): %w", o.opt.Timeout, err)
	}
	return fmt.Errorf("%v", err) // a dial that timed out: a failure, not the request's timeout
}

// receive reads the response; anything but 200 is an error that quotes it.
func (o *OpenAI) receive(resp *http.Response, in stamper, tr *Timing, w wish) error {
	if resp.StatusCode == http.StatusOK {
		w.kind = resp.Header.Get("Content-Type")
		return read(resp.Body, in, tr, w, o.opt.KeepText)
	}
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 512)) // what came is what there is
	tr.End = in.stamp()
	status := resp.Status
	if after := resp.Header.Get("Retry-After"); after != "" {
		status = fmt.Sprintf("%s (Retry-After: %.40s)", status, after)
	}
	return fmt.Errorf("the server answered %s: %s", status, bytes.TrimSpace(text))
}

// buffers are what responses are read into.
var buffers = sync.Pool{New: func() any { b := make([]byte, 32<<10); return &b }}

// endless is from how many chunks on an answer of so many tokens is one that does not
// end: servers may cut a token into pieces, and not into many.
func endless(asked int) int { return 4096 + 16*asked }

// longestEvent bounds one event of an answer of so many tokens, which may all come in
// one, each with its likeliest others; 0: unknown.
func longestEvent(asked int) int {
	if asked <= 0 {
		return maxEvent
	}
	return min(maxEvent, 5<<18+4<<10*asked)
}

// longestText bounds the text that is kept of an answer: tokens of a hundred bytes are
// rare.
func longestText(asked int) int {
	if asked <= 0 {
		return maxEvent
	}
	return 16<<10 + 256*asked
}

// wish is what is known beforehand of an answer.
type wish struct {
	prompt int    // tokens that what was sent can be at most; 0: unknown
	output int    // tokens that were asked for; 0: unknown
	kind   string // its content type
	model  string // that was asked for; empty: unknown
}

// wish is that of a request. A token is at least a byte of a text.
func (o *OpenAI) wish(r *Request) wish {
	w := wish{prompt: len(r.Prompt) + plainTemplate, output: r.MaxOutputTokens * o.answers, model: o.opt.Model}
	switch {
	case o.opt.API == "chat" && len(o.opt.ExtraBody) > 0: // tools, or what a template is given
		w.prompt = 0
	case o.opt.API == "chat":
		w.prompt = len(r.Prompt) + chatTemplate
	case len(r.Tokens) > 0 && !o.opt.SendText:
		w.prompt = len(r.Tokens) + plainTemplate
	}
	return w
}

// mostAfterDone bounds what is read after [DONE], where some servers still say how
// many tokens there were.
const mostAfterDone = 64 << 10

// read drains a response. What a read brings has one stamp. An answer that goes on
// far beyond the asked tokens, or after its own [DONE], is given up, since it would
// fill the memory or never end.
func read(body io.Reader, in stamper, tr *Timing, w wish, keepText bool) error {
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	st := stream{tr: tr, wish: w, keepText: keepText}
	defer st.close()
	sc := scanner{most: longestEvent(w.output)}
	var at time.Duration
	emit := func(data []byte) error {
		if sc.failing {
			return st.failed(data)
		}
		return st.event(data, at)
	}
	after := 0
	for {
		n, err := body.Read(*buf)
		if n > 0 {
			at = in.stamp()
			if tr.FirstByte < 0 {
				tr.FirstByte = at
			}
			tr.End = at
			if st.done {
				after += n
			}
			if perr := sc.feed((*buf)[:n], emit); perr != nil {
				return perr
			}
			switch {
			case len(tr.Text) > longestText(w.output):
				tr.Text = nil
				return fmt.Errorf("the answer does not end: over %d bytes of text came, and %d tokens were asked for", longestText(w.output), w.output)
			case w.output > 0 && st.counted > endless(w.output):
				return fmt.Errorf("the answer does not end: %d tokens came, and %d were asked for", st.counted, w.output)
			case after > mostAfterDone:
				return fmt.Errorf("the answer does not end: over %d KiB came after its [DONE]", mostAfterDone>>10)
			}
		}
		switch {
		case err == nil:
		case err == io.EOF:
			st.ending = true
			return cmp.Or(sc.end(emit), st.verdict(&sc.foreign, w.kind))
		case st.done: // everything was said before the connection broke
			return st.verdict(&sc.foreign, w.kind)
		default:
			return fmt.Errorf("stream broke off after %d tokens: %w", st.counted, err)
		}
	}
}
