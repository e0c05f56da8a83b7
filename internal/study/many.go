package study

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// list is a list of strings.
func (r *reader) list(k key, v *yaml.Node) ([]string, bool) {
	if v.Kind != yaml.SequenceNode {
		r.bad(v, k.path, "want %s", k.want())
		return nil, false
	}
	out, good := []string{}, true
	for i, n := range v.Content {
		s, ok := r.entry(k, fmt.Sprintf("%s[%d]", k.path, i), n, n)
		out, good = append(out, s), good && ok
	}
	return out, good
}

// mapping is a mapping of strings, or of anything.
func (r *reader) mapping(k key, v *yaml.Node) (any, bool) {
	if v.Kind != yaml.MappingNode {
		r.bad(v, k.path, "want %s%s", k.want(), mapHint[k.path])
		return nil, false
	}
	pairs, good := r.pairs(k.path, v)
	texts, values := map[string]string{}, map[string]any{}
	for _, p := range pairs {
		path, ok := k.path+"."+p.key.Value, true
		if name, _, both := strings.Cut(p.key.Value, "="); both && k.path != "workload.extra_body" {
			r.bad(p.key, k.path+"."+name, "a name and its value in one: write %s: VALUE", name)
			ok = false
		} else if k.kind == strs {
			texts[p.key.Value], ok = r.entry(k, path, p.key, p.value)
		} else {
			values[p.key.Value], ok = r.anything(path, p.value)
			ok = ok && r.fits(k, path, p, values[p.key.Value])
		}
		good = good && ok
	}
	if k.kind == strs {
		return texts, good
	}
	return values, good
}

// entry is one string of a list or mapping; numbers and booleans are taken as
// they are written. at is where a blank one is reported.
func (r *reader) entry(k key, path string, at, v *yaml.Node) (string, bool) {
	v = target(v)
	switch {
	case v.Kind == yaml.ScalarNode && !r.literal(k, path, v):
	case v.Kind != yaml.ScalarNode:
		r.bad(v, path, "want a string, not a %s", shape(v))
	case v.Tag == "!!null":
		r.bad(at, path, `blank: give a string, or "" for an empty one`)
	default:
		if err := k.matches(v.Value); err != nil {
			r.bad(v, path, "%v", err)
			return "", false
		}
		return v.Value, true
	}
	return "", false
}

// owned are the keys of a request that llem sets itself.
var owned = []string{"model", "prompt", "messages", "stream", "stream_options", "max_tokens", "seed", "temperature", "ignore_eos"}

// fits holds one entry of engine.args or workload.extra_body to what it is for.
func (r *reader) fits(k key, path string, p pair, v any) bool {
	switch {
	case !r.literals(k, path, p.value):
	case k.path == argsPath && v == nil && p.value.Value == "":
		r.bad(p.key, path, "blank: give a value, or null to take out a flag that llem sets")
	case k.path == argsPath && v != nil && !flagValue(v):
		r.bad(p.value, path, "want a scalar or a list of scalars")
	case k.path == "workload.extra_body" && slices.Contains(owned, p.key.Value):
		r.bad(p.key, path, "is set by llem itself")
	default:
		return true
	}
	return false
}

// literals looks at a value and at all that are in it.
func (r *reader) literals(k key, path string, v *yaml.Node) bool {
	good := r.literal(k, path, v)
	for i, n := range v.Content {
		switch {
		case v.Kind == yaml.SequenceNode:
			good = r.literals(k, fmt.Sprintf("%s[%d]", path, i), target(n)) && good
		case i%2 == 1:
			good = r.literals(k, path+"."+v.Content[i-1].Value, target(n)) && good
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
func (r *reader) anything(path string, n *yaml.Node) (any, bool) {
	n = target(n)
	if !r.enter(path, n) {
		return nil, false
	}
	defer r.leave()
	switch n.Kind {
	case yaml.MappingNode:
		pairs, good := r.pairs(path, n)
		out := map[string]any{}
		for _, p := range pairs {
			v, ok := r.anything(path+"."+p.key.Value, p.value)
			out[p.key.Value], good = v, good && ok
		}
		return out, good
	case yaml.SequenceNode:
		out, good := []any{}, true
		for i, c := range n.Content {
			v, ok := r.anything(fmt.Sprintf("%s[%d]", path, i), c)
			out, good = append(out, v), good && ok
		}
		return out, good
	}
	return r.scalar(path, n)
}

// scalar is one value as JSON knows it.
func (r *reader) scalar(path string, n *yaml.Node) (any, bool) {
	if isText(n) {
		return n.Value, true
	}
	if hint := octalHint(n); hint != "" {
		r.bad(n, path, "%s, or quote it", hint)
		return nil, false
	}
	var v any
	err := n.Decode(&v)
	switch v := v.(type) {
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			r.bad(n, path, "%s is no number that can be sent (quote it)", n.Value)
			return nil, false
		}
	case nil, bool, int, int64, uint64:
	default:
		err = fmt.Errorf("neither a string, a number, true, false nor null")
	}
	if err != nil {
		r.bad(n, path, "want a string, a number, true, false or null (quote it)")
		return nil, false
	}
	return v, true
}
