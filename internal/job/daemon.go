package job

import (
	"context"

	"github.com/llenergymeasure/llem/internal/launch"
)

// Daemon asks the daemon what it is. Energy is read here: from one on another
// machine, such as a virtual one, no GPU and no energy can be had.
func (f *Finder) Daemon(ctx context.Context, j *Job) error {
	if j.Running() {
		return nil
	}
	j.Daemon, _ = f.Launcher.Describe(ctx) // unknown, where it does not answer
	e, away := j.Experiment, j.Daemon.Elsewhere
	if away == "" || e.GPUs.Mode == "none" && e.Energy.Backend == "none" && e.Energy.Host != "rapl" {
		return nil
	}
	return launch.Faultf(launch.HostFault, "the %s daemon is on another machine (%s): the meter is here, and the GPU is there; run llem there, or measure without energy: gpus: none, energy.backend: none and energy.host: none", f.Launcher.Words().Title, away)
}
