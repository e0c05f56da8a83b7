package load

import (
	"reflect"
	"slices"
	"sync"
	"time"
)

// ledger keeps what a window leaves behind: 64 bytes a request and 8 a chunk, in
// blocks, so that nothing is copied when it grows. A trace that would not come
// back as it was, a failure above all, is kept whole.
type ledger struct {
	mu     sync.Mutex
	rows   [][]row
	blocks [][]Chunk
	kinds  []kind
	whole  map[int]*Trace
	spare  []*Trace // that belong to no request now
}

const (
	rowBlock   = 1 << 10 // 64 KiB
	chunkBlock = 1 << 16 // 512 KiB
	// spareChunks bounds what a trace has room for when its request is sent; one
	// of more chunks takes more as they come, and keeps it.
	spareChunks = 1 << 12
)

// row is the trace of a request that went as most do; of one that has not begun
// it is zero.
type row struct {
	scheduled, sent, firstByte, end time.Duration
	block, offset, chunks           uint32 // where the chunks are, and how many
	input, output, reasoning        uint32 // of reasoning one more: 0 is unknown
	cached                          uint32 // and one: 0 is unknown
	kind                            uint32 // its number, from 1
}

// kind is what many traces have in common.
type kind struct {
	status, source, finish, refused string
	http                            int
}

// mostKinds bounds them: what has a kind of its own is kept whole.
const mostKinds = 100

// reserve makes room for n requests, of which so many are sent at once with at
// most so many chunks each.
func (l *ledger) reserve(n, atOnce, chunks int) {
	l.whole = map[int]*Trace{}
	l.blocks = [][]Chunk{make([]Chunk, 0, chunkBlock)}
	l.grow(n)
	for range atOnce {
		l.spare = append(l.spare, &Trace{Chunks: make([]Chunk, 0, min(chunks, spareChunks))})
	}
}

func (l *ledger) grow(n int) {
	for len(l.rows)*rowBlock < n {
		l.rows = append(l.rows, make([]row, rowBlock))
	}
}

// lend is a trace for a request that is about to be sent; keep takes it back.
func (l *ledger) lend(r *Request) *Trace {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := &Trace{}
	if n := len(l.spare); n > 0 {
		t, l.spare = l.spare[n-1], l.spare[:n-1]
	} else {
		t.Chunks = make([]Chunk, 0, min(r.MaxOutputTokens, spareChunks))
	}
	*t = Trace{
		ID: r.ID, Scheduled: -1, Sent: -1, FirstByte: -1, FirstToken: -1, LastToken: -1, End: -1,
		PromptHash: r.Hash, Chunks: t.Chunks[:0],
	}
	return t
}

// keep writes down the trace of request i, which has ended.
func (l *ledger) keep(i int, r *Request, t *Trace) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.grow(i + 1)
	w := row{
		scheduled: t.Scheduled, sent: t.Sent, firstByte: t.FirstByte, end: t.End, chunks: uint32(len(t.Chunks)),
		input: uint32(t.InputTokens), output: uint32(t.OutputTokens), reasoning: uint32(t.Reasoning + 1),
		kind: l.kindOf(kind{t.Status, t.UsageSource, t.FinishReason, t.Refused, t.HTTPStatus}),
	}
	if t.CachedTokens != nil {
		w.cached = uint32(*t.CachedTokens) + 1
	}
	w.block, w.offset = l.put(t.Chunks)
	l.rows[i/rowBlock][i%rowBlock] = w
	was, back := *t, l.trace(&w, r)
	was.Chunks, back.Chunks = nil, nil
	if !reflect.DeepEqual(was, back) {
		was.Chunks = l.chunks(&w)
		l.whole[i] = &was
	}
	l.spare = append(l.spare, t)
}

// put copies chunks to where they stay.
func (l *ledger) put(c []Chunk) (block, offset uint32) {
	last := len(l.blocks) - 1
	if b := l.blocks[last]; len(b)+len(c) > cap(b) {
		l.blocks = append(l.blocks, make([]Chunk, 0, max(chunkBlock, len(c))))
		last++
	}
	offset = uint32(len(l.blocks[last]))
	l.blocks[last] = append(l.blocks[last], c...)
	return uint32(last), offset
}

func (l *ledger) chunks(w *row) []Chunk {
	if w.chunks == 0 {
		return nil
	}
	return slices.Clip(l.blocks[w.block][w.offset : w.offset+w.chunks])
}

// kindOf is the number of a kind; one too many is numbered as the first.
func (l *ledger) kindOf(k kind) uint32 {
	i := slices.Index(l.kinds, k)
	if i < 0 && len(l.kinds) < mostKinds {
		i = len(l.kinds)
		l.kinds = append(l.kinds, k)
	}
	return uint32(max(0, i) + 1)
}

// traces are those of the requests, up to the first that has not begun.
func (l *ledger) traces(requests []Request) []Trace {
	var out []Trace
	for i := range requests {
		if i >= len(l.rows)*rowBlock {
			break
		}
		w := &l.rows[i/rowBlock][i%rowBlock]
		if w.kind == 0 {
			break
		}
		if t := l.whole[i]; t != nil {
			out = append(out, *t)
		} else {
			out = append(out, l.trace(w, &requests[i]))
		}
	}
	return out
}

// trace is what a row says of its request.
func (l *ledger) trace(w *row, r *Request) Trace {
	k := l.kinds[w.kind-1]
	t := Trace{
		ID: r.ID, PromptHash: r.Hash, Scheduled: w.scheduled, Sent: w.sent, FirstByte: w.firstByte, FirstToken: -1, LastToken: -1, End: w.end,
		InputTokens: int(w.input), OutputTokens: int(w.output), Reasoning: int(w.reasoning) - 1, Chunks: l.chunks(w),
		Status: k.status, UsageSource: k.source, FinishReason: k.finish, Refused: k.refused, HTTPStatus: k.http,
	}
	if n := len(t.Chunks); n > 0 {
		t.FirstToken, t.LastToken = t.Chunks[0].At(), t.Chunks[n-1].At()
	}
	if w.cached > 0 {
		n := int(w.cached - 1)
		t.CachedTokens = &n
	}
	return t
}
