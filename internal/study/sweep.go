package study

import (
	"cmp"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"
)

// axis is one entry of a sweep: a key's values, or alternatives.
type axis struct {
	name    string
	at      *yaml.Node
	options []option
	named   bool // alternatives, by a name of their own
}

// option is what one value of an axis, or one of the experiments, changes.
type option struct {
	name    string // given by the file, or empty
	changes []change
}

// variants reads what a study's points differ in.
type variants struct {
	in     *reader
	blanks *decoder // with nothing but defaults
	spread int      // values that lists and aliases make
}

// sweep reads the group of that name.
func (v *variants) sweep(p pair) []axis {
	if p.value.Kind != yaml.MappingNode || len(p.value.Content) == 0 {
		v.in.bad(p.value, "sweep", "want axes such as workload.load.concurrency: [1, 8, 64]")
		return nil
	}
	pairs, _ := v.in.pairs("sweep", p.value)
	var axes []axis
	for _, p := range pairs {
		if a, ok := v.axis(p); ok {
			axes = append(axes, a)
		}
	}
	v.in.apart(axes)
	return axes
}

func (v *variants) axis(p pair) (axis, bool) {
	name := p.key.Value
	a := axis{name: name, at: p.key}
	full := "sweep." + name
	switch {
	case p.value.Kind != yaml.SequenceNode:
		v.in.bad(p.value, full, "want a list: of values, or of alternatives")
		return a, false
	case len(p.value.Content) == 0:
		v.in.bad(p.value, full, "the list is empty: an axis of nothing makes a study of nothing")
		return a, false
	}
	maps := 0
	for _, n := range p.value.Content {
		if target(n).Kind == yaml.MappingNode {
			maps++
		}
	}
	switch {
	case maps == 0:
		return a, v.values(&a, p)
	case maps < len(p.value.Content):
		v.in.bad(p.value, full, "mixes values and mappings: want either values of one key, or alternatives")
		return a, false
	}
	if _, _, ok := rowAt(name); ok || len(below(name)) > 0 {
		v.in.bad(p.key, full, "is a key of the experiment, and a list of mappings holds alternatives: name them otherwise, and write whole paths in them, such as {%s: …}", within(name))
		return a, false
	}
	a.named = true
	for i, n := range p.value.Content {
		a.options = append(a.options, v.alternative(fmt.Sprintf("%s[%d]", full, i), target(n))...)
	}
	return a, len(a.options) > 0
}

// within is an example of a path at or under name.
func within(name string) string {
	k, child, ok := rowAt(name)
	switch {
	case ok && len(child) == 0 && (k.kind == anys || k.kind == strs):
		return name + ".NAME"
	case !ok:
		return name + "." + below(name)[0]
	}
	return name
}

// values reads a list of one key's values.
func (v *variants) values(a *axis, p pair) bool {
	if a.name == "name" {
		v.in.bad(p.key, "sweep.name", "points are named by what they change; leave it out")
		return false
	}
	return v.each(a, p.key, p.value.Content)
}

// alternative reads one mapping of paths; its lists multiply.
func (v *variants) alternative(where string, n *yaml.Node) []option {
	axes, ok := v.settings(where, "", n, true)
	if !ok {
		return nil
	}
	total := 1
	for _, a := range axes {
		if total = times(total, len(a.options)); total > maxPoints {
			v.in.bad(n, where, "its lists multiply to more than %d", maxPoints)
			return nil
		}
	}
	if !v.spreads(total, where, n) {
		return nil
	}
	out := make([]option, total)
	for i := range out {
		for _, o := range pick(axes, i) {
			out[i].changes = append(out[i].changes, o.changes...)
		}
	}
	return out
}

// settings reads the paths under prefix, which may be nested, dotted or both.
// With lists, a list holds values of its key; else it is one.
func (v *variants) settings(where, prefix string, n *yaml.Node, lists bool) ([]axis, bool) {
	if !v.in.enter(where, n) {
		return nil, false
	}
	defer v.in.leave()
	pairs, good := v.in.pairs(where, n)
	var out []axis
	for _, p := range pairs {
		path := strings.TrimPrefix(prefix+"."+p.key.Value, ".")
		var more []axis
		ok := true
		if p.value.Kind == yaml.MappingNode && opens(path, p.value) {
			more, ok = v.settings(where, path, p.value, lists)
		} else {
			var a axis
			a, ok = v.setting(path, p, lists)
			more = []axis{a}
		}
		out, good = append(out, more...), good && ok
	}
	if prefix == "" && good {
		good = v.in.apart(out)
	}
	return out, good
}

// opens says whether a mapping at path is of more paths, and not a value or
// what nobody knows.
func opens(path string, v *yaml.Node) bool {
	k, child, ok := rowAt(path)
	switch {
	case !ok:
		return len(below(path)) > 0
	case k.study:
		return false
	case k.path == bodyPath:
		return len(child) == 0 || len(v.Content) > 0
	}
	return len(child) == 0 && (k.kind == strs || k.kind == anys)
}

func (v *variants) setting(path string, p pair, lists bool) (axis, bool) {
	a := axis{name: path, at: p.key}
	if path == "name" {
		v.in.bad(p.key, path, "points of a sweep are named by what they change; leave it out")
		return a, false
	}
	nodes := []*yaml.Node{p.value}
	if lists && p.value.Kind == yaml.SequenceNode {
		if nodes = p.value.Content; len(nodes) == 0 {
			v.in.bad(p.value, path, "the list is empty; a list here holds values, so that an empty one is [[]]")
			return a, false
		}
	}
	return a, v.each(&a, p.key, nodes)
}

// each makes an option of every value of one key.
func (v *variants) each(a *axis, at *yaml.Node, values []*yaml.Node) bool {
	if k, _, ok := rowAt(a.name); !ok || k.later {
		values = values[:1] // one complaint of the key is enough
	}
	good := true
	for _, n := range values {
		c, ok := v.change(a.name, at, n)
		a.options, good = append(a.options, option{changes: []change{c}}), good && ok
	}
	return good
}

// explicit reads the list of experiments.
func (v *variants) explicit(p pair) []option {
	if p.value.Kind != yaml.SequenceNode || len(p.value.Content) == 0 {
		v.in.bad(p.value, "experiments", "want a list of experiments, each with what it changes of the shared keys; {} changes nothing")
		return nil
	}
	out := make([]option, 0, len(p.value.Content))
	for i, n := range p.value.Content {
		where := fmt.Sprintf("experiments[%d]", i)
		if n = target(n); n.Kind != yaml.MappingNode {
			v.in.bad(n, where, "want a mapping of keys to values")
			continue
		}
		o := option{}
		n, o.name = v.ownName(where, n)
		axes, _ := v.settings(where, "", n, false)
		for _, a := range axes {
			for _, one := range a.options {
				o.changes = append(o.changes, one.changes...)
			}
		}
		out = append(out, o)
	}
	return out
}

// ownName takes the name out of one of the experiments.
func (v *variants) ownName(where string, n *yaml.Node) (*yaml.Node, string) {
	rest := *n
	rest.Content = nil
	name := ""
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value != "name" || name != "" {
			rest.Content = append(rest.Content, n.Content[i], n.Content[i+1])
			continue
		}
		before := v.in.issues.count()
		c, _ := v.change("name", n.Content[i], n.Content[i+1])
		name, _ = c.value.(string)
		if name == "" && v.in.issues.count() == before {
			v.in.bad(n.Content[i], where+".name", "blank: give a name or leave it out")
		}
	}
	return &rest, name
}

// apart refuses axes that set the same key, or one a part of another's.
func (r *reader) apart(axes []axis) bool {
	by := map[string]string{}   // the axis that sets a path
	part := map[string]string{} // the axis that sets a part of a path
	good := true
	for _, a := range axes {
		own := map[string]bool{}
		for _, o := range a.options {
			for _, c := range o.changes {
				own[c.path] = true
			}
		}
		for _, path := range sorted(own) {
			other := clash(by, part, path)
			if other != "" {
				r.bad(a.at, path, "is set here and by %s: a key belongs to one of them", other)
				good = false
				break
			}
		}
		for path := range own {
			by[path] = a.name
			for _, p := range parents(path) {
				part[p] = a.name
			}
		}
	}
	return good
}

// clash is the axis that sets path, a part of it, or what it is a part of.
func clash(by, part map[string]string, path string) string {
	for _, p := range parents(path) {
		if by[p] != "" {
			return by[p]
		}
	}
	return cmp.Or(by[path], part[path])
}

// parents are the paths that a path stands below.
func parents(path string) []string {
	var out []string
	for i, r := range path {
		if r == '.' {
			out = append(out, path[:i])
		}
	}
	return out
}
