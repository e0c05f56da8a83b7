package load

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/llenergymeasure/llem/internal/stats"
)

func TestAChunkSaysWhenAndHowMany(t *testing.T) {
	for _, c := range []struct {
		at     time.Duration
		tokens int
		wantAt time.Duration
		want   int
	}{
		{0, 1, 0, 1},
		{127, 3, 64, 3},
		{6 * 24 * time.Hour, 2_000_000, 6 * 24 * time.Hour, 2_000_000},
		{-1, 1, 0, 1},
		{1 << 62, 1 << 40, mostSteps << stepBits, mostTokens},
	} {
		if got := NewChunk(c.at, c.tokens); got.At() != c.wantAt || got.Tokens() != c.want {
			t.Errorf("%d tokens at %d: %d at %d", c.tokens, c.at, got.Tokens(), got.At())
		}
	}
}

// drawn is a timing of request i that went well or in any other way.
func drawn(t *rapid.T, i int) Timing {
	since := rapid.Custom(func(t *rapid.T) time.Duration { return time.Duration(rapid.Int64Range(-1, 1<<45).Draw(t, "at")) })
	count := rapid.OneOf(rapid.IntRange(0, 1000), rapid.Int())
	tr := Timing{
		ID: i, Scheduled: since.Draw(t, "scheduled"), Sent: since.Draw(t, "sent"), FirstByte: since.Draw(t, "first byte"),
		FirstToken: since.Draw(t, "first token"), LastToken: since.Draw(t, "last token"), End: since.Draw(t, "end"),
		InputTokens: count.Draw(t, "input"), OutputTokens: count.Draw(t, "output"), Reasoning: count.Draw(t, "reasoning"),
		UsageSource: rapid.SampledFrom([]string{"server", "chunks", "none"}).Draw(t, "source"), HTTPStatus: rapid.SampledFrom([]int{0, 200, 500}).Draw(t, "http"),
		Refused: rapid.SampledFrom([]string{"", refusedOutputOver}).Draw(t, "refused"),
		Status:  rapid.SampledFrom([]string{StatusOK, StatusFailed}).Draw(t, "status"), Error: rapid.SampledFrom([]string{"", "refused"}).Draw(t, "error"),
		FinishReason: rapid.SampledFrom([]string{"", "stop", "length"}).Draw(t, "finish"),
	}
	if rapid.Bool().Draw(t, "cached?") {
		n := count.Draw(t, "cached")
		tr.CachedTokens = &n
	}
	if rapid.Bool().Draw(t, "text?") {
		tr.Text = []byte("text")
	}
	for range rapid.IntRange(0, 5).Draw(t, "chunks") {
		tr.Chunks = append(tr.Chunks, NewChunk(since.Draw(t, "chunk"), 1))
	}
	if n := len(tr.Chunks); n > 0 && rapid.Bool().Draw(t, "as usual") {
		tr.FirstToken, tr.LastToken = tr.Chunks[0].At(), tr.Chunks[n-1].At()
	}
	return tr
}

// Whatever became of requests, the ledger gives it back.
func TestALedgerForgetsNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var l ledger
		l.reserve(2, 1, 3)
		var want List
		requests := requests(rapid.IntRange(1, 30).Draw(t, "requests"))
		for i := range requests {
			tr := drawn(t, i)
			want = append(want, tr)
			lent := l.lend(&requests[i])
			chunks := append(lent.Chunks, tr.Chunks...)
			*lent = tr
			lent.Chunks = chunks
			l.store(i, lent)
		}
		l.close()
		if rapid.Bool().Draw(t, "set?") {
			i := rapid.IntRange(0, len(want)-1).Draw(t, "which")
			want[i] = drawn(t, i)
			l.Set(i, want.At(i))
		}
		var all, each []Timing
		for i, tr := range l.All() {
			one := *tr
			if tr.CachedTokens != nil {
				n := *tr.CachedTokens
				one.CachedTokens = &n
			}
			one.Chunks = slices.Clone(tr.Chunks)
			all, each = append(all, one), append(each, *l.At(i))
		}
		empty := cmp.Transformer("none", func(c []Chunk) []Chunk { return append([]Chunk{}, c...) })
		if diff := cmp.Diff([]Timing(want), all, empty); diff != "" || l.Len() != len(want) {
			t.Errorf("%d timings, -want +got:\n%s", l.Len(), diff)
		}
		if diff := cmp.Diff(all, each, empty); diff != "" {
			t.Errorf("one by one, -want +got:\n%s", diff)
		}
	})
}

// Quantiles that are found digit by digit are those of the sorted values.
func TestGapsAreSummarisedExactly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		most := rapid.SampledFrom([]uint64{3, 1000, 1 << 20, mostSteps}).Draw(t, "most")
		steps := rapid.SliceOfN(rapid.Uint64Range(0, most), 1, 300).Draw(t, "steps")
		var all []float64
		for _, s := range steps {
			all = append(all, ms(time.Duration(s)<<stepBits))
		}
		want, got := stats.Summarise(all), summariseSteps(slices.Values(steps))
		near := cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) <= 1e-12*math.Abs(a) })
		if diff := cmp.Diff(want, got, near); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
	if got := summariseSteps(slices.Values([]uint64(nil))); got != nil {
		t.Errorf("of nothing: %+v", got)
	}
}

// Requests are made a few ahead, each once, in order, and no more when a load ends.
func TestRequestsAreMadeAhead(t *testing.T) {
	const n, room = 5000, 100
	made, most := 0, 0
	s := &counting{}
	run, err := Drive(t.Context(), Config{Client: s, Requests: requests(10), Pattern: Closed(1), AtLeast: n, Ahead: room, More: func(i int) (Request, error) {
		if i != 10+made {
			t.Errorf("request %d is made after %d", i, 9+made)
		}
		made++
		most = max(most, 10+made-int(s.done.Load()))
		return Request{ID: i, Hash: fmt.Sprintf("%016x", i+1)}, nil
	}})
	if err != nil || run.Timings.Len() != n || made != n-10 || most > 10+room+2 {
		t.Errorf("%v: %d of %d sent, %d made, at most %d ahead", err, run.Timings.Len(), n, made, most)
	}
	for i, tr := range run.Timings.All() {
		if want := fmt.Sprintf("%016x", i+1); tr.ID != i || i >= 10 && tr.PromptHash != want {
			t.Fatalf("timing %d is of request %d, %s", i, tr.ID, tr.PromptHash)
		}
	}
}

// counting answers at once.
type counting struct{ done atomic.Int64 }

func (c *counting) Generate(_ context.Context, t0 time.Time, _ Request, tr *Timing) error {
	c.done.Add(1)
	tr.Sent, tr.End = time.Since(t0), time.Since(t0)
	return nil
}

// steadily answers with as many chunks as are asked for, and sees at the last
// request what memory is held.
type steadily struct {
	last int
	held uint64
}

func (s *steadily) Generate(_ context.Context, _ time.Time, r Request, tr *Timing) error {
	tr.Sent, tr.FirstByte, tr.End = 1, 2, 3
	for i := range r.MaxOutputTokens {
		tr.Chunks = append(tr.Chunks, NewChunk(time.Duration(i)*time.Millisecond, 1))
	}
	tr.FirstToken, tr.LastToken = tr.Chunks[0].At(), tr.Chunks[r.MaxOutputTokens-1].At()
	tr.OutputTokens, tr.UsageSource, tr.HTTPStatus, tr.FinishReason = r.MaxOutputTokens, "server", 200, "length"
	if r.ID == s.last {
		s.held = inUse()
	}
	return nil
}

func inUse() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// What a window holds grows by some 50 bytes a request and 4 a chunk at most, whole blocks
// aside.
func TestAWindowsMemory(t *testing.T) {
	hold := func(n, chunks int) float64 {
		reqs := requests(n)
		for i := range reqs {
			reqs[i].MaxOutputTokens = chunks
		}
		s := &steadily{last: n - 1}
		before := inUse()
		if _, err := Drive(t.Context(), Config{Client: s, Requests: reqs, Pattern: Closed(1)}); err != nil {
			t.Fatal(err)
		}
		return float64(s.held) - float64(before)
	}
	base := hold(1, 1)
	for _, c := range []struct{ n, chunks int }{{100_000, 1}, {100_000, 16}, {4_000, 1000}} {
		most := 50*float64(c.n) + 4*float64(c.n*c.chunks) + byteBlock
		if got := hold(c.n, c.chunks) - base; got > most {
			t.Errorf("%d requests of %d chunks hold %.0f bytes beyond the base of %.0f, want at most %.0f", c.n, c.chunks, got, base, most)
		} else {
			t.Logf("%d requests of %d chunks: %.1f bytes a request beyond 3 a chunk", c.n, c.chunks, (got-3*float64(c.n*c.chunks))/float64(c.n))
		}
	}
}
