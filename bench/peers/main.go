// Peers puts llem beside other clients that load an LLM server: guidellm,
// aiperf, inference-perf and vLLM's own benchmark. It runs each in turn on the
// same server with the same prompts, and prints what each cost and what each
// says that it saw.
//
// The server is the stand-in of internal/load, in a process of its own on a core
// of its own; the clients have the other cores. It knows when it read a request
// and when it wrote each token, which is printed beside what the clients say.
//
// A client is a command, measured from outside: the CPU time of all its
// processes, and the most memory that they had at once. To start one costs up to
// a minute, more or less from one time to the next by more than a load costs, and
// has nothing to do with tokens. So the time is told in three: before the server
// read the first request, from there to its last write, and what came after.
//
// Beside them all is a loop that reads and does nothing else, for what no client
// can be much under.
//
// Virtual environments of the peers come from bench/peers/venvs. A peer that has
// none is left out, and said so; so is one that fails.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/llenergymeasure/llem/internal/load/standin"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1) //nolint:gocritic // stop has nothing to put back
	}
}

// options are the command line's.
type options struct {
	serve   bool
	read    bool
	pace    time.Duration
	venvs   string
	llem    string
	clients string
	loads   string
	work    string
	quick   bool
}

func run(ctx context.Context) error {
	var o options
	flag.BoolVar(&o.serve, "serve", false, "be the server: what a child of this command does")
	flag.BoolVar(&o.read, "read", false, "read streams and nothing more: what another child does")
	flag.DurationVar(&o.pace, "pace", 0, "of the server with -serve, between the tokens of a request")
	flag.StringVar(&o.venvs, "venvs", "", "folder that bench/peers/venvs printed; empty: llem alone")
	flag.StringVar(&o.llem, "llem", "bin/llem", "the binary that is measured")
	flag.StringVar(&o.clients, "clients", "", "some alone, with commas; empty: all")
	flag.StringVar(&o.loads, "loads", "", "some alone, with commas; empty: all")
	flag.StringVar(&o.work, "work", "", "folder that is left with everything the clients wrote; empty: one that goes")
	flag.BoolVar(&o.quick, "quick", false, "a quarter of the requests: to see whether all run")
	flag.Parse()
	if o.serve {
		s := standin.Server{Interval: o.pace}
		return s.Main(os.Stdin, os.Stdout)
	}
	if o.read {
		return readAll(flag.Args())
	}
	return table(ctx, o)
}

// table runs every load with every client.
func table(ctx context.Context, o options) error {
	// Processes whose parent has ended become this one's, so that none is missed.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("become the parent of orphans: %w", err)
	}
	_, core, ok := standin.Cores()
	if !ok {
		return fmt.Errorf("this host has one core: server and clients need one each")
	}
	left, err := standin.Leave(core)
	if err != nil {
		return err
	}
	if o.work == "" {
		if o.work, err = os.MkdirTemp("", "llem-peers"); err != nil {
			return err
		}
		defer os.RemoveAll(o.work)
	}
	if o.work, err = filepath.Abs(o.work); err != nil {
		return err
	}
	if o.llem, err = filepath.Abs(o.llem); err != nil {
		return err
	}
	tokenizer := filepath.Join(o.work, "tokenizer")
	if out, err := exec.CommandContext(ctx, "go", "run", "./images/tinymodel", "--hf", tokenizer).CombinedOutput(); err != nil {
		return fmt.Errorf("write a tokenizer: %w: %s", err, out)
	}
	clients := installed(o)
	fmt.Print(header(ctx, clients, core, left))
	for _, l := range loads {
		if !chosen(o.loads, l.name) {
			continue
		}
		if o.quick {
			l.n /= 4
		}
		fmt.Print(l.header())
		for _, c := range clients {
			r, err := one(ctx, core, job{plan: l, tokenizer: tokenizer, dir: filepath.Join(o.work, l.name, c.name())}, c)
			switch {
			case ctx.Err() != nil:
				return ctx.Err()
			case err != nil:
				fmt.Printf("%-14s did not run: %v\n", c.name(), err)
			default:
				fmt.Print(r.row())
			}
		}
	}
	return nil
}

// chosen says whether a name is in a list, or the list is empty.
func chosen(list, name string) bool {
	if list == "" {
		return true
	}
	for _, n := range strings.Split(list, ",") {
		if n == name {
			return true
		}
	}
	return false
}

// installed are the clients that are there; it says which are not.
func installed(o options) []client {
	var out []client
	for _, c := range clients {
		bin := o.llem
		switch {
		case c.command() == "":
			bin, _ = os.Executable() // it is there
		case c.name() != "llem":
			bin = filepath.Join(o.venvs, c.name(), "bin", c.command())
		}
		switch _, err := os.Stat(bin); {
		case !chosen(o.clients, c.name()):
		case err != nil:
			fmt.Printf("# %s is not installed, and left out\n", c.name())
		default:
			out = append(out, c.at(bin))
		}
	}
	return out
}
