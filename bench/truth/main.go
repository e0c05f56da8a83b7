// Truth holds the load's client to a server that stamps its own writes. It
// prints, for some numbers of streams, how far the client's stamps are from
// the server's, alone and beside readers that have stalled, and what the
// audit of the record says of the same window.
//
// Server and client are processes of their own, each on a core of its own.
// Their clock is the same, CLOCK_MONOTONIC. The server stamps a token just
// before it hands it to the kernel: the server's write, the kernel's way and
// the client's read are all in the error. TTFT is held to the server's, from the
// moment at which its kernel received the request to its first write.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"

	"github.com/llenergymeasure/llem/internal/load/standin"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "truth:", err)
		os.Exit(1) //nolint:gocritic // stop has nothing to put back
	}
}

// options are the command line's.
type options struct {
	role    string // empty: all; serve and drive are its children
	url     string
	streams string
	tokens  int
	stalled bool
	limit   float64
}

func run(ctx context.Context) error {
	var o options
	flag.StringVar(&o.role, "role", "", "serve or drive: what a child of this command does")
	flag.StringVar(&o.url, "url", "", "of the server, with -role drive")
	flag.StringVar(&o.streams, "streams", "1,100,1000", "numbers of streams at once")
	flag.IntVar(&o.tokens, "tokens", 600, "tokens of a stream, 20 a second; requests are sent over the first 2 s")
	flag.BoolVar(&o.stalled, "stalled", false, "with -role drive: beside readers that have stalled")
	flag.Float64Var(&o.limit, "limit", 0, "fail if the 99th percentile of any error is over so many milliseconds; 0: never")
	flag.Parse()
	switch o.role {
	case "serve":
		return standin.Main(os.Stdin, os.Stdout)
	case "drive":
		n, err := strconv.Atoi(o.streams)
		if err != nil {
			return fmt.Errorf("-streams: %w", err)
		}
		f, err := drive(ctx, o.url, n, o.tokens, o.stalled)
		if err != nil {
			return err
		}
		return json.NewEncoder(os.Stdout).Encode(f)
	case "":
		return table(ctx, o)
	}
	return fmt.Errorf("-role %s: want serve or drive", o.role)
}

// table makes one row of each number of streams, alone and beside what stalls.
func table(ctx context.Context, o options) error {
	fmt.Print(header())
	over := false
	for _, n := range strings.Split(o.streams, ",") {
		for _, stalled := range []bool{false, true} {
			f, err := measure(ctx, o, n, stalled)
			if err != nil {
				return fmt.Errorf("%s streams: %w", n, err)
			}
			fmt.Print(f.row())
			over = over || o.limit > 0 && max(f.TTFT.P99, f.Token.P99) > o.limit
		}
	}
	if over {
		return fmt.Errorf("a 99th percentile is over %g ms", o.limit)
	}
	return nil
}

// measure runs one server and one client of it.
func measure(ctx context.Context, o options, n string, stalled bool) (figures, error) {
	self, err := os.Executable()
	if err != nil {
		return figures{}, err
	}
	clientCore, serverCore, _ := standin.Cores()
	server, err := standin.Start(ctx, serverCore, self, "-role", "serve")
	if err != nil {
		return figures{}, err
	}
	defer server.Stop()
	var out strings.Builder
	client := exec.CommandContext(ctx, self, "-role", "drive", "-url", server.URL, "-streams", n,
		"-tokens", strconv.Itoa(o.tokens), "-stalled="+strconv.FormatBool(stalled))
	client.Stdout, client.Stderr = &out, os.Stderr
	if err := standin.OnCore(clientCore, client.Start); err != nil {
		return figures{}, err
	}
	if err := client.Wait(); err != nil {
		return figures{}, fmt.Errorf("client: %w", err)
	}
	var f figures
	if err := json.Unmarshal([]byte(out.String()), &f); err != nil {
		return figures{}, fmt.Errorf("client: %w", err)
	}
	return f, nil
}
