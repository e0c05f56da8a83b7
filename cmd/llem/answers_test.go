package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/llenergymeasure/llem/internal/meter/standin"
	"github.com/llenergymeasure/llem/internal/result"
)

// foreign is a server of OpenAI's API that answers the n-th completion, from 1, of so
// many tokens, as the test says; it counts nothing else.
func foreign(t *testing.T, answer func(w http.ResponseWriter, n int64, tokens int)) (url string) {
	t.Helper()
	var n atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/v1/models":
			fmt.Fprint(w, `{"object":"list","data":[{"id":"m","object":"model","owned_by":"me"}]}`)
		case "/v1/completions":
			var b struct {
				MaxTokens int `json:"max_tokens"`
			}
			if err := json.NewDecoder(r.Body).Decode(&b); err != nil {
				t.Error(err)
			}
			w.Header().Set("Content-Type", "text/event-stream")
			answer(w, n.Add(1), b.MaxTokens)
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// pace is what a token takes, so that a window is long enough for a GPU's counter.
const pace = time.Millisecond

// streamed writes so many tokens, each in a packet, and an end with a usage.
func streamed(w http.ResponseWriter, tokens int, usage string) {
	for range tokens {
		time.Sleep(pace)
		fmt.Fprint(w, "data: {\"choices\":[{\"text\":\" x\"}]}\n\n")
		_ = http.NewResponseController(w).Flush() // the client may have gone
	}
	fmt.Fprintf(w, "data: {\"choices\":[{\"text\":\"\",\"finish_reason\":\"length\"}]}\n\n%sdata: [DONE]\n\n", usage)
}

func usageOf(in, out int) string {
	return fmt.Sprintf("data: {\"choices\":[],\"usage\":{\"prompt_tokens\":%d,\"completion_tokens\":%d}}\n\n", in, out)
}

// against runs eight requests against a foreign server, on a host with one GPU whose
// sensor refreshes often enough for a window of half a second: half of the answers may fail.
func against(t *testing.T, answer func(w http.ResponseWriter, n int64, tokens int)) (*host, outcome) {
	t.Helper()
	h := newHost(t, standin.GPU{Power: 60, Refresh: 20 * time.Millisecond})
	var prompts strings.Builder
	for i := range 8 {
		fmt.Fprintf(&prompts, "{\"prompt\":\"number %d of several words\"}\n", i)
	}
	if err := os.WriteFile(h.path("p.jsonl"), []byte(prompts.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	h.set("DOCKER_HOST", "unix:///nowhere/docker.sock")
	return h, h.llem("run", "--quick", "-o", h.path("out"), h.config(fmt.Sprintf(
		"model: m\nengine: {name: openai, endpoint: %q}\nworkload: {source: %q, prompts: 8, max_output_tokens: 300, load: {concurrency: 2}}\nwarmup: {n_warmup: 1}\n", foreign(t, answer), h.path("p.jsonl"))))
}

// A server that fails in a way of its own has failed, in its own words.
func TestForeignFailuresFailTheRun(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer func(w http.ResponseWriter, n int64, tokens int)
		says   string
	}{
		"an error beside its stream": {func(w http.ResponseWriter, n int64, tokens int) {
			if n <= 2 { // the warmup
				streamed(w, tokens, usageOf(5, tokens))
				return
			}
			fmt.Fprint(w, "data: {\"choices\":[{\"text\":\" x\"}]}\n\nevent: error\ndata: out of blocks\n\ndata: [DONE]\n\n")
		}, "no request completed (8 failed); the first said: the server reported in its stream: out of blocks"},
		"JSON with status 200": {func(w http.ResponseWriter, _ int64, _ int) {
			fmt.Fprint(w, `{"object":"error","message":"out of blocks","code":500}`)
		}, "out of blocks"},
		"one body for the whole answer": {func(w http.ResponseWriter, _ int64, _ int) {
			fmt.Fprint(w, `{"choices":[{"text":" x","finish_reason":"length"}],"usage":{"prompt_tokens":5,"completion_tokens":1}}`)
		}, "the server did not stream"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, o := against(t, c.answer)
			r := o.record(t)
			if o.code != exitFailed || r.Status != result.Failed || !strings.Contains(r.Error, c.says) || !strings.Contains(o.stderr, c.says) || r.Requests.Completed > 0 {
				t.Errorf("exit %d, %s: %s", o.code, r.Status, r.Error)
			}
		})
	}
}

// What a server does not say is null, with its reason, in the record and the table.
func TestWhatAForeignServerDoesNotSayIsNull(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer      func(w http.ResponseWriter, n int64, tokens int)
		valid       bool
		completed   int
		null, known []string // leaves of the record
		table       []string
	}{
		"all said": {func(w http.ResponseWriter, _ int64, tokens int) { streamed(w, tokens, usageOf(5, tokens)) }, true, 8,
			nil, []string{"tokens.input", "tokens.output", "energy_per_output_token", "tokens_per_second", "latency.tpot_ms.mean"}, []string{"40 in, 2400 out (counted by: server)"}},
		"no usage": {func(w http.ResponseWriter, _ int64, tokens int) { streamed(w, tokens, "") }, false, 8,
			[]string{"tokens.input", "tokens.output", "energy_per_output_token", "tokens_per_second", "latency.tpot_ms", "flops.value"},
			[]string{"energy_total_j", "latency.ttft_ms.mean", "latency.itl_ms.mean"}, []string{"unknown in, unknown out (nothing counted them)", "token_count_unknown", "came without a usage"}},
		"a usage over what was asked for": {func(w http.ResponseWriter, n int64, tokens int) { streamed(w, tokens, usageOf(5, tokens*int(n))) }, false, 8,
			[]string{"tokens.output", "energy_per_output_token", "tokens_per_second", "latency.tpot_ms"},
			[]string{"energy_total_j", "tokens.input"}, []string{"40 in, unknown out", "completion_tokens is over max_tokens"}},
		"no prompt": {func(w http.ResponseWriter, _ int64, tokens int) { streamed(w, tokens, usageOf(0, tokens)) }, true, 8,
			[]string{"tokens.input", "energy.per_total_token_j", "flops.value"}, []string{"tokens.output", "energy_per_output_token"}, []string{"unknown in, 2400 out", "prompt_tokens is 0 or missing"}},
		"no text": {func(w http.ResponseWriter, _ int64, tokens int) {
			time.Sleep(time.Duration(tokens) * pace)
			streamed(w, 0, usageOf(5, tokens))
		}, true, 8,
			[]string{"latency.ttft_ms", "latency.e2e_ms", "latency.tpot_ms"}, []string{"tokens.output", "energy_per_output_token"}, []string{"no chunk carried text"}},
		"one that breaks after some tokens": {func(w http.ResponseWriter, n int64, tokens int) {
			if n == 4 {
				streamed(w, tokens/2, "error: out of blocks\n\n")
				return
			}
			streamed(w, tokens, usageOf(5, tokens))
		}, true, 7, nil, []string{"tokens.output", "energy_per_output_token"}, []string{"7 completed, 1 failed", "2100 out", "out of blocks"}},
		"every other one an end and nothing else": {func(w http.ResponseWriter, n int64, tokens int) {
			if n > 2 && n%2 == 0 {
				fmt.Fprint(w, "data: [DONE]\n\n")
				return
			}
			streamed(w, tokens, usageOf(5, tokens))
		}, true, 4, nil, []string{"tokens.output", "energy_per_output_token"}, []string{"4 completed, 4 failed", "no token came"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, o := against(t, c.answer)
			if o.code != exitDone {
				t.Fatalf("exit %d: %s", o.code, o.stderr)
			}
			r := o.record(t)
			leaves, err := r.Leaves()
			if err != nil {
				t.Fatal(err)
			}
			if r.Energy.Valid != c.valid || r.Requests.Completed != c.completed || slices.Contains(r.Energy.Reasons, "token_count_unknown") == c.valid {
				t.Errorf("valid %v (%v), %+v", r.Energy.Valid, r.Energy.Reasons, r.Requests)
			}
			for _, path := range c.null {
				if leaves[path] != "null" || r.Unknown[path] == "" {
					t.Errorf("%s is %q, because %q", path, leaves[path], r.Unknown[path])
				}
			}
			for _, path := range c.known {
				if leaves[path] == "null" || leaves[path] == "" || r.Unknown[path] != "" {
					t.Errorf("%s is %q, because %q", path, leaves[path], r.Unknown[path])
				}
			}
			shown := strings.Join(strings.Fields(o.stdout), " ")
			for _, text := range c.table {
				if !strings.Contains(shown, text) {
					t.Errorf("the table does not say %q:\n%s", text, o.stdout)
				}
			}
			if v := h.llem("verify", o.dirs[0]); v.code != exitDone {
				t.Errorf("verify: %d %s", v.code, v.stdout+v.stderr)
			}
			tokens := readParquet(t, o.dirs[0]+"/"+result.RequestsFile)["output_tokens"]
			if slices.Contains(tokens, "0") {
				t.Errorf("tokens %v", tokens)
			}
		})
	}
}
