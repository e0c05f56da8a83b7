package campaign

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/llenergymeasure/llem/internal/hub"
	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/measure"
)

// Patience waits out failures that may pass: a daemon, a registry or a hub that does not
// answer.
type Patience struct {
	Waits   []time.Duration                // before each further try
	Say     func(note string)              // to people
	Failed  func(try int, err error) error // called before the wait after a try, counted from 0; its error ends the tries
	Stopped func() error                   // the error of a wait that was interrupted
}

// Try calls do until it succeeds, fails in a way that does not pass, or has failed once
// more than there are waits.
func (p Patience) Try(ctx context.Context, do func() error) error {
	for try := 0; ; try++ {
		err := do()
		if err == nil || !Passes(err) || try >= len(p.Waits) {
			return err
		}
		if err := p.Failed(try, err); err != nil {
			return err
		}
		p.Say(fmt.Sprintf("trying again in %s (%d of %d)", p.Waits[try], try+1, len(p.Waits)))
		if measure.Sleep(ctx, p.Waits[try]) != nil {
			return p.Stopped()
		}
	}
}

// Passes says that a failure may pass.
func Passes(err error) bool {
	return errors.Is(err, launch.ErrAway) || errors.Is(err, hub.ErrUnreachable)
}
