package main

import (
	"context"
	"math/rand/v2"
	"sync"
)

// request is one sequence to decode.
type request struct {
	ctx         context.Context
	prompt      []int
	maxTokens   int
	temperature float64
	ignoreEOS   bool
	seed        int64

	// out takes every token; it has room for all of them, so that a slow reader
	// never holds up the others. It is closed at the end.
	out    chan int
	finish string // after out is closed: stop, length or abort
	cache  *cache
	last   int
	sent   int
	rng    *rand.Rand
}

// engine decodes several requests at once: a loop that lets waiting requests
// in (one prefill each) and then advances all running ones by one token in one
// pass through the model.
type engine struct {
	m        *model
	capacity int

	mu        sync.Mutex
	waiting   []*request
	running   []*request
	prompts   int64 // tokens prefilled
	generated int64
	idle      []chan struct{} // closed when nothing runs or waits
	stopped   bool            // run has ended; what is submitted is aborted
	wake      chan struct{}
}

func newEngine(m *model, capacity int) *engine {
	return &engine{m: m, capacity: capacity, wake: make(chan struct{}, 1)}
}

// submit hands r to the loop; its tokens come from r.out.
func (e *engine) submit(r *request) {
	r.out = make(chan int, r.maxTokens)
	r.rng = rand.New(rand.NewPCG(uint64(r.seed), 1))
	e.mu.Lock()
	stopped := e.stopped
	if !stopped {
		e.waiting = append(e.waiting, r)
	}
	e.mu.Unlock()
	if stopped {
		r.finish = "abort"
		close(r.out)
		return
	}
	e.kick()
}

func (e *engine) kick() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// run is the loop; it ends with ctx, aborting what is left.
func (e *engine) run(ctx context.Context) {
	for {
		if ctx.Err() != nil {
			e.abort()
			return
		}
		fresh := e.admit()
		for _, r := range fresh {
			e.prefill(r)
		}
		if !e.step() && len(fresh) == 0 {
			select {
			case <-ctx.Done():
			case <-e.wake:
			}
		}
	}
}

// admit moves waiting requests to running while there is room.
func (e *engine) admit() []*request {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := min(len(e.waiting), e.capacity-len(e.running))
	fresh := e.waiting[:n:n]
	e.waiting = e.waiting[n:]
	e.running = append(e.running, fresh...)
	return fresh
}

func (e *engine) prefill(r *request) {
	if r.ctx.Err() != nil {
		e.end(r, "abort")
		return
	}
	r.cache = e.m.newCache(len(r.prompt) + r.maxTokens)
	rows := make([]position, len(r.prompt))
	for i, t := range r.prompt {
		rows[i] = position{token: t, at: i, cache: r.cache}
	}
	logits := e.m.forward(rows, 1)
	e.mu.Lock()
	e.prompts += int64(len(r.prompt))
	e.mu.Unlock()
	e.emit(r, logits.Data)
}

// step advances every running request by one token; false when none runs.
func (e *engine) step() bool {
	e.mu.Lock()
	batch := append([]*request(nil), e.running...)
	e.mu.Unlock()
	rows := make([]position, 0, len(batch))
	live := batch[:0]
	for _, r := range batch {
		if r.ctx.Err() != nil {
			e.end(r, "abort")
			continue
		}
		live = append(live, r)
		rows = append(rows, position{token: r.last, at: r.cache.n, cache: r.cache})
	}
	if len(rows) == 0 {
		return len(batch) > 0
	}
	logits := e.m.forward(rows, len(rows))
	for i, r := range live {
		e.emit(r, logits.Data[i*vocabulary:(i+1)*vocabulary])
	}
	return true
}

// emit picks a token from logits, hands it out and ends the request when it is
// its last.
func (e *engine) emit(r *request, logits []float32) {
	token := pick(logits, r.temperature, r.ignoreEOS, r.rng)
	if token == eos {
		e.end(r, "stop")
		return
	}
	r.last = token
	r.sent++
	e.mu.Lock()
	e.generated++
	e.mu.Unlock()
	if r.sent == r.maxTokens {
		r.out <- token
		e.end(r, "length")
		return
	}
	r.out <- token
}

// end takes a request out of running before its reader can know of it.
func (e *engine) end(r *request, why string) {
	e.mu.Lock()
	for i, x := range e.running {
		if x == r {
			e.running = append(e.running[:i], e.running[i+1:]...)
			break
		}
	}
	e.settle()
	e.mu.Unlock()
	r.finish = why
	close(r.out)
}

// settle wakes those who wait for silence. The caller holds mu.
func (e *engine) settle() {
	if len(e.running)+len(e.waiting) > 0 {
		return
	}
	for _, c := range e.idle {
		close(c)
	}
	e.idle = nil
}

// abort ends every request, and those that are yet to come.
func (e *engine) abort() {
	e.mu.Lock()
	all := append(e.running, e.waiting...)
	e.running, e.waiting, e.stopped = nil, nil, true
	e.settle()
	e.mu.Unlock()
	for _, r := range all {
		r.finish = "abort"
		close(r.out)
	}
}

// sync returns when nothing runs or waits, or with ctx's error.
func (e *engine) sync(ctx context.Context) error {
	e.mu.Lock()
	if len(e.running)+len(e.waiting) == 0 {
		e.mu.Unlock()
		return nil
	}
	c := make(chan struct{})
	e.idle = append(e.idle, c)
	e.mu.Unlock()
	select {
	case <-c:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
