package load

import (
	"errors"
	"fmt"
	"math"
	"syscall"
)

// otherFiles is room for what a process has open beside its connections.
const otherFiles = 64

// MostConnections is how many connections this process may have open at once
// by its limit of open files. Go has raised the soft limit to the hard one
// before main began.
func MostConnections() int {
	var l syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l) != nil || l.Cur > math.MaxInt32 {
		return math.MaxInt32
	}
	return max(1, int(l.Cur)-otherFiles)
}

// toldCauses is how many errors of connections are told: most have one cause.
const toldCauses = 3

// failedConnections is what became of connections as one error; nil when all
// are open.
func failedConnections(errs []error) error {
	var told []error
	failed := 0
	for _, err := range errs {
		if err == nil {
			continue
		}
		if failed++; failed <= toldCauses {
			told = append(told, err)
		}
	}
	if failed == 0 {
		return nil
	}
	return outOfFiles(fmt.Errorf("%d of %d connections: %w", failed, len(errs), errors.Join(told...)))
}

// outOfFiles adds what to do where err is for want of files.
func outOfFiles(err error) error {
	if errors.Is(err, syscall.EMFILE) {
		return fmt.Errorf("%w; raise the limit of open files (ulimit -n)", err)
	}
	return err
}
