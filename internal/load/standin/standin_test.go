package standin

import (
	"context"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// serveHere makes this test binary the server.
const serveHere = "LLEM_TEST_STANDIN"

func TestMain(m *testing.M) {
	if os.Getenv(serveHere) != "" {
		if err := Main(os.Stdin, os.Stdout); err != nil {
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// server is one in a process of its own, on the last core.
func server(t testing.TB) *Process {
	t.Helper()
	t.Setenv(serveHere, "1")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	_, core, _ := Cores()
	p, err := Start(context.WithoutCancel(t.Context()), core, self)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	return p
}

// Every token arrives, on its schedule, and is stamped before it is read.
func TestTheServerStampsWhatItWrites(t *testing.T) {
	p := server(t)
	got, err := p.Try(t.Context(), Trial{Streams: 3, Tokens: 5, Interval: 10 * time.Millisecond, Halting: true})
	if err != nil || got.Received != 16 || got.Server <= 0 || got.Cost() <= 0 {
		t.Fatalf("%+v, %v", got, err)
	}
	stamps, err := p.Stamps(t.Context())
	if err != nil || len(stamps) != 3 {
		t.Fatalf("stamps of %d requests, %v", len(stamps), err)
	}
	for id, s := range stamps {
		for i, at := range s.Written {
			if at < s.Due[i] || s.Due[i] < s.Received || s.Arrived == 0 || s.Arrived > s.Received || s.Received-s.Arrived > 1e9 || i > 0 && s.Due[i]-s.Due[i-1] != 10e6 {
				t.Errorf("request %s: received at %d, tokens due at %d, written at %d", id, s.Received, s.Due, s.Written)
			}
		}
	}
}

// Prompts are texts or ids, and the usage is theirs: in every chunk where that is
// asked for, else in the last alone.
func TestTheServerCountsAsVLLMDoes(t *testing.T) {
	p := server(t)
	for body, want := range map[string]struct {
		usages int
		last   string
	}{
		`{"prompt":[5,6,7],"max_tokens":2,"stream_options":{"continuous_usage_stats":true}}`: {3, `"prompt_tokens":3,"total_tokens":5,"completion_tokens":2`},
		`{"prompt":"bade ba","max_tokens":3}`:                                                {1, `"prompt_tokens":3,"total_tokens":6,"completion_tokens":3`},
	} {
		resp, err := http.Post(p.URL+"/v1/completions", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		http.DefaultClient.CloseIdleConnections()
		got := string(data)
		if err != nil || strings.Count(got, `"usage"`) != want.usages || !strings.Contains(got, want.last) || strings.Count(got, `"length"`) != 1 {
			t.Errorf("%s: %v\n%s", body, err, got)
		}
	}
}

// The client's cost of a token from socket to stamp, where each comes by itself
// as far as the client keeps up, and where sixteen come at once.
func BenchmarkSocket(b *testing.B) {
	for _, c := range []struct {
		name  string
		trial Trial
	}{
		{"paced", Trial{Streams: 200, Tokens: 100, Interval: 20 * time.Millisecond}},
		{"flood", Trial{Streams: 64, Tokens: 4000}},
		{"bursts", Trial{Streams: 64, Tokens: 20000, Burst: 16}},
	} {
		b.Run(c.name, func(b *testing.B) {
			p := server(b)
			var cpu, tokens, seconds float64
			for b.Loop() {
				got, err := p.Try(b.Context(), c.trial)
				if err != nil {
					b.Fatal(err)
				}
				cpu, tokens, seconds = cpu+got.Audit.CPU.Seconds(), tokens+float64(got.Received), seconds+got.Run.End.Seconds()
			}
			b.ReportMetric(cpu*1e9/tokens, "client-ns/token")
			b.ReportMetric(tokens/seconds, "tokens/s")
		})
	}
}
