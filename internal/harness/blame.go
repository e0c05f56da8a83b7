package harness

import (
	"context"
	"errors"
	"time"

	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/measure"
)

// This file says whose a failure is, and why.

var errTimeout = errors.New("the experiment took longer after its server was ready than --timeout or execution.experiment_timeout_seconds allows")

// explain turns what a phase saw, a broken connection or the end of a context,
// into what caused it.
func (u *setup) explain(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if u.server != nil {
		if died := u.server.death(ctx, launch.KindOf(err) != launch.ConfigFault); died != nil {
			return u.away(ctx, died)
		}
	}
	if ctx.Err() == nil {
		return u.away(ctx, err)
	}
	if errors.Is(context.Cause(ctx), errTimeout) {
		return &launch.Fault{Kind: launch.ExperimentFault, Err: errTimeout}
	}
	return &launch.Fault{Kind: launch.InterruptFault, Err: errors.New("interrupted")}
}

// Times in which a daemon that ends goes after its containers have: it stops them
// first: after a request to end, within seconds.
const (
	daemonGoes  = 3 * time.Second
	daemonStops = 10 * time.Second // after a container was stopped, not by this llem
	daemonPoll  = 200 * time.Millisecond
)

// away blames the daemon, where it does not answer any more, for what its
// containers did. One that ends stops its containers first, and is given the time
// to go; a study also waits where an engine crashed or never came up, since it
// would run into the same again.
func (u *setup) away(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil || u.origin == foundRunning {
		return err
	}
	patience := time.Duration(0)
	var died *launch.Exited
	switch stopped := errors.As(err, &died) && died.Stopped(); {
	case stopped:
		patience = daemonStops
	case u.place.alone:
	case died != nil || !u.up() && launch.KindOf(err) != launch.ConfigFault:
		patience = daemonGoes
	}
	for end := time.Now().Add(patience); ; {
		if _, gone := u.runner.Launcher.Describe(ctx); gone != nil {
			return launch.Faultf(launch.HostFault, "%w any more (%w); start it, then run this again", u.runner.Launcher.Words().Away(), err)
		}
		if time.Now().After(end) || measure.Sleep(ctx, daemonPoll) != nil {
			return err
		}
	}
}

// up says that the server took requests once.
func (u *setup) up() bool {
	return u.origin == fromBefore || u.server != nil && u.server.startup != nil
}
