package load

import (
	"context"
	"errors"
	"sync"
	"time"
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
}

// Run is what a load left behind.
type Run struct {
	T0       time.Time     // the first scheduled send; has a monotonic reading
	End      time.Duration // last response byte, since T0
	Requests []Request     // those that were begun, in order
	Traces   []Trace       // theirs; one that could not be sent has failed
	Out      time.Duration // when, before Min, there was no request left to send, since T0; 0: there always was
}

// Drive sends every request when the pattern says so and returns when every
// response was drained. When ctx ends, requests in flight are cut and no more
// are sent: the traces so far come back with ctx's error. Failed requests are
// no error of Drive.
func Drive(ctx context.Context, c Config) (Run, error) {
	traces := make([]Trace, len(c.Requests))
	d := drive{Config: c, jobs: make([]job, len(traces))}
	for i, r := range c.Requests {
		traces[i] = blank(r)
		d.jobs[i] = job{r, &traces[i]}
	}
	if c.AtLeast == 0 {
		d.AtLeast = len(traces)
	}
	d.t0 = time.Now()
	if _, open := c.Pattern.At(0); open {
		d.open(ctx)
	} else {
		d.closed(ctx)
	}
	run := Run{T0: d.t0, Out: d.out}
	for _, j := range d.jobs {
		if j.trace.Scheduled >= 0 {
			run.End = max(run.End, j.trace.End)
			run.Requests, run.Traces = append(run.Requests, j.request), append(run.Traces, *j.trace)
		}
	}
	return run, ctx.Err()
}

// blank is the trace of a request that has not begun.
func blank(r Request) Trace {
	return Trace{
		ID: r.ID, Scheduled: -1, Sent: -1, FirstByte: -1, FirstToken: -1, LastToken: -1, End: -1,
		PromptHash: r.Hash, Chunks: make([]Chunk, 0, r.MaxOutputTokens),
	}
}

// job is a request and what becomes of it.
type job struct {
	request Request
	trace   *Trace
}

type drive struct {
	Config
	jobs []job
	t0   time.Time

	mu   sync.Mutex // of a closed loop's workers
	next int
	out  time.Duration
}

// closed runs one worker for each request in flight; each takes the next
// request as soon as its last one has ended.
func (d *drive) closed(ctx context.Context) {
	n := d.Pattern.InFlight()
	if d.Min == 0 {
		n = min(n, len(d.jobs))
	}
	var workers sync.WaitGroup
	for range n {
		workers.Go(func() {
			for ctx.Err() == nil {
				j, due, ok := d.take()
				if !ok {
					return
				}
				d.send(ctx, j, due)
			}
		})
	}
	workers.Wait()
}

// take is the next request of a closed loop, and when it is due; ok is false when no
// more are sent.
func (d *drive) take() (j job, due time.Duration, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	due = time.Since(d.t0)
	switch {
	case d.Max > 0 && due >= d.Max, d.next >= d.AtLeast && due >= d.Min:
		return job{}, 0, false
	case d.next == len(d.jobs) && !d.more():
		if d.out == 0 {
			d.out = due
		}
		return job{}, 0, false
	}
	d.next++
	return d.jobs[d.next-1], due, true
}

// more adds a request to those that were made before the window.
func (d *drive) more() bool {
	if d.More == nil {
		return false
	}
	r, err := d.More(len(d.jobs))
	if err != nil {
		return false
	}
	trace := blank(r)
	d.jobs = append(d.jobs, job{r, &trace})
	return true
}

// open sends each request at its own time, late if no place is free.
func (d *drive) open(ctx context.Context) {
	var flying sync.WaitGroup
	defer flying.Wait()
	var places chan struct{}
	if n := d.Pattern.InFlight(); n > 0 {
		places = make(chan struct{}, n)
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for i, j := range d.jobs {
		due, _ := d.Pattern.At(i)
		timer.Reset(time.Until(d.t0.Add(due)))
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		if places != nil {
			select {
			case <-ctx.Done():
				return
			case places <- struct{}{}:
			}
		}
		flying.Go(func() {
			d.send(ctx, j, due)
			if places != nil {
				<-places
			}
		})
	}
}

// send runs one request and completes what the client left out of its trace.
func (d *drive) send(ctx context.Context, j job, due time.Duration) {
	tr := j.trace
	tr.Scheduled = due
	err := d.Client.Generate(ctx, d.t0, j.request, tr)
	if tr.End < 0 {
		tr.End = time.Since(d.t0)
	}
	if err == nil {
		tr.Status = StatusOK
		return
	}
	tr.Error = err.Error()
	switch {
	case ctx.Err() != nil:
		tr.Status = StatusCut
	case errors.Is(err, context.DeadlineExceeded):
		tr.Status = StatusTimeout
	default:
		tr.Status = StatusFailed
	}
}
