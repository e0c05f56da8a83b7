package engine

import (
	"strings"
	"testing"

	"github.com/llenergymeasure/llem/internal/load"
)

// Each is a way in which an engine fails though it said that it was healthy. A
// request is never sent again.
func TestServersThatFail(t *testing.T) {
	a := chunk(`"text":"a","finish_reason":null`, "")
	for name, c := range map[string]struct {
		engine string
		server *standin
		says   []string
	}{
		"healthy, then 500": {"vllm", &standin{status: 500, stream: []string{`{"object":"error","message":"EngineCore encountered an issue","code":500}`}}, []string{"500", "EngineCore"}},
		"loading":           {"llamacpp", &standin{status: 503, stream: []string{`{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}`}}, []string{"503", "Loading model"}},
		"too many":          {"sglang", &standin{status: 429, header: map[string]string{"Retry-After": "7"}, stream: []string{"busy"}}, []string{"429", "Retry-After: 7", "busy"}},
		"a full queue": {"ollama", &standin{status: 503, header: map[string]string{"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, stream: []string{`{"error":"server busy, please try again.  maximum pending requests exceeded"}`}},
			[]string{"503", "Retry-After: Wed, 21 Oct", "maximum pending"}},
		"an unknown field":   {"tensorrt-llm", &standin{status: 400, stream: []string{`{"error":"[{'type': 'extra_forbidden', 'loc': ('body', 'top')}]"}`}}, []string{"400", "extra_forbidden"}},
		"overloaded":         {"tgi", &standin{stream: events(`{"error":{"message":"Model is overloaded","http_status_code":422}}`, "[DONE]")}, []string{"Model is overloaded"}},
		"an error half-way":  {"lmdeploy", &standin{stream: events(a, `{"error":{"message":"internal","type":"server_error"}}`, "[DONE]")}, []string{"internal"}},
		"aborted":            {"vllm", &standin{stream: events(a, chunk(`"text":"","finish_reason":"abort"`, ""), "[DONE]")}, []string{"finish reason abort", "after 1 tokens"}},
		"a connection reset": {"llamacpp", &standin{stream: events(":\n\n", a), reset: true}, []string{"broke off after", "reset by peer"}},
		"no end":             {"sglang", &standin{stream: events(a)}, []string{"ended early"}},
	} {
		t.Run(name, func(t *testing.T) {
			tr := c.server.drive(t, c.engine, "completions")
			if tr.Status != load.StatusFailed {
				t.Errorf("status %s, want %s", tr.Status, load.StatusFailed)
			}
			for _, want := range c.says {
				if !strings.Contains(tr.Error, want) {
					t.Errorf("error %q does not say %q", tr.Error, want)
				}
			}
			if n := c.server.times("POST /v1/completions"); n != 1 {
				t.Errorf("sent %d times, want once", n)
			}
		})
	}
}

// llama.cpp's server says that it keeps a connection, and closes it after each
// stream: a request that was sent on it meanwhile would be lost.
func TestAServerThatClosesEachConnection(t *testing.T) {
	s := &standin{closes: true, header: map[string]string{"Keep-Alive": "timeout=5, max=100"}, stream: events(chunk(`"text":"a","finish_reason":"length"`, used(3, 1)), "[DONE]")}
	reqs := make([]load.Request, 200)
	for i := range reqs {
		reqs[i] = load.Request{ID: i, Tokens: []int{1, 2, 3}, MaxOutputTokens: 1}
	}
	c := llamacpp.Client(Address{URL: s.serve(t)}, ClientOptions{API: "completions", Model: "m"})
	run, err := load.Drive(t.Context(), load.Config{Client: c, Requests: reqs, Pattern: load.Closed(4)})
	if err != nil {
		t.Fatal(err)
	}
	for _, tr := range run.Timings.All() {
		if tr.Status != load.StatusOK {
			t.Fatalf("%s: %s", tr.Status, tr.Error)
		}
	}
}

// Ollama's and TGI's completions refuse token ids; the text of the same prompt is
// sent instead, and a prompt that has none is refused before it is sent.
func TestEnginesThatTakeTextAlone(t *testing.T) {
	for _, name := range []string{"ollama", "tgi", "lmdeploy"} {
		s := standin{noIDs: "json: cannot unmarshal array into Go struct field .prompt of type string", stream: events(chunk(`"text":"a","finish_reason":"length"`, ""), "[DONE]")}
		if tr := s.drive(t, name, "completions"); tr.Status != load.StatusOK || s.body["prompt"] != "why not" {
			t.Errorf("%s: %s %s, sent %v", name, tr.Status, tr.Error, s.body)
		}
		e, err := Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		run, err := load.Drive(t.Context(), load.Config{
			Client:   e.Client(Address{URL: "http://127.0.0.1:1"}, ClientOptions{API: "completions", Model: "m"}),
			Requests: []load.Request{{Tokens: []int{1}, MaxOutputTokens: 1}}, Pattern: load.Closed(1),
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := run.Timings.At(0).Error; !strings.Contains(got, "takes text alone") {
			t.Errorf("%s: error %q", name, got)
		}
	}
}

func TestProbesOfServersThatSayNothing(t *testing.T) {
	for name, c := range map[string]struct {
		engine string
		routes map[string]string
		says   string
	}{
		"no models":            {"sglang", map[string]string{"GET /v1/models": `{"object":"list","data":[]}`}, "lists no model"},
		"no such route":        {"tensorrt-llm", nil, "404"},
		"no JSON":              {"lmdeploy", map[string]string{"GET /v1/models": "<html>"}, "/v1/models"},
		"a llama.cpp too old":  {"llamacpp", map[string]string{"GET /v1/models": `{"data":[{"id":"m"}]}`}, "/props"},
		"an ollama too old":    {"ollama", map[string]string{"GET /v1/models": `{"data":[{"id":"m"}]}`}, "/api/ps"},
		"something beside TGI": {"tgi", map[string]string{"GET /v1/models": `{"data":[{"id":"m"}]}`}, "/info"},
	} {
		e, err := Lookup(c.engine)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.Probe(t.Context(), Address{URL: (&standin{routes: c.routes}).serve(t)}, ""); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: error %v, want one that says %q", name, err, c.says)
		}
	}
}

// What a server owns up to settles what it is.
func TestAContradictionIsSeen(t *testing.T) {
	url := (&standin{routes: map[string]string{"GET /v1/models": `{"data":[{"id":"m","owned_by":"sglang"}]}`}}).serve(t)
	info, err := vllm.Probe(t.Context(), Address{URL: url}, "")
	if err != nil || info.Engine != "sglang" || Confirm("vllm", "name", info) == nil {
		t.Errorf("%+v, %v", info, err)
	}
}

func TestTransformersSync(t *testing.T) {
	s := &standin{routes: map[string]string{"POST /sync": "idle\n"}}
	if err := transformers.Sync(t.Context(), Address{URL: s.serve(t)}); err != nil || s.times("POST /sync") != 1 {
		t.Errorf("%v, asked %d times", err, s.times("POST /sync"))
	}
	if err := transformers.Sync(t.Context(), Address{URL: (&standin{}).serve(t)}); err == nil {
		t.Error("a 404 is no answer")
	}
}

func TestCountersOfAServerThatFails(t *testing.T) {
	url := server(t, map[string]string{"GET /metrics": ""})
	if got, err := vllm.Counters(t.Context(), Address{URL: url}); err != nil || len(got) != 0 {
		t.Errorf("%v, %v of an empty answer", got, err)
	}
	if _, err := vllm.Counters(t.Context(), Address{URL: "http://127.0.0.1:1"}); err == nil {
		t.Error("no error of a server that is gone")
	}
}
