package harness

import (
	"context"
	"time"

	"github.com/llenergymeasure/llem/internal/engine"
	"github.com/llenergymeasure/llem/internal/study"
)

// Plan says which container Execute would start for e. It looks at the image
// and the GPUs, and starts, locks and writes nothing that lasts.
func (r *Runner) Plan(ctx context.Context, e study.Experiment) (engine.Spec, error) {
	x := &run{Runner: r, id: newID(), exp: e, started: time.Now().UTC()}
	defer x.release()
	if err := x.prompts.open(e); err != nil {
		return engine.Spec{}, &Fault{Kind: ConfigFault, Err: err}
	}
	if err := findModel(ctx, e); err != nil {
		return engine.Spec{}, &Fault{Kind: ConfigFault, Err: err}
	}
	if err := x.findGPUs(ctx); err != nil {
		return engine.Spec{}, err
	}
	if err := x.findEngine(ctx); err != nil {
		return engine.Spec{}, err
	}
	s, err := x.spec()
	if err != nil {
		return s, &Fault{Kind: ConfigFault, Err: err}
	}
	return s, nil
}
