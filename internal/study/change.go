package study

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// change is one value that a point has in place of the shared one.
type change struct {
	path  string   // with dots: engine.args.quantization
	row   key      // the key that it sets, or a part of
	child []string // names below a key that is a mapping; empty: the key itself
	value any
	unset bool // the key, or the part, is as if nobody had set it
	at    place
}

// rowAt is the key that a dotted path names, or the mapping that it leads into
// and the names below that. Only the mapping of a request's body has more than
// one level: a flag's name has dots of its own.
func rowAt(path string) (k key, child []string, ok bool) {
	if k, ok = row(path); ok {
		return k, nil, true
	}
	for _, k := range keys {
		rest, below := strings.CutPrefix(path, k.path+".")
		if !below || rest == "" || k.later || k.kind != strs && k.kind != anys {
			continue
		}
		if k.path == bodyPath {
			return k, strings.Split(rest, "."), true
		}
		return k, []string{rest}, true
	}
	return key{}, nil, false
}

// Mappings in which null is a value: of a flag, that it is not passed.
const (
	bodyPath = "workload.extra_body"
	argsPath = "engine.args"
)

// change checks one value of a dotted path. at is the key in the file. It is
// false where a problem was reported.
func (v *variants) change(path string, at, n *yaml.Node) (change, bool) {
	n = target(n)
	k, child, ok := rowAt(path)
	if !ok || k.study {
		noPath(v.in, path, at)
		return change{}, false
	}
	if !v.spreads(1, path, at) {
		return change{}, false
	}
	c := change{path: path, row: k, child: child, at: v.in.layer}
	c.at.node = n
	explicit := n.Kind == yaml.ScalarNode && n.Tag == "!!null" && n.Value != ""
	if explicit && (len(child) == 0 && k.def == nil || len(child) > 0 && k.path != bodyPath && k.path != argsPath) {
		c.unset, c.at.node = true, at
		c.value = v.blanks.field(k.path).Interface()
		return c, true
	}
	before := v.in.issues.count()
	if len(child) == 0 {
		d := *v.blanks // a place to store and check the one value
		d.in = *v.in
		d.in.depth = 0
		d.value(k, at, n)
		v.in.budget, v.in.issues = d.in.budget, d.in.issues
		c.value = d.field(k.path).Interface()
	} else {
		c.value = v.in.part(k, path, child[0], pair{at, n})
	}
	return c, v.in.issues.count() == before
}

// spreads counts what a study's lists and aliases make of its file, and says
// once that it is too much.
func (v *variants) spreads(n int, path string, at *yaml.Node) bool {
	const most = 2 * maxPoints // twice, so that a grid's own limit is met before
	if v.spread += n; v.spread > most && v.spread-n <= most {
		v.in.bad(at, path, "with all before it, the study's lists and aliases make more than %d values", most)
	}
	return v.spread <= most
}

// part is one value below a key that is a mapping.
func (r *reader) part(k key, path, name string, p pair) any {
	if p.value.Kind == yaml.ScalarNode && p.value.Tag == "!!null" && p.value.Value == "" {
		r.bad(p.key, path, "blank: give a value or leave it out")
		return nil
	}
	if k.kind == strs {
		s, _ := r.entry(k, path, p.key, p.value)
		return s
	}
	v, ok := r.anything(path, p.value)
	if ok {
		named := *p.key
		named.Value = name
		r.fits(k, path, pair{&named, p.value}, v)
	}
	return v
}

// noPath reports a path that a point cannot set, and the nearest that it can.
func noPath(r *reader, path string, at *yaml.Node) {
	root, _, _ := strings.Cut(path, ".")
	parent, name := "", path
	if i := strings.LastIndexByte(path, '.'); i >= 0 {
		parent, name = path[:i], path[i+1:]
	}
	switch k, _ := row(root); {
	case k.study:
		r.bad(at, path, "%s is the study's own: a point cannot set it", root)
	case len(below(path)) > 0:
		r.bad(at, path, "is a group of keys (%s), not a value", strings.Join(below(path), ", "))
	case nearestPath(path) != "":
		r.bad(at, path, "unknown key; did you mean %q?", nearestPath(path))
	case parent == "" && strings.HasPrefix(advice(name, ""), "here stand"), len(below(parent))+len(ending(name)) == 0:
		r.bad(at, path, "unknown key; write its whole path, such as workload.load.concurrency")
	default:
		r.bad(at, path, "unknown key; %s", advice(name, parent))
	}
}

// nearestPath is the path closest to one that does not exist, name by name;
// where that leads into a mapping, the rest of it is kept.
func nearestPath(path string) string {
	at := ""
	for i, name := range strings.Split(path, ".") {
		if k, ok := row(at); ok && (k.kind == strs || k.kind == anys) {
			return at + "." + strings.Join(strings.Split(path, ".")[i:], ".")
		}
		here := slices.DeleteFunc(below(at), func(name string) bool { k, _ := row(name); return at == "" && k.study })
		if !slices.Contains(here, name) {
			name = nearest(strings.ReplaceAll(name, "-", "_"), here)
		}
		if name == "" {
			return ""
		}
		at = strings.TrimPrefix(at+"."+name, ".")
	}
	return at
}

// apply makes the change in d, whose maps are left as they are for others.
func (c change) apply(d *decoder) {
	f := d.field(c.row.path)
	switch {
	case len(c.child) > 0 && c.row.kind == strs:
		m := maps.Clone(f.Interface().(map[string]string))
		if delete(m, c.child[0]); !c.unset {
			m[c.child[0]] = c.value.(string)
		}
		f.Set(reflect.ValueOf(m))
	case len(c.child) > 0:
		f.Set(reflect.ValueOf(c.within(f.Interface().(map[string]any), c.child)))
	case c.unset:
		f.Set(reflect.ValueOf(c.value))
		delete(d.set, c.row.path)
		return
	default:
		f.Set(reflect.ValueOf(c.value))
	}
	if d.set[c.row.path] = c.at; c.unset && f.Len() == 0 {
		delete(d.set, c.row.path)
	}
}

// within is m with the change made below names.
func (c change) within(m map[string]any, names []string) map[string]any {
	m = maps.Clone(m)
	if m == nil {
		m = map[string]any{}
	}
	inner, isMap := m[names[0]].(map[string]any)
	adds, empty := c.value.(map[string]any)
	switch {
	case len(names) > 1:
		m[names[0]] = c.within(inner, names[1:])
	case c.unset:
		delete(m, names[0])
	case isMap && empty && len(adds) == 0: // adds nothing
	default:
		m[names[0]] = c.value
	}
	return m
}

// text is the value as names and tables have it.
func (c change) text() string {
	if c.unset {
		return "null"
	}
	if g, ok := c.value.(GPUs); ok {
		return g.String()
	}
	if s, ok := c.value.(string); ok {
		return s
	}
	data, err := jsonOf(c.value)
	if err != nil {
		return fmt.Sprint(c.value)
	}
	return string(data)
}
