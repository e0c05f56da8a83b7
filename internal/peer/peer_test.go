package peer

import (
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/llenergymeasure/llem/internal/result"
)

// sent is one request; times in ms.
type sent struct {
	Scheduled, Sent float64
	FirstByte       float64      `json:"first_byte"`
	Chunks          [][2]float64 // when, and how many tokens
	End             float64
	Input, Output   int32
	Status, Finish  string
}

func (s sent) row() result.RequestRow {
	ns := func(ms float64) *int64 {
		v := int64(math.Round(ms * float64(time.Millisecond)))
		return &v
	}
	row := result.RequestRow{
		ScheduledNS: *ns(s.Scheduled), SentNS: ns(s.Sent), EndNS: ns(s.End), InputTokens: tokens(s.Input), OutputTokens: tokens(s.Output),
		Status: s.Status, FinishReason: s.Finish,
	}
	if s.FirstByte > 0 {
		row.FirstByteNS = ns(s.FirstByte)
	}
	at := *row.SentNS
	for _, c := range s.Chunks {
		row.ChunkDeltaNS = append(row.ChunkDeltaNS, *ns(c[0])-at)
		row.ChunkTokens = append(row.ChunkTokens, int32(c[1]))
		at = *ns(c[0])
	}
	if len(s.Chunks) > 0 {
		row.FirstTokenNS, row.LastTokenNS = ns(s.Chunks[0][0]), &at
	}
	return row
}

func tokens(n int32) *int32 { return &n }

func rows(list []sent) []result.RequestRow {
	var out []result.RequestRow
	for _, s := range list {
		out = append(out, s.row())
	}
	return out
}

// few are a common answer, one that was sent late and came in chunks of several
// tokens, one of a single token, and one that failed.
var few = []sent{
	{0, 0, 90, [][2]float64{{100, 1}, {200, 1}, {300, 1}}, 300, 10, 3, "ok", "length"},
	{100, 400, 600, [][2]float64{{600, 1}, {700, 3}}, 700, 20, 4, "ok", "length"},
	{200, 200, 250, [][2]float64{{250, 1}}, 250, 5, 1, "ok", "length"},
	{300, 300, 350, [][2]float64{{350, 1}}, 1000, 0, 1, "failed", ""},
}

// numbers are a peer's figures by their keys.
func numbers(t *testing.T, name string, list []result.RequestRow) (map[string]float64, map[string]string, string) {
	t.Helper()
	p, ok := Lookup(name)
	if !ok {
		t.Fatalf("no peer %s", name)
	}
	got, lacks := map[string]float64{}, map[string]string{}
	figures, notes := p.Figures(list)
	for _, f := range figures {
		if f.Lacks != "" {
			lacks[f.Key] = f.Lacks
		}
		for _, s := range f.Stats {
			got[s.Key] = s.Value
		}
	}
	return got, lacks, strings.Join(notes, "\n")
}

func TestFiguresByHand(t *testing.T) {
	for name, want := range map[string]map[string]float64{
		// TTFT 100, 200, 50; TPOT 200/2, 100/3; gaps 100, 100 and 100; E2EL 300, 300, 50.
		// From 0 to the failed request's end is 1 s, in which all six chunks came, and all
		// three answers count as at once.
		"vllm": {
			"mean_ttft_ms": 350. / 3, "median_ttft_ms": 100, "std_ttft_ms": math.Sqrt((10000.+40000+2500)/3 - 350.*350/9), "p99_ttft_ms": 198,
			"mean_tpot_ms": 400. / 6, "median_tpot_ms": 400. / 6, "std_tpot_ms": 100. / 3, "p99_tpot_ms": 100 - 0.01*200/3,
			"mean_itl_ms": 100, "median_itl_ms": 100, "std_itl_ms": 0, "p99_itl_ms": 100,
			"mean_e2el_ms": 650. / 3, "median_e2el_ms": 300, "std_e2el_ms": math.Sqrt((90000.*2+2500)/3 - 650.*650/9), "p99_e2el_ms": 300,
			"completed": 3, "failed": 1, "duration": 1, "total_input_tokens": 35, "total_output_tokens": 8,
			"request_throughput": 3, "output_throughput": 8, "total_token_throughput": 43, "max_output_tokens_per_s": 6, "max_concurrent_requests": 3,
		},
		// By tokens: ITL 100 twice, 33.3 thrice; TPOT, from the send, 100 thrice, 75 four
		// times, 50 once. The failed request ended within the second and showed a token;
		// two were under way from 200 to 250 and from 400 to 700, else one.
		"guidellm": {
			"metrics/request_latency/successful/mean": 0.65 / 3, "metrics/request_latency/successful/median": 0.3,
			"metrics/time_to_first_token_ms/successful/mean": 350. / 3, "metrics/time_to_first_token_ms/successful/percentiles/p95": 200,
			"metrics/time_to_first_output_token_ms/successful/median": 100,
			"metrics/inter_token_latency_ms/successful/mean":          60, "metrics/inter_token_latency_ms/successful/median": 100. / 3,
			"metrics/inter_token_latency_ms/successful/percentiles/p95": 100, "metrics/inter_token_latency_ms/successful/count": 5,
			"metrics/time_per_output_token_ms/successful/mean": 650. / 8, "metrics/time_per_output_token_ms/successful/median": 75,
			"metrics/output_tokens_per_iteration/successful/mean": 8. / 6, "metrics/output_token_count/successful/total_sum": 8,
			"metrics/requests_per_second/total/mean": 4, "metrics/output_tokens_per_second/total/mean": 9,
			"metrics/request_concurrency/total/mean": 1.35, "metrics/request_concurrency/total/median": 1,
			"metrics/request_totals/successful": 3, "metrics/request_totals/errored": 1, "metrics/request_totals/incomplete": 0,
		},
		// Its second token is the second chunk. From 0 to the last chunk of a valid record
		// is 0.7 s.
		"aiperf": {
			"time_to_first_token/avg": 350. / 3, "time_to_second_token/avg": 100, "request_latency/avg": 650. / 3, "decode_duration/avg": 100,
			"inter_token_latency/avg": 400. / 6, "inter_token_latency/count": 2, "inter_chunk_latency/avg": 100, "inter_chunk_latency/count": 3,
			"output_token_throughput_per_user/avg": 20, "e2e_output_token_throughput/avg": (10 + 4/0.3 + 20) / 3,
			"output_sequence_length/sum": 8, "input_sequence_length/sum": 35, "benchmark_duration/avg": 0.7,
			"output_token_throughput/avg": 8 / 0.7, "total_token_throughput/avg": 43 / 0.7, "request_throughput/avg": 3 / 0.7,
			"request_count/avg": 3, "error_request_count/avg": 1, "request_error_rate/avg": 25,
		},
		// The answer of one token is in the latency and not in TTFT. Three tokens at once
		// are one gap and two of 0.
		"inference-perf": {
			"successes/latency/request_latency/mean": 0.65 / 3, "successes/latency/request_latency/median": 0.3,
			"successes/latency/normalized_time_per_output_token/mean": (0.1 + 0.075 + 0.05) / 3,
			"successes/latency/time_per_output_token/mean":            0.4 / 6, "successes/latency/time_to_first_token/mean": 0.15,
			"successes/latency/inter_token_latency/mean": 0.06, "successes/latency/inter_token_latency/median": 0.1,
			"successes/throughput/input_tokens_per_sec": 35, "successes/throughput/output_tokens_per_sec": 8,
			"successes/throughput/total_tokens_per_sec": 43, "successes/throughput/requests_per_sec": 3,
			"load_summary/schedule_delay/mean": 0.075, "load_summary/schedule_delay/max": 0.3, "successes/count": 3, "failures/count": 1,
			"failures/request_latency/mean": 0.7, "benchmark_time_seconds": 1,
		},
	} {
		got, _, _ := numbers(t, name, rows(few))
		for key, v := range want {
			if g, ok := got[key]; !ok || !near(g, v) {
				t.Errorf("%s: %s is %v (%v), want %v", name, key, g, ok, v)
			}
		}
	}
}

// near is equal to 1e-9 of the value, or both 0 but for rounding.
func near(a, b float64) bool { return math.Abs(a-b) <= 1e-9*max(math.Abs(a), math.Abs(b))+1e-12 }

func TestWhatTheFileDoesNotTellIsLeftOut(t *testing.T) {
	thinking, bundled := rows(few), rows(few)
	thinking[0].ReasoningTokens = tokens(2)
	bundled[0].OutputTokens = tokens(9)
	uncounted, untold := rows(few), rows(few)
	untold[1].OutputTokens = nil
	uncounted[0].InputTokens = nil
	for _, c := range []struct {
		peer, key string
		list      []result.RequestRow
	}{
		{"guidellm", "metrics/time_to_first_output_token_ms/successful/*", thinking},
		{"aiperf", "time_to_first_output_token/*", thinking},
		{"inference-perf", "successes/latency/time_to_first_token/*", thinking},
		{"inference-perf", "successes/latency/time_per_output_token/*", thinking},
		{"inference-perf", "successes/latency/inter_token_latency/*", bundled},
		{"vllm", "total_input_tokens", uncounted},
		{"vllm", "total_output_tokens", untold}, {"vllm", "*_tpot_ms", untold}, {"vllm", "output_throughput", untold}, {"vllm", "total_token_throughput", untold},
		{"aiperf", "output_sequence_length/*", untold}, {"aiperf", "inter_token_latency/*", untold}, {"aiperf", "output_token_throughput/avg", untold},
		{"guidellm", "metrics/inter_token_latency_ms/successful/*", untold}, {"guidellm", "metrics/tokens_per_second/total/mean", untold},
		{"inference-perf", "successes/throughput/output_tokens_per_sec", untold}, {"inference-perf", "successes/latency/inter_token_latency/*", untold},
		{"vllm", "total_token_throughput", uncounted},
		{"aiperf", "input_sequence_length/*", uncounted},
		{"inference-perf", "successes/throughput/input_tokens_per_sec", uncounted},
		{"guidellm", "metrics/prompt_tokens_per_second/total/mean", rows(few)}, // the failed one's
	} {
		_, lacks, _ := numbers(t, c.peer, c.list)
		if lacks[c.key] == "" {
			t.Errorf("%s: %s is there", c.peer, c.key)
		}
	}
	// An end that the model chose is a token without text.
	stopped := rows(few)
	stopped[0].OutputTokens, stopped[0].FinishReason = tokens(4), "stop"
	if _, lacks, _ := numbers(t, "inference-perf", stopped); len(lacks) > 0 {
		t.Errorf("left out %v", lacks)
	}
}

func TestVLLMsBoundsAreTold(t *testing.T) {
	_, _, notes := numbers(t, "vllm", rows(few))
	// First bytes after 90, 200 and 50 ms; no byte after the last text.
	if !strings.Contains(notes, "down to 113.333 ms (first byte)") || strings.Contains(notes, "E2EL") {
		t.Errorf("notes: %s", notes)
	}
	later := rows(few)
	*later[0].EndNS += int64(3 * time.Millisecond)
	if _, _, notes = numbers(t, "vllm", later); !strings.Contains(notes, "up to 217.667 ms (last byte)") {
		t.Errorf("notes: %s", notes)
	}
}

// Runs of which nothing came are shown, and make no figure of nothing.
func TestNoAnswersAtAll(t *testing.T) {
	for _, list := range [][]result.RequestRow{nil, rows(few[3:]), {{ID: 1, Status: "cut"}}, rows([]sent{{0, 0, 5, nil, 9, 3, 0, "ok", "stop"}})} {
		for _, p := range peers {
			figures, _ := p.Figures(list)
			for _, f := range figures {
				for _, s := range f.Stats {
					if math.IsNaN(s.Value) || math.IsInf(s.Value, 0) {
						t.Errorf("%s: %s is %v", p.Name, s.Key, s.Value)
					}
				}
			}
			if _, err := json.Marshal(Object(figures)); err != nil {
				t.Errorf("%s: %v", p.Name, err)
			}
		}
	}
}

// The table of the docs has every figure under its key.
func TestDocsNameEveryFigure(t *testing.T) {
	data, err := os.ReadFile("../../docs/peers.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range peers {
		if !strings.Contains(string(data), p.Title+" "+p.Version) {
			t.Errorf("docs/peers.md has no %s %s", p.Title, p.Version)
		}
		for _, f := range p.figures {
			if !strings.Contains(string(data), "`"+docKey(f.key)+"`") {
				t.Errorf("docs/peers.md has no `%s` of %s", docKey(f.key), p.Name)
			}
		}
	}
}

// docKey is the part of a key that names the figure.
func docKey(key string) string {
	for _, cut := range []string{"metrics/", "successes/", "latency/", "throughput/"} {
		key = strings.TrimPrefix(key, cut)
	}
	for _, cut := range []string{"/*", "/avg", "/mean", "/successful", "/total"} {
		key = strings.TrimSuffix(key, cut)
	}
	return key
}
