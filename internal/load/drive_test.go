package load

import (
	"context"
	"errors"
	"math"
	"math/big"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/llenergymeasure/llem/internal/pattern"
	"github.com/llenergymeasure/llem/internal/stats"
	"github.com/llenergymeasure/llem/internal/study"
)

// slow is a server that takes a time of its own for each request.
type slow struct {
	take func(id int) time.Duration

	mu           sync.Mutex
	flying, most int
	sent         []time.Duration // by id
}

func (s *slow) Generate(ctx context.Context, t0 time.Time, r Request, tr *Timing) error {
	tr.Sent = time.Since(t0)
	s.mu.Lock()
	s.flying++
	s.most = max(s.most, s.flying)
	s.sent[r.ID] = tr.Sent
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.flying--
		s.mu.Unlock()
	}()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(s.take(r.ID)):
	}
	tr.FirstToken = time.Since(t0)
	tr.LastToken = tr.FirstToken
	return nil
}

func requests(n int) []Request {
	out := make([]Request, n)
	for i := range out {
		out[i].ID = i
	}
	return out
}

func TestAClosedLoopKeepsItsConcurrencyFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slow{take: func(id int) time.Duration { return time.Duration(1+id%3) * time.Second }, sent: make([]time.Duration, 30)}
		run, err := Drive(t.Context(), Config{Client: s, Requests: requests(30), Pattern: Closed(4)})
		if err != nil || run.Timings.Len() != 30 {
			t.Fatalf("%d timings, error %v", run.Timings.Len(), err)
		}
		if s.most != 4 {
			t.Errorf("%d in flight at most, want 4", s.most)
		}
		for _, tr := range run.Timings.All() {
			if tr.Sent != tr.Scheduled {
				t.Errorf("request %d left %v late", tr.ID, tr.Sent-tr.Scheduled)
			}
		}
		// 60 s of work over 4 places, and an uneven end.
		if run.End < 15*time.Second || run.End > 17*time.Second {
			t.Errorf("it took %v", run.End)
		}
	})
}

func TestAConstantRateKeepsItsScheduleWhateverTheServerDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slow{take: func(int) time.Duration { return 10 * time.Second }, sent: make([]time.Duration, 50)}
		if _, err := Drive(t.Context(), Config{Client: s, Requests: requests(50), Pattern: Constant(8, 0), wait: byRuntime}); err != nil {
			t.Fatal(err)
		}
		for i, at := range s.sent {
			if want := time.Duration(i) * 125 * time.Millisecond; at != want {
				t.Errorf("request %d left at %v, want %v", i, at, want)
			}
		}
	})
}

// A request that finds no place is late; the schedule stays where it was.
func TestAFullConstantRateIsLagAndNotAGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slow{take: func(id int) time.Duration {
			if id == 0 {
				return 3500 * time.Millisecond
			}
			return 100 * time.Millisecond
		}, sent: make([]time.Duration, 8)}
		run, err := Drive(t.Context(), Config{Client: s, Requests: requests(8), Pattern: Constant(1, 1), wait: byRuntime})
		if err != nil {
			t.Fatal(err)
		}
		for i, tr := range run.Timings.All() {
			if tr.Scheduled != time.Duration(i)*time.Second {
				t.Errorf("request %d was due at %v", i, tr.Scheduled)
			}
		}
		if lag := run.Timings.At(1).Sent - run.Timings.At(1).Scheduled; lag != 2500*time.Millisecond {
			t.Errorf("the request that waited was %v late, want 2.5 s", lag)
		}
		if lag := run.Timings.At(7).Sent - run.Timings.At(7).Scheduled; lag != 0 || s.most != 1 {
			t.Errorf("the last was %v late, %d were in flight at once", lag, s.most)
		}
	})
}

func TestDriveEndsWithItsContext(t *testing.T) {
	for name, p := range map[string]Pattern{"closed": Closed(2), "constant": Constant(1, 0), "full": Constant(1, 1)} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
			defer cancel()
			s := &slow{take: func(int) time.Duration { return time.Hour }, sent: make([]time.Duration, 9)}
			begun := time.Now()
			run, err := Drive(ctx, Config{Client: s, Requests: requests(9), Pattern: p, wait: byRuntime})
			if !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) != 2500*time.Millisecond {
				t.Errorf("%s: ended after %v with %v", name, time.Since(begun), err)
			}
			for _, tr := range run.Timings.All() {
				if tr.Status != StatusCut || tr.End < tr.Sent {
					t.Errorf("%s: %+v", name, tr)
				}
			}
		})
	}
}

// The schedule is the rate's to the nanosecond, however far it runs.
func TestAConstantRateIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 100_000).Draw(t, "n") // a day at most
		rate := float64(rapid.IntRange(1_000, 1_000_000).Draw(t, "rate")) / 1000
		at, open := Constant(rate, 0).At(n)
		due := new(big.Rat).SetFrac64(int64(n), 1)
		due.Mul(due, big.NewRat(int64(second), 1)).Quo(due, new(big.Rat).SetFloat64(rate))
		off, _ := due.Sub(due, big.NewRat(int64(at), 1)).Float64()
		if !open || math.Abs(off) > 0.51 {
			t.Fatalf("request %d at %g/s is %g ns off", n, rate, off)
		}
	})
}

func TestNewRefusesWhatThisVersionLacks(t *testing.T) {
	if _, err := New(study.Workload{Load: pattern.Load{Pattern: "waves"}, Prompts: 1}, 0); err == nil {
		t.Error("waves was taken")
	}
	p, err := New(study.Workload{Load: pattern.Load{Pattern: "constant", RatePerSecond: 2, MaxInFlight: 3}, Prompts: 4}, 0)
	if at, open := p.Pattern.At(3); err != nil || !open || at != 1500*time.Millisecond || p.Pattern.InFlight() != 3 {
		t.Errorf("the fourth request is due at %v", at)
	}
}

const second = time.Second

func TestLatenciesByDefinition(t *testing.T) {
	timings := List{
		{ // 4 tokens in 3 chunks, sent half a second late
			Status: StatusOK, UsageSource: "server", InputTokens: 10, OutputTokens: 4, Reasoning: 1,
			Scheduled: 1 * second, Sent: 1500 * time.Millisecond, FirstToken: 2 * second, LastToken: 5 * second, End: 6 * second,
			Chunks: []Chunk{NewChunk(2*second, 1), NewChunk(3*second, 2), NewChunk(5*second, 1)},
		},
		{ // one token has no TPOT and no ITL
			Status: StatusOK, UsageSource: "server", InputTokens: 10, OutputTokens: 1,
			Scheduled: 2 * second, Sent: 2 * second, FirstToken: 2500 * time.Millisecond, LastToken: 2500 * time.Millisecond, End: 3 * second,
			Chunks: []Chunk{NewChunk(2500*time.Millisecond, 1)},
		},
		{ // failed, and its server counted no tokens
			Status: StatusFailed, UsageSource: "chunks", Reasoning: Unknown,
			Scheduled: 3 * second, Sent: 3 * second, FirstToken: 9 * second, LastToken: 10 * second, End: 10 * second,
			Chunks: []Chunk{NewChunk(9*second, 1), NewChunk(10*second, 1)},
		},
		{ // refused before a byte
			Status: StatusTimeout, Scheduled: 4 * second, Sent: 4 * second, FirstToken: -1, LastToken: -1, End: 5 * second,
		},
	}
	f := Summarise(timings, true)
	if f.Completed != 2 || f.Failed != 2 || *f.InputTokens != 20 || *f.OutputTokens != 5 || *f.ReasoningTokens != 1 || *f.MultiTokenChunks != 1 || f.TokenSource != "server" || f.Lacking.Failed != 1 {
		t.Errorf("%+v", f)
	}
	for _, c := range []struct {
		what      string
		s         *stats.Summary
		n         int
		mean, max float64
	}{
		{"TTFT", f.TTFT, 2, 500, 500}, {"TPOT", f.TPOT, 1, 1000, 1000}, {"ITL", f.ITL, 2, 1500, 2000},
		{"E2E", f.E2E, 2, 2000, 3500}, {"lag", f.Lag, 4, 125, 500},
		{"scheduled TTFT", f.TTFTScheduled, 2, 750, 1000}, {"scheduled E2E", f.E2EScheduled, 2, 2250, 4000},
	} {
		if c.s == nil || c.s.N != c.n || math.Abs(c.s.Mean-c.mean) > 1e-9 || c.s.Max != c.max {
			t.Errorf("%s = %+v, want %d values of mean %g and maximum %g", c.what, c.s, c.n, c.mean, c.max)
		}
	}
	// An answer that came in one piece does not say how long its tokens took.
	lump := List{{Status: StatusOK, OutputTokens: 9, FirstToken: second, LastToken: second, Chunks: []Chunk{NewChunk(second, 9)}}}
	if f := Summarise(lump, false); f.TPOT != nil || f.TTFT == nil {
		t.Errorf("of one piece: TPOT %+v, TTFT %+v", f.TPOT, f.TTFT)
	}
	if f := Summarise(timings, false); f.TTFTScheduled != nil || f.E2EScheduled != nil {
		t.Error("a closed loop has no schedule")
	}
	if f := Summarise(List{}, false); f.TTFT != nil || f.TokenSource != "none" {
		t.Errorf("of nothing: %+v", f)
	}
}

func TestTheSteadySlice(t *testing.T) {
	at := func(sent, first, end int, tokens ...int) Timing {
		tr := Timing{Sent: time.Duration(sent) * second, FirstToken: time.Duration(first) * second, End: time.Duration(end) * second}
		for _, s := range tokens {
			tr.Chunks = append(tr.Chunks, NewChunk(time.Duration(s)*second, 2))
			tr.OutputTokens += 2
		}
		return tr
	}
	// Two places: full from 1, the filler's first token at 3; full until 8.
	timings := List{at(0, 1, 5, 1, 2, 4, 5), at(1, 3, 8, 3, 4, 8), at(5, 6, 10, 6, 9, 10)}
	start, end, tokens, ok := Steady(timings, 2)
	if !ok || start != 3*second || end != 8*second || tokens != 2*5 {
		t.Errorf("from %v to %v with %d tokens, %v; want 3 s to 8 s with 10", start, end, tokens, ok)
	}
	// The server counted three tokens for each that the chunks showed, and the
	// first of a failed request never left.
	for i := range timings {
		timings[i].OutputTokens, timings[i].UsageSource = 6*len(timings[i].Chunks), "server"
	}
	if _, _, tokens, _ := Steady(append(timings, Timing{Sent: -1, FirstToken: -1}), 2); tokens != 6*5 {
		t.Errorf("%d tokens, want the server's 30", tokens)
	}
	// A chunk is no token, of an answer that failed before the server counted it.
	timings[0].Status, timings[0].OutputTokens, timings[0].UsageSource = StatusFailed, 0, "chunks"
	if _, _, tokens, _ := Steady(timings, 2); tokens != 6*3 {
		t.Errorf("%d tokens, want 18 without those of the failed one", tokens)
	}
	if _, _, _, ok := Steady(timings, 3); ok {
		t.Error("three were never in flight at once")
	}
	if _, _, _, ok := Steady(List{}, 1); ok {
		t.Error("nothing was ever in flight")
	}
}
