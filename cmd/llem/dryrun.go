package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/llenergymeasure/llem/internal/engine"
	"github.com/llenergymeasure/llem/internal/harness"
	"github.com/llenergymeasure/llem/internal/study"
)

// dryRun prints the effective experiment and the container, as far as it can be
// told, and starts nothing.
func (c *runCmd) dryRun(a *app, r *harness.Runner, e study.Experiment) error {
	p, err := r.Plan(a.ctx, e)
	if err != nil {
		return err
	}
	s := p.Spec
	said := func(what, seen string) { fmt.Fprintf(a.stdout, "# %-12s %s\n", what+":", seen) }
	fmt.Fprintf(a.stdout, "%s\n", e.EffectiveYAML())
	said("config_hash", e.ConfigHash())
	if p.Sends > 0 {
		said("schedule", fmt.Sprintf("%d requests, the last due after %s", p.Sends, rough(p.Schedule)))
	}
	if p.Pull {
		said("image", "would pull "+cmp.Or(p.Image, e.Engine.Image))
	}
	if p.Fetch {
		said("model", "would download "+e.Model)
	}
	if p.Prompts {
		said("prompts", "would download "+e.Workload.Source)
	}
	if s.Engine == "" {
		said("engine", "told from the image when it is here; name it with --engine to see its command")
		return nil
	}
	said("engine", s.Engine)
	if p.Endpoint != "" {
		said("endpoint", p.Endpoint+" (already runs: nothing is started or stopped)")
		said("gpus", orElse(strings.Join(s.GPUs, " "), "none"))
		return nil
	}
	said("image id", orElse(s.ImageID, "known when the image is here"))
	containerSaid(s, e.Hide, said)
	for _, name := range e.SecretArgs() {
		said("visible", harness.VisibleSecret(name))
	}
	if p.Busy != "" {
		said("gpus", "not known yet: "+p.Busy)
		return nil
	}
	said("gpus", orElse(strings.Join(s.GPUs, " "), "none"))
	return nil
}

// containerSaid tells what a container is started with, what llem sets included.
func containerSaid(s engine.Spec, hide func(string) string, said func(what, seen string)) {
	args := make([]string, len(s.Cmd))
	for i, arg := range s.Cmd {
		args[i] = hide(arg)
	}
	said("command", strings.Join(args, " "))
	if len(s.Overridden) > 0 {
		said("overridden", "engine.args set --"+strings.Join(s.Overridden, ", --")+", which llem sets itself")
	}
	for _, name := range slices.Sorted(maps.Keys(s.Env)) {
		said("env", hide(name+"="+s.Env[name]))
	}
	for _, m := range s.Mounts {
		how := "writable"
		if m.ReadOnly {
			how = "read-only"
		}
		said("mount", fmt.Sprintf("%s at %s, %s", m.Source, m.Target, how))
	}
	for _, c := range s.Caches {
		if s.ImageID == "" {
			c.Name = "one of the image's own"
		}
		said("volume", fmt.Sprintf("%s at %s", c.Name, c.Target))
	}
	if s.Container.ShmSize != "" {
		said("shm size", s.Container.ShmSize)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Container.Ulimits)) {
		said("ulimit", name+"="+s.Container.Ulimits[name])
	}
	if s.HFTokenFile != "" {
		said("token", "the Hugging Face token as "+s.HFTokenFile)
	}
}
