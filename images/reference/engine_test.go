package main

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"
)

// running starts an engine that ends with the test.
func running(t *testing.T, capacity int) *engine {
	t.Helper()
	e := newEngine(newModel(presets["tiny"], 42), capacity)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); e.run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return e
}

func (r *request) all() (out []int) {
	for id := range r.out {
		out = append(out, id)
	}
	return out
}

func TestTheSameSeedGivesTheSameTextAloneAndInABatch(t *testing.T) {
	e := running(t, maxSeqs)
	for _, temperature := range []float64{0, 0.8} {
		ask := func(seed uint64) *request {
			r := &request{ctx: t.Context(), prompt: randomPrompt(seed, 40), maxTokens: 30, ignoreEOS: true, temperature: temperature, seed: 7}
			e.submit(r)
			return r
		}
		alone := ask(0).all()
		var batch []*request
		for i := range uint64(maxSeqs) {
			batch = append(batch, ask(i))
		}
		var texts [][]int
		for _, r := range batch {
			texts = append(texts, r.all())
		}
		if !slices.Equal(texts[0], alone) {
			t.Errorf("temperature %g: alone %v, in a batch %v", temperature, alone, texts[0])
		}
		if slices.Equal(texts[0], texts[1]) {
			t.Error("two prompts gave the same text")
		}
		if !slices.Equal(ask(0).all(), alone) {
			t.Error("the same request gave another text")
		}
	}
}

func TestCapacityIsKeptAndEverythingIsServed(t *testing.T) {
	e := running(t, 3)
	var wait sync.WaitGroup
	for i := range 20 {
		r := &request{ctx: t.Context(), prompt: randomPrompt(uint64(i), 5), maxTokens: 5 + i%3, ignoreEOS: true}
		e.submit(r)
		wait.Go(func() {
			if n := len(r.all()); n != r.maxTokens || r.finish != "length" {
				t.Errorf("%d tokens of %d, finish %q", n, r.maxTokens, r.finish)
			}
			e.mu.Lock()
			defer e.mu.Unlock()
			if len(e.running) > 3 {
				t.Errorf("%d run at once", len(e.running))
			}
		})
	}
	wait.Wait()
	if e.prompts != 100 || e.generated != 20*5+7*0+7*1+6*2 {
		t.Errorf("counted %d prompt tokens and %d generated", e.prompts, e.generated)
	}
}

func TestARequestWhoseClientHasGoneIsEnded(t *testing.T) {
	e := running(t, 2)
	ctx, cancel := context.WithCancel(t.Context())
	r := &request{ctx: ctx, prompt: randomPrompt(1, 5), maxTokens: 100000, ignoreEOS: true}
	e.submit(r)
	<-r.out
	cancel()
	if n := len(r.all()); r.finish != "abort" || n >= 99999 {
		t.Errorf("finish %q after %d tokens", r.finish, n)
	}
}

func TestSyncReturnsWhenNothingRuns(t *testing.T) {
	e := running(t, 2)
	if err := e.sync(t.Context()); err != nil {
		t.Errorf("an idle engine: %v", err)
	}
	r := &request{ctx: t.Context(), prompt: randomPrompt(1, 5), maxTokens: 200, ignoreEOS: true}
	e.submit(r)
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if e.sync(ctx) == nil {
		t.Error("sync returned while a request ran")
	}
	if err := e.sync(t.Context()); err != nil {
		t.Error(err)
	}
	e.mu.Lock()
	busy := len(e.running) + len(e.waiting)
	e.mu.Unlock()
	if busy > 0 {
		t.Errorf("%d requests after sync", busy)
	}
	if n := len(r.all()); n != 200 {
		t.Errorf("%d tokens", n)
	}
}

// Driven by hand: one of two ends, and who waits for silence still waits.
func TestSyncWaitsForTheLastOfSeveral(t *testing.T) {
	e := newEngine(newModel(presets["tiny"], 42), 2)
	for range 2 {
		e.submit(&request{ctx: t.Context(), prompt: []int{65}, maxTokens: 1, ignoreEOS: true})
	}
	silence := make(chan struct{})
	e.idle = append(e.idle, silence)
	woken := func() bool {
		select {
		case <-silence:
			return true
		default:
			return false
		}
	}
	both := e.admit()
	e.prefill(both[0])
	if woken() {
		t.Error("woken while the second runs")
	}
	e.prefill(both[1])
	if !woken() {
		t.Error("nothing runs and nobody was told")
	}
}

func TestAnEndedEngineAbortsWhatIsLeft(t *testing.T) {
	e := newEngine(newModel(presets["tiny"], 42), 1)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); e.run(ctx) }()
	a := &request{ctx: t.Context(), prompt: []int{65}, maxTokens: 100000, ignoreEOS: true}
	b := &request{ctx: t.Context(), prompt: []int{65}, maxTokens: 100000, ignoreEOS: true}
	e.submit(a)
	e.submit(b)
	<-a.out
	cancel()
	<-done
	a.all()
	b.all()
	late := &request{ctx: t.Context(), prompt: []int{65}, maxTokens: 1}
	e.submit(late)
	late.all()
	if a.finish != "abort" || b.finish != "abort" || late.finish != "abort" {
		t.Errorf("finish %q, %q and %q", a.finish, b.finish, late.finish)
	}
	if err := e.sync(t.Context()); err != nil {
		t.Errorf("sync: %v", err)
	}
}
