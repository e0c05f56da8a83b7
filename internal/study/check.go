package study

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
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
	name := strings.Trim(unsafe.ReplaceAllString(strings.ToLower(base+"-"+engine), "-"), "-.")
	if len(name) > 80 {
		name = name[:80]
	}
	if name == "" {
		name = "experiment"
	}
	return name
}

var safeName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)

// wrong records a problem of a key that passed its own row's check, at the
// layer that set it.
func (d *decoder) wrong(path, format string, args ...any) {
	if source, ok := d.set[path]; ok {
		d.source = source
	}
	d.bad(nil, path, format, args...)
}

// check holds keys against each other and makes paths absolute. dir is the
// file's folder.
func (d *decoder) check(dir string) {
	e := &d.e
	if e.Model == "" {
		d.wrong("model", "missing: name the model, in the file or with --model")
	}
	if !safeName.MatchString(e.Name) {
		d.wrong("name", "%q: use letters, digits, dot, dash and underscore, at most 100", e.Name)
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
	switch {
	case w.Source == "synthetic":
	case strings.HasPrefix(w.Source, "hf:"):
		d.wrong("workload.source", "%q: datasets of the hub are not in this version of llem; use synthetic or a .jsonl file", w.Source)
	case !strings.HasSuffix(w.Source, ".jsonl"):
		d.wrong("workload.source", "%q is neither synthetic nor a .jsonl file", w.Source)
	default:
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
	case l.Pattern == "constant" && !rate:
		d.wrong("workload.load.rate_per_second", "missing: the constant pattern needs it")
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
	for _, owned := range []string{"model", "prompt", "messages", "stream", "stream_options", "max_tokens", "seed", "temperature", "ignore_eos"} {
		if _, ok := d.e.Workload.ExtraBody[owned]; ok {
			d.wrong("workload.extra_body", "%q is set by llem itself", owned)
		}
	}
}

var (
	ulimit = regexp.MustCompile(`^(-1|[0-9]+)(:(-1|[0-9]+))?$`)
	cpuset = regexp.MustCompile(`^[0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*$`)
)

func (d *decoder) checkContainer(dir string) {
	c := &d.e.Engine.Container
	for name, v := range c.Ulimits {
		if !ulimit.MatchString(v) {
			d.wrong("engine.container.ulimits", "%s: %q is not soft[:hard]", name, v)
		}
	}
	if c.Cpuset != "" && !cpuset.MatchString(c.Cpuset) {
		d.wrong("engine.container.cpuset", "%q is no list of CPUs such as 0-3,8", c.Cpuset)
	}
	for i, m := range c.Mounts {
		source, rest, _ := strings.Cut(m, ":")
		target, mode, _ := strings.Cut(rest, ":")
		if source == "" || !strings.HasPrefix(target, "/") || mode != "" && mode != "ro" && mode != "rw" {
			d.wrong("engine.container.mounts", "%q is not source:/target[:ro|rw]", m)
			continue
		}
		c.Mounts[i] = absolute(dir, source) + ":" + rest
	}
	for _, dev := range c.Devices {
		if !strings.HasPrefix(dev, "/") {
			d.wrong("engine.container.devices", "%q is not /host[:/container[:rwm]]", dev)
		}
	}
	for name, v := range d.e.Engine.Args {
		if !flagValue(v) {
			d.wrong("engine.args", "%s: want a scalar or a list of scalars", name)
		}
	}
}

// flagValue says whether v can stand on a command line.
func flagValue(v any) bool {
	switch v := v.(type) {
	case map[string]any, map[any]any, nil:
		return false
	case []any:
		for _, x := range v {
			if _, nested := x.([]any); nested || !flagValue(x) {
				return false
			}
		}
	}
	return true
}

func (d *decoder) checkGPUs() {
	e := &d.e
	if b := e.Energy.Backend; e.GPUs.Mode == "none" && (b == "nvml" || b == "zeus") {
		d.wrong("energy.backend", "%s reads GPUs, and gpus is none", b)
	}
	if c := e.Energy.Country; len(c) != 3 || strings.Trim(c, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		d.wrong("energy.country", "%q is no country: write three capital letters (ISO 3166), such as USA or FRA", c)
	}
	if e.GPUs.Mode == "none" && e.GPUSettings != (GPUSettings{}) {
		d.wrong("gpu_settings", "sets GPUs, and gpus is none")
	}
	if e.GPUs.Mode == "none" && e.Parallel.Size() > 1 {
		d.wrong("parallel", "asks for %d GPUs, and gpus is none", e.Parallel.Size())
	}
	if e.GPUs.Mode == "list" && len(e.GPUs.IDs) != e.Parallel.Size() {
		d.wrong("parallel", "tensor × pipeline × data is %d, and gpus lists %d: make them equal", e.Parallel.Size(), len(e.GPUs.IDs))
	}
}

// String is the selection as the file writes it.
func (g GPUs) String() string {
	if g.Mode != "list" {
		return g.Mode
	}
	return fmt.Sprintf("[%s]", strings.Join(g.IDs, ", "))
}

// value is what canonical JSON and YAML hold.
func (g GPUs) value() any {
	if g.Mode != "list" {
		return g.Mode
	}
	out := make([]any, len(g.IDs))
	for i, id := range g.IDs {
		out[i] = id
		if n, err := strconv.Atoi(id); err == nil {
			out[i] = n
		}
	}
	return out
}

// MarshalJSON writes auto, none, or a list.
func (g GPUs) MarshalJSON() ([]byte, error) { return jsonOf(g.value()) }

// MarshalYAML writes auto, none, or a list.
func (g GPUs) MarshalYAML() (any, error) { return g.value(), nil }
