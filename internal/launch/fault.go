package launch

import (
	"context"
	"errors"
	"fmt"
)

// Kind of a fault; it decides the exit code.
type Kind int

// The kinds of faults.
const (
	ExperimentFault Kind = iota // the experiment ran and failed
	ConfigFault                 // what was asked for cannot be
	HostFault                   // the host is not ready for it
	InterruptFault              // the user stopped it
)

// Fault is an error with its kind: whose it is.
type Fault struct {
	Kind Kind
	Err  error
}

func (f *Fault) Error() string { return f.Err.Error() }
func (f *Fault) Unwrap() error { return f.Err }

// Faultf is a [Fault] of the kind k, in the words of [fmt.Errorf].
func Faultf(k Kind, format string, args ...any) error {
	return &Fault{Kind: k, Err: fmt.Errorf(format, args...)}
}

// KindOf is the kind of err; an error of no known kind is the experiment's.
func KindOf(err error) Kind {
	var f *Fault
	switch {
	case errors.As(err, &f):
		return f.Kind
	case errors.Is(err, context.Canceled):
		return InterruptFault
	case errors.Is(err, ErrAway):
		return HostFault
	}
	return ExperimentFault
}
