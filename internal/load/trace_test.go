package load

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/llenergymeasure/llem/internal/pattern"
	"github.com/llenergymeasure/llem/internal/study"
)

// replayed is the workload of a trace of four requests, the last of them late.
func replayed(t *testing.T) study.Workload {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a.csv")
	text := "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:00:00,80,1\n2023-11-16 18:00:00.25,8,10\n2023-11-16 18:00:01.125,20,5\n2023-11-25 18:00:00,20,5\n"
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return study.Workload{Prompts: 3, MaxInputTokens: 80, MaxOutputTokens: 10, Load: pattern.Load{Pattern: "trace", File: path, MaxInFlight: 2}}
}

// A trace says when requests are sent and how long each is, warmups included.
func TestATraceIsReplayed(t *testing.T) {
	t.Parallel()
	p, err := New(replayed(t), 1)
	if err != nil {
		t.Fatal(err)
	}
	want := []time.Duration{0, 250 * time.Millisecond, 1125 * time.Millisecond}
	for i, due := range want {
		if at, open := p.Pattern.At(i); at != due || !open {
			t.Errorf("request %d is due at %v, want %v", i, at, due)
		}
	}
	if gap, after := p.Gap(); p.N != 3 || p.Busiest() != 2 || gap != 875*time.Millisecond || after != 1 || p.Pattern.InFlight() != 2 {
		t.Errorf("%d requests, %d in a second, %v after the one numbered %d", p.N, p.Busiest(), gap, after)
	}
	sizes := []Size{{80, 1}, {8, 10}, {20, 5}}
	for _, warm := range []bool{false, true} {
		reqs, err := Synthetic(SyntheticOptions{N: 4, First: 1, Sizes: p.Sizes, Warmup: warm, Vocabulary: Bytes(0, 256, true)})
		if err != nil {
			t.Fatal(err)
		}
		var got []Size
		for _, r := range reqs {
			got = append(got, Size{r.InputTokens, r.MaxOutputTokens})
		}
		if diff := cmp.Diff([]Size{sizes[1], sizes[2], sizes[0], sizes[1]}, got); diff != "" {
			t.Errorf("warmup %v: -want +got:\n%s", warm, diff)
		}
	}
	if _, err := Synthetic(SyntheticOptions{N: 200, Sizes: func(i int) Size { return []Size{{5, 1}, {1, 1}}[i%2] }, Vocabulary: Bytes(0, 256, true)}); err == nil || !strings.Contains(err.Error(), "request 2: 1 tokens are too short for 200 different prompts") {
		t.Errorf("a short one: %v", err)
	}
}

func TestATraceThatDoesNotFit(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*study.Workload){
		"a.csv holds 4 requests, workload.prompts asks for 5: set workload.prompts: 4":                                     func(w *study.Workload) { w.Prompts = 5 },
		"a.csv:2: a prompt of 80 tokens is longer than workload.max_input_tokens 9: raise it, to 80 for all that are sent": func(w *study.Workload) { w.MaxInputTokens = 9 },
		"a.csv:3: an answer of 10 tokens is longer than workload.max_output_tokens 4: raise it, to 10 for all that are":    func(w *study.Workload) { w.MaxOutputTokens = 4 },
		"a.csv:5: the request comes 9.0 days after the first, and a schedule may take 7: lower workload.prompts, or set":   func(w *study.Workload) { w.Prompts = 4 },
		"a.csv ends after 777600.0 s, before workload.min_seconds 777601: lower it":                                        func(w *study.Workload) { w.MinSeconds = 777601 },
		"none.csv: no such file": func(w *study.Workload) { w.Load.File = filepath.Join(filepath.Dir(w.Load.File), "none.csv") },
	} {
		w := replayed(t)
		change(&w)
		if _, err := New(w, 1); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v\nwant %s", err, want)
		}
	}
}
