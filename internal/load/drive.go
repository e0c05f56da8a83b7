package load

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/llenergymeasure/llem/internal/stats"
)

// Config is one run of a load.
type Config struct {
	Client   Client
	Requests []Request
	Pattern  Pattern

	// A closed loop sends at least AtLeast of the requests (0: all) and, until Min has
	// passed, more; from Max on (0: never) it sends none. Seconds have been reckoned
	// into the requests of an open loop.
	AtLeast  int
	Min, Max time.Duration
	// More makes the request that follows the last of Requests, n being its number
	// from 0; nil, or an error: there is none.
	More func(n int) (Request, error)

	wait func(ctx context.Context, until time.Time) error // nil: by the kernel's clock
}

// Run is what a load left behind.
type Run struct {
	T0       time.Time     // the first scheduled send; has a monotonic reading
	End      time.Duration // last response byte, since T0
	Requests []Request     // those that were begun, in order
	Traces   []Trace       // theirs; one that could not be sent has failed
	// ReadLag is from the kernel's receipt of what was read to the read, in
	// milliseconds; nil where the kernel gave no times.
	ReadLag *stats.Summary
	Out     time.Duration // when, before Min, there was no request left to send, since T0; 0: there always was
}

// Drive sends every request when the pattern says so and returns when every
// response was drained. When ctx ends, requests in flight are cut and no more
// are sent: the traces so far come back with ctx's error. Failed requests are
// no error of Drive.
func Drive(ctx context.Context, c Config) (Run, error) {
	d := drive{Config: c, requests: slices.Clip(c.Requests)}
	d.book.reserve(len(c.Requests), d.atOnce(), longest(c.Requests))
	if c.AtLeast == 0 {
		d.AtLeast = len(c.Requests)
	}
	_, open := c.Pattern.At(0)
	if open && c.wait == nil {
		clock, err := newAlarm()
		if err != nil {
			return Run{}, err
		}
		defer clock.close()
		d.wait = clock.wait
	}
	var err error
	d.t0 = time.Now()
	if open {
		err = d.open(ctx)
	} else {
		d.closed(ctx)
	}
	run := Run{T0: d.t0, ReadLag: d.lags.summary(), Out: d.out, Traces: d.book.traces(d.requests)}
	run.Requests = d.requests[:len(run.Traces)]
	for i := range run.Traces {
		run.End = max(run.End, run.Traces[i].End)
	}
	return run, cmp.Or(ctx.Err(), err)
}

// lagsKey is where a request's context has the histogram of its run's lags, from
// receipt to read.
type lagsKey struct{}

type drive struct {
	Config
	requests []Request
	book     ledger
	lags     histogram
	t0       time.Time

	mu   sync.Mutex // of a closed loop's workers
	next int
	out  time.Duration
}

// atOnce is how many requests may be sent at once, as far as that is known.
func (d *drive) atOnce() int {
	n := d.Pattern.InFlight()
	if _, open := d.Pattern.At(0); open || d.Min == 0 {
		n = min(n, len(d.requests))
	}
	return n
}

// longest is the most tokens that an answer may have.
func longest(requests []Request) (n int) {
	for i := range requests {
		n = max(n, requests[i].MaxOutputTokens)
	}
	return n
}

// closed runs one worker for each request in flight; each takes the next
// request as soon as its last one has ended.
func (d *drive) closed(ctx context.Context) {
	var workers sync.WaitGroup
	for range d.atOnce() {
		workers.Go(func() {
			for ctx.Err() == nil {
				i, r, due, ok := d.take()
				if !ok {
					return
				}
				d.send(ctx, i, r, due)
			}
		})
	}
	workers.Wait()
}

// take is the next request of a closed loop, and when it is due; ok is false when no
// more are sent.
func (d *drive) take() (i int, r Request, due time.Duration, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	due = time.Since(d.t0)
	switch {
	case d.Max > 0 && due >= d.Max, d.next >= d.AtLeast && due >= d.Min:
		return 0, Request{}, 0, false
	case d.next == len(d.requests) && !d.more():
		if d.out == 0 {
			d.out = due
		}
		return 0, Request{}, 0, false
	}
	d.next++
	return d.next - 1, d.requests[d.next-1], due, true
}

// more adds a request to those that were made before the window.
func (d *drive) more() bool {
	if d.More == nil {
		return false
	}
	r, err := d.More(len(d.requests))
	if err != nil {
		return false
	}
	d.requests = append(d.requests, r)
	return true
}

// open sends each request at its own time, late if no place is free.
func (d *drive) open(ctx context.Context) error {
	var flying sync.WaitGroup
	defer flying.Wait()
	var places chan struct{}
	if n := d.Pattern.InFlight(); n > 0 {
		places = make(chan struct{}, n)
	}
	for i, r := range d.requests {
		due, _ := d.Pattern.At(i)
		if err := d.wait(ctx, d.t0.Add(due)); err != nil {
			return err
		}
		if places != nil {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case places <- struct{}{}:
			}
		}
		flying.Go(func() {
			d.send(ctx, i, r, due)
			if places != nil {
				<-places
			}
		})
	}
	return nil
}

// send runs one request, completes what the client left out of its trace, and
// writes it down.
func (d *drive) send(ctx context.Context, i int, r Request, due time.Duration) {
	tr := d.book.lend(&r)
	tr.Scheduled = due
	err := d.Client.Generate(context.WithValue(ctx, lagsKey{}, &d.lags), d.t0, r, tr)
	if tr.End < 0 {
		tr.End = time.Since(d.t0)
	}
	tr.Status = StatusOK
	if err != nil {
		tr.Error, tr.Status = err.Error(), failure(ctx, err)
	}
	d.book.keep(i, &r, tr)
}

// failure is the status of a request that has none of an answer.
func failure(ctx context.Context, err error) string {
	switch {
	case ctx.Err() != nil:
		return StatusCut
	case errors.Is(err, context.DeadlineExceeded):
		return StatusTimeout
	}
	return StatusFailed
}
