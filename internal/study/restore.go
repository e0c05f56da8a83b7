package study

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Restored is a secret that a written configuration has lost: its key, and the
// environment variable that was asked for it; empty: the secret is a part of the
// value, which no variable gives back.
type Restored struct {
	Path, Variable string
	Found          bool
}

// Restore puts back the secrets that EffectiveYAML has redacted, each from the
// variable of its own name: HF_TOKEN of engine.env from HF_TOKEN, api-key from
// API_KEY, the user under auth from AUTH_USER. It says which were asked for. The
// receiver is not changed.
func (e Experiment) Restore(lookup func(variable string) (value string, ok bool)) (Experiment, []Restored) {
	r := restorer{lookup: lookup}
	e.Engine.Env = maps.Clone(e.Engine.Env)
	for _, name := range slices.Sorted(maps.Keys(e.Engine.Env)) {
		switch v := e.Engine.Env[name]; {
		case secret(name) && v == redacted:
			e.Engine.Env[name] = r.ask("engine.env."+name, name, redacted)
		case v != redacted && strings.Contains(v, redacted):
			e.Engine.Env[name] = r.ask("engine.env."+name, name, v)
		}
	}
	e.Engine.Args = r.mapping("engine.args", "", e.Engine.Args, false)
	e.Workload.ExtraBody = r.mapping("workload.extra_body", "", e.Workload.ExtraBody, false)
	return e, r.list
}

// Lost says in words which secrets nobody gave back, and what would.
func Lost(list []Restored) string {
	var out []string
	for _, s := range list {
		switch {
		case s.Found:
		case s.Variable == "":
			out = append(out, s.Path+", of which a secret is a part, in a file")
		default:
			out = append(out, fmt.Sprintf("%s by the variable %s", s.Path, s.Variable))
		}
	}
	return strings.Join(out, ", ")
}

type restorer struct {
	lookup func(string) (string, bool)
	list   []Restored
}

// ask returns the variable's value, or what was written where it is not set.
func (r *restorer) ask(path, variable, written string) string {
	v, ok := r.lookup(variable)
	if ok = ok && v != ""; !ok {
		v = written
	}
	r.list = append(r.list, Restored{Path: path, Variable: variable, Found: ok})
	return v
}

// mapping copies m, whose keys stand under path; name is path as a variable has
// it.
func (r *restorer) mapping(path, name string, m map[string]any, under bool) map[string]any {
	out := maps.Clone(m)
	for _, key := range slices.Sorted(maps.Keys(m)) {
		v := strings.ToUpper(strings.NewReplacer("-", "_", ".", "_").Replace(strings.TrimLeft(key, "-")))
		out[key] = r.value(path+"."+key, strings.TrimPrefix(name+"_"+v, "_"), m[key], under || secret(key))
	}
	return out
}

func (r *restorer) value(path, name string, v any, under bool) any {
	switch v := v.(type) {
	case map[string]any:
		return r.mapping(path, name, v, under)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			n := strconv.Itoa(i)
			out[i] = r.value(path+"."+n, name+"_"+n, v[i], under)
		}
		return out
	case string:
		switch {
		case under && v == redacted:
			return r.ask(path, name, redacted)
		case v != redacted && strings.Contains(v, redacted):
			r.list = append(r.list, Restored{Path: path})
		}
	}
	return v
}
