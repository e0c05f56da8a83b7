package study

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// storeList takes a list of strings.
func (d *decoder) storeList(k key, f reflect.Value, v *yaml.Node) bool {
	if v.Kind != yaml.SequenceNode {
		d.bad(v, k.path, "want %s", k.want())
		return false
	}
	out, good := []string{}, true
	for i, n := range v.Content {
		s, ok := d.entry(k, fmt.Sprintf("%s[%d]", k.path, i), n, n)
		out, good = append(out, s), good && ok
	}
	if good {
		f.Set(reflect.ValueOf(out))
	}
	return good
}

// storeMap takes a mapping of strings, or of anything.
func (d *decoder) storeMap(k key, f reflect.Value, v *yaml.Node) bool {
	if v.Kind != yaml.MappingNode {
		d.bad(v, k.path, "want %s%s", k.want(), mapHint[k.path])
		return false
	}
	pairs, good := d.pairs(k.path, v)
	texts, values := map[string]string{}, map[string]any{}
	for _, p := range pairs {
		path, ok := k.path+"."+p.key.Value, true
		if name, _, both := strings.Cut(p.key.Value, "="); both && k.path != "workload.extra_body" {
			d.bad(p.key, k.path+"."+name, "a name and its value in one: write %s: VALUE", name)
			ok = false
		} else if k.kind == strs {
			texts[p.key.Value], ok = d.entry(k, path, p.key, p.value)
		} else {
			values[p.key.Value], ok = d.anything(path, p.value)
			ok = ok && d.fits(k, path, p, values[p.key.Value])
		}
		good = good && ok
	}
	switch {
	case !good:
	case k.kind == strs:
		f.Set(reflect.ValueOf(texts))
	default:
		f.Set(reflect.ValueOf(values))
	}
	return good
}

// entry is one string of a list or mapping; numbers and booleans are taken as
// they are written. at is where a blank one is reported.
func (d *decoder) entry(k key, path string, at, v *yaml.Node) (string, bool) {
	v = target(v)
	switch {
	case v.Kind == yaml.ScalarNode && !d.literal(k, path, v):
	case v.Kind != yaml.ScalarNode:
		d.bad(v, path, "want a string, not a %s", shape(v))
	case v.Tag == "!!null":
		d.bad(at, path, `blank: give a string, or "" for an empty one`)
	default:
		if err := k.matches(v.Value); err != nil {
			d.bad(v, path, "%v", err)
			return "", false
		}
		return v.Value, true
	}
	return "", false
}

// owned are the keys of a request that llem sets itself.
var owned = []string{"model", "prompt", "messages", "stream", "stream_options", "max_tokens", "seed", "temperature", "ignore_eos"}

// fits holds one entry of engine.args or workload.extra_body to what it is for.
func (d *decoder) fits(k key, path string, p pair, v any) bool {
	switch {
	case !d.literals(k, path, p.value):
	case k.path == argsPath && v == nil && p.value.Value == "":
		d.bad(p.key, path, "blank: give a value, or null to take out a flag that llem sets")
	case k.path == argsPath && v != nil && !flagValue(v):
		d.bad(p.value, path, "want a scalar or a list of scalars")
	case k.path == "workload.extra_body" && slices.Contains(owned, p.key.Value):
		d.bad(p.key, path, "is set by llem itself")
	default:
		return true
	}
	return false
}

// literals looks at a value and at all that are in it.
func (d *decoder) literals(k key, path string, v *yaml.Node) bool {
	good := d.literal(k, path, v)
	for i, n := range v.Content {
		switch {
		case v.Kind == yaml.SequenceNode:
			good = d.literals(k, fmt.Sprintf("%s[%d]", path, i), target(n)) && good
		case i%2 == 1:
			good = d.literals(k, path+"."+v.Content[i-1].Value, target(n)) && good
		}
	}
	return good
}

// mapHint says how a mapping is written that people have as a list elsewhere.
var mapHint = map[string]string{
	"engine.args": ", a flag's name without its dashes and its value: {max-model-len: 4096, enforce-eager: true}",
	"engine.env":  ", a variable's name and its value: {VLLM_LOGGING_LEVEL: DEBUG}",
}

// flagValue says whether v can stand on a command line.
func flagValue(v any) bool {
	switch v := v.(type) {
	case map[string]any, nil:
		return false
	case []any:
		return !slices.ContainsFunc(v, func(x any) bool {
			_, nested := x.([]any)
			return nested || !flagValue(x)
		})
	}
	return true
}

// anything is a value as JSON knows it.
func (d *decoder) anything(path string, n *yaml.Node) (any, bool) {
	n = target(n)
	if !d.enter(path, n) {
		return nil, false
	}
	defer d.leave()
	switch n.Kind {
	case yaml.MappingNode:
		pairs, good := d.pairs(path, n)
		out := map[string]any{}
		for _, p := range pairs {
			v, ok := d.anything(path+"."+p.key.Value, p.value)
			out[p.key.Value], good = v, good && ok
		}
		return out, good
	case yaml.SequenceNode:
		out, good := []any{}, true
		for i, c := range n.Content {
			v, ok := d.anything(fmt.Sprintf("%s[%d]", path, i), c)
			out, good = append(out, v), good && ok
		}
		return out, good
	}
	return d.scalar(path, n)
}

// scalar is one value as JSON knows it.
func (d *decoder) scalar(path string, n *yaml.Node) (any, bool) {
	if isText(n) {
		return n.Value, true
	}
	if hint := octalHint(n); hint != "" {
		d.bad(n, path, "%s, or quote it", hint)
		return nil, false
	}
	var v any
	err := n.Decode(&v)
	switch v := v.(type) {
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			d.bad(n, path, "%s is no number that can be sent (quote it)", n.Value)
			return nil, false
		}
	case nil, bool, int, int64, uint64:
	default:
		err = fmt.Errorf("neither a string, a number, true, false nor null")
	}
	if err != nil {
		d.bad(n, path, "want a string, a number, true, false or null (quote it)")
		return nil, false
	}
	return v, true
}

// enter counts values and their depth, since an alias can stand in what it
// stands for, and aliases of aliases can be without end.
func (d *decoder) enter(path string, n *yaml.Node) bool {
	switch d.budget--; {
	case d.depth == maxDepth:
		d.bad(n, path, "more than %d levels; does an alias stand in itself?", maxDepth)
		return false
	case d.budget == 0:
		d.bad(n, path, "aliases make more than %d values of the file", maxValues)
	}
	if d.budget > 0 {
		d.depth++
	}
	return d.budget > 0
}

func (d *decoder) leave() { d.depth-- }

// pair is one entry of a mapping, its value followed through aliases.
type pair struct{ key, value *yaml.Node }

// pairs are a mapping's entries, then those that it merges in (<<) and does not
// have itself.
func (d *decoder) pairs(path string, n *yaml.Node) (out []pair, good bool) {
	seen, merged := map[string]bool{}, []*yaml.Node{}
	good = true
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := target(n.Content[i]), target(n.Content[i+1])
		switch {
		case k.Tag == "!!merge" && v.Kind == yaml.SequenceNode:
			merged = append(merged, v.Content...)
			continue
		case k.Tag == "!!merge":
			merged = append(merged, v)
			continue
		case k.Kind != yaml.ScalarNode || k.Value == "":
			d.bad(k, path, "a key must be a word")
			good = false
			continue
		case seen[k.Value]:
			d.bad(k, strings.TrimPrefix(path+"."+k.Value, "."), "the key stands twice")
			good = false
			continue
		}
		seen[k.Value] = true
		out = append(out, pair{k, v})
	}
	for _, m := range merged {
		more, ok := d.merge(path, target(m))
		good = good && ok
		for _, p := range more {
			if !seen[p.key.Value] {
				seen[p.key.Value] = true
				out = append(out, p)
			}
		}
	}
	return out, good
}

func (d *decoder) merge(path string, n *yaml.Node) ([]pair, bool) {
	if n.Kind != yaml.MappingNode {
		d.bad(n, path, "<< takes mappings")
		return nil, false
	}
	if !d.enter(path, n) {
		return nil, false
	}
	defer d.leave()
	return d.pairs(path, n)
}
