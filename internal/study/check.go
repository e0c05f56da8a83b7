package study

import (
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
)

// dependent applies the defaults that depend on other keys.
func (d *decoder) dependent() {
	e := &d.e
	if _, ok := d.set["workload.prompts"]; !ok {
		e.Workload.Prompts = max(100, 10*e.Workload.Load.Concurrency)
		if d.quick {
			e.Workload.Prompts = 8 * e.Workload.Load.Concurrency
		}
	}
	if _, ok := d.set["workload.sampling.ignore_eos"]; !ok {
		e.Workload.Sampling.IgnoreEOS = e.Workload.Source == "synthetic"
	}
	if e.Name == "" {
		e.Name = defaultName(*e)
	}
}

var unsafe = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

func defaultName(e Experiment) string {
	base := filepath.Base(strings.TrimRight(e.Model, "/"))
	engine := e.Engine.Name
	if engine == "" {
		engine, _, _ = strings.Cut(filepath.Base(e.Engine.Image), ":")
	}
	if e.Engine.Name == "" && e.Engine.Endpoint != "" {
		engine = "endpoint"
	}
	name := strings.Trim(unsafe.ReplaceAllString(strings.ToLower(base+"-"+engine), "-"), "-.")
	if len(name) > 80 {
		name = name[:80]
	}
	if name == "" {
		name = "experiment"
	}
	return name
}

// wrong records a problem of a key that passed its own row's check, where it
// was set.
func (d *decoder) wrong(path, format string, args ...any) {
	d.badAt(d.where(path), path, format, args...)
}

// where is the place that set the first of these keys or groups that was set.
func (d *decoder) where(paths ...string) place {
	for _, path := range paths {
		for _, p := range Paths() {
			if set, ok := d.set[p]; ok && (p == path || strings.HasPrefix(p, path+".")) {
				return set
			}
		}
	}
	return d.layer
}

// check holds keys against each other and makes paths absolute. dir is the
// file's folder.
func (d *decoder) check(dir string) {
	e := &d.e
	if e.Model == "" && !d.refused["model"] {
		d.wrong("model", "missing: name the model, in the file or with --model")
	}
	if strings.HasPrefix(e.Model, "./") || strings.HasPrefix(e.Model, "../") {
		e.Model = absolute(dir, e.Model)
	}
	if e.Revision != "main" && (filepath.IsAbs(e.Model) || strings.HasPrefix(e.Model, "reference/")) {
		d.wrong("revision", "%q: only models on the hub have revisions", e.Revision)
	}
	d.checkSource(dir)
	d.checkLoad()
	d.checkContainer(dir)
	d.checkEndpoint()
	d.checkGPUs()
}

func absolute(dir, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	if abs, err := filepath.Abs(filepath.Join(dir, path)); err == nil {
		return abs
	}
	return path
}

func (d *decoder) checkSource(dir string) {
	w := &d.e.Workload
	if w.Source != "synthetic" {
		w.Source = absolute(dir, w.Source)
	}
	if w.Order == "shuffled" && w.Source == "synthetic" {
		d.wrong("workload.order", "synthetic prompts are random already; leave the key out")
	}
}

func (d *decoder) checkLoad() {
	l := &d.e.Workload.Load
	_, rate := d.set["workload.load.rate_per_second"]
	_, conc := d.set["workload.load.concurrency"]
	switch {
	case l.Pattern == "constant" && !rate && !d.refused["workload.load.rate_per_second"]:
		d.badAt(d.where("workload.load.pattern"), "workload.load.rate_per_second", "missing: the constant pattern needs it")
	case l.Pattern == "constant" && conc:
		d.wrong("workload.load.concurrency", "belongs to the closed pattern; for constant use max_in_flight")
	case l.Pattern == "closed" && rate:
		d.wrong("workload.load.rate_per_second", "belongs to the constant pattern: set workload.load.pattern: constant")
	case l.Pattern == "closed" && l.MaxInFlight > 0:
		d.wrong("workload.load.max_in_flight", "belongs to the constant pattern; for closed use concurrency")
	}
	if l.Pattern == "constant" {
		l.Concurrency = 0
	}
}

// checkContainer makes the sources of mounts absolute.
func (d *decoder) checkContainer(dir string) {
	mounts := d.e.Engine.Container.Mounts
	for i, m := range mounts {
		source, rest, _ := strings.Cut(m, ":")
		mounts[i] = absolute(dir, source) + ":" + rest
	}
}

// checkEndpoint refuses what an endpoint makes meaningless: keys of a container
// that nobody starts.
func (d *decoder) checkEndpoint() {
	at := d.e.Engine.Endpoint
	if at == "" {
		return
	}
	if _, err := url.Parse(at); err != nil {
		d.wrong("engine.endpoint", "%q: %v", at, err)
	}
	for _, p := range Paths() {
		if _, set := d.set[p]; set && ofContainer(p) {
			d.wrong(p, "belongs to a container that llem starts, and engine.endpoint names a server that already runs: leave one of them out")
		}
	}
	// Clients of OpenAI's API write the address with its version.
	d.e.Engine.Endpoint = strings.TrimRight(strings.TrimSuffix(strings.TrimRight(at, "/"), "/v1"), "/")
}

// ofContainer says whether a key means nothing without a container that llem
// starts.
func ofContainer(path string) bool {
	switch path {
	case "engine.image", "engine.pull", "engine.startup_timeout_seconds", "engine.args", "engine.env", "baseline.after":
		return true
	}
	return strings.HasPrefix(path, "engine.container.")
}

func (d *decoder) checkGPUs() {
	e := &d.e
	if b := e.Energy.Backend; e.GPUs.Mode == "none" && (b == "nvml" || b == "zeus") {
		d.wrong("energy.backend", "%s reads GPUs, and gpus is none", b)
	}
	if e.GPUs.Mode == "none" && e.GPUSettings != (GPUSettings{}) {
		d.wrong("gpu_settings", "sets GPUs, and gpus is none")
	}
	if e.GPUs.Mode == "none" && e.Parallel.Size() > 1 {
		d.wrong("parallel", "asks for %d GPUs, and gpus is none", e.Parallel.Size())
	}
	if e.GPUs.Mode == "list" && len(e.GPUs.IDs) != e.Parallel.Size() {
		d.badAt(d.where("parallel", "gpus"), "parallel", "tensor × pipeline × data is %d, and gpus lists %d: make them equal", e.Parallel.Size(), len(e.GPUs.IDs))
	}
}
