package load

import (
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"iter"
	"reflect"
	"slices"
	"sync"
	"time"
)

// Timings are what happened to the requests of a run, in their order.
type Timings interface {
	Len() int
	// At is a copy of one.
	At(i int) *Timing
	// All goes through them, each with its number. One is good until the next.
	All() iter.Seq2[int, *Timing]
	// Set puts another in the place of one.
	Set(i int, t *Timing)
}

// List are timings as they are.
type List []Timing

// Len is their number.
func (l List) Len() int { return len(l) }

// At is a copy of one.
func (l List) At(i int) *Timing {
	t := l[i]
	return &t
}

// All goes through them.
func (l List) All() iter.Seq2[int, *Timing] {
	return func(yield func(int, *Timing) bool) {
		for i := range l {
			if !yield(i, &l[i]) {
				return
			}
		}
	}
}

// Set puts another in the place of one.
func (l List) Set(i int, t *Timing) { l[i] = *t }

var _ Timings = (*ledger)(nil)

// ledger keeps what a window leaves behind, packed: of a request about 40 bytes, and of a
// chunk 3 or 4, in blocks, so that nothing is copied when it grows. A timing that would
// not come back as it was is kept whole.
type ledger struct {
	mu     sync.Mutex
	places [][]place
	blocks [][]byte
	kinds  []kind
	whole  map[int]*Timing
	spare  []*Timing // that belong to no request now
	buf    []byte    // of the timing that is packed
	n      int       // timings up to the first request that has not begun, once all have ended
}

const (
	placeBlock = 1 << 13 // 64 KiB
	byteBlock  = 1 << 20
	// spareChunks bounds what a timing has room for when its request is sent; one
	// of more chunks takes more as they come, and keeps it.
	spareChunks = 1 << 12
)

// place is where a timing is: its block, from 1, and where in it. 0: its request has not
// begun.
type place struct{ block, offset uint32 }

// kind is what many timings have in common.
type kind struct {
	status, source, input, finish, refused, err, model string
	http                                               int
}

// mostKinds bounds them: what has a kind of its own is kept whole.
const mostKinds = 100

// reserve makes room for n requests, of which so many are sent at once with at
// most so many chunks each.
func (l *ledger) reserve(n, atOnce, chunks int) {
	l.whole = map[int]*Timing{}
	l.blocks = [][]byte{make([]byte, 0, byteBlock)}
	l.grow(n)
	for range atOnce {
		l.spare = append(l.spare, &Timing{Chunks: make([]Chunk, 0, min(chunks, spareChunks))})
	}
}

func (l *ledger) grow(n int) {
	for len(l.places)*placeBlock < n {
		l.places = append(l.places, make([]place, placeBlock))
	}
}

// lend is a timing for a request that is about to be sent; keep takes it back.
func (l *ledger) lend(r *Request) *Timing {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := &Timing{}
	if n := len(l.spare); n > 0 {
		t, l.spare = l.spare[n-1], l.spare[:n-1]
	} else {
		t.Chunks = make([]Chunk, 0, min(r.MaxOutputTokens, spareChunks))
	}
	*t = Timing{
		ID: r.ID, Scheduled: -1, Sent: -1, FirstByte: -1, FirstToken: -1, LastToken: -1, End: -1,
		PromptHash: r.Hash, Chunks: t.Chunks[:0],
	}
	return t
}

// store writes down the timing of request i, which has ended.
func (l *ledger) store(i int, t *Timing) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.put(i, t)
	l.spare = append(l.spare, t)
}

// put packs a timing. Hold mu.
func (l *ledger) put(i int, t *Timing) {
	l.grow(i + 1)
	delete(l.whole, i)
	l.buf = l.pack(l.buf[:0], i, t)
	last := len(l.blocks) - 1
	if b := l.blocks[last]; len(b)+len(l.buf) > cap(b) {
		l.blocks = append(l.blocks, make([]byte, 0, max(byteBlock, len(l.buf))))
		last++
	}
	at := place{uint32(last + 1), uint32(len(l.blocks[last]))}
	l.blocks[last] = append(l.blocks[last], l.buf...)
	l.places[i/placeBlock][i%placeBlock] = at
	var back Timing
	var cached int
	l.unpack(i, &back, &cached)
	if !cameBack(t, &back) {
		kept := *t
		kept.Chunks = slices.Clone(t.Chunks)
		l.whole[i] = &kept
	}
}

// cameBack says that a timing came back as it was. Its chunks always do.
func cameBack(was, back *Timing) bool {
	a, b := *was, *back
	a.Chunks, b.Chunks = nil, nil
	return reflect.DeepEqual(a, b)
}

// kindOf is the number of a kind; one too many is numbered as the first. Half of them
// are kept for requests without an error, of which there are most.
func (l *ledger) kindOf(k kind) int {
	i := slices.Index(l.kinds, k)
	if i < 0 && len(l.kinds) < mostKinds && (k.err == "" || len(l.kinds) < mostKinds/2) {
		i = len(l.kinds)
		l.kinds = append(l.kinds, k)
	}
	return max(0, i)
}

// pack appends a timing: numbers that are small differences to others take few bytes.
func (l *ledger) pack(b []byte, i int, t *Timing) []byte {
	b = binary.AppendUvarint(b, uint64(l.kindOf(kind{t.Status, t.UsageSource, t.InputSource, t.FinishReason, t.Refused, t.Error, t.Model, t.HTTPStatus})))
	var hash [8]byte
	if len(t.PromptHash) == 2*len(hash) {
		_, _ = hex.Decode(hash[:], []byte(t.PromptHash)) // what is none does not come back as it was
	}
	b = append(b, hash[:]...)
	cached := -1
	if t.CachedTokens != nil {
		cached = *t.CachedTokens
	}
	for _, n := range [...]int64{
		int64(t.ID - i), int64(t.Scheduled), int64(t.Sent - t.Scheduled), int64(t.FirstByte - t.Sent), int64(t.End - t.FirstByte),
		int64(t.InputTokens), int64(t.OutputTokens), int64(t.Reasoning), int64(cached), int64(len(t.Chunks)),
	} {
		b = binary.AppendVarint(b, n)
	}
	last := int64(t.Sent) >> stepBits
	for _, c := range t.Chunks {
		at := int64(c >> tokenBits)
		step := at - last
		last = at
		word := uint64(step<<1^step>>63) << 1 // the last bit: another number of tokens than one follows
		if n := c.Tokens(); n == 1 {
			b = binary.AppendUvarint(b, word)
		} else {
			b = binary.AppendUvarint(binary.AppendUvarint(b, word|1), uint64(n))
		}
	}
	return b
}

// unpack reads the timing of request i, into t and the number that its CachedTokens are
// then.
func (l *ledger) unpack(i int, t *Timing, cached *int) {
	if w := l.whole[i]; w != nil {
		*t = *w
		return
	}
	at := l.places[i/placeBlock][i%placeBlock]
	b := l.blocks[at.block-1][at.offset:]
	uvarint := func() uint64 {
		n, size := binary.Uvarint(b)
		b = b[size:]
		return n
	}
	varint := func() int64 {
		n, size := binary.Varint(b)
		b = b[size:]
		return n
	}
	k := &l.kinds[uvarint()]
	hash := ""
	if [8]byte(b) != [8]byte{} {
		hash = hex.EncodeToString(b[:8])
	}
	b = b[8:]
	*t = Timing{
		PromptHash: hash, FirstToken: -1, LastToken: -1, Chunks: t.Chunks[:0], Status: k.status, UsageSource: k.source, InputSource: k.input,
		FinishReason: k.finish, Refused: k.refused, Error: k.err, Model: k.model, HTTPStatus: k.http,
	}
	t.ID = i + int(varint())
	t.Scheduled = time.Duration(varint())
	t.Sent = t.Scheduled + time.Duration(varint())
	t.FirstByte = t.Sent + time.Duration(varint())
	t.End = t.FirstByte + time.Duration(varint())
	t.InputTokens, t.OutputTokens, t.Reasoning = int(varint()), int(varint()), int(varint())
	if *cached = int(varint()); *cached >= 0 {
		t.CachedTokens = cached
	}
	n := int(varint())
	t.Chunks = slices.Grow(t.Chunks, n)
	last := int64(t.Sent) >> stepBits
	for range n {
		word, tokens := uvarint(), uint64(1)
		if word&1 == 1 {
			tokens = uvarint()
		}
		last += int64(word>>2) ^ -int64(word>>1&1)
		t.Chunks = append(t.Chunks, Chunk(last)<<tokenBits|Chunk(tokens))
	}
	if n > 0 {
		t.FirstToken, t.LastToken = t.Chunks[0].At(), t.Chunks[n-1].At()
	}
}

// close says that all requests have ended. Timings are those up to the first that has
// not begun.
func (l *ledger) close() {
	for l.n < len(l.places)*placeBlock && l.places[l.n/placeBlock][l.n%placeBlock].block > 0 {
		l.n++
	}
	l.spare, l.buf = nil, nil
}

// Len is how many there are.
func (l *ledger) Len() int { return l.n }

// At is a copy of one.
func (l *ledger) At(i int) *Timing {
	var t Timing
	l.unpack(i, &t, new(int))
	t.Chunks = slices.Clone(t.Chunks)
	return &t
}

// All goes through them.
func (l *ledger) All() iter.Seq2[int, *Timing] {
	return func(yield func(int, *Timing) bool) {
		var t Timing
		var cached int
		var chunks []Chunk
		for i := range l.n {
			t.Chunks = chunks
			l.unpack(i, &t, &cached)
			if l.whole[i] == nil {
				chunks = t.Chunks // one that is whole keeps its own
			}
			if !yield(i, &t) {
				return
			}
		}
	}
}

// Set puts another in the place of one.
func (l *ledger) Set(i int, t *Timing) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.put(i, t)
}

// byEnd are the numbers of the timings that pass, in the order in which they ended.
func byEnd(timings Timings, pass func(*Timing) bool) (order []int32) {
	ends := make([]time.Duration, 0, timings.Len())
	for i, t := range timings.All() {
		ends = append(ends, t.End)
		if pass(t) {
			order = append(order, int32(i))
		}
	}
	slices.SortStableFunc(order, func(a, b int32) int { return cmp.Compare(ends[a], ends[b]) })
	return order
}
