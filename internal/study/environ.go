package study

import (
	"slices"
	"strings"
)

// prefix of the variables that set keys.
const prefix = "LLEM_"

// others are variables, or beginnings of some, that are no keys and are read
// elsewhere.
var others = []string{"LOCK_DIR", "POWERCAP", "PYTHON", "STANDIN", "TEST"}

// secretVariables hold what no file does: see engine.api_key_file and
// engine.headers_file.
var secretVariables = []string{"API_KEY", "HEADERS"}

// variable is the name under which the environment sets a key.
func variable(path string) string { return strings.ToUpper(strings.ReplaceAll(path, ".", "_")) }

// Environ turns LLEM_WORKLOAD_PROMPTS=5 into workload.prompts: 5, for every key
// of the experiment file and of a study's execution. A blank value is an error, and so is a name that is
// close to a key's, since nothing else would tell of the misspelling; others of
// that prefix are not ours to judge.
func Environ(environ []string) ([]Set, error) {
	paths, names := map[string]string{}, []string{}
	for _, k := range slices.Concat(keys, executionKeys) {
		paths[variable(k.path)] = k.path
		names = append(names, strings.ToLower(variable(k.path)))
	}
	for _, name := range secretVariables {
		names = append(names, strings.ToLower(name))
	}
	var sets []Set
	var issues problems
	for _, v := range environ {
		source, value, _ := strings.Cut(v, "=")
		name, ours := strings.CutPrefix(source, prefix)
		path, known := paths[name]
		switch {
		case !ours:
		case known && strings.TrimSpace(value) == "":
			issues.add(Problem{Source: source, Path: path, Message: "blank: give a value or unset it"})
		case known:
			sets = append(sets, Set{Path: path, Value: value, Source: source})
		case elsewhere(name):
		default:
			if near := closest(name, names); near != "" {
				issues.add(Problem{Source: source, Message: "sets no key; did you mean " + prefix + strings.ToUpper(near) + "? Else unset it"})
			}
		}
	}
	return sets, issues.err()
}

// closest is the key's variable that name is close to, or the first of the group
// that it names, or whose end it is.
func closest(name string, names []string) string {
	if near := nearest(name, names); near != "" {
		return near
	}
	for _, n := range names {
		if strings.HasPrefix(n, strings.ToLower(name)+"_") || strings.HasSuffix(n, "_"+strings.ToLower(name)) {
			return n
		}
	}
	return ""
}

func elsewhere(name string) bool {
	if slices.Contains(secretVariables, name) {
		return true
	}
	for _, o := range others {
		if name == o || strings.HasPrefix(name, o+"_") {
			return true
		}
	}
	return false
}
