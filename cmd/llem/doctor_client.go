package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/llenergymeasure/llem/internal/load"
	"github.com/llenergymeasure/llem/internal/load/standin"
)

// paced is a stream of 20 tokens a second, for as long as tells a 99th
// percentile.
const (
	pacedInterval = 50 * time.Millisecond
	pacedTokens   = 100
	pacedOver     = 2 * time.Second // in which they are begun, as arrivals are
)

// clientStreams are what the client is tried with, up to what it may open.
var clientStreams = []int{64, 256, 1024, 4096, 16384}

// calibrated is what a client can do on this host.
type calibrated struct {
	cores  int // that it may use beside the server's; 0: they share them
	ok     standin.Outcome
	failed standin.Outcome // the first trial that was too much; of 0 streams: none was
	why    string          // what was too much in it
	bulk   standin.Outcome
}

// doctorClient drives a server of nothing but tokens, in a process of its own.
func doctorClient(a *app) []finding {
	c, err := calibrate(a.ctx)
	if err != nil {
		return []finding{{"client", "broken", err.Error(), "see `ulimit -n` and what else runs on this host"}}
	}
	return append(c.findings(), openFiles())
}

func calibrate(ctx context.Context) (c calibrated, err error) {
	self, err := os.Executable()
	if err != nil {
		return c, err
	}
	_, core, apart := standin.Cores()
	server, err := standin.Start(ctx, core, self, "doctor", "--null-server")
	if err != nil {
		return c, err
	}
	defer server.Stop()
	if apart {
		if c.cores, err = standin.Leave(core); err != nil {
			return c, err
		}
		runtime.GOMAXPROCS(c.cores)
	}
	if err := c.pace(ctx, server); err != nil {
		return c, err
	}
	c.bulk, err = server.Try(ctx, standin.Trial{Streams: 64, Tokens: 8192, Burst: 16})
	return c, err
}

// pace raises the number of streams until something is too much.
func (c *calibrated) pace(ctx context.Context, server *standin.Process) error {
	for _, n := range clientStreams {
		if n > load.MostConnections() {
			return nil
		}
		got, err := server.Try(ctx, standin.Trial{Streams: n, Tokens: pacedTokens, Interval: pacedInterval, Over: pacedOver})
		if err != nil {
			return err
		}
		if c.why = tooMuch(got); c.why != "" {
			c.failed = got
			return nil
		}
		c.ok = got
	}
	return nil
}

// tooMuch says what a trial shows that measures the client, or the server; empty:
// nothing.
func tooMuch(o standin.Outcome) string {
	server := o.Server.Seconds() / o.Audit.Took.Seconds()
	switch lag := o.Run.ReadLag; {
	case o.Audit.CPUShare() > load.MostCPUShare:
		return fmt.Sprintf("the client took %.0f %% of a core", 100*o.Audit.CPUShare())
	case server > load.MostCPUShare:
		return fmt.Sprintf("the server that it was tried on took %.0f %% of its core", 100*server)
	case lag != nil && lag.P99 > load.MostReadLagMS:
		return fmt.Sprintf("answers were read %.2f ms late at the 99th percentile", lag.P99)
	}
	return ""
}

// requests is how many a trial sent; 0: there was none.
func requests(o standin.Outcome) int {
	if o.Run.Timings == nil {
		return 0
	}
	return o.Run.Timings.Len()
}

func (c *calibrated) findings() []finding {
	where := "on the cores of the server that it was tried on"
	if c.cores > 0 {
		where = fmt.Sprintf("on %d of this host's cores, the server on another", c.cores)
	}
	streams := finding{What: "client streams", State: "ok"}
	if n := requests(c.ok); n > 0 {
		streams.Seen = fmt.Sprintf("%d at 20 tokens a second: %.0f %% of a core%s", n, 100*c.ok.Audit.CPUShare(), readLag(c.ok))
	} else {
		streams.State, streams.Seen = "lacking", fmt.Sprintf("not %d at 20 tokens a second", clientStreams[0])
		streams.Remedy = "stop what else runs here; on a host as busy as this the client reads too late to tell tokens apart"
	}
	if c.why != "" {
		streams.Seen += fmt.Sprintf("; with %d %s", requests(c.failed), c.why)
	}
	dear := c.ok
	if c.ok.Received == 0 {
		dear = c.failed
	}
	return []finding{
		streams,
		{What: "client tokens", State: "ok", Seen: fmt.Sprintf("%.0f a second, 16 at once, %s", c.bulk.PerSecond(), where)},
		{What: "client cost", State: "ok", Seen: fmt.Sprintf("%.2f µs of CPU for a token that comes by itself, of %d streams; %.2f µs where 16 come at once", microseconds(dear.Cost()), dear.Run.Timings.Len(), microseconds(c.bulk.Cost()))},
	}
}

func readLag(o standin.Outcome) string {
	if o.Run.ReadLag == nil {
		return ""
	}
	return fmt.Sprintf(", read %.2f ms late at the 99th percentile", o.Run.ReadLag.P99)
}

func microseconds(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// openFiles is how many requests can be in flight at once.
func openFiles() finding {
	const enough = 10_000
	f := finding{What: "client connections", State: "ok", Seen: fmt.Sprintf("%d at once, by the limit of open files", load.MostConnections())}
	if load.MostConnections() < enough {
		f.State, f.Remedy = "lacking", fmt.Sprintf("for %d at once: ulimit -n %d", enough, enough+1024)
	}
	return f
}
