package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/llenergymeasure/llem/internal/campaign"
	"github.com/llenergymeasure/llem/internal/device"
	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/lease"
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
	// GPUs first: they need no daemon, which may hang.
	failed := c.settings(a)
	left := c.containers(a)
	failed = errors.Join(failed, left, c.runs(a, left != nil))
	if !c.DryRun {
		failed = errors.Join(failed, measure.BaselineCache{Dir: cacheDir()}.Sweep())
	}
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

// containers removes those that dead runs have left, and says which it spares.
func (c *cleanCmd) containers(a *app) error {
	d, err := a.openLauncher(a.ctx, launch.Options{})
	if err != nil {
		return err
	}
	defer d.Close()
	orphans, spared, err := leftContainers(a.ctx, d, func(note string) { fmt.Fprintln(a.stdout, note) })
	if err != nil {
		return err
	}
	for _, s := range spared {
		fmt.Fprintf(a.stdout, "container %s is left alone: %s\n", s.Name, s.Why)
	}
	if len(orphans) == 0 {
		fmt.Fprintln(a.stdout, "no container is left over")
	}
	if c.DryRun {
		for _, o := range orphans {
			fmt.Fprintf(a.stdout, "would remove container %s (%s, made %s ago)\n", o.Name, o.State, time.Since(o.Created).Round(time.Second))
		}
		return nil
	}
	return c.remove(a, d, orphans)
}

// remove removes containers, and looks again whether they have gone: one that the
// daemon was starting as it was removed can come back.
func (c *cleanCmd) remove(a *app, d launch.Reaper, orphans []launch.Orphan) error {
	said := map[string]bool{}
	for end := time.Now().Add(appearLimit); len(orphans) > 0; {
		var failed error
		for _, o := range orphans {
			if err := d.Remove(a.ctx, o); err != nil {
				failed = errors.Join(failed, err)
			} else if !said[o.ID] {
				fmt.Fprintf(a.stdout, "removed container %s\n", o.Name)
				said[o.ID] = true
			}
		}
		if failed != nil {
			return failed
		}
		var err error
		if orphans, _, err = d.Orphans(a.ctx, ownerOf); err != nil {
			return err
		}
		if len(orphans) > 0 && time.Now().After(end) {
			return fmt.Errorf("container %s was removed, and the daemon still lists it: run llem clean again", orphans[0].Name)
		}
		if len(orphans) > 0 && measure.Sleep(a.ctx, lookAgain) != nil {
			return a.ctx.Err()
		}
	}
	return nil
}

// Times of the daemon in which it answers, or makes a container that it was asked
// for before its llem was killed.
const (
	listTimeout = 30 * time.Second
	appearLimit = 5 * time.Second // that clean waits
	appearsIn   = time.Minute     // after which it is not made any more
	lookAgain   = 200 * time.Millisecond
)

// leftContainers lists the containers of dead runs. A run that was killed while the
// daemon made its container may get it yet, so that it is looked for again; one
// that does not come is said.
func leftContainers(ctx context.Context, d launch.Reaper, say func(note string)) (left []launch.Orphan, spared []launch.Spared, err error) {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	for end := time.Now().Add(appearLimit); ; {
		if left, spared, err = d.Orphans(ctx, ownerOf); err != nil {
			return nil, nil, err
		}
		missing := slices.DeleteFunc(lease.CutOff(), func(c lease.Creation) bool {
			there := slices.ContainsFunc(left, func(o launch.Orphan) bool { return o.Name == c.Name })
			return there || time.Since(c.At) > appearsIn
		})
		if len(missing) == 0 {
			return left, spared, nil
		}
		if time.Now().After(end) {
			for _, c := range missing {
				say(fmt.Sprintf("container %s was asked for as its run was killed, and has not come in %s: if `%s` shows it later, run llem clean again", c.Name, appearLimit, launcher().Words.All))
			}
			return left, spared, nil
		}
		if err := measure.Sleep(ctx, lookAgain); err != nil {
			return nil, nil, err
		}
	}
}

// ownerOf says what is known of the run whose lock is at path.
func ownerOf(path string) launch.Owner {
	own, there := lease.OwnLock(path)
	switch {
	case path != "" && lease.RunHeld(path):
		return launch.Living
	case !own:
		return launch.Elsewhere
	case !there:
		return launch.Unknown
	}
	return launch.Dead
}

// caches removes the compile caches that no container uses.
func (c *cleanCmd) caches(a *app) error {
	d, err := a.openLauncher(a.ctx, launch.Options{})
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

// runs forgets those that were killed, and does what is to be done about their
// results. Where containers may be left, those that had one are not forgotten.
func (c *cleanCmd) runs(a *app, containersLeft bool) error {
	dead, err := campaign.CleanRuns(c.DryRun, containersLeft)
	for _, d := range dead {
		said := "forgot run " + d.Name
		if c.DryRun {
			said = "would forget run " + d.Name
		}
		if d.Dir != "" {
			said += ", " + d.Dir + ": " + d.Did
		}
		fmt.Fprintln(a.stdout, said)
	}
	return err
}

// settings puts back what a killed run has set on GPUs.
func (c *cleanCmd) settings(a *app) error {
	left, err := lease.LeftSettings()
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
func (a *app) restore(gpus device.Session, left []string, say func(done string)) (failed error) {
	for _, uuid := range left {
		done, err := lease.RestoreSettings(a.ctx, gpus, uuid)
		if err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		say(done)
	}
	return failed
}
