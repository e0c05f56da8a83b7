package study

import "regexp"

// studySchemas are the schemas of a study's own keys. Of alternatives they say
// no more than that they are mappings.
func studySchemas() map[string]any {
	out := map[string]any{}
	for _, k := range keys {
		if k.study {
			out[k.path] = map[string]any{"description": k.doc}
		}
	}
	base, sweep, list := out["base"].(map[string]any), out["sweep"].(map[string]any), out["experiments"].(map[string]any)
	base["type"], base["minLength"] = []string{"string", "null"}, 1
	sweepSchema(sweep)
	list["type"], list["minItems"], list["items"] = []string{"array", "null"}, 1, objectOf(keys, key.changed)
	execution := objectOf(executionKeys, key.schema)["properties"].(map[string]any)["execution"].(map[string]any)
	execution["description"] = out["execution"].(map[string]any)["description"]
	execution["type"] = []string{"object", "null"}
	out["execution"] = execution
	return out
}

// sweepSchema is an object of axes by path, and alternatives by other names.
func sweepSchema(s map[string]any) {
	listOf := func(item any) map[string]any {
		return map[string]any{"type": "array", "minItems": 1, "items": item}
	}
	axes, within := map[string]any{}, map[string]any{}
	for _, k := range keys {
		for _, group := range parents(k.path) {
			axes[group] = false
		}
		switch {
		case k.study || k.path == "name" || k.kind == strs || k.kind == anys:
			axes[k.path] = false
		default:
			axes[k.path] = listOf(k.schema())
		}
		if k.kind == strs || k.kind == anys {
			within["^"+regexp.QuoteMeta(k.path)+`\..`] = listOf(k.part())
		}
	}
	delete(within, "^sweep\\..")
	delete(within, "^execution\\..")
	s["type"], s["minProperties"] = []string{"object", "null"}, 1
	s["properties"], s["patternProperties"] = axes, within
	s["additionalProperties"] = listOf(map[string]any{"type": "object"})
}

// part is one value below a key that is a mapping; null takes it out.
func (k key) part() map[string]any {
	scalar := []string{"string", "number", "boolean"}
	switch {
	case k.kind == strs:
		return k.pattern(map[string]any{"type": append(scalar, "null")})
	case k.path == bodyPath:
		return map[string]any{"type": append(scalar, "null", "array")}
	}
	return map[string]any{"type": append([]string{"null", "array"}, scalar...), "items": map[string]any{"type": scalar}}
}

// changed is the key in one of a study's experiments, where null takes a part of
// a mapping out.
func (k key) changed() map[string]any {
	s := k.schema()
	if (k.kind == strs || k.kind == anys) && k.path != bodyPath {
		s["additionalProperties"] = k.part()
	}
	return s
}
