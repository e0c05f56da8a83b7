package harness

import (
	"context"
	"errors"
	"time"

	"github.com/llenergymeasure/llem/internal/measure"
	"github.com/llenergymeasure/llem/internal/result"
)

// timeline tells the observer of each phase of a run, marks the readings of it, and notes
// when it was.
type timeline struct {
	observer Observer
	hide     func(string) string
	mark     func(measure.Phase)
	noted    *[]result.Phase
}

// phase does what a phase is, and times it.
func (t *timeline) phase(p measure.Phase, note string, do func() (string, error)) error {
	t.observer.Begin(p.String(), t.hide(note))
	t.mark(p)
	start := time.Now()
	note, err := do()
	took := time.Since(start)
	*t.noted = append(*t.noted, result.Phase{Name: p.String(), Start: start, Seconds: took.Seconds()})
	if err != nil {
		note = "failed"
	}
	if errors.Is(err, context.Canceled) {
		note = "interrupted"
	}
	t.observer.End(p.String(), took, t.hide(note))
	return err
}

// tick tells the observer once a second how far a wait of d has come.
func tick(o Observer, d time.Duration) (stop func()) {
	done, gone := make(chan struct{}), make(chan struct{})
	start := time.Now()
	go func() {
		defer close(gone)
		t := time.NewTicker(time.Second)
		defer t.Stop()
		for {
			select {
			case <-done:
				return
			case <-t.C:
				o.Progress(int64(time.Since(start)/time.Second), int64(d/time.Second))
			}
		}
	}()
	return func() { close(done); <-gone }
}
