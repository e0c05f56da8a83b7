package standin

import (
	"context"
	"fmt"
	"runtime"
	"strconv"
	"time"

	"github.com/llenergymeasure/llem/internal/load"
)

// Trial is one load on the server: so many streams of so many tokens each.
type Trial struct {
	Streams  int
	Tokens   int
	Interval time.Duration // between the tokens of a stream; 0: as fast as it goes
	Burst    int           // chunks of one write, where there is no interval; 0 is 1
	Halting  bool          // beside them, a stream that gets half a token until all have ended
	Over     time.Duration // their requests are sent one by one over this time; 0: all at once
}

// Outcome is what a trial was and cost.
type Outcome struct {
	Run      load.Run // without the stream that halts
	Received int      // tokens
	Audit    load.Audit
	Server   time.Duration // CPU time of the server's process
}

// Cost is the client's CPU time of a token.
func (o Outcome) Cost() time.Duration { return o.Audit.CPU / time.Duration(max(1, o.Received)) }

// PerSecond is how many tokens came in a second.
func (o Outcome) PerSecond() float64 { return float64(o.Received) / o.Run.End.Seconds() }

// Try runs a trial from this process, as an experiment runs its window.
func (p *Process) Try(ctx context.Context, t Trial) (Outcome, error) {
	reqs := t.requests()
	client := load.NewOpenAI(load.OpenAIOptions{
		BaseURL: p.URL, API: "completions", Model: "standin", Connections: len(reqs),
		ExtraBody: map[string]any{"interval_ns": t.Interval.Nanoseconds(), "burst": t.Burst},
	})
	defer client.Close()
	if err := client.Prepare(ctx, reqs); err != nil {
		return Outcome{}, err
	}
	before, err := p.CPUTime(ctx)
	if err != nil {
		return Outcome{}, err
	}
	runtime.GC()
	audit := load.StartAudit()
	run, err := load.Drive(ctx, load.Config{Client: client, Requests: reqs, Pattern: t.pattern()})
	out := Outcome{Run: run, Audit: audit.Stop()}
	if err != nil {
		return out, err
	}
	after, err := p.CPUTime(ctx)
	if err != nil {
		return out, err
	}
	out.Server = after - before
	return out, out.check(t)
}

func (t Trial) pattern() load.Pattern {
	if t.Over > 0 {
		return load.Constant(float64(t.Streams)/t.Over.Seconds(), 0)
	}
	return load.Closed(t.Streams + 1)
}

func (t Trial) requests() []load.Request {
	reqs := make([]load.Request, t.Streams, t.Streams+1)
	for i := range reqs {
		reqs[i] = load.Request{ID: i, Prompt: strconv.Itoa(i), MaxOutputTokens: t.Tokens}
	}
	if t.Halting {
		reqs = append(reqs, load.Request{ID: t.Streams, Prompt: halting, MaxOutputTokens: t.Tokens})
	}
	return reqs
}

// check counts what came, and refuses what is not whole.
func (o *Outcome) check(t Trial) error {
	for _, tr := range o.Run.Timings.All() {
		want := t.Tokens
		if tr.ID == t.Streams {
			want = 1
		}
		if tr.Status != load.StatusOK || len(tr.Chunks) != want {
			return fmt.Errorf("stream %d of the stand-in server is %s with %d of %d tokens: %s", tr.ID, tr.Status, len(tr.Chunks), want, tr.Error)
		}
		o.Received += len(tr.Chunks)
	}
	measured := make(load.List, 0, t.Streams)
	for i := range t.Streams {
		measured = append(measured, *o.Run.Timings.At(i))
	}
	o.Run.Timings = measured
	return nil
}
