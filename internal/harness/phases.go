package harness

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/llenergymeasure/llem/internal/device"
	"github.com/llenergymeasure/llem/internal/engine"
	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/measure"
	"github.com/llenergymeasure/llem/internal/stats"
	"github.com/llenergymeasure/llem/internal/study"
)

// boot is this boot of the host; a baseline does not outlive it.
func boot() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(id))
}

// measureBaseline reads the bare idle GPUs, or finds that it did so lately.
func (x *run) measureBaseline(ctx context.Context) (string, error) {
	switch {
	case x.meters.gpus.noEnergy != "":
		return "skipped: no energy figure", nil
	case x.job.Running():
		return "skipped: the server is on the GPUs already", nil
	case !x.job.Experiment.Baseline.Enabled:
		return "skipped: baseline.enabled is false", nil
	case x.kept != nil:
		return x.keptBaseline(), nil
	}
	g, length := x.meters.gpus, study.Seconds(x.job.Experiment.Baseline.DurationSeconds)
	cache := measure.BaselineCache{Dir: x.CacheDir, TTL: study.Seconds(x.job.Experiment.Baseline.CacheTTLSeconds), Least: length}
	method := fmt.Sprintf("%s, SM clock %d", measure.MethodCounter, x.job.Experiment.GPUSettings.SMClockMHz)
	key := measure.BaselineKey(x.job.GPUs, boot(), method)
	if b, ok := cache.Load(key, x.job.GPUs, time.Now()); ok {
		x.obs.Idle.Baseline = &b
		return fmt.Sprintf("%s W, cached %s ago", stats.Fixed(float64(b.Power), 1), b.Age.Round(time.Second)), nil
	}
	b, err := measure.MeasureBaseline(ctx, g.recorder, g.watcher, g.sensors(), length)
	x.obs.Warnings = append(x.obs.Warnings, g.newcomers(b.Processes)...)
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case err != nil: // a GPU that gives no reading is a figure less, and no reason to stop
		x.Log.Warn("baseline", "error", err)
		return "no reading", nil
	}
	x.obs.Idle.Baseline = &b
	if err := cache.Store(key, x.job.GPUs, b); err != nil {
		x.Log.Warn("keep baseline", "error", err)
	}
	return stats.Fixed(float64(b.Power), 1) + " W", nil
}

// launch starts the engine and waits until it takes requests. What it costs
// stands apart and is in no total.
func (x *run) launch(ctx context.Context) (string, error) {
	if x.job.Running() {
		x.server = endpoint(x.job.Experiment.Engine.Endpoint)
		err := x.identify(ctx, "")
		return fmt.Sprintf("skipped: %s already runs at %s", x.called(), x.server.URL()), err
	}
	if x.kept != nil {
		return fmt.Sprintf("skipped: %s is kept from an earlier run, %s", x.called(), x.kept.proof()), nil
	}
	for _, name := range x.job.Experiment.SecretArgs() {
		x.Observer.Say(VisibleSecret(name))
	}
	x.memBefore = x.meters.gpus.memoryUsed() // an edge, from which the energy of the start counts
	start := time.Now()
	served, err := x.start(ctx, x.job.Spec)
	if err != nil {
		return "", err
	}
	x.obs.Server.Startup = new(time.Since(start))
	if _, err := x.meters.gpus.recorder.Edge(); err != nil { // to which its energy counts
		x.Log.Warn("read GPUs as the engine is ready", "error", err)
	}
	if err := x.identify(ctx, served); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s at %s (%s)", x.called(), x.server.URL(), x.server.Info().Route), nil
}

// VisibleSecret says who can read the secret that engine.args has under a name.
func VisibleSecret(name string) string {
	return "engine.args." + name + " is a secret on the engine's command line, which every user of this host can read with ps: put it in a file that the engine reads (engine.container.mounts), or in a variable of engine.env"
}

// start launches the container and has its server take its model. served is the
// model's name there; empty: the server tells.
func (x *run) start(ctx context.Context, spec launch.Spec) (served string, err error) {
	x.lease.Run().Creating(spec.Name)
	x.server, err = x.Launcher.Launch(ctx, spec)
	if cutOff := x.server == nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)); cutOff {
		x.abandon(spec.Name)
	} else {
		x.lease.Run().Creating("")
	}
	if err != nil {
		return "", err
	}
	return x.loadModel(ctx, spec.ReadyTimeout)
}

// abandon leaves a container to clean that the daemon was asked for, which did not
// answer in time and may make it yet.
func (x *run) abandon(name string) {
	x.Log.Warn("the daemon did not answer as it was asked for a container, and may make it yet: `llem clean` removes it", "container", name)
	x.lease.Run().Leave()
}

// loadModel has a server take its model that is up before it has it.
func (x *run) loadModel(ctx context.Context, limit time.Duration) (served string, err error) {
	ctx, cancel := x.alive(ctx)
	defer cancel()
	ctx, done := context.WithTimeout(ctx, limit)
	defer done()
	if served, err = x.job.Engine.Load(ctx, x.at(), x.job.Experiment, x.job.Host()); err != nil {
		return "", fmt.Errorf("have the server load %s: %w", x.job.Experiment.Model, err)
	}
	return served, nil
}

// identify asks the server what it is. One that says it is another engine would
// be spoken to in the wrong dialect.
func (x *run) identify(ctx context.Context, served string) (err error) {
	if x.job.Running() {
		served = x.job.Served.ID // found in the preflight
	} else if served, err = x.confirm(ctx, served); err != nil {
		return err
	}
	if x.obs.Server.Info, err = x.job.Engine.Probe(ctx, x.at(), served); err != nil {
		return fmt.Errorf("ask the server what it is: %w", err)
	}
	if x.obs.Server.Info.Model == "" {
		x.obs.Server.Info.Model = served
	}
	if err := engine.Confirm(x.job.Engine.Name(), x.job.ToldBy, x.obs.Server.Info); err != nil {
		return &launch.Fault{Kind: launch.ConfigFault, Err: err}
	}
	return nil
}

// confirm looks at a server that llem started, and finds its model there. One that
// shows nothing of its engine is doubted.
func (x *run) confirm(ctx context.Context, served string) (string, error) {
	seen, err := engine.Look(ctx, x.at(), true)
	if err != nil {
		return "", fmt.Errorf("ask the server what it is: %w", err)
	}
	if !seen.Strong(x.job.Engine) {
		x.warn("engine_not_confirmed", "%s", seen.Doubt(x.job.Engine))
	}
	if served != "" { // by which it was loaded
		x.job.Listed, x.job.Served = seen.Models, engine.Match{ID: served, By: engine.ByLaunch}
		return served, nil
	}
	err = x.job.Pick(seen)
	x.takeWarnings()
	if err != nil {
		return "", &launch.Fault{Kind: launch.ConfigFault, Err: err}
	}
	return x.job.Served.ID, nil
}

// called is the engine and its version, where that is known.
func (x *run) called() string {
	return strings.TrimSpace(x.job.Engine.Name() + " " + x.obs.Server.Info.Version)
}

// thermalFloor waits, and reads the loaded engine's idle power on the way.
func (x *run) thermalFloor(ctx context.Context) (string, error) {
	d := study.Seconds(x.job.Experiment.Warmup.ThermalFloorSeconds)
	wctx, cancel := x.alive(ctx)
	defer cancel()
	stop := tick(x.Observer, d)
	idle, err := measure.ThermalFloor(wctx, x.meters.gpus.recorder, len(x.job.GPUs), d)
	stop()
	x.obs.Floor = d
	if err != nil {
		return "", err
	}
	x.obs.Idle.Engine = idle
	if len(idle) == 0 || x.meters.gpus.noEnergy != "" {
		return "", nil
	}
	var sum device.Watts
	for _, w := range idle {
		sum += w
	}
	return "engine idle at " + stats.Fixed(float64(sum), 1) + " W", nil
}

// alive is a context that also ends when the server dies.
func (x *run) alive(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		select {
		case <-x.server.Done():
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(); <-gone }
}
