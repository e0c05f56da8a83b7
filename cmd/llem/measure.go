package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/llenergymeasure/llem/internal/harness"
	"github.com/llenergymeasure/llem/internal/report"
	"github.com/llenergymeasure/llem/internal/result"
)

type measureCmd struct {
	Repeat     int      `short:"r" default:"1" help:"Run the command N times and give the mean." placeholder:"N"`
	GPUs       *string  `name:"gpus" help:"A list such as 0,1; default: what CUDA_VISIBLE_DEVICES or Slurm grants, else all." placeholder:"LIST"`
	Timeseries *string  `predictor:"file" help:"Write power, temperature and so on, per GPU and second, as Parquet." placeholder:"FILE"`
	JSON       bool     `name:"json" help:"Print the figures as JSON; what the command prints goes to stderr."`
	Command    []string `arg:"" passthrough:"" help:"The command, after --."`
}

func (c *measureCmd) Run(a *app) error {
	outlivePipes()
	args := c.Command
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	switch {
	case len(args) == 0:
		return usageError{fmt.Errorf("name a command to measure: llem measure -- COMMAND")}
	case c.Repeat < 1:
		return usageError{fmt.Errorf("--repeat %d: at least 1", c.Repeat)}
	case c.GPUs != nil && strings.TrimSpace(*c.GPUs) == "":
		return usageError{fmt.Errorf("--gpus: blank: name some or leave the flag out")}
	case c.Timeseries != nil && *c.Timeseries == "":
		return usageError{fmt.Errorf("--timeseries: blank: name a file or leave the flag out")}
	case c.Timeseries != nil && c.Repeat > 1:
		return usageError{fmt.Errorf("--timeseries is of one run: leave --repeat out")}
	}
	switch _, err := exec.LookPath(args[0]); {
	case errors.Is(err, exec.ErrNotFound):
		return usageError{fmt.Errorf("%s: there is no such command in $PATH; a command of the shell's own is run as: llem measure -- sh -c '…'", args[0])}
	case err != nil:
		return usageError{fmt.Errorf("%s cannot be run: %w", args[0], err)}
	}
	cmd := harness.Command{Args: args, Repeats: c.Repeat, Stdin: os.Stdin, Stdout: a.out.stdout, Stderr: a.out.stderr, Signals: passed(), Sent: sent}
	if c.GPUs != nil {
		cmd.GPUs = strings.Split(*c.GPUs, ",")
	}
	if c.JSON {
		cmd.Stdout = a.out.stderr
	}
	r := &harness.Runner{OpenGPUs: openGPUs, OpenHost: openHost, Log: a.log, Version: version}
	out, series, err := r.Measure(a.ctx, cmd)
	if out == nil || len(out.Runs) == 0 {
		return err
	}
	if perr := c.print(a, out); perr != nil && err == nil {
		err = perr
	}
	if c.Timeseries != nil {
		if werr := result.WriteTimeseries(*c.Timeseries, series); werr != nil && err == nil {
			err = werr
		}
	}
	for _, one := range out.Runs {
		if one.ExitCode == 0 {
			continue
		}
		if err != nil {
			fmt.Fprintf(a.stderr, "llem: %v\n", err)
		}
		return silent(one.ExitCode)
	}
	return err
}

func (c *measureCmd) print(a *app, out *result.Command) error {
	if c.JSON {
		enc := json.NewEncoder(a.stdout)
		enc.SetIndent("", "  ")
		return enc.Encode(out)
	}
	fmt.Fprintln(a.stderr)
	return report.Command(out).Write(a.stderr, tableOn(a.out.stderr))
}

// passed are the signals that go on to the command.
func passed() <-chan os.Signal {
	sigs := make(chan os.Signal, 64)
	signal.Notify(sigs, os.Interrupt, syscall.SIGTERM, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH, syscall.SIGCONT)
	if !signal.Ignored(syscall.SIGHUP) { // else the command has it ignored too
		signal.Notify(sigs, syscall.SIGHUP)
	}
	return sigs
}

// sent says whether a terminal has sent a signal to the command by itself, as it
// does to all of its foreground.
func sent(s os.Signal) bool {
	switch s {
	case os.Interrupt, syscall.SIGQUIT, syscall.SIGWINCH:
	default:
		return false
	}
	tty, err := os.Open("/dev/tty")
	if err != nil {
		return false // no terminal is ours
	}
	defer func() { _ = tty.Close() }()
	group, err := unix.IoctlGetInt(int(tty.Fd()), unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}
