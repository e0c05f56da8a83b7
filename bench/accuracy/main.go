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
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/llenergymeasure/llem/internal/meter/standin"
)

// options are the command line's.
type options struct {
	bench
	role, spec  string
	n, parallel int
	runs        int
	containers  int
	hogs        int
	host        string
	only        string
	raw, page   string
	list        bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "accuracy:", err)
		os.Exit(1) //nolint:gocritic // stop has nothing to put back
	}
}

func run(ctx context.Context) (err error) {
	var o options
	flag.StringVar(&o.role, "role", "", "load or hog: what a child of this command does")
	flag.StringVar(&o.spec, "spec", "", "with -role load: file that says what it does")
	flag.StringVar(&o.llem, "llem", "bin/llem", "the binary to try")
	flag.IntVar(&o.n, "n", 60, "windows of each condition and host")
	flag.IntVar(&o.parallel, "parallel", 8, "windows at once; a host is quiet with about 8 for each core")
	flag.IntVar(&o.runs, "runs", 20, "whole experiments of each condition and host, of a minute and a half each")
	flag.IntVar(&o.containers, "containers", 16, "whole experiments at once, which need a Docker daemon")
	flag.IntVar(&o.hogs, "hogs", runtime.NumCPU(), "processes that keep cores busy on the busy host")
	flag.StringVar(&o.host, "host", "both", "quiet, busy or both")
	flag.StringVar(&o.only, "only", "", "regular expression: conditions whose name it matches, such as 'shows late.*constant'")
	flag.Uint64Var(&o.seed, "seed", 1, "of lengths, powers, phases and loads")
	flag.DurationVar(&o.short, "short", 3*time.Second, "least length of a window")
	flag.DurationVar(&o.long, "long", 10*time.Second, "greatest length of a window")
	flag.StringVar(&o.raw, "raw", "accuracy.jsonl", "file to which each window is appended; windows that it has are not measured again")
	flag.StringVar(&o.page, "page", "", "Markdown page to write of all that the file has; empty: print the table")
	flag.StringVar(&o.keep, "keep", "", "folder in which to leave the files of each window")
	flag.BoolVar(&o.list, "list", false, "list conditions and end")
	flag.Parse()
	switch o.role {
	case "load":
		return load(o.spec)
	case "hog":
		for {
			runtime.Gosched()
		}
	case "":
	default:
		return fmt.Errorf("-role %s: want load or hog", o.role)
	}
	only, err := regexp.Compile(o.only)
	if err != nil {
		return fmt.Errorf("-only: %w", err)
	}
	all, err := conditions(only)
	if err != nil {
		return err
	}
	if o.list {
		for _, c := range all {
			fmt.Println(c.name())
		}
		return nil
	}
	if err := o.prepare(); err != nil {
		return err
	}
	if slices.ContainsFunc(all, func(c condition) bool { return c.shape.run }) {
		if err := buildImage(ctx); err != nil {
			return err
		}
	}
	if err := o.measureAll(ctx, all); err != nil {
		return err
	}
	return o.report()
}

// prepare finds the programs by names that hold in any folder.
func (o *options) prepare() (err error) {
	if o.llem, err = filepath.Abs(o.llem); err == nil {
		_, err = os.Stat(o.llem)
	}
	if err != nil {
		return fmt.Errorf("-llem: %w", err)
	}
	if o.self, err = os.Executable(); err != nil {
		return err
	}
	o.library, err = standin.Build()
	return err
}

// job is one window to be measured.
type job struct {
	c    condition
	k    int
	host string
}

// measureAll measures what the file of windows does not have yet: one host after
// the other, conditions mixed, so that no condition has the host at its worst.
func (o *options) measureAll(ctx context.Context, all []condition) error {
	had, err := readOutcomes(o.raw)
	if err != nil {
		return err
	}
	done := map[string]bool{}
	for _, h := range had {
		done[fmt.Sprint(h.Condition, h.Host, h.K)] = true
	}
	f, err := os.OpenFile(o.raw, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	for _, host := range []string{"quiet", "busy"} {
		if o.host != "both" && o.host != host {
			continue
		}
		for _, whole := range []bool{false, true} {
			n, atOnce := o.n, o.parallel
			if whole {
				n, atOnce = o.runs, o.containers
			}
			var jobs []job
			for _, c := range all {
				for k := range n {
					if c.shape.run == whole && !done[fmt.Sprint(c.name(), host, k)] {
						jobs = append(jobs, job{c, k, host})
					}
				}
			}
			r := rand.New(rand.NewPCG(o.seed, 0))
			r.Shuffle(len(jobs), func(i, j int) { jobs[i], jobs[j] = jobs[j], jobs[i] })
			if err := o.measureJobs(ctx, jobs, atOnce, f); err != nil {
				return err
			}
		}
	}
	return nil
}

// measureJobs measures windows of one host, so many at once.
func (o *options) measureJobs(ctx context.Context, jobs []job, atOnce int, to io.Writer) error {
	if len(jobs) == 0 {
		return ctx.Err()
	}
	host := jobs[0].host
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if host == "busy" {
		for range o.hogs {
			hog := exec.CommandContext(ctx, o.self, "-role", "hog")
			hog.Env = append(os.Environ(), "GOMAXPROCS=1")
			if err := hog.Start(); err != nil {
				return err
			}
			defer func() { _ = hog.Wait() }() // cancel ends it
			defer cancel()
		}
	}
	queue := make(chan job)
	var wg sync.WaitGroup
	var mu sync.Mutex
	var failed error
	ended := 0
	enc := json.NewEncoder(to)
	for i := range atOnce {
		wg.Go(func() {
			if !pause(ctx, time.Duration(i)*400*ms) { // not all at the same moment
				return
			}
			for j := range queue {
				got := o.window(ctx, j.c, j.k)
				mu.Lock()
				ended++
				for i := range got {
					if got[i].Host = j.host; ctx.Err() == nil { // else it was cut off
						failed = errors.Join(failed, enc.Encode(got[i]))
					}
				}
				if wrong := strings.TrimSpace(got[0].Error); ended%20 == 0 || ended == len(jobs) || wrong != "" {
					fmt.Fprintf(os.Stderr, "%s %s: %d of %d windows %s\n", time.Now().Format(time.TimeOnly), host, ended, len(jobs), wrong)
				}
				mu.Unlock()
			}
		})
	}
feed:
	for _, j := range jobs {
		select {
		case queue <- j:
		case <-ctx.Done():
			break feed
		}
	}
	close(queue)
	wg.Wait()
	return errors.Join(failed, ctx.Err())
}

func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

func readOutcomes(path string) (out []outcome, err error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	for dec := json.NewDecoder(f); ; {
		var o outcome
		if err := dec.Decode(&o); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
		out = append(out, o)
	}
	return slices.DeleteFunc(out, func(o outcome) bool { return o.Error != "" }), nil
}

// report writes the page, or prints its table.
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
