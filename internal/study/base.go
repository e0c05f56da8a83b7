package study

import (
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// stack is a study's file on those that it stands on.
type stack struct {
	d     *decoder
	bases map[string]bool // files that were read as a base
}

// read reads a file and, before it, the one that it names as its base. chain
// is the files that led here, itself included.
func (s stack) read(name string, data []byte, chain []string) bool {
	d, readable := s.d, true
	if at, v, ok := baseOf(data); ok {
		root, _ := parse(data)
		d.in.layer = place{source: name, line: shown(data, root)}
		if path, text, ok := d.in.base(name, at, v, chain); ok {
			own := d.parts
			d.parts = map[string]pair{}
			readable = s.read(path, text, append(slices.Clone(chain), identity(path)))
			s.bases[path] = true
			d.anchor(filepath.Dir(path))
			for _, key := range sorted(d.parts) {
				if key != "base" {
					d.in.bad(d.parts[key].key, key, "belongs to the study, and this is the base of %s", name)
				}
			}
			d.parts = own
		}
	}
	below := s.mappings()
	readable = d.file(name, data) && readable
	d.merged(name, below)
	return readable
}

// baseOf is the key base of a file and its value.
func baseOf(data []byte) (at, v *yaml.Node, ok bool) {
	root, err := parse(data)
	if err != nil || root == nil || root.Kind != yaml.MappingNode {
		return nil, nil, false
	}
	for _, p := range entries(root) {
		if p.key.Value == "base" {
			return p.key, p.value, p.value.Tag != "!!null" || p.value.Value == ""
		}
	}
	return nil, nil, false
}

// base reads the file that v names.
func (r *reader) base(name string, at, v *yaml.Node, chain []string) (path string, text []byte, ok bool) {
	if v.Kind != yaml.ScalarNode || !isText(v) || v.Value == "" {
		r.bad(at, "base", "want the name of an experiment file, relative to this one")
		return "", nil, false
	}
	path = v.Value
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(name), path)
	}
	if i := slices.Index(chain, identity(path)); i >= 0 {
		shownChain := make([]string, 0, len(chain)+1)
		for _, c := range append(slices.Clone(chain[i:]), identity(path)) {
			shownChain = append(shownChain, filepath.Base(c))
		}
		r.bad(v, "base", "includes itself: %s", strings.Join(shownChain, " → "))
		return "", nil, false
	}
	st, err := os.Stat(path)
	if err == nil && !st.Mode().IsRegular() {
		r.bad(v, "base", "%s is no file", path)
		return "", nil, false
	}
	if err == nil {
		_, text, err = Read(path)
	}
	if err != nil {
		r.bad(v, "base", "%v", err)
		return "", nil, false
	}
	return path, text, true
}

// identity is what a file is the same by, whatever it is called.
func identity(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	return path
}

// anchor makes the paths absolute that the file just read has set: they are
// relative to its folder, not to that of the file which stands on it.
func (d *decoder) anchor(dir string) {
	here := func(path string) bool { return d.set[path].source == d.in.layer.source }
	if m := d.e.Model; here("model") && local(m) {
		d.e.Model = absolute(dir, m)
	}
	if here("engine.api_key_file") && d.e.Engine.APIKeyFile != "" {
		d.e.Engine.APIKeyFile = absolute(dir, d.e.Engine.APIKeyFile)
	}
	if here("engine.headers_file") && d.e.Engine.HeadersFile != "" {
		d.e.Engine.HeadersFile = absolute(dir, d.e.Engine.HeadersFile)
	}
	if here("workload.source") {
		d.e.Workload.Source = sourceAt(dir, d.e.Workload.Source)
	}
	if here("workload.lengths.file") && d.e.Workload.Lengths.File != "" {
		d.e.Workload.Lengths.File = absolute(dir, d.e.Workload.Lengths.File)
	}
	if here("workload.load.file") && d.e.Workload.Load.File != "" {
		d.e.Workload.Load.File = absolute(dir, d.e.Workload.Load.File)
	}
	if here("engine.container.mounts") {
		absoluteMounts(dir, d.e.Engine.Container.Mounts)
	}
}

// mappings are the values of keys that are mappings, by path, where a base has
// set them. Those of the user's own file are replaced, as for an experiment.
func (s stack) mappings() map[string]any {
	out := map[string]any{}
	for _, k := range keys {
		if !k.later && (k.kind == strs || k.kind == anys) && s.bases[s.d.set[k.path].source] {
			out[k.path] = s.d.field(k.path).Interface()
		}
	}
	return out
}

// merged puts the mappings that file name has set over those below it.
func (d *decoder) merged(name string, below map[string]any) {
	for path, was := range below {
		if d.set[path].source != name {
			continue
		}
		f := d.field(path)
		switch was := was.(type) {
		case map[string]string:
			m := maps.Clone(was)
			maps.Copy(m, f.Interface().(map[string]string))
			f.Set(reflect.ValueOf(m))
		case map[string]any:
			f.Set(reflect.ValueOf(over(was, f.Interface().(map[string]any))))
		}
	}
}

// over is a with b merged into it at every depth.
func over(a, b map[string]any) map[string]any {
	out := maps.Clone(a)
	for k, v := range b {
		lower, ok := out[k].(map[string]any)
		if upper, both := v.(map[string]any); ok && both {
			v = over(lower, upper)
		}
		out[k] = v
	}
	return out
}
