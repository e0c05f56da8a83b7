package study

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Schema is the JSON Schema (2020-12) of the experiment file and the study file.
func Schema() []byte {
	root := objectOf(keys, key.schema)
	root["$schema"], root["title"] = "https://json-schema.org/draft/2020-12/schema", "llem experiment or study"
	root["patternProperties"] = map[string]any{"^x-": map[string]any{"description": "Holds anchors, and means nothing else."}}
	for name, s := range studySchemas() {
		root["properties"].(map[string]any)[name] = s
	}
	root["dependentSchemas"] = map[string]any{"execution": map[string]any{"anyOf": []any{
		map[string]any{"required": []string{"sweep"}}, map[string]any{"required": []string{"experiments"}},
	}}}
	data, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		panic("study: schema: " + err.Error()) // maps of strings and numbers always encode
	}
	return append(data, '\n')
}

// objectOf is a mapping of these keys, nested by their paths, and of no others.
// Keys of a study are left out.
func objectOf(keys []key, schema func(key) map[string]any) map[string]any {
	object := func() map[string]any {
		return map[string]any{"type": "object", "additionalProperties": false, "properties": map[string]any{}}
	}
	root := object()
	for _, k := range keys {
		if k.study {
			continue
		}
		at := root
		names := strings.Split(k.path, ".")
		for _, group := range names[:len(names)-1] {
			props := at["properties"].(map[string]any)
			if props[group] == nil {
				props[group] = object()
			}
			at = props[group].(map[string]any)
		}
		at["properties"].(map[string]any)[names[len(names)-1]] = schema(k)
	}
	return root
}

// schema describes one key's value.
func (k key) schema() map[string]any {
	s := map[string]any{"description": k.doc}
	if k.later {
		s["description"], s["enum"] = k.doc+" Not in this version.", []any{nil}
		return s
	}
	s["type"] = []string{"string"}
	scalar := []string{"string", "number", "boolean"}
	switch k.kind {
	case integer:
		s["type"] = []string{"integer"}
	case number:
		s["type"] = []string{"number"}
	case boolean:
		s["type"] = []string{"boolean"}
	case list:
		s["type"], s["items"] = []string{"array"}, k.pattern(map[string]any{"type": scalar})
	case strs:
		s["type"], s["additionalProperties"] = []string{"object"}, k.pattern(map[string]any{"type": scalar})
	case anys:
		s["type"] = []string{"object"}
		k.restrict(s, scalar)
	case gpuList:
		delete(s, "type")
		index := map[string]any{"type": "integer", "minimum": 0, "maximum": 999}
		ids := "^(auto|none|" + gpuIDPattern + "( *, *" + gpuIDPattern + ")*)$"
		s["anyOf"] = []any{index, map[string]any{"type": "string", "pattern": ids}, map[string]any{
			"type": "array", "minItems": 1, "uniqueItems": true, "items": map[string]any{"anyOf": []any{index, map[string]any{"type": "string", "pattern": gpuID.String()}}},
		}}
	case size:
		s["type"], s["minimum"] = []string{"string", "number"}, 1
		k.pattern(s)
	default:
		if k.pattern(s); k.digits {
			s["type"], s["minimum"] = []string{"string", "integer"}, 0
		}
	}
	k.values(s)
	return s
}

// values adds range, choice and default.
func (k key) values(s map[string]any) {
	if k.max > k.min {
		s["minimum"], s["maximum"] = k.min, k.max
	}
	null := k.def == nil || k.path == "energy.backend" // see blank
	if k.enum != nil {
		values := []any{}
		for _, v := range k.enum {
			values = append(values, v)
		}
		if null {
			values = append(values, nil)
		}
		s["enum"] = values
	}
	if types, ok := s["type"].([]string); ok && null {
		s["type"] = append(types, "null")
	}
	if k.def != nil {
		s["default"] = k.def
	}
}

// restrict says what may stand in a mapping of anything.
func (k key) restrict(s map[string]any, scalar []string) {
	if k.path == "engine.args" {
		s["additionalProperties"] = map[string]any{"type": append([]string{"array", "null"}, scalar...), "items": map[string]any{"type": scalar}}
		return
	}
	properties := map[string]any{}
	for _, name := range owned {
		properties[name] = false
	}
	s["properties"] = properties
}

func (k key) pattern(s map[string]any) map[string]any {
	if k.match != nil {
		s["pattern"] = k.match.String()
	}
	return s
}

// Reference is docs/config.md: every key with its default, range and meaning.
func Reference() []byte {
	var b strings.Builder
	b.WriteString("# The experiment file, and the study file\n\nGenerated from the table that the decoder uses (`go test ./internal/study -update`). `llem config schema` prints the same as a JSON Schema, `llem config init` a file to start from.\n\nEvery key can also be set by an environment variable: `workload.load.concurrency` is `LLEM_WORKLOAD_LOAD_CONCURRENCY`. A blank one is an error, and so is a name that is close to a key's. A flag wins over the environment, that over the file, that over `~/.config/llem/config.yaml`, that over the default.\n\nThe file is YAML 1.2 or JSON, in UTF-8. Anchors, aliases and merges (`<<`) are followed, and a key at the top that begins with `x-` holds them and means nothing else. `~/` at the beginning of a path is your home. llem fills in no variables: `${NAME}` in a file is an error; set the key when you run, such as `LLEM_MODEL=\"$NAME\"`, or, for what a shell in the container is to fill in, in `engine.container.entrypoint`.\n\n| key | default | allowed | meaning |\n|---|---|---|---|\n")
	for _, k := range keys {
		if !k.later {
			b.WriteString(k.row())
		}
	}
	b.WriteString("\nA file with `sweep` or `experiments` is a study: see [studies.md](studies.md). It has the keys above, which all of its experiments share, and these, of which the environment sets those of `execution` only:\n\n| key | default | allowed | meaning |\n|---|---|---|---|\n")
	for _, k := range slices.Concat(keys, executionKeys) {
		if k.study && k.path != "execution" || strings.HasPrefix(k.path, "execution.") {
			b.WriteString(k.row())
		}
	}
	return []byte(b.String())
}

// row is the key's line of the reference.
func (k key) row() string {
	return fmt.Sprintf("| `%s` | %s | %s | %s |\n", k.path, k.defaultText(), k.allowed(), strings.ReplaceAll(k.doc, "|", "\\|"))
}

func (k key) defaultText() string {
	switch {
	case k.note != "":
		return k.note
	case k.def == nil:
		return "none"
	}
	return fmt.Sprintf("`%v`", k.def)
}

func (k key) allowed() string {
	switch {
	case k.kind == gpuList:
		return "`auto`, `none`, or a list"
	case k.enum != nil:
		return "`" + strings.Join(k.enum, "`, `") + "`"
	case k.max > k.min:
		return plain(k.min) + " to " + plain(k.max)
	}
	return strings.TrimPrefix(strings.TrimPrefix(k.want(), "a "), "whole ")
}

// InitFile is an experiment file to start from.
func InitFile() []byte { return []byte(initFile) }

const initFile = `# One experiment. Run it with: llem run THIS_FILE
# Every key: docs/config.md, or llem config schema.
model: reference/small          # Hugging Face id, local directory, .gguf file, or reference/PRESET
engine:
  image: llem/reference         # built by make reference; or vllm, sglang, … (see llem engines) with a model of yours
  startup_timeout_seconds: 600
gpus: auto                      # auto, none, or a list such as [0, 1]
workload:
  source: synthetic             # or a .jsonl file with a prompt in each line
  prompts: 100
  max_input_tokens: 256
  max_output_tokens: 256
  load: {pattern: closed, concurrency: 4}
baseline: {duration_seconds: 30}
warmup: {n_warmup: 5, thermal_floor_seconds: 60}
energy: {backend: auto}         # auto, nvml, zeus, codecarbon, or none
output: {dir: results}
`
