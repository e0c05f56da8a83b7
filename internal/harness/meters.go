package harness

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"

	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/measure"
)

// meters are all that a run reads in its window.
type meters struct {
	gpus   *reader
	host   measure.HostReader // nil: the host has no counters
	others instruments
}

// begin opens the instruments, and then reads the GPUs at the window's opening
// edge, which so is fresh and settles once, however late an instrument answers.
// That they open as much earlier is in their uncertainty.
func (m *meters) begin(ctx context.Context) {
	m.others.begin(ctx)
	m.gpus.settle(ctx)
}

// end closes the instruments while the GPUs are read at the closing edge. What
// was measured is kept when the user has stopped the run.
func (m *meters) end(ctx context.Context) {
	done := m.others.end(context.WithoutCancel(ctx))
	m.gpus.unwind(ctx)
	<-done
}

// hostScope says that the figure is the host's, since there is no GPU.
func (m *meters) hostScope() bool { return len(m.others) > 0 && len(m.gpus.devices) == 0 }

// openHost opens the counters of the host's own energy: those that are there, or
// with "rapl" an error where there are none. nil: there are none, or none are wanted.
func (r *Runner) openHost(ctx context.Context, want string) (measure.HostReader, error) {
	if want == "none" || r.OpenHost == nil {
		return nil, nil
	}
	host, err := r.OpenHost()
	if err == nil {
		return host, nil
	}
	if want == "rapl" {
		return nil, launch.Faultf(launch.ConfigFault, "energy.host rapl is not available: %w", err)
	}
	level := slog.LevelDebug // most hosts have none, which doctor tells
	if errors.Is(err, fs.ErrPermission) {
		level = slog.LevelInfo
	}
	r.Log.Log(ctx, level, "no energy of the host", "reason", err)
	return nil, nil
}

// startHost opens a span of the host's energy; the function ends it.
func startHost(ctx context.Context, host measure.HostReader, log *slog.Logger) (stop func() []measure.HostEnergy) {
	if host != nil {
		span, err := measure.StartHost(ctx, host)
		if err == nil {
			return span.Stop
		}
		log.Warn("energy of the host", "error", err)
	}
	return func() []measure.HostEnergy { return nil }
}
