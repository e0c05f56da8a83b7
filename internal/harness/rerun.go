package harness

import (
	"fmt"
	"strings"

	"github.com/llenergymeasure/llem/internal/job"
	"github.com/llenergymeasure/llem/internal/result"
)

// differences are what the run that is done again was measured with, and this one
// is not.
func (x *run) differences() []string {
	was, now := x.From, x.environment()
	var out []string
	add := func(what, then, now string) {
		if then != now {
			out = append(out, fmt.Sprintf("%s: then %s, now %s", what, orText(then, "unknown"), orText(now, "unknown")))
		}
	}
	add("llem", was.LlemVersion, x.Version)
	add("config_hash", job.Short(was.ConfigHash), job.Short(x.job.Experiment.ConfigHash()))
	add("workload_hash (what is sent)", job.Short(was.WorkloadHash), job.Short(x.job.Experiment.WorkloadHash(x.job.Prompts.File())))
	add("image id", job.Short(was.Engine.ImageID), job.Short(x.job.Image.ID))
	model := x.modelRecord()
	if r := model.Revision; was.Model.Revision != nil && r != nil {
		add("model revision", *was.Model.Revision, *r)
	}
	if f := model.Fingerprint; was.Model.Fingerprint != nil && f != nil {
		add("model files (fingerprint)", job.Short(*was.Model.Fingerprint), job.Short(*f))
	}
	e := was.Environment
	add("host", e.Host.Hostname, now.Host.Hostname)
	add("CPU", e.Host.CPU, now.Host.CPU)
	add("kernel", e.Host.Kernel, now.Host.Kernel)
	add("Docker", e.Docker.Version, now.Docker.Version)
	add("GPUs", gpuNames(e.GPUs), gpuNames(now.GPUs))
	for i := range min(len(e.GPUs), len(now.GPUs)) {
		then, now, n := e.GPUs[i], now.GPUs[i], now.GPUs[i].Index
		add(fmt.Sprintf("GPU %d driver", n), then.Driver, now.Driver)
		add(fmt.Sprintf("GPU %d power limit", n), limit(then), limit(now))
	}
	return out
}

// sayDifferences tells people of them.
func (x *run) sayDifferences() {
	if x.From == nil {
		return
	}
	list := x.differences()
	for _, d := range list {
		x.Observer.Say("differs: " + d)
	}
	if len(list) == 0 {
		x.Observer.Say("all that a record keeps of the host, the image and the work is as it was then")
	}
}

func gpuNames(list []result.GPU) string {
	names := make([]string, len(list))
	for i, g := range list {
		names[i] = g.Name
	}
	return orText(strings.Join(names, ", "), "none")
}

func limit(g result.GPU) string {
	if g.PowerLimitW == nil {
		return ""
	}
	return fmt.Sprintf("%.0f W", *g.PowerLimitW)
}
