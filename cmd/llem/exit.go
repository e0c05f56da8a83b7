package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/llenergymeasure/llem/internal/engine"
	"github.com/llenergymeasure/llem/internal/launch"
)

// Exit codes of llem.
const (
	exitDone        = 0
	exitFailed      = 1   // an experiment failed; its record is written
	exitUsage       = 2   // usage or configuration
	exitHost        = 3   // the host is not ready
	exitInterrupted = 130 // what was measured is kept
)

// usageError is a mistake in what was asked for.
type usageError struct{ error }

func (u usageError) Unwrap() error { return u.error }

// silent is an exit code without a message: everything was said.
type silent int

func (s silent) Error() string { return fmt.Sprintf("exit code %d", int(s)) }

// exit says what err is and what to do, and maps it to an exit code.
func (a *app) exit(err error) int {
	if err == nil {
		return exitDone
	}
	var quiet silent
	if errors.As(err, &quiet) {
		return int(quiet)
	}
	if errors.Is(err, context.Canceled) { // as its own words do not say it
		err = fmt.Errorf("interrupted: %w", err)
	}
	fmt.Fprintf(a.stderr, "llem: %s\n", err)
	if tail := logTail(err); tail != "" {
		fmt.Fprintln(a.stderr, told(tail))
	}
	if hint := hintOf(err); hint != "" {
		fmt.Fprintf(a.stderr, "%s\n", hint)
	}
	return codeOf(err)
}

func codeOf(err error) int {
	var usage usageError
	switch {
	case launch.KindOf(err) == launch.InterruptFault: // whatever it made fail
		return exitInterrupted
	case errors.As(err, &usage), errors.Is(err, launch.ErrImage):
		return exitUsage
	case errors.Is(err, launch.ErrHost), errors.Is(err, launch.ErrAway):
		return exitHost
	}
	switch launch.KindOf(err) {
	case launch.ConfigFault:
		return exitUsage
	case launch.HostFault:
		return exitHost
	}
	return exitFailed
}

func logTail(err error) string {
	var died *launch.Exited
	var late *launch.NotReady
	switch {
	case errors.Is(err, launch.ErrAway): // the engine was stopped, and says nothing of why
		return ""
	case errors.As(err, &died):
		return died.LogTail
	case errors.As(err, &late):
		return late.LogTail
	}
	return ""
}

// toldLines is how many lines of a log are printed at most, beside its cause.
const toldLines = 25

// told is the end of a log for a terminal, after the first line above it that looks
// like the cause.
func told(log string) string {
	log = strings.ReplaceAll(strings.ReplaceAll(log, "\r\n", "\n"), "\r", "\n") // progress bars
	lines := strings.Split(log, "\n")
	from := max(0, len(lines)-toldLines)
	first := ""
	if cause := engine.Cause(strings.Join(lines[:from], "\n")); cause != "" {
		first = "it said first: " + cause + "\n"
	}
	return first + "the end of its log:\n    " + strings.Join(lines[from:], "\n    ")
}

// hintOf is what to do next, where the error itself does not say.
func hintOf(err error) string {
	var died *launch.Exited
	var late *launch.NotReady
	switch {
	case errors.Is(err, launch.ErrAway):
		return ""
	case errors.As(err, &died) && died.OOMKilled:
		return "the container reached its memory limit: raise engine.container.memory, or use a smaller model or context"
	case engine.Hint(logTail(err)) != "":
		return engine.Hint(logTail(err)) + "; the whole log is engine.log in the result's folder"
	case errors.As(err, &died):
		return "the whole log is engine.log in the result's folder; `llem run --dry-run` shows the container that is started"
	case errors.As(err, &late):
		return "give it longer with engine.startup_timeout_seconds, or see engine.log in the result's folder"
	}
	return ""
}
