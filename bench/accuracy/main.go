// Accuracy holds the stated uncertainty of llem's energies to the truth, on
// stand-in GPUs whose sensors look in part, show late, jitter, lag or fail, in
// ways that llem does not know. The real binary measures them through the real
// NVML binding, many windows at once. It prints progress on stderr, appends each
// window to a file as it ends, and makes the page docs/accuracy-sensors.md.
//
// Nothing here shares an assumption with llem's estimator: instruments.go says
// what sensors do, shapes.go what loads do, and the library of
// internal/meter/standin plays them.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"time"

	"github.com/llenergymeasure/llem/internal/meter/standin"
)

// options are the command line's.
type options struct {
	bench
	role, spec  string // of a child of this command
	n, parallel int
	runs        int
	containers  int
	hogs        int
	host        string
	only        string
	raw, page   string
	list        bool
}

func (o *options) parse() {
	flag.StringVar(&o.role, "role", "", "load or hog: what a child of this command does")
	flag.StringVar(&o.spec, "spec", "", "with -role load: file that says what it does")
	flag.StringVar(&o.llem, "llem", "bin/llem", "the binary to try")
	flag.IntVar(&o.n, "n", 60, "windows of each condition and host")
	flag.IntVar(&o.parallel, "parallel", 8, "windows at once; a host stays quiet with about 8 for each core")
	flag.IntVar(&o.runs, "runs", 20, "whole experiments of each condition and host, of a minute and a half each")
	flag.IntVar(&o.containers, "containers", 16, "whole experiments at once; they need a Docker daemon and Go")
	flag.IntVar(&o.hogs, "hogs", runtime.NumCPU(), "processes that keep cores busy on the busy host")
	flag.StringVar(&o.host, "host", "both", "quiet, busy or both")
	flag.StringVar(&o.only, "only", "", "regular expression: conditions whose name it matches, such as 'shows late.*constant'")
	flag.Uint64Var(&o.seed, "seed", 1, "of lengths, powers, phases and loads")
	flag.DurationVar(&o.short, "short", 3*time.Second, "least length of a window")
	flag.DurationVar(&o.long, "long", 10*time.Second, "greatest length of a window")
	flag.StringVar(&o.raw, "raw", "accuracy.jsonl", "file to which each window is appended; windows that it has are not measured again")
	flag.StringVar(&o.page, "page", "", "Markdown page to write of all that the file has; empty: print the tables")
	flag.StringVar(&o.keep, "keep", "", "folder in which to leave the files of each window")
	flag.BoolVar(&o.list, "list", false, "list conditions and end")
	flag.Parse()
}

func main() {
	var o options
	o.parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := o.act(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "accuracy:", err)
		os.Exit(1) //nolint:gocritic // stop has nothing to put back
	}
}

// act does what the role says; without one it measures.
func (o *options) act(ctx context.Context) error {
	switch o.role {
	case "load":
		return load(o.spec)
	case "hog":
		for {
			runtime.Gosched()
		}
	case "":
		return o.run(ctx)
	}
	return fmt.Errorf("-role %s: want load or hog", o.role)
}

func (o *options) run(ctx context.Context) error {
	only, err := regexp.Compile(o.only)
	if err != nil {
		return fmt.Errorf("-only: %w", err)
	}
	all, err := conditions(only)
	switch {
	case err != nil:
		return err
	case len(all) == 0:
		return fmt.Errorf("-only %s: no condition has such a name; -list shows them", o.only)
	case o.list:
		for _, c := range all {
			fmt.Println(c.name())
		}
		return nil
	}
	if err := o.prepare(ctx, all); err != nil {
		return err
	}
	if err := o.measureAll(ctx, all); err != nil {
		return err
	}
	return o.report()
}

// prepare finds the programs by names that hold in any folder, and builds what
// experiments run.
func (o *options) prepare(ctx context.Context, all []condition) (err error) {
	if o.llem, err = filepath.Abs(o.llem); err == nil {
		_, err = os.Stat(o.llem)
	}
	if err != nil {
		return fmt.Errorf("-llem: %w", err)
	}
	if o.self, err = os.Executable(); err != nil {
		return err
	}
	if o.library, err = standin.Build(); err != nil {
		return err
	}
	if o.runs > 0 && slices.ContainsFunc(all, func(c condition) bool { return c.shape.run }) {
		return buildImage(ctx)
	}
	return nil
}

// report writes the page, or prints its tables.
func (o *options) report() error {
	all, err := readOutcomes(o.raw)
	if err != nil {
		return err
	}
	if o.page == "" {
		fmt.Print(tables(all))
		return nil
	}
	return os.WriteFile(o.page, []byte(page(all, o)), 0o644)
}
