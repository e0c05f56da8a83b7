package harness

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/llenergymeasure/llem/internal/job"
	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/result"
)

// differences are what a run that is done again was measured with, and this one is not.
// launcher is what people call what started the engines.
func differences(was, now *result.Record, launcher string) []string {
	var out []string
	add := func(what, then, now string) {
		if then != now {
			out = append(out, fmt.Sprintf("%s: then %s, now %s", what, cmp.Or(then, "unknown"), cmp.Or(now, "unknown")))
		}
	}
	add("llem", was.LlemVersion, now.LlemVersion)
	add("config_hash", job.Short(was.ConfigHash), job.Short(now.ConfigHash))
	add("workload_hash (what is sent)", job.Short(was.WorkloadHash), job.Short(now.WorkloadHash))
	add("image id", job.Short(was.Engine.ImageID), job.Short(now.Engine.ImageID))
	if r := now.Model.Revision; was.Model.Revision != nil && r != nil {
		add("model revision", *was.Model.Revision, *r)
	}
	if f := now.Model.Fingerprint; was.Model.Fingerprint != nil && f != nil {
		add("model files (fingerprint)", job.Short(*was.Model.Fingerprint), job.Short(*f))
	}
	e, here := was.Environment, now.Environment
	add("host", e.Host.Hostname, here.Host.Hostname)
	add("CPU", e.Host.CPU, here.Host.CPU)
	add("kernel", e.Host.Kernel, here.Host.Kernel)
	add(launcher, e.Docker.Version, here.Docker.Version)
	add("GPUs", gpuNames(e.GPUs), gpuNames(here.GPUs))
	for i := range min(len(e.GPUs), len(here.GPUs)) {
		then, now, n := e.GPUs[i], here.GPUs[i], here.GPUs[i].Index
		add(fmt.Sprintf("GPU %d driver", n), then.Driver, now.Driver)
		add(fmt.Sprintf("GPU %d power limit", n), limit(then), limit(now))
	}
	return out
}

// titleOf is what people call a launcher, which may be nil.
func titleOf(l launch.Launcher) string {
	if l == nil {
		return "launcher"
	}
	return l.Words().Title
}

// sayDifferences tells people of them.
func sayDifferences(say func(string), list []string) {
	for _, d := range list {
		say("differs: " + d)
	}
	if len(list) == 0 {
		say("all that a record keeps of the host, the image and the work is as it was then")
	}
}

func gpuNames(list []result.GPU) string {
	names := make([]string, len(list))
	for i, g := range list {
		names[i] = g.Name
	}
	return cmp.Or(strings.Join(names, ", "), "none")
}

func limit(g result.GPU) string {
	if g.PowerLimitW == nil {
		return ""
	}
	return fmt.Sprintf("%.0f W", *g.PowerLimitW)
}
