package load

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// Config is one run of a load.
type Config struct {
	Client   Client
	Requests []Request
	Pattern  Pattern
}

// Run is what a load left behind.
type Run struct {
	T0     time.Time     // the first scheduled send; has a monotonic reading
	End    time.Duration // last response byte, since T0
	Traces []Trace       // of the requests that were begun, in order; one that could not be sent has failed
}

// Drive sends every request when the pattern says so and returns when every
// response was drained. When ctx ends, requests in flight are cut and no more
// are sent: the traces so far come back with ctx's error. Failed requests are
// no error of Drive.
func Drive(ctx context.Context, c Config) (Run, error) {
	traces := make([]Trace, len(c.Requests))
	for i := range traces {
		r := &c.Requests[i]
		traces[i] = Trace{
			ID: r.ID, Scheduled: -1, Sent: -1, FirstByte: -1, FirstToken: -1, LastToken: -1, End: -1,
			PromptHash: r.Hash, Chunks: make([]Chunk, 0, r.MaxOutputTokens),
		}
	}
	d := drive{Config: c, traces: traces, t0: time.Now()}
	if _, open := c.Pattern.At(0); open {
		d.open(ctx)
	} else {
		d.closed(ctx)
	}
	run := Run{T0: d.t0}
	for i := range traces {
		if traces[i].Scheduled >= 0 {
			run.End = max(run.End, traces[i].End)
			run.Traces = append(run.Traces, traces[i])
		}
	}
	return run, ctx.Err()
}

type drive struct {
	Config
	traces []Trace
	t0     time.Time
}

// closed runs one worker for each request in flight; each takes the next
// request as soon as its last one has ended.
func (d *drive) closed(ctx context.Context) {
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(d.Pattern.InFlight(), len(d.Requests)) {
		workers.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(d.Requests) {
					return
				}
				d.send(ctx, i, time.Since(d.t0))
			}
		})
	}
	workers.Wait()
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
	for i := range d.Requests {
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
			d.send(ctx, i, due)
			if places != nil {
				<-places
			}
		})
	}
}

// send runs one request and completes what the client left out of its trace.
func (d *drive) send(ctx context.Context, i int, due time.Duration) {
	tr := &d.traces[i]
	tr.Scheduled = due
	err := d.Client.Generate(ctx, d.t0, d.Requests[i], tr)
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
