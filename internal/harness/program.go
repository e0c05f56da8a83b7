package harness

import (
	"errors"
	"os/exec"
	"syscall"
)

// execute runs the program and passes signals on to it. Its exit code is 128 and
// the signal's number where one ended it, as a shell has it.
func execute(c Command) (code int, err error) {
	cmd := exec.Command(c.Args[0], c.Args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = c.Stdin, c.Stdout, c.Stderr
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	ended, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		for {
			select {
			case <-ended:
				return
			case s := <-c.Signals:
				if c.Sent == nil || !c.Sent(s) {
					_ = cmd.Process.Signal(s) // it may have ended
				}
			}
		}
	}()
	err = cmd.Wait()
	close(ended)
	<-gone
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return 0, err
	}
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal()), nil
	}
	return cmd.ProcessState.ExitCode(), nil
}
