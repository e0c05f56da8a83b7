package load

import (
	"context"
	"encoding/json"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	one    = `data: {"choices":[{"text":"a"}]}` + "\n\n"
	last   = `data: {"choices":[{"text":"b","finish_reason":"length"}]}` + "\n\n"
	counts = `data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}` + "\n\n"
	done   = "data: [DONE]\n\n"
)

// serve starts a server and a client of it.
func serve(t *testing.T, opt OpenAIOptions, h http.HandlerFunc) *OpenAI {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	opt.BaseURL = s.URL + "/"
	c := NewOpenAI(opt)
	t.Cleanup(c.Close)
	return c
}

// write sends pieces, each in a packet of its own.
func write(w http.ResponseWriter, pieces ...string) {
	w.Header().Set("Content-Type", "text/event-stream")
	for _, p := range pieces {
		io.WriteString(w, p)                      //nolint:errcheck // the client may have gone
		_ = http.NewResponseController(w).Flush() // as above
	}
}

// once drives one request.
func once(t *testing.T, c *OpenAI) *Timing {
	t.Helper()
	run, err := Drive(t.Context(), Config{Client: c, Requests: []Request{{Prompt: "why", MaxOutputTokens: 2, Hash: "h"}}, Pattern: Closed(1)})
	if err != nil || run.Timings.Len() != 1 {
		t.Fatalf("%d timings, error %v", run.Timings.Len(), err)
	}
	return run.Timings.At(0)
}

func TestAGoodAnswerIsStampedInOrder(t *testing.T) {
	c := serve(t, OpenAIOptions{KeepText: true}, func(w http.ResponseWriter, r *http.Request) {
		write(w, ": ping\n\n", one, last, counts, done)
	})
	tr := once(t, c)
	order := []time.Duration{0, tr.Sent, tr.FirstByte, tr.FirstToken, tr.LastToken, tr.End}
	for i := 1; i < len(order); i++ {
		if order[i] < order[i-1] {
			t.Errorf("stamps %v are not in order", order)
		}
	}
	want := Timing{
		Status: StatusOK, HTTPStatus: 200, InputTokens: 3, OutputTokens: 2, UsageSource: "server", FinishReason: "length", PromptHash: "h", Text: []byte("ab"),
		Scheduled: tr.Scheduled, Sent: tr.Sent, FirstByte: tr.FirstByte, FirstToken: tr.FirstToken, LastToken: tr.LastToken, End: tr.End, Chunks: tr.Chunks,
	}
	if diff := cmp.Diff(want, *tr); diff != "" || len(tr.Chunks) != 2 {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// Without a usage the tokens are unknown, of the prompt too: a chunk is a chunk.
func TestAnAnswerWithoutUsage(t *testing.T) {
	c := serve(t, OpenAIOptions{}, func(w http.ResponseWriter, r *http.Request) { write(w, one, last, done) })
	if tr := once(t, c); tr.Status != StatusOK || tr.UsageSource != "chunks" || len(tr.Chunks) != 2 || tr.OutputTokens != 0 || tr.InputTokens != 0 || tr.Reasoning != Unknown {
		t.Errorf("%+v", tr)
	}
}

func TestEveryFailureIsAResult(t *testing.T) {
	for _, c := range []struct {
		name, status string
		tokens       int
		says         []string
		handle       http.HandlerFunc
	}{
		{"400", StatusFailed, 0, []string{"400 Bad Request", "too long"}, func(w http.ResponseWriter, r *http.Request) {
			http.Error(w, `{"error":{"message":"too long"}}`, 400)
		}},
		{"500", StatusFailed, 0, []string{"500", "dead"}, func(w http.ResponseWriter, r *http.Request) { http.Error(w, "dead", 500) }},
		{"429, and when to try again", StatusFailed, 0, []string{"429 Too Many Requests (Retry-After: 7)", "busy"}, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", "7")
			http.Error(w, "busy", http.StatusTooManyRequests)
		}},
		{"garbage", StatusFailed, 0, []string{"not JSON", "html"}, func(w http.ResponseWriter, r *http.Request) { write(w, "data: <html>\n\n") }},
		{"no stream", StatusFailed, 0, []string{"did not stream"}, func(w http.ResponseWriter, r *http.Request) { write(w, `{"choices":[{"text":"a"}]}`) }},
		{"half a chunk", StatusFailed, 1, []string{"broke off after 1 tokens"}, func(w http.ResponseWriter, r *http.Request) {
			write(w, one, `data: {"choi`)
			panic(http.ErrAbortHandler)
		}},
		{"closes mid-stream", StatusFailed, 2, []string{"broke off after 2 tokens"}, func(w http.ResponseWriter, r *http.Request) {
			write(w, one, one)
			panic(http.ErrAbortHandler)
		}},
		{"ends early", StatusFailed, 1, []string{"ended early", "after 1 tokens"}, func(w http.ResponseWriter, r *http.Request) { write(w, one) }},
		{"an error in the stream", StatusFailed, 1, []string{"out of blocks"}, func(w http.ResponseWriter, r *http.Request) {
			write(w, one, `data: {"error":{"message":"out of blocks"}}`+"\n\n")
		}},
		{"aborted", StatusFailed, 1, []string{"finish reason abort", "after 1 tokens"}, func(w http.ResponseWriter, r *http.Request) {
			write(w, one, `data: {"choices":[{"text":"","finish_reason":"abort"}]}`+"\n\n", done)
		}},
		{"aborted, and no more is said", StatusFailed, 1, []string{"finish reason error"}, func(w http.ResponseWriter, r *http.Request) {
			write(w, one, `data: {"choices":[{"text":"","finish_reason":"error"}]}`+"\n\n")
		}},
		{"no answer", StatusTimeout, 0, []string{"workload.request_timeout_seconds"}, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.ReadAll(r.Body) // then the end of the connection is seen
			<-r.Context().Done()
		}},
		{"stalls", StatusTimeout, 1, []string{"workload.request_timeout_seconds"}, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.ReadAll(r.Body) // then the end of the connection is seen
			write(w, one)
			<-r.Context().Done()
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var asked atomic.Int32
			client := serve(t, OpenAIOptions{Timeout: 100 * time.Millisecond}, func(w http.ResponseWriter, r *http.Request) {
				asked.Add(1)
				c.handle(w, r)
			})
			tr := once(t, client)
			if tr.Status != c.status || len(tr.Chunks) != c.tokens || tr.OutputTokens != 0 || tr.End < tr.Sent {
				t.Errorf("status %s, %d tokens, want %s and %d; %+v", tr.Status, len(tr.Chunks), c.status, c.tokens, tr)
			}
			for _, says := range c.says {
				if !strings.Contains(tr.Error, says) {
					t.Errorf("error %q does not say %q", tr.Error, says)
				}
			}
			if n := asked.Load(); n != 1 {
				t.Errorf("the request was sent %d times", n)
			}
		})
	}
}

// What has been said counts, however the connection ends after it.
func TestAnAnswerThatIsWholeIsNotSpoilt(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"no [DONE]": func(w http.ResponseWriter, r *http.Request) { write(w, one, last) },
		"a reason of its own": func(w http.ResponseWriter, r *http.Request) {
			write(w, one, strings.Replace(last, "length", "eos_token", 1), done)
		},
		"breaks after [DONE]": func(w http.ResponseWriter, r *http.Request) { write(w, one, last, done); panic(http.ErrAbortHandler) },
	} {
		if tr := once(t, serve(t, OpenAIOptions{}, h)); tr.Status != StatusOK || len(tr.Chunks) != 2 {
			t.Errorf("%s: %+v", name, tr)
		}
	}
}

func TestWhatIsAsked(t *testing.T) {
	for _, c := range []struct {
		name string
		opt  OpenAIOptions
		req  Request
		path string
		want string
	}{
		{"completion", OpenAIOptions{Model: "m", Seed: 7, IgnoreEOS: true}, Request{Prompt: "why", MaxOutputTokens: 5}, "/v1/completions",
			`{"model":"m","max_tokens":5,"temperature":0,"seed":7,"stream":true,"stream_options":{"include_usage":true},"ignore_eos":true,"prompt":"why"}`},
		{"token ids before text", OpenAIOptions{Model: "m"}, Request{Prompt: "ab", Tokens: []int{97, 98}, MaxOutputTokens: 5}, "/v1/completions",
			`{"model":"m","max_tokens":5,"temperature":0,"seed":0,"stream":true,"stream_options":{"include_usage":true},"prompt":[97,98]}`},
		{"chat", OpenAIOptions{Model: "m", API: "chat", Temperature: 0.5}, Request{Prompt: "why", MaxOutputTokens: 5}, "/v1/chat/completions",
			`{"model":"m","max_tokens":5,"temperature":0.5,"seed":0,"stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"why"}]}`},
		{"extra keys never replace ours", OpenAIOptions{Model: "m", ExtraBody: map[string]any{"top_k": 3, "model": "other"}}, Request{Prompt: "why", MaxOutputTokens: 5}, "/v1/completions",
			`{"model":"m","max_tokens":5,"temperature":0,"seed":0,"stream":true,"stream_options":{"include_usage":true},"prompt":"why","top_k":3}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			var path string
			var body map[string]any
			client := serve(t, c.opt, func(w http.ResponseWriter, r *http.Request) {
				path = r.URL.Path
				if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
					t.Error(err)
				}
				write(w, one, last, done)
			})
			if _, err := Drive(t.Context(), Config{Client: client, Requests: []Request{c.req}, Pattern: Closed(1)}); err != nil {
				t.Fatal(err)
			}
			var want map[string]any
			if err := json.Unmarshal([]byte(c.want), &want); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, body); diff != "" || path != c.path {
				t.Errorf("path %s, -want +got:\n%s", path, diff)
			}
		})
	}
}

// Token ids have no place in a chat; to send an empty message would be worse.
func TestAChatNeedsText(t *testing.T) {
	c := NewOpenAI(OpenAIOptions{API: "chat"})
	defer c.Close()
	err := c.Prepare(t.Context(), []Request{{Tokens: []int{1, 2}}})
	if err == nil || !strings.Contains(err.Error(), "workload.api: completions") {
		t.Errorf("error %v, want one that says what to do", err)
	}
}

func TestARequestThatCannotBeEncodedIsAResult(t *testing.T) {
	c := NewOpenAI(OpenAIOptions{ExtraBody: map[string]any{"top_p": math.NaN()}})
	defer c.Close()
	tr := once(t, c)
	if tr.Status != StatusFailed || tr.Sent >= 0 || !strings.Contains(tr.Error, "encode request 0") {
		t.Errorf("%+v", tr)
	}
	if err := c.Prepare(t.Context(), []Request{{}}); err == nil {
		t.Error("prepared what cannot be encoded")
	}
	if f := Summarise(List{*tr}, false); f.Failed != 1 || f.Lag != nil {
		t.Errorf("%+v", f)
	}
}

// A redirect would send the request again, somewhere else.
func TestARedirectIsNotFollowed(t *testing.T) {
	for _, code := range []int{302, 303, 307, 308} {
		var asked atomic.Int32
		c := serve(t, OpenAIOptions{}, func(w http.ResponseWriter, r *http.Request) {
			if asked.Add(1) > 1 {
				write(w, one, last, done)
				return
			}
			http.Redirect(w, r, "/elsewhere", code)
		})
		tr := once(t, c)
		if tr.Status != StatusFailed || tr.HTTPStatus != code || asked.Load() != 1 {
			t.Errorf("%d: asked %d times, %+v", code, asked.Load(), tr)
		}
	}
}

// Only the request's own timeout names its key.
func TestOtherDeadlinesAreNotTheRequestsTimeout(t *testing.T) {
	c := serve(t, OpenAIOptions{Timeout: time.Hour}, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadAll(r.Body) // then the end of the connection is seen
		<-r.Context().Done()
	})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	run, err := Drive(ctx, Config{Client: c, Requests: make([]Request, 1), Pattern: Closed(1)})
	if err == nil || run.Timings.Len() != 1 || run.Timings.At(0).Status != StatusCut || strings.Contains(run.Timings.At(0).Error, "request_timeout") {
		t.Errorf("the run's deadline: %v, %+v", err, run.Timings)
	}
	c.client.Transport.(*http.Transport).DialContext = func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Err: context.DeadlineExceeded}
	}
	if tr := once(t, c); tr.Status != StatusFailed || strings.Contains(tr.Error, "request_timeout") || !strings.Contains(tr.Error, "dial") {
		t.Errorf("a dial that timed out: %+v", tr)
	}
}

func TestACancelledRunKeepsWhatCame(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var served atomic.Int32
	c := serve(t, OpenAIOptions{}, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadAll(r.Body) // then the end of the connection is seen
		if served.Add(1) <= 2 {
			write(w, one, last, done)
			return
		}
		write(w, one)
		cancel()
		<-r.Context().Done()
	})
	run, err := Drive(ctx, Config{Client: c, Requests: make([]Request, 10), Pattern: Closed(1)})
	if err == nil || run.Timings.Len() != 3 {
		t.Fatalf("error %v, %d timings", err, run.Timings.Len())
	}
	if tr := run.Timings.At(2); tr.Status != StatusCut || len(tr.Chunks) > 1 || run.Timings.At(1).Status != StatusOK {
		t.Errorf("%+v", tr)
	}
}

// The cost of a chunk, from the reader to the timing.
func BenchmarkRead(b *testing.B) {
	const chunks = 1000
	var text strings.Builder
	for range chunks - 1 {
		text.WriteString(one)
	}
	text.WriteString(last + counts + done)
	b.ReportAllocs()
	tr := Timing{Chunks: make([]Chunk, 0, chunks)}
	for b.Loop() {
		tr.Chunks, tr.FirstByte, tr.FirstToken = tr.Chunks[:0], -1, -1
		if err := read(strings.NewReader(text.String()), stamper{t0: time.Now()}, &tr, wish{}, false); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/chunks, "ns/chunk")
}
