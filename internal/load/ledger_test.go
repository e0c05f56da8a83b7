package load

import (
	"context"
	"runtime"
	"testing"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
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

// drawn is a trace of request i that went well or in any other way.
func drawn(t *rapid.T, i int) Trace {
	since := rapid.Custom(func(t *rapid.T) time.Duration { return time.Duration(rapid.Int64Range(-1, 1<<45).Draw(t, "at")) })
	count := rapid.OneOf(rapid.IntRange(0, 1000), rapid.Int())
	tr := Trace{
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
		var want []Trace
		requests := requests(rapid.IntRange(1, 30).Draw(t, "requests"))
		for i := range requests {
			tr := drawn(t, i)
			want = append(want, tr)
			lent := l.lend(&requests[i])
			chunks := append(lent.Chunks, tr.Chunks...)
			*lent = tr
			lent.Chunks = chunks
			l.keep(i, &requests[i], lent)
		}
		empty := cmp.Transformer("none", func(c []Chunk) []Chunk { return append([]Chunk{}, c...) })
		if diff := cmp.Diff(want, l.traces(append(requests, Request{})), empty); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}

func TestARowIs64Bytes(t *testing.T) {
	if n := unsafe.Sizeof(row{}); n != 64 {
		t.Errorf("a request takes %d bytes", n)
	}
}

// steadily answers with as many chunks as are asked for, and sees at the last
// request what memory is held.
type steadily struct {
	last int
	held uint64
}

func (s *steadily) Generate(_ context.Context, _ time.Time, r Request, tr *Trace) error {
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

// What a window holds grows by 64 bytes a request and 8 a chunk, whole blocks
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
	const blocks = chunkBlock * 8
	base := hold(1, 1)
	for _, c := range []struct{ n, chunks int }{{100_000, 1}, {100_000, 16}, {4_000, 1000}} {
		most := 64*float64(c.n) + 8*float64(c.n*c.chunks) + blocks
		if got := hold(c.n, c.chunks) - base; got > most {
			t.Errorf("%d requests of %d chunks hold %.0f bytes beyond the base of %.0f, want at most %.0f", c.n, c.chunks, got, base, most)
		} else {
			t.Logf("%d requests of %d chunks: %.1f bytes a request beyond 8 a chunk", c.n, c.chunks, (got-8*float64(c.n*c.chunks))/float64(c.n))
		}
	}
}
