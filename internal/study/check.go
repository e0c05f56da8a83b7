package study

import (
	"cmp"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/llenergymeasure/llem/internal/pattern"
)

// dependent applies the defaults that depend on other keys.
func (d *decoder) dependent() {
	e := &d.e
	if _, ok := d.set["workload.prompts"]; !ok {
		e.Workload.Prompts = max(100, 10*e.Workload.Load.Concurrency)
		if d.quick {
			e.Workload.Prompts = 8 * e.Workload.Load.Concurrency
		}
		if e.Workload.MinSeconds > 0 {
			e.Workload.Prompts = 1
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
	base := ""
	if m := strings.TrimRight(cmp.Or(e.Model, e.Engine.ServedModel), "/"); m != "" {
		base = filepath.Base(m)
	}
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
	d.in.badAt(d.where(path), path, format, args...)
}

// where is the place that set the first of these keys or groups that was set.
func (d *decoder) where(paths ...string) place {
	for _, path := range paths {
		for _, p := range keyPaths() {
			if set, ok := d.set[p]; ok && (p == path || strings.HasPrefix(p, path+".")) {
				return set
			}
		}
	}
	return d.in.layer
}

// check holds keys against each other and makes paths absolute. dir is the
// file's folder.
func (d *decoder) check(dir string) {
	e := &d.e
	if e.Model == "" {
		e.Model = e.Engine.ServedModel
	}
	if e.Model == "" && !d.refused["model"] && e.Engine.Endpoint == "" {
		d.wrong("model", "missing: name the model, in the file or with --model")
	}
	for _, file := range []*string{&e.Engine.APIKeyFile, &e.Engine.HeadersFile} {
		if *file != "" {
			*file = absolute(dir, *file)
		}
	}
	if local(e.Model) {
		e.Model = absolute(dir, e.Model)
	}
	e.Output.Dir, e.Energy.Python = fromHome(e.Output.Dir), fromHome(e.Energy.Python)
	if e.Revision != "main" && filepath.IsAbs(e.Model) {
		d.wrong("revision", "%q: only models on the hub have revisions", e.Revision)
	}
	checkSource(d, dir)
	checkLengths(d, dir)
	checkLoad(d)
	checkTrace(d, dir)
	checkStopping(d)
	absoluteMounts(dir, e.Engine.Container.Mounts)
	checkEndpoint(d)
	checkGPUs(d)
}

func absolute(dir, path string) string {
	path = fromHome(path)
	if filepath.IsAbs(path) {
		return path
	}
	if abs, err := filepath.Abs(filepath.Join(dir, path)); err == nil {
		return abs
	}
	return path
}

// sourceAt makes a file of prompts absolute.
func sourceAt(dir, source string) string {
	if source == "synthetic" || strings.HasPrefix(source, "hf:") {
		return source
	}
	return absolute(dir, source)
}

func checkSource(d *decoder, dir string) {
	w := &d.e.Workload
	w.Source = sourceAt(dir, w.Source)
	if w.Column != "" && w.Source == "synthetic" {
		d.wrong("workload.column", "is of a file of prompts, and workload.source is synthetic: leave it out")
	}
	if w.Template != "" && w.Source == "synthetic" {
		d.wrong("workload.template", "is of a file of prompts, and workload.source is synthetic: leave it out")
	}
	if w.Template != "" && w.Column != "" {
		d.wrong("workload.template", "says what is sent, and so does workload.column: leave one of them out")
	}
	if w.Order == "shuffled" && w.Source == "synthetic" {
		d.wrong("workload.order", "synthetic prompts are random already; leave the key out")
	}
}

// loadKeys are the load's keys in the order of their checks: that which open loops share
// comes after those of a pattern.
var loadKeys = func() []pattern.Key {
	keys := pattern.Keys()
	shared := slices.IndexFunc(keys, func(k pattern.Key) bool { return loadPath+"."+k.Name == maxInFlight })
	last := keys[shared]
	return append(slices.Delete(keys, shared, shared+1), last)
}()

func checkLoad(d *decoder) {
	l := &d.e.Workload.Load
	for _, k := range loadKeys {
		path := loadPath + "." + k.Name
		_, set := d.set[path]
		switch {
		case !set && l.Needs(k.Name) && !d.refused[path]:
			d.in.badAt(d.where(patternPath), path, "missing: the %s pattern needs it", l.Pattern)
		case set && !l.Takes(k.Name) && !(path == maxInFlight && l.MaxInFlight == 0):
			needs, may := pattern.Of(k)
			d.wrong(path, "belongs to the pattern %s, and the load's is %s%s", strings.Join(slices.Concat(needs, may), ", "), l.Pattern, k.Instead)
		}
	}
	if l.Open() {
		l.Concurrency = 0
	}
	for _, k := range loadKeys {
		if k.Wrong == nil {
			continue
		}
		if why := k.Wrong(*l); why != "" {
			d.wrong(loadPath+"."+k.Name, "%s", why)
		}
	}
}

// checkTrace makes a trace's path absolute, and refuses what it takes the place of.
func checkTrace(d *decoder, dir string) {
	w := &d.e.Workload
	if !w.Load.Recorded() {
		return
	}
	if w.Load.File != "" {
		w.Load.File = absolute(dir, w.Load.File)
	}
	if w.Source != "synthetic" {
		d.wrong("workload.source", "a trace says how long prompts are, so that they are synthetic: leave the key out")
	}
	if _, set := d.set[maxInFlight]; set && w.Load.MaxInFlight == 0 {
		d.wrong(maxInFlight, "0 is no limit, and a trace must have one, which engines are started by: give the most requests at once")
	}
}

// checkStopping holds the seconds of a load against each other, and its schedule
// against what can be run.
func checkStopping(d *decoder) {
	w := d.e.Workload
	if w.MaxSeconds > 0 && w.MaxSeconds < w.MinSeconds {
		d.wrong("workload.max_seconds", "%g is less than workload.min_seconds %g", w.MaxSeconds, w.MinSeconds)
	}
	if !w.Load.Open() || w.Load.Recorded() || d.in.issues.count() > 0 {
		return
	}
	switch n, seconds := w.Planned(w.Load.Due); {
	case n > pattern.MaxRequests:
		d.in.badAt(d.where("workload.load", "workload"), "workload.load", "over %.0f requests are due within workload.min_seconds %g: lower one of them", float64(pattern.MaxRequests), w.MinSeconds)
	case seconds > pattern.Week:
		d.in.badAt(d.where("workload.load", "workload"), "workload.load", "%d requests take %.3g days at this rate, and a schedule may take 7: raise the rate, lower workload.prompts, or set workload.max_seconds", n, seconds/24/3600)
	}
}

// absoluteMounts makes the sources of mounts absolute.
func absoluteMounts(dir string, mounts []string) {
	for i, m := range mounts {
		source, rest, _ := strings.Cut(m, ":")
		mounts[i] = absolute(dir, source) + ":" + rest
	}
}

// checkEndpoint refuses what an endpoint makes meaningless: keys of a container
// that nobody starts.
func checkEndpoint(d *decoder) {
	at := d.e.Engine.Endpoint
	if at == "" {
		return
	}
	if _, err := url.Parse(at); err != nil {
		d.wrong("engine.endpoint", "%q: %v", at, err)
	}
	for _, p := range keyPaths() {
		if _, set := d.set[p]; set && ofContainer(p) {
			d.wrong(p, "belongs to a container that llem starts, and engine.endpoint names a server that already runs: leave one of them out")
		}
	}
	if d.e.Workload.HTTP == H2C && strings.HasPrefix(at, "https:") {
		d.wrong("workload.http", "h2c is HTTP/2 without TLS, and engine.endpoint is %s: leave one of them out", at)
	}
	// Clients of OpenAI's API write the address with its version, or a route.
	at = strings.TrimRight(at, "/")
	for _, route := range []string{"/chat/completions", "/completions", "/models"} {
		at = strings.TrimSuffix(at, "/v1"+route)
	}
	d.e.Engine.Endpoint = strings.TrimRight(strings.TrimSuffix(at, "/v1"), "/")
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

func checkGPUs(d *decoder) {
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
		d.in.badAt(d.where("parallel", "gpus"), "parallel", "tensor × pipeline × data is %d, and gpus lists %d: make them equal", e.Parallel.Size(), len(e.GPUs.IDs))
	}
}
