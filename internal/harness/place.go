package harness

import (
	"context"
	"time"

	"github.com/llenergymeasure/llem/internal/campaign"
	"github.com/llenergymeasure/llem/internal/lease"
	"github.com/llenergymeasure/llem/internal/measure"
	"github.com/llenergymeasure/llem/internal/record"
	"github.com/llenergymeasure/llem/internal/study"
)

// place is where a run is: in a campaign, or alone.
type place struct {
	campaign.Run
	pool  *Pool
	alone bool // in no campaign: the pool is for this run
}

// alone is the place of the run id of e, and of no other.
func (r *Runner) alone(id string, e study.Experiment) *place {
	return &place{Run: campaign.Run{Experiment: e, Last: true}, pool: &Pool{runner: r, limit: r.Timeout, lease: lease.New(id, r.Log)}, alone: true}
}

// pause waits until so much time has passed since the run before as the study's
// file asks for. Where a container is started in between there is no need. run has whether
// it waited, and why.
func (at *place) pause(ctx context.Context, t *timeline, from origin, removed string, run *record.Run) error {
	const still = "the thermal floor stands inside the experiment"
	switch {
	case at.alone && from == foundRunning:
		run.Gap = "none: the server was already running, and nothing ran before on its behalf"
	case at.alone:
		run.Gap = "skipped: starting a container is the gap, and " + still
	case at.pool.ended.IsZero():
		run.Gap = "none: no run of the study came before it"
		if at.Study.Run > 1 {
			run.Gap = "none: the study was resumed with it"
		}
	case from == startedHere:
		run.Gap = "skipped " + at.Gap.String() + ": starting a container is the gap, and " + still
		if removed != "" {
			run.Gap += "; the container of the run before was removed: " + removed
		}
	default:
		return at.wait(ctx, t, from, run)
	}
	return nil
}

func (at *place) wait(ctx context.Context, t *timeline, from origin, run *record.Run) error {
	d, ended := at.Gap, at.pool.ended
	left := max(0, d-time.Since(ended))
	err := t.phase(measure.Gap, d.String()+" after the run before", func() (string, error) {
		stop := tick(t.observer, left)
		defer stop()
		return "", measure.Sleep(ctx, left)
	})
	run.Study.GapSeconds = time.Since(ended).Seconds()
	who := "the container is kept"
	if from == foundRunning {
		who = "the server was already running"
	}
	run.Gap = "waited " + d.String() + ": " + who + ", and nothing is restarted"
	return err
}
