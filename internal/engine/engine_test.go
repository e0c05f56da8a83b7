package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	stdflag "flag"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/llenergymeasure/llem/internal/load"
	"github.com/llenergymeasure/llem/internal/study"
)

var update = stdflag.Bool("update", false, "rewrite golden files")

// golden holds v, as JSON, to a file.
func golden(t *testing.T, name string, v any) {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("%s: -want +got (go test -update rewrites it):\n%s", path, diff)
	}
}

// decoded is an experiment with every default.
func decoded(t *testing.T, text string) study.Experiment {
	t.Helper()
	e, err := study.Decode("test.yaml", []byte(text), study.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestParseMetrics(t *testing.T) {
	got := parseMetrics(`# HELP a A help text with 1 number
# TYPE a counter
a{x="1"} 3
a{x="2, } with a brace"} 4 1700000000
b 2.5e3
c{} NaN
d_bucket{le="+Inf"} 7
d_sum 1
e
f{unclosed 1
   g   9
`)
	if got["a"] != 7 || got["b"] != 2500 || got["d_bucket"] != 7 || got["g"] != 9 {
		t.Errorf("%v", got)
	}
	for _, name := range []string{"e", "f", "f{unclosed", "#", "c"} {
		if v, ok := got[name]; ok {
			t.Errorf("%s = %v from a line that is no sample", name, v)
		}
	}
}

func FuzzParseMetrics(f *testing.F) {
	f.Add("a{b=\"c\"} 1\n# x\nd 2 3\n")
	f.Fuzz(func(t *testing.T, text string) {
		for name := range parseMetrics(text) {
			if strings.ContainsAny(name, "\n#{") && strings.HasPrefix(name, "#") {
				t.Errorf("%q", name)
			}
		}
	})
}

// server is the reference engine with what it says given.
func server(t *testing.T, answers map[string]string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, ok := answers[r.Method+" "+r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		if text == "hang" {
			<-r.Context().Done()
			return
		}
		w.Write([]byte(text)) //nolint:errcheck // the client may have gone
	}))
	t.Cleanup(s.Close)
	return s.URL
}

const told = `{"data":[{"id":"reference/tiny","parameters_total":10,"parameters_non_embedding":8,"dtype":"float32","max_model_len":99,
"text_token_low":32,"text_token_high":127,"vocab_size":272,"hidden_size":4,"num_layers":3,"num_heads":2,"head_dim":2}]}`

func TestProbe(t *testing.T) {
	got, err := reference.Probe(t.Context(), Address{URL: server(t, map[string]string{"GET /version": `{"version":"1.2"}`, "GET /v1/models": told})}, "")
	want := Info{
		Version: "1.2", Model: "reference/tiny", ParametersTotal: 10, ParametersNonEmbedding: 8, DType: "float32",
		ContextLength: 99, TextLow: 32, TextHigh: 127, Vocabulary: 272, ByteLevel: true, HiddenSize: 4, Layers: 3, AttentionHeads: 2, HeadDim: 2, SyncRoute: true,
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v, -want +got:\n%s", err, diff)
	}
	for name, answers := range map[string]map[string]string{
		"no version": {"GET /v1/models": told},
		"garbage":    {"GET /version": "<html>", "GET /v1/models": told},
		"no model":   {"GET /version": "{}", "GET /v1/models": `{"data":[]}`},
	} {
		if _, err := reference.Probe(t.Context(), Address{URL: server(t, answers)}, ""); err == nil || !strings.Contains(err.Error(), "http://") {
			t.Errorf("%s: error %v, want one that names the address", name, err)
		}
	}
}

func TestQuestionsEndWithTheirContext(t *testing.T) {
	url := server(t, map[string]string{"GET /version": "hang", "POST /sync": "hang", "GET /metrics": "hang"})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, probed := reference.Probe(ctx, Address{URL: url}, "")
	_, counted := reference.Counters(ctx, Address{URL: url})
	for _, err := range []error{probed, counted, reference.Sync(ctx, Address{URL: url})} {
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v, want the deadline's", err)
		}
	}
}

func TestSyncAndCounters(t *testing.T) {
	url := server(t, map[string]string{"POST /sync": "idle", "GET /metrics": "llem_reference_requests_running 1\nllem_reference_prompt_tokens_total 5\nllem_reference_multiply_adds_total{part=\"a\"} 2\nllem_reference_multiply_adds_total{part=\"b\"} 3\n"})
	if err := reference.Sync(t.Context(), Address{URL: url}); err != nil {
		t.Error(err)
	}
	got, err := reference.Counters(t.Context(), Address{URL: url})
	if diff := cmp.Diff(Counters{Running: 1, PromptTokens: 5, MultiplyAdds: 5}, got); diff != "" || err != nil {
		t.Errorf("%v, -want +got:\n%s", err, diff)
	}
	if err := reference.Sync(t.Context(), Address{URL: server(t, nil)}); err == nil {
		t.Error("a 404 is no answer")
	}
}

func TestTheClientTakesItsOptions(t *testing.T) {
	var body map[string]any
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Error(err)
		}
		w.Write([]byte("data: [DONE]\n\n")) //nolint:errcheck // the client may have gone
	}))
	defer s.Close()
	c := reference.Client(Address{URL: s.URL}, ClientOptions{API: "completions", Model: "m", Seed: 9, IgnoreEOS: true, ExtraBody: map[string]any{"k": "v"}})
	if _, err := load.Drive(t.Context(), load.Config{Client: c, Requests: []load.Request{{Prompt: "why", MaxOutputTokens: 3}}, Pattern: load.Closed(1)}); err != nil {
		t.Fatal(err)
	}
	if body["model"] != "m" || body["seed"] != 9.0 || body["ignore_eos"] != true || body["k"] != "v" || body["max_tokens"] != 3.0 {
		t.Errorf("%v", body)
	}
}

// A sum of which a part is unknown is unknown, however the text is written.
func TestForeignMetricsAreNoNumbers(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]any{
		`n{a="b"} 5 # {trace_id="abc"} 1.0 1700000000.0`: 5.0, // an exemplar of OpenMetrics
		`n 5 # {trace_id="a}b"} 1.0`:                     5.0,
		`n{a="x\"} 9 {"} 5 1700000000`:                   5.0,
		`n{a="# {"} 5`:                                   5.0,
		"n\t5":                                           5.0,
		"n {a=\"b\"} 5\nn{a=\"c\"} 2":                    7.0,
		"n{a=\"b\"} 1.7e308\nn{a=\"c\"} 1.7e308":         nil,
		"n{a=\"b\"} 5\nn{a=\"c\"} NaN":                   nil,
		"n{a=\"b\"} +Inf\nn{a=\"c\"} -Inf":               nil,
		"n{a=\"b\"} 5\nn{a=\"c\"} 1e999":                 nil,
		"n{a=\"b\"} five\nn{a=\"c\"} 5":                  nil,
		"n{a=\"b\" 5":                                    nil,
		`n # {a="b"} 5`:                                  nil,
		`# n 5`:                                          nil,
		`{a="b"} 5`:                                      nil,
	} {
		got := any(nil)
		if v, ok := parseMetrics(text)["n"]; ok {
			got = v
		}
		if got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}
