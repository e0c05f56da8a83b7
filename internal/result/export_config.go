package result

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// ConfigValues are the values of a record's configuration by their keys, such as
// workload.load.concurrency: strings, numbers and booleans, and lists as JSON.
// Keys that say nothing are missing, and so are those that config_hash leaves out:
// name, output folder, pull policy.
func (r *Record) ConfigValues() map[string]any {
	out := map[string]any{}
	config, _ := r.Config.(map[string]any)
	configValues(out, "", config)
	maps.DeleteFunc(out, func(key string, _ any) bool {
		return key == "name" || key == "engine.pull" || strings.HasPrefix(key, "output.")
	})
	return out
}

func configValues(out map[string]any, path string, v any) {
	switch v := v.(type) {
	case nil:
	case map[string]any:
		for key, inner := range v {
			configValues(out, strings.TrimPrefix(path+"."+key, "."), inner)
		}
	case []any:
		if text, err := json.Marshal(v); err == nil && len(v) > 0 { // it came from JSON
			out[path] = string(text)
		}
	case string:
		if v != "" {
			out[path] = v
		}
	default:
		out[path] = v
	}
}

// Differing are the keys, in order, at which some of the maps differ. Each value is
// looked at once.
func Differing(list []map[string]any) []string {
	type seen struct {
		first   any
		times   int
		differs bool
	}
	keys := map[string]*seen{}
	for _, m := range list {
		for k, v := range m {
			s := keys[k]
			if s == nil {
				s = &seen{first: v}
				keys[k] = s
			}
			s.times++
			s.differs = s.differs || v != s.first
		}
	}
	maps.DeleteFunc(keys, func(_ string, s *seen) bool { return !s.differs && s.times == len(list) })
	return slices.Sorted(maps.Keys(keys))
}
