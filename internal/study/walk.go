package study

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// file walks one document. It is false where the file cannot be read as keys
// and values at all.
func (d *decoder) file(source string, data []byte) bool {
	d.in.layer = place{source: source}
	root, err := parse(data)
	if err != nil {
		d.in.unreadable(data, err)
		return false
	}
	if root == nil || root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
		return true // empty: everything from defaults and flags
	}
	d.in.layer.line = shown(data, root)
	if root.Kind != yaml.MappingNode {
		d.in.bad(root, "", "%s", notMapping(data, root))
		return false
	}
	if what := foreignFile(entries(root)); what != "" {
		d.in.bad(root, "", "the file is %s", what)
		return false
	}
	d.mapping("", root)
	return true
}

// remember keeps where a key was set.
func (d *decoder) remember(path string, at *yaml.Node) {
	p := d.in.layer
	p.node = at
	d.set[path] = p
}

// mapping walks the keys below path.
func (d *decoder) mapping(path string, n *yaml.Node) {
	if !d.in.enter(path, n) {
		return
	}
	defer d.in.leave()
	pairs, _ := d.in.pairs(path, n)
	for _, p := range pairs {
		k, v := p.key, p.value
		full := strings.TrimPrefix(path+"."+k.Value, ".")
		if path == "" && strings.HasPrefix(k.Value, "x-") {
			continue // holds anchors, as in a Compose file
		}
		if r, ok := row(full); ok {
			d.value(r, k, v)
			continue
		}
		children := below(full)
		switch {
		case len(children) == 0:
			d.in.bad(k, full, "unknown key; %s", advice(k.Value, path))
			d.refused["model"] = d.refused["model"] || habits[plainName(k.Value)] == "model" || plainName(k.Value) == "model"
		case v.Kind == yaml.MappingNode:
			d.mapping(full, v)
		default:
			d.in.bad(v, full, "is a group of keys (%s), not a value%s", strings.Join(children, ", "), insteadOf(full, v))
		}
	}
}

// advice says which key an unknown one under path may have meant: one of the
// same name elsewhere, one of a name like it here, or elsewhere.
func advice(name, path string) string {
	here := below(path)
	if strings.HasPrefix(name, "//") || strings.HasPrefix(name, "/*") {
		return "a comment begins with #"
	}
	name = plainName(name)
	if what, ok := lacking[name]; ok && strings.HasPrefix(path+".", "workload.") {
		return what + " are not in this version of llem: every request is one text"
	}
	if same := ending(name); len(same) > 0 && !slices.Contains(here, name) {
		return "did you mean " + strings.Join(same, " or ") + "?"
	}
	if known := habit(name); known != "" {
		return known
	}
	if near := nearest(name, here); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	if same := ending(nearest(name, lastNames())); len(same) > 0 {
		return "did you mean " + strings.Join(same, " or ") + "?"
	}
	return "here stand " + strings.Join(here, ", ")
}

// plainName is a key as ours are written.
func plainName(name string) string { return strings.ReplaceAll(strings.ToLower(name), "-", "_") }

// lacking are features of workloads elsewhere, by the names that they have there.
var lacking = map[string]string{
	"turns": "conversations of several turns", "multi_turn": "conversations of several turns", "conversations": "conversations of several turns",
	"images": "images", "image": "images", "multimodal": "images", "audio": "sounds",
}

// ending lists the keys and groups of that last name.
func ending(name string) []string {
	var out []string
	for _, path := range keyPaths() {
		for at, r := range path + "." {
			if r != '.' {
				continue
			}
			whole := path[:at]
			if whole[strings.LastIndex(whole, ".")+1:] == name && !slices.Contains(out, whole) {
				out = append(out, whole)
			}
		}
	}
	return out
}

func lastNames() []string {
	var out []string
	for _, path := range keyPaths() {
		out = append(out, strings.Split(path, ".")...)
	}
	return out
}

// below lists the names of the keys and groups directly under path.
func below(path string) []string {
	var out []string
	for _, k := range keys {
		rest := k.path
		if path != "" {
			var ok bool
			if rest, ok = strings.CutPrefix(k.path, path+"."); !ok {
				continue
			}
		}
		name, _, _ := strings.Cut(rest, ".")
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

// value checks one key's value against its row and stores it.
func (d *decoder) value(k key, at, v *yaml.Node) {
	null := v.Kind == yaml.ScalarNode && v.Tag == "!!null"
	switch {
	case k.later && null && v.Value != "": // says nothing
	case k.study && d.parts != nil:
		d.parts[k.path] = pair{at, v}
	case k.study:
		d.in.bad(at, k.path, "belongs to a study, and this is one experiment")
	case null:
		d.blank(k, at, v)
	case d.store(k, v):
		d.remember(k.path, v)
	default:
		d.refused[k.path] = true
	}
}

// blank tells an explicit null, which is a value for some keys, from a word
// that was forgotten.
func (d *decoder) blank(k key, at, v *yaml.Node) {
	explicit := v.Value != ""
	switch {
	case k.path == "energy.backend" && explicit:
		d.e.Energy.Backend = "none"
		d.remember(k.path, at)
	case k.path == "energy.backend":
		d.in.bad(at, k.path, "blank: write none (or null) to switch energy off, or auto")
	case explicit && k.def == nil:
		// null where the default is "nothing": as if the key were not there
	case k.kind == gpuList:
		d.in.bad(at, k.path, "blank: write none for no GPU, or leave the key out")
		d.refused[k.path] = true
	default:
		d.in.bad(at, k.path, "blank: give a value or leave the key out")
		d.refused[k.path] = true
	}
}
