package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/llenergymeasure/llem/internal/docker"
	"github.com/llenergymeasure/llem/internal/harness"
	"github.com/llenergymeasure/llem/internal/measure"
)

type cleanCmd struct {
	DryRun    bool `help:"Say what would be removed and restored, and stop."`
	Baselines bool `help:"Also forget cached baselines."`
	Caches    bool `help:"Also remove what engines compiled, kept in volumes from one container to the next."`
}

// Run does all that can be done, whatever of it fails.
func (c *cleanCmd) Run(a *app) error {
	outlivePipes()
	failed := errors.Join(c.containers(a), c.settings(a), c.runs(a))
	if c.Caches {
		failed = errors.Join(failed, c.caches(a))
	}
	if c.Baselines && !c.DryRun {
		n, err := measure.BaselineCache{Dir: cacheDir()}.Clear()
		failed = errors.Join(failed, err)
		fmt.Fprintf(a.stdout, "forgot %d cached baselines\n", n)
	}
	return failed
}

// containers removes those whose run nobody holds.
func (c *cleanCmd) containers(a *app) error {
	d, err := docker.Open(a.ctx, a.log)
	if err != nil {
		return err
	}
	defer d.Close()
	orphans, err := d.Orphans(a.ctx, harness.RunHeld)
	if err != nil {
		return err
	}
	var failed error
	for _, o := range orphans {
		if c.DryRun {
			fmt.Fprintf(a.stdout, "would remove container %s (%s, made %s ago)\n", o.Name, o.State, time.Since(o.Created).Round(time.Second))
			continue
		}
		if err := d.Remove(a.ctx, o); err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		fmt.Fprintf(a.stdout, "removed container %s\n", o.Name)
	}
	if len(orphans) == 0 {
		fmt.Fprintln(a.stdout, "no container is left over")
	}
	return failed
}

// caches removes the compile caches that no container uses.
func (c *cleanCmd) caches(a *app) error {
	d, err := docker.Open(a.ctx, a.log)
	if err != nil {
		return err
	}
	defer d.Close()
	list, err := d.Caches(a.ctx)
	if err != nil {
		return err
	}
	var failed error
	for _, v := range list {
		said := fmt.Sprintf("cache %s (%s, %s)", v.Name, v.Engine, sizeOf(v.SizeBytes))
		if c.DryRun && len(v.UsedBy) == 0 {
			fmt.Fprintln(a.stdout, "would remove", said)
			continue
		}
		if err := d.RemoveCache(a.ctx, v); err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		fmt.Fprintln(a.stdout, "removed", said)
	}
	if len(list) == 0 {
		fmt.Fprintln(a.stdout, "no compile cache is kept")
	}
	return failed
}

// runs forgets those that were killed.
func (c *cleanCmd) runs(a *app) error {
	dead, err := harness.CleanRuns(c.DryRun)
	did := "forgot"
	if c.DryRun {
		did = "would forget"
	}
	for _, d := range dead {
		said := fmt.Sprintf("%s run %s", did, d.Name)
		if d.Dir != "" {
			said += " and its empty folder " + d.Dir
		}
		fmt.Fprintln(a.stdout, said)
	}
	return err
}

// settings puts back what a killed run has set on GPUs.
func (c *cleanCmd) settings(a *app) error {
	left, err := harness.LeftSettings()
	if err != nil || len(left) == 0 {
		return err
	}
	if c.DryRun {
		for _, uuid := range left {
			fmt.Fprintf(a.stdout, "would restore the settings of GPU %s\n", uuid)
		}
		return nil
	}
	gpus, err := openGPUs(a.ctx)
	if err != nil {
		return fmt.Errorf("restore the settings of GPUs: %w", err)
	}
	defer gpus.Close() //nolint:errcheck // what was set is set
	return a.restore(gpus, left, func(done string) { fmt.Fprintln(a.stdout, done) })
}

// restore puts the settings of GPUs back that a killed run has left changed.
func (a *app) restore(gpus harness.GPUs, left []string, say func(done string)) (failed error) {
	for _, uuid := range left {
		done, err := harness.RestoreSettings(a.ctx, gpus, uuid)
		if err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		say(done)
	}
	return failed
}
