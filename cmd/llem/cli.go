package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
	"github.com/lmittmann/tint"
	"github.com/willabides/kongplete"
	"golang.org/x/term"

	"github.com/llenergymeasure/llem/internal/engine"
	"github.com/llenergymeasure/llem/internal/peer"
	"github.com/llenergymeasure/llem/internal/report"
	"github.com/llenergymeasure/llem/internal/study"
)

// version is set by the linker.
var version = "dev"

type cli struct {
	Quiet   bool             `short:"q" help:"Say nothing but errors and the result."`
	Verbose bool             `short:"v" help:"Log what happens inside, on stderr."`
	Version kong.VersionFlag `short:"V" name:"version" help:"Print the version."`

	Run        runCmd        `cmd:"" help:"Measure an experiment, or the runs of a study: start the engine's container, drive it, write the result."`
	Measure    measureCmd    `cmd:"" help:"Measure the GPUs' energy while any command runs."`
	Pull       pullCmd       `cmd:"" help:"Fetch an experiment's image and model, before the time on its GPUs is taken."`
	Doctor     doctorCmd     `cmd:"" help:"Say what this host can measure, what it lacks, and the command that mends it."`
	Config     configCmd     `cmd:"" help:"Make, check and describe experiment files."`
	Show       showCmd       `cmd:"" help:"Print the table of a result again, from its files."`
	Compare    compareCmd    `cmd:"" help:"Say which differences between results are real, and which cannot be told."`
	Export     exportCmd     `cmd:"" help:"Write results as one table: CSV, Parquet or JSON lines."`
	Verify     verifyCmd     `cmd:"" help:"Compute a result's figures again from its raw samples and requests, and check its files."`
	Sign       signCmd       `cmd:"" help:"Sign results with an SSH key, so that any later change is found."`
	Engines    enginesCmd    `cmd:"" help:"List the engines that this version can drive."`
	Images     imagesCmd     `cmd:"" help:"List the engines' images on this host, with digest, size, engine, and what pins them."`
	Clean      cleanCmd      `cmd:"" help:"Remove what a killed run left behind, and nothing else."`
	Tell       versionCmd    `cmd:"" name:"version" help:"Print the version."`
	Help       helpCmd       `cmd:"" help:"Print this help, or that of a command: llem help run."`
	Completion completionCmd `cmd:"" help:"Print the shell's completion script."`
}

// app is what commands are given. What is written to stdout and stderr is made
// printable, since much of it comes from servers, files and other users, and shows
// no password of a URL.
type app struct {
	ctx    context.Context
	stdout io.Writer
	stderr io.Writer
	out    stdio
	log    *slog.Logger
	quiet  bool
	hurry  <-chan struct{} // closed at the second interrupt
	last   *atomic.Value   // func(), called at the third interrupt before llem exits
}

// stdio are the process's own streams: for what a measured command writes, for
// colours and progress bars, and to ask whether they are terminals.
type stdio struct{ stdout, stderr io.Writer }

// execute runs one command line and returns the exit code.
func execute(args []string, stdout, stderr io.Writer) int {
	raw := stdio{stdout, stderr}
	hide := study.Experiment{}.Hide // a password in a URL, known by its shape
	stdout, stderr = &report.PrintableWriter{To: stdout, Hide: hide}, &report.PrintableWriter{To: stderr, Hide: hide}
	var c cli
	parser, err := kong.New(&c,
		kong.Name("llem"),
		kong.Description("Measure the energy of LLM inference engines in containers."),
		kong.UsageOnError(),
		kong.Vars{"peers": strings.Join(peer.Names(), ","), "version": versionText(), "engine": engine.Names()[0], "upstream": exampleImage()},
		kong.Writers(stdout, stderr),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
	)
	if err != nil {
		fmt.Fprintln(stderr, "llem:", err)
		return exitFailed
	}
	kongplete.Complete(parser, predictors()...)
	if len(args) == 0 {
		args = []string{"--help"}
	}
	kctx, err := parser.Parse(args)
	if err != nil {
		return usage(stderr, err)
	}
	last := &atomic.Value{}
	ctx, hurry, stop := interruptible(kctx.Selected().Name == "measure", last)
	defer stop()
	a := &app{
		ctx: ctx, stdout: stdout, stderr: stderr, out: raw, quiet: c.Quiet, hurry: hurry, last: last,
		log: newLogger(raw.stderr, c.Verbose, c.Quiet),
	}
	return a.exit(kctx.Run(a))
}

// interruptible is a context that the first SIGINT or SIGTERM ends, a channel
// that the second closes, and a third that exits at once, after last was called.
// SIGHUP ends the context too, unless nohup has it ignored; it never hurries, since a terminal that goes
// sends more than one. A command that is measured is sent them all and decides
// for itself, so that none hurries llem, nor ends it before the command.
func interruptible(measures bool, last *atomic.Value) (context.Context, <-chan struct{}, func()) {
	ctx, cancel := context.WithCancel(context.Background())
	hurry := make(chan struct{})
	sigs := make(chan os.Signal, 3)
	signal.Notify(sigs, os.Interrupt, syscall.SIGTERM)
	lost := make(chan os.Signal, 1)
	if !measures && !signal.Ignored(syscall.SIGHUP) {
		signal.Notify(lost, syscall.SIGHUP)
	}
	done := make(chan struct{})
	go func() {
		for n := 0; ; {
			select {
			case <-done:
				return
			case <-lost:
				cancel()
				n = max(n, 1)
				continue
			case <-sigs:
			}
			switch {
			case n == 0 || measures:
				cancel()
			case n == 1:
				close(hurry)
			default:
				exitNow(last)
			}
			n++
		}
	}()
	return ctx, hurry, func() { signal.Stop(sigs); signal.Stop(lost); close(done); cancel() }
}

// lastLimit bounds what is done before an exit that does not clean up.
const lastLimit = 2 * time.Second

// exitNow ends llem without its cleaning up, but for what last does: the settings of
// a GPU would stay changed for every other program.
func exitNow(last *atomic.Value) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		if do, ok := last.Load().(func()); ok {
			do()
		}
	}()
	select {
	case <-done:
	case <-time.After(lastLimit):
	}
	fmt.Fprintln(os.Stderr, "llem: ended without cleaning up; `llem clean` removes the container if one was left")
	os.Exit(exitInterrupted)
}

// outlivePipes makes writing to a pipe that nobody reads an error like others,
// where the rest of the work counts for more than what is printed. SIGPIPE is
// caught and not ignored, since programs that llem starts would inherit that.
func outlivePipes() { signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) }

func newLogger(w io.Writer, verbose, quiet bool) *slog.Logger {
	level := slog.LevelWarn
	switch {
	case verbose:
		level = slog.LevelDebug
	case quiet:
		level = slog.LevelError
	}
	return slog.New(tint.NewTextHandler(w, &tint.Options{Level: level, NoColor: !isTerminal(w), TimeFormat: "15:04:05"}))
}

func isTerminal(w io.Writer) bool { return isScreen(w) && os.Getenv("NO_COLOR") == "" }

func isScreen(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// write prints a document on stdout.
func (a *app) write(d *report.Document) error { return d.Write(a.stdout, tableOn(a.out.stdout)) }

// tableOn is how tables are printed: for people on a terminal, for scripts elsewhere.
func tableOn(w io.Writer) report.Options {
	f, ok := w.(*os.File)
	return report.Options{Width: width(w), Grouped: ok && term.IsTerminal(int(f.Fd()))}
}

// width is that of the terminal, or 100 where there is none.
func width(w io.Writer) int {
	if f, ok := w.(*os.File); ok {
		if n, _, err := term.GetSize(int(f.Fd())); err == nil && n > 0 {
			return n
		}
	}
	return 100
}
