package load

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/llenergymeasure/llem/internal/stats"
)

// Config is one run of a load.
type Config struct {
	Client   Client
	Requests []Request // that were made before the window
	Pattern  Pattern

	// A closed loop sends at least AtLeast requests (0: Requests) and, until Min has
	// passed, more; from Max on (0: never) it sends none. Seconds have been counted
	// into the requests of an open loop, which sends AtLeast.
	AtLeast  int
	Min, Max time.Duration
	// More makes the request of a number, of those that follow Requests; nil, or an error:
	// there is none. It is called ahead of the sending, by another goroutine, so that at
	// most about Ahead requests are held beside Requests.
	More  func(n int) (Request, error)
	Ahead int

	wait func(ctx context.Context, until time.Time) error // nil: by the kernel's clock
}

// Run is what a load left behind.
type Run struct {
	T0      time.Time     // the first scheduled send; has a monotonic reading
	End     time.Duration // last response byte, since T0
	Timings Timings       // of the requests that were begun, in order; one that could not be sent has failed
	// ReadLag is from the kernel's receipt of what was read to the read, in
	// milliseconds; nil where the kernel gave no times.
	ReadLag *stats.Summary
	Unmade  error         // why Config.More made no more requests; nil: it made all that were asked for
	Out     time.Duration // when, before Min, there was no request left to send, since T0; 0: there always was
}

// Drive sends every request when the pattern says so and returns when every
// response was drained. When ctx ends, requests in flight are cut and no more
// are sent: the timings so far come back with ctx's error. Failed requests are
// no error of Drive.
func Drive(ctx context.Context, c Config) (Run, error) {
	d := drive{Config: c}
	if c.AtLeast == 0 {
		d.AtLeast = len(c.Requests)
	}
	_, open := c.Pattern.At(0)
	d.book.reserve(max(d.AtLeast, len(c.Requests)), d.atOnce(), longest(c.Requests))
	if open && c.wait == nil {
		clock, err := newAlarm()
		if err != nil {
			return Run{Timings: List{}}, err
		}
		defer clock.close()
		d.wait = clock.wait
	}
	if most := d.AtLeast; c.More != nil && (most > len(c.Requests) || c.Min > 0 && !open) {
		if c.Min > 0 && !open {
			most = 0 // as many as there is time for
		}
		d.ahead = makeAhead(len(c.Requests), most, c.Ahead, c.More, preparer(c.Client))
	}
	var err error
	d.t0 = time.Now()
	if open {
		err = d.open(ctx)
	} else {
		d.closed(ctx)
	}
	unmade := d.ahead.close()
	if d.out == 0 { // no request was missed
		unmade = nil
	}
	d.book.close()
	run := Run{T0: d.t0, ReadLag: d.lags.summary(), Out: d.out, Unmade: unmade, Timings: &d.book}
	for _, t := range run.Timings.All() {
		run.End = max(run.End, t.End)
	}
	return run, cmp.Or(ctx.Err(), err)
}

// preparer is what completes a request before it is due; nil: nothing.
func preparer(c Client) func(*Request) error {
	if p, ok := c.(interface{ Encode(*Request) error }); ok {
		return p.Encode
	}
	return nil
}

// lagsKey is where a request's context has the histogram of its run's lags, from
// receipt to read.
type lagsKey struct{}

type drive struct {
	Config
	ahead *ahead // nil: Requests are all
	book  ledger
	lags  histogram
	t0    time.Time

	mu   sync.Mutex // of a closed loop's workers
	next int
	out  time.Duration
}

// atOnce is how many requests may be sent at once, as far as that is known.
func (d *drive) atOnce() int {
	n := d.Pattern.InFlight()
	if _, open := d.Pattern.At(0); open || d.Min == 0 {
		n = min(n, max(len(d.Requests), d.AtLeast))
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
	if d.Max > 0 && due >= d.Max || d.next >= d.AtLeast && due >= d.Min {
		return 0, Request{}, 0, false
	}
	if r, ok = d.request(d.next); !ok {
		if d.out == 0 {
			d.out = due
		}
		return 0, Request{}, 0, false
	}
	d.next++
	return d.next - 1, r, due, true
}

// request is the one of a number, which are asked for in turn.
func (d *drive) request(i int) (r Request, ok bool) {
	if i < len(d.Requests) {
		return d.Requests[i], true
	}
	return d.ahead.next()
}

// open sends each request at its own time, late if no place is free.
func (d *drive) open(ctx context.Context) error {
	var flying sync.WaitGroup
	defer flying.Wait()
	var places chan struct{}
	if n := d.Pattern.InFlight(); n > 0 {
		places = make(chan struct{}, n)
	}
	for i := range d.AtLeast {
		due, _ := d.Pattern.At(i)
		r, ok := d.request(i)
		if !ok {
			return d.ahead.err
		}
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

// send runs one request, completes what the client left out of its timing, and
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
	d.book.store(i, tr)
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
