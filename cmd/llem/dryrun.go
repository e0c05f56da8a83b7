package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/llenergymeasure/llem/internal/harness"
	"github.com/llenergymeasure/llem/internal/job"
	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/study"
)

// dryRun prints the effective experiment and the container, as far as it can be
// told, and starts nothing.
func (c *runCmd) dryRun(a *app, r *harness.Runner, e study.Experiment) error {
	d, err := r.DryRun(a.ctx, e)
	if err != nil {
		return err
	}
	j, s := d.Job, d.Job.Spec
	said := func(what, seen string) { fmt.Fprintf(a.stdout, "# %-12s %s\n", what+":", seen) }
	fmt.Fprintf(a.stdout, "%s\n", e.EffectiveYAML())
	said("config_hash", e.ConfigHash())
	if p := j.Prompts.Schedule; e.Workload.Load.Open() {
		unit := ""
		if p.Trace.Unit != "" {
			unit = ", its times read as " + p.Trace.Unit
		}
		last, _ := p.Pattern.At(p.N - 1)
		said("schedule", fmt.Sprintf("%d requests, the last due after %s (%.6g seconds%s)", p.N, rough(last), last.Seconds(), unit))
	}
	sentSaid(j.Prompts.Sent(e), e.Hide, said)
	if d.Pull {
		said("image", "would pull "+cmp.Or(d.Image, e.Engine.Image))
	}
	if j.Model.Fetch {
		said("model", "would download "+e.Model)
	}
	if j.Prompts.Fetch {
		said("prompts", "would download "+e.Workload.Source)
	}
	if s.Engine == "" {
		said("engine", "told from the image when it is here; name it with --engine to see its command")
		return nil
	}
	said("engine", s.Engine)
	if j.Running() {
		said("endpoint", e.Engine.Endpoint+" (already runs: nothing is started or stopped)")
		said("model", "served as "+j.Served.ID)
		if from := j.Credentials.From; from != "" {
			said("key", "from "+from)
		}
		said("gpus", cmp.Or(strings.Join(s.GPUs, " "), "none"))
		return nil
	}
	said("image id", cmp.Or(s.ImageID, "known when the image is here"))
	containerSaid(s, e.Hide, said)
	for _, name := range e.SecretArgs() {
		said("visible", harness.VisibleSecret(name))
	}
	if d.Busy != "" {
		said("gpus", "not known yet: "+d.Busy)
		return nil
	}
	said("gpus", cmp.Or(strings.Join(s.GPUs, " "), "none"))
	return nil
}

// shownPrompt is how many characters of a prompt are shown of its beginning and of its
// end.
const shownPrompt = 160

// sentSaid tells what is sent: how long it is, and of a file the first prompt, with
// its control characters escaped.
func sentSaid(s job.Sent, hide func(string) string, said func(what, seen string)) {
	switch {
	case s.Input > 0:
		said("lengths", fmt.Sprintf("synthetic prompts of %.6g tokens, answers of at most %.6g, in the mean", s.Input, s.Output))
	case s.Texts > 0:
		said("lengths", fmt.Sprintf("%d prompts of %.6g bytes, answers of at most %.6g tokens, in the mean", s.Texts, s.Bytes, s.Output))
	}
	if s.Texts == 0 {
		return
	}
	said("template", strconv.Quote(s.Template))
	if len(s.NotSent) > 0 {
		said("not sent", strings.Trim(strconv.Quote(strings.Join(s.NotSent, ", ")), `"`))
	}
	text := []rune(hide(s.First))
	shown := strconv.Quote(string(text))
	if len(text) > 2*shownPrompt {
		shown = fmt.Sprintf("%q … %q", string(text[:shownPrompt]), string(text[len(text)-shownPrompt:]))
	}
	said("first prompt", shown)
}

// containerSaid tells what a container is started with, what llem sets included.
func containerSaid(s launch.Spec, hide func(string) string, said func(what, seen string)) {
	args := make([]string, len(s.Cmd))
	for i, arg := range s.Cmd {
		args[i] = hide(arg)
	}
	said("command", strings.Join(args, " "))
	if len(s.Overridden) > 0 {
		said("overridden", "engine.args set --"+strings.Join(s.Overridden, ", --")+", which llem sets itself")
	}
	if len(s.LeftOut) > 0 {
		said("left out", "engine.args take out --"+strings.Join(s.LeftOut, ", --")+" (null), which llem sets itself")
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
	if s.Container.Memory != "" {
		said("memory", s.Container.Memory+" at most")
	}
	if s.HFTokenFile != "" {
		said("token", "the Hugging Face token as "+s.HFTokenFile)
	}
}
