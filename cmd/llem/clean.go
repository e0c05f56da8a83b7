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
	DryRun    bool `help:"Say what would be removed, and stop."`
	Baselines bool `help:"Also forget cached baselines."`
}

func (c *cleanCmd) Run(a *app) error {
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
	if c.Baselines && !c.DryRun {
		n, err := measure.BaselineCache{Dir: cacheDir()}.Clear()
		failed = errors.Join(failed, err)
		fmt.Fprintf(a.stdout, "forgot %d cached baselines\n", n)
	}
	return failed
}
