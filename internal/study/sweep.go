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

// sweep reads the group of that name.
func (d *decoder) sweep(p pair) []axis {
	if p.value.Kind != yaml.MappingNode || len(p.value.Content) == 0 {
		d.bad(p.value, "sweep", "want axes such as workload.load.concurrency: [1, 8, 64]")
		return nil
	}
	pairs, _ := d.pairs("sweep", p.value)
	var axes []axis
	for _, p := range pairs {
		if a, ok := d.axis(p); ok {
			axes = append(axes, a)
		}
	}
	d.apart(axes)
	return axes
}

func (d *decoder) axis(p pair) (axis, bool) {
	name := p.key.Value
	a := axis{name: name, at: p.key}
	full := "sweep." + name
	switch {
	case p.value.Kind != yaml.SequenceNode:
		d.bad(p.value, full, "want a list: of values, or of alternatives")
		return a, false
	case len(p.value.Content) == 0:
		d.bad(p.value, full, "the list is empty: an axis of nothing makes a study of nothing")
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
		return a, d.values(&a, p)
	case maps < len(p.value.Content):
		d.bad(p.value, full, "mixes values and mappings: want either values of one key, or alternatives")
		return a, false
	}
	if _, _, ok := rowAt(name); ok || len(below(name)) > 0 {
		d.bad(p.key, full, "is a key of the experiment, and a list of mappings holds alternatives: name them otherwise, and write whole paths in them, such as {%s: …}", within(name))
		return a, false
	}
	a.named = true
	for i, n := range p.value.Content {
		a.options = append(a.options, d.alternative(fmt.Sprintf("%s[%d]", full, i), target(n))...)
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
func (d *decoder) values(a *axis, p pair) bool {
	if a.name == "name" {
		d.bad(p.key, "sweep.name", "points are named by what they change; leave it out")
		return false
	}
	return d.each(a, p.key, p.value.Content)
}

// alternative reads one mapping of paths; its lists multiply.
func (d *decoder) alternative(where string, n *yaml.Node) []option {
	axes, ok := d.settings(where, "", n, true)
	if !ok {
		return nil
	}
	total := 1
	for _, a := range axes {
		if total = times(total, len(a.options)); total > maxPoints {
			d.bad(n, where, "its lists multiply to more than %d", maxPoints)
			return nil
		}
	}
	if !d.spreads(total, where, n) {
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
func (d *decoder) settings(where, prefix string, n *yaml.Node, lists bool) ([]axis, bool) {
	if !d.enter(where, n) {
		return nil, false
	}
	defer d.leave()
	pairs, good := d.pairs(where, n)
	var out []axis
	for _, p := range pairs {
		path := strings.TrimPrefix(prefix+"."+p.key.Value, ".")
		var more []axis
		ok := true
		if p.value.Kind == yaml.MappingNode && opens(path, p.value) {
			more, ok = d.settings(where, path, p.value, lists)
		} else {
			var a axis
			a, ok = d.setting(path, p, lists)
			more = []axis{a}
		}
		out, good = append(out, more...), good && ok
	}
	if prefix == "" && good {
		good = d.apart(out)
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

func (d *decoder) setting(path string, p pair, lists bool) (axis, bool) {
	a := axis{name: path, at: p.key}
	if path == "name" {
		d.bad(p.key, path, "points of a sweep are named by what they change; leave it out")
		return a, false
	}
	nodes := []*yaml.Node{p.value}
	if lists && p.value.Kind == yaml.SequenceNode {
		if nodes = p.value.Content; len(nodes) == 0 {
			d.bad(p.value, path, "the list is empty; a list here holds values, so that an empty one is [[]]")
			return a, false
		}
	}
	return a, d.each(&a, p.key, nodes)
}

// each makes an option of every value of one key.
func (d *decoder) each(a *axis, at *yaml.Node, values []*yaml.Node) bool {
	if k, _, ok := rowAt(a.name); !ok || k.later {
		values = values[:1] // one complaint of the key is enough
	}
	good := true
	for _, n := range values {
		c, ok := d.change(a.name, at, n)
		a.options, good = append(a.options, option{changes: []change{c}}), good && ok
	}
	return good
}

// explicit reads the list of experiments.
func (d *decoder) explicit(p pair) []option {
	if p.value.Kind != yaml.SequenceNode || len(p.value.Content) == 0 {
		d.bad(p.value, "experiments", "want a list of experiments, each with what it changes of the shared keys; {} changes nothing")
		return nil
	}
	out := make([]option, 0, len(p.value.Content))
	for i, n := range p.value.Content {
		where := fmt.Sprintf("experiments[%d]", i)
		if n = target(n); n.Kind != yaml.MappingNode {
			d.bad(n, where, "want a mapping of keys to values")
			continue
		}
		o := option{}
		n, o.name = d.ownName(where, n)
		axes, _ := d.settings(where, "", n, false)
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
func (d *decoder) ownName(where string, n *yaml.Node) (*yaml.Node, string) {
	rest := *n
	rest.Content = nil
	name := ""
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value != "name" || name != "" {
			rest.Content = append(rest.Content, n.Content[i], n.Content[i+1])
			continue
		}
		before := d.problems()
		c, _ := d.change("name", n.Content[i], n.Content[i+1])
		name, _ = c.value.(string)
		if name == "" && d.problems() == before {
			d.bad(n.Content[i], where+".name", "blank: give a name or leave it out")
		}
	}
	return &rest, name
}

// apart refuses axes that set the same key, or one a part of another's.
func (d *decoder) apart(axes []axis) bool {
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
				d.bad(a.at, path, "is set here and by %s: a key belongs to one of them", other)
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
