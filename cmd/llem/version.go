package main

import (
	"fmt"
	"runtime"
)

type versionCmd struct{}

func versionText() string {
	return fmt.Sprintf("llem %s %s/%s %s", version, runtime.GOOS, runtime.GOARCH, runtime.Version())
}

func (versionCmd) Run(a *app) error {
	_, err := fmt.Fprintln(a.stdout, versionText())
	return err
}

// helpCmd is --help for those who write it as a command.
type helpCmd struct {
	Command []string `arg:"" optional:"" help:"A command, such as run or config init."`
}

func (c helpCmd) Run(a *app) error {
	return silent(execute(append(c.Command, "--help"), a.stdout, a.stderr))
}
