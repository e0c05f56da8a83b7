// Kills ends llem again and again, at random moments of every phase, and checks
// what is left: each result is whole and verifies, or is said to be unfinished
// and is then finished or removed by `llem run --resume` or `llem clean`; no
// container, lock, temporary file or empty folder stays; the GPU has the
// settings that it had before.
//
//	go run ./bench/kills -llem bin/llem -n 300
//
// It needs a Docker daemon that takes stand-in GPUs (scripts/docker-up
// --stand-in-gpu) and the image llem/reference; `make kills` sees to both. The
// GPU is the stand-in of internal/meter/standin.
//
// Each case is drawn from the seed and its own number: what runs (one run, a
// study that starts a container for each run, one that keeps it, a server that
// already runs), the phase and the part of it after which the first signal
// comes, and the signals. -case N runs one case alone. When exactly a signal
// arrives is the scheduler's choice, so that a failure may need a few tries to
// come again. The folder of a failed case stays.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/llenergymeasure/llem/internal/meter/standin"
)

// options are the command line's.
type options struct {
	llem    string
	dir     string
	kills   int
	workers int
	seed    uint64
	only    int
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// What is ignored here, as under nohup, would be ignored by every llem too.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "kills:", err)
		os.Exit(1) //nolint:gocritic // stop has nothing to put back
	}
}

func run(ctx context.Context) error {
	var o options
	flag.StringVar(&o.llem, "llem", "bin/llem", "the binary that is killed")
	flag.StringVar(&o.dir, "dir", "", "where cases have their files; empty: a temporary folder")
	flag.IntVar(&o.kills, "n", 300, "runs and studies to kill")
	flag.IntVar(&o.workers, "workers", 8, "cases at once")
	flag.Uint64Var(&o.seed, "seed", uint64(time.Now().Unix()), "of the cases; printed, so that they can be drawn again")
	flag.IntVar(&o.only, "case", 0, "run this case alone")
	flag.Parse()
	var err error
	if o.llem, err = filepath.Abs(o.llem); err != nil {
		return err
	}
	if o.dir == "" {
		if o.dir, err = os.MkdirTemp("", "llem-kills-"); err != nil {
			return err
		}
	}
	built, err := build(o.dir)
	if err != nil {
		return err
	}
	fmt.Printf("seed %d, %d cases by %d workers, in %s\n", o.seed, o.kills, o.workers, o.dir)
	t := newTable()
	err = all(ctx, o, built, t)
	t.print(os.Stdout)
	if err != nil {
		return err
	}
	if t.failed > 0 {
		return fmt.Errorf("%d cases failed; their folders are in %s", t.failed, o.dir)
	}
	if o.only == 0 && t.kills < o.kills {
		return fmt.Errorf("%d of %d cases were killed", t.kills, o.kills)
	}
	return os.RemoveAll(o.dir)
}

// tools are what cases need beside llem.
type tools struct {
	library string // folder of the stand-in's NVML
	server  string // the reference engine, for runs on a server that is there
}

func build(dir string) (t tools, err error) {
	if t.library, err = standin.Build(); err != nil {
		return t, err
	}
	t.server = filepath.Join(dir, "reference")
	if out, err := exec.Command("go", "build", "-o", t.server, "./images/reference").CombinedOutput(); err != nil {
		return t, fmt.Errorf("build the reference engine: %w\n%s", err, out)
	}
	return t, nil
}

// all has the workers take case after case until enough were killed.
func all(ctx context.Context, o options, with tools, t *table) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	next := &counter{only: o.only}
	var wait sync.WaitGroup
	errs := make([]error, o.workers)
	for w := range o.workers {
		wait.Go(func() {
			errs[w] = work(ctx, o, with, next, t, w)
			if errs[w] != nil {
				cancel()
			}
		})
	}
	wait.Wait()
	return errors.Join(errs...)
}

func work(ctx context.Context, o options, with tools, next *counter, t *table, number int) error {
	h, err := newHost(o, with, number)
	if err != nil {
		return err
	}
	defer h.close()
	for t.count() < o.kills && ctx.Err() == nil {
		n, ok := next.take()
		if !ok {
			return nil
		}
		c := draw(o.seed, n)
		r := h.carryOut(ctx, c)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if len(r.faults) > 0 && !daemonWorks(ctx) {
			return fmt.Errorf("the Docker daemon makes no container any more, as %s was checked, after %d kills: start it again", c, t.count())
		}
		t.add(c, r)
		if len(r.faults) == 0 {
			continue
		}
		kept, err := h.keep(c, r)
		if err != nil {
			return err
		}
		fmt.Printf("FAILED %s\n", c)
		for _, f := range r.faults {
			fmt.Printf("    %s\n", f)
		}
		fmt.Printf("    its files: %s\n", kept)
	}
	return nil
}

// daemonLimit is what a daemon that works needs to make a container, and more.
const daemonLimit = time.Minute

// daemonWorks says whether the daemon still makes and removes a container: dockerd
// itself was seen to hang after some thousand of them.
func daemonWorks(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, daemonLimit)
	defer cancel()
	id, err := exec.CommandContext(ctx, "docker", "create", "llem/reference").Output()
	return err == nil && exec.CommandContext(ctx, "docker", "rm", strings.TrimSpace(string(id))).Run() == nil
}

// counter numbers the cases.
type counter struct {
	mu   sync.Mutex
	n    int
	only int // the one case; 0: all
}

func (c *counter) take() (n int, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
	if c.only > 0 {
		return c.only, c.n == 1
	}
	return c.n, true
}
