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
	"github.com/llenergymeasure/llem/internal/load"
	"github.com/llenergymeasure/llem/internal/measure"
	"github.com/llenergymeasure/llem/internal/record"
	"github.com/llenergymeasure/llem/internal/stats"
	"github.com/llenergymeasure/llem/internal/study"
)

// This file has the phases before the window. Each fills in its part of the observation,
// and says how it went.

// boot is this boot of the host; a baseline does not outlive it.
func boot() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(id))
}

// baseline reads the bare idle GPUs, or finds that it did so lately.
func baseline(ctx context.Context, u *setup, o *record.Observation) (string, error) {
	e, g := o.Job.Experiment, u.meters.gpus
	switch {
	case g.noEnergy != "":
		return "skipped: no energy figure", nil
	case o.Job.Running():
		return "skipped: the server is on the GPUs already", nil
	case !e.Baseline.Enabled:
		return "skipped: baseline.enabled is false", nil
	case u.origin == fromBefore:
		b := u.server.container.baselineNow()
		if b == nil {
			return "skipped: the container is kept, and there is no baseline from before it", nil
		}
		o.Idle.Baseline = b
		return fmt.Sprintf("%s W, from before the container was started, %s ago", stats.Fixed(float64(b.Power), 1), b.Age.Round(time.Second)), nil
	}
	length := study.Seconds(e.Baseline.DurationSeconds)
	cache := measure.BaselineCache{Dir: u.runner.CacheDir, TTL: study.Seconds(e.Baseline.CacheTTLSeconds), Least: length}
	method := fmt.Sprintf("%s, SM clock %d", measure.MethodCounter, e.GPUSettings.SMClockMHz)
	key := measure.BaselineKey(g.devices, boot(), method)
	if b, ok := cache.Load(key, g.devices, time.Now()); ok {
		o.Idle.Baseline = &b
		return fmt.Sprintf("%s W, cached %s ago", stats.Fixed(float64(b.Power), 1), b.Age.Round(time.Second)), nil
	}
	b, err := measure.MeasureBaseline(ctx, g.recorder, g.watcher, g.sensors(), length)
	o.Warnings = append(o.Warnings, g.newcomers(b.Processes)...)
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case err != nil: // a GPU that gives no reading is a figure less, and no reason to stop
		g.log.Warn("baseline", "error", err)
		return "no reading", nil
	}
	o.Idle.Baseline = &b
	if err := cache.Store(key, g.devices, b); err != nil {
		g.log.Warn("keep baseline", "error", err)
	}
	return stats.Fixed(float64(b.Power), 1) + " W", nil
}

// launchServer starts the engine and waits until it takes requests. What it costs
// stands apart and is in no total.
func launchServer(ctx context.Context, u *setup, o *record.Observation) (string, error) {
	j, g := &o.Job, u.meters.gpus
	switch u.origin {
	case foundRunning:
		u.server = u.runner.newServer(endpoint(j.Experiment.Engine.Endpoint), j, &container{})
		doubts, err := u.server.identify(ctx, "")
		o.Warnings = append(o.Warnings, doubts...)
		return fmt.Sprintf("skipped: %s already runs at %s", u.server.called(), u.server.process.URL()), err
	case fromBefore:
		return fmt.Sprintf("skipped: %s is kept from an earlier run, %s", u.server.called(), u.server.container.proof()), nil
	}
	for _, name := range j.Experiment.SecretArgs() {
		u.runner.Observer.Say(VisibleSecret(name))
	}
	c := &container{spec: j.Spec, by: j.Run.ID, memBefore: g.memoryUsed(), baseline: o.Idle.Baseline} // an edge, from which the energy of the start counts
	start := time.Now()
	served, err := u.start(ctx, c)
	if err != nil {
		return "", err
	}
	s := u.server
	s.startup = new(time.Since(start))
	if _, err := g.recorder.Edge(); err != nil { // to which its energy counts
		g.log.Warn("read GPUs as the engine is ready", "error", err)
	}
	doubts, err := s.identify(ctx, served)
	o.Warnings = append(o.Warnings, doubts...)
	if err != nil {
		return "", err
	}
	c.served = s.info.Model
	return fmt.Sprintf("%s at %s (%s)", s.called(), s.process.URL(), s.process.Info().Route), nil
}

// VisibleSecret says who can read the secret that engine.args has under a name.
func VisibleSecret(name string) string {
	return "engine.args." + name + " is a secret on the engine's command line, which every user of this host can read with ps: put it in a file that the engine reads (engine.container.mounts), or in a variable of engine.env"
}

// start launches the container and has its server take its model. served is the
// model's name there; empty: the server tells.
func (u *setup) start(ctx context.Context, c *container) (served string, err error) {
	lock := u.place.pool.lease.Run()
	lock.Creating(c.spec.Name)
	c.process, err = u.runner.Launcher.Launch(ctx, c.spec)
	if cutOff := c.process == nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)); cutOff {
		// The daemon may make it yet, and clean removes it.
		u.runner.Log.Warn("the daemon did not answer as it was asked for a container, and may make it yet: `llem clean` removes it", "container", c.spec.Name)
		lock.Leave()
	} else {
		lock.Creating("")
	}
	if c.process != nil {
		u.server = u.runner.newServer(c.process, u.job, c)
	}
	if err != nil {
		return "", err
	}
	return u.server.load(ctx, c.spec.ReadyTimeout)
}

// warmUp runs the warmup: full batches like the measured ones, never the same
// text, counted in nothing.
func warmUp(ctx context.Context, s *server, o *record.Observation) (string, error) {
	cfg := record.WarmupConfig(s.job.Experiment.Warmup)
	ctx, cancel := s.alive(ctx)
	defer cancel()
	if err := s.draw(ctx); ctx.Err() != nil {
		return "", ctx.Err()
	} else if err != nil {
		return "", &launch.Fault{Kind: launch.ConfigFault, Err: err}
	}
	client := s.client()
	defer closeClient(client)
	n := batch(s.job)
	res, err := measure.Warmup(ctx, cfg, func(ctx context.Context, i int) (time.Duration, error) {
		s.progress(int64(i), int64(cfg.AtMost()))
		reqs, err := s.job.Prompts.Warmup(s.job.Experiment, i, n)
		if err != nil {
			return 0, &launch.Fault{Kind: launch.ConfigFault, Err: err}
		}
		return iterate(ctx, client, reqs, func(status int) string {
			return engine.StatusHint(s.job.Experiment, status, s.job.Credentials.From)
		})
	})
	o.Warmup = &res
	if err != nil {
		return "", err
	}
	if w, ok := measure.WarmupWarning(cfg, res); ok {
		o.Warnings = append(o.Warnings, w)
	}
	if cfg.AtMost() == 0 {
		return "cold start", nil
	}
	return fmt.Sprintf("%d × %d requests", res.Iterations, n), nil
}

// iterate sends one batch at once and returns its mean end-to-end latency. hint is what
// to do about a status of HTTP.
func iterate(ctx context.Context, client load.Client, reqs []load.Request, hint func(status int) string) (time.Duration, error) {
	done, err := load.Drive(ctx, load.Config{Client: client, Requests: reqs, Pattern: load.Closed(len(reqs))})
	if err != nil {
		return 0, err
	}
	var sum time.Duration
	for _, t := range done.Timings.All() {
		if t.Status != load.StatusOK {
			return 0, fmt.Errorf("request %d: %s%s", t.ID, t.Error, hint(t.HTTPStatus))
		}
		ended := t.LastToken
		if ended < 0 { // no token of it reads as text
			ended = t.End
		}
		sum += ended - t.Sent
	}
	return sum / time.Duration(done.Timings.Len()), nil
}

// thermalFloor waits, and reads the loaded engine's idle power on the way.
func thermalFloor(ctx context.Context, u *setup, o *record.Observation) (string, error) {
	g, d := u.meters.gpus, study.Seconds(o.Job.Experiment.Warmup.ThermalFloorSeconds)
	wctx, cancel := u.server.alive(ctx)
	defer cancel()
	stop := tick(u.runner.Observer, d)
	idle, err := measure.ThermalFloor(wctx, g.recorder, len(g.devices), d)
	stop()
	o.Floor = d
	if err != nil {
		return "", err
	}
	o.Idle.Engine = idle
	if len(idle) == 0 || g.noEnergy != "" {
		return "", nil
	}
	var sum device.Watts
	for _, w := range idle {
		sum += w
	}
	return "engine idle at " + stats.Fixed(float64(sum), 1) + " W", nil
}
