package study

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v4"
)

var (
	// ${NAME}, ${NAME:-other}, ${oc.env:NAME}, $NAME in capitals, $(command).
	variableIn = regexp.MustCompile(`\$\{\s*[^}:\s-]*[^}]*\}|\$\([^)]+\)|^\$[A-Z_][A-Z0-9_]*`)
	whole      = regexp.MustCompile(`^\$\{[^}]*\}$`)
	nameIn     = regexp.MustCompile(`^\$[{(]?\s*(?:oc\.env:|env[:.])?([A-Za-z_][A-Za-z0-9_]*)`)
	template   = regexp.MustCompile(`\{\{.*\}\}|<%.*%>`)
	curly      = regexp.MustCompile("^[“”‘’„«»]|[“”‘’»]$|\u00a0")
	windows    = regexp.MustCompile(`^[A-Za-z]:\\`)
)

// literal refuses a text that is not what its writer means by it, since llem takes
// it as it is written: variables and templates that something else fills in, and
// escapes and quotes that YAML reads otherwise. Flags and the environment come
// from a shell, which has filled them in. at is the value's path.
func (r *reader) literal(k key, at string, v *yaml.Node) bool {
	if r.own || r.layer.line == nil || v.Kind != yaml.ScalarNode || k.path == "engine.container.entrypoint" {
		return true
	}
	in := variableIn.FindString(v.Value)
	if k.path == bodyPath {
		in = whole.FindString(v.Value)
	}
	why := ""
	switch {
	case in != "":
		why = unfilled(k, at, in)
	case k.kind == anys || k.kind == strs:
	default:
		why = misread(v)
	}
	if why != "" {
		r.bad(v, at, "%s", why)
	}
	return why == ""
}

// unfilled says how a value that a variable holds is given.
func unfilled(k key, at, in string) string {
	name := "NAME"
	if m := nameIn.FindStringSubmatch(in); m != nil {
		name = m[1]
	}
	if !strings.HasPrefix(in, "$(") {
		in = "${" + name + "}" // what follows a name may be a secret
	}
	own := fmt.Sprintf("set it when you run: %s%s=\"$%s\" llem run …", prefix, variable(k.path), name)
	if k.kind == list {
		own = fmt.Sprintf("set the list when you run: %s%s=\"[…]\" llem run …", prefix, variable(k.path))
	}
	if entry := strings.TrimPrefix(at, k.path+"."); k.kind == strs || k.kind == anys {
		own = fmt.Sprintf("set it when you run: %s%s=\"{%s: '$%s'}\" llem run …, in place of the whole %s", prefix, variable(k.path), entry, name, k.path)
		if slices.Contains([]string{"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"}, entry) {
			own = "leave it out: llem hands its own Hugging Face token on to an engine that needs one"
		}
	}
	return fmt.Sprintf("%s would be taken as it is written: llem fills in no variables in its files. Write the value, or %s", in, own)
}

// misread says what is odd about a text of one line; empty: nothing.
func misread(v *yaml.Node) string {
	if i := strings.IndexFunc(v.Value, unicode.IsControl); i >= 0 {
		return fmt.Sprintf("holds the control character %s; in double quotes \\ begins an escape: write the text in single quotes", strconv.QuoteRune(rune(v.Value[i])))
	}
	switch {
	case template.MatchString(v.Value):
		return fmt.Sprintf("%q is of a template that nothing fills in: write the value", v.Value)
	case curly.MatchString(v.Value):
		return fmt.Sprintf("%q has a typographic quote or space: write plain ones", v.Value)
	case windows.MatchString(v.Value):
		return fmt.Sprintf("%q is a path of Windows: llem runs on Linux; in WSL it is /mnt/%s/…", v.Value, strings.ToLower(v.Value[:1]))
	}
	return ""
}

// tagged says that a value's tag asks for something; empty: it does not.
func tagged(v *yaml.Node) string {
	if own := strings.HasPrefix(v.Tag, "!") && !strings.HasPrefix(v.Tag, "!!"); own || strings.HasPrefix(v.Tag, "!!python") {
		return fmt.Sprintf("the tag %s asks for something that llem does not do: write the value itself", v.Tag)
	}
	return ""
}

// local says whether a model is a path: relative to a file, or in the user's home.
func local(model string) bool {
	return strings.HasPrefix(model, "./") || strings.HasPrefix(model, "../") || strings.HasPrefix(model, "~/")
}

// fromHome is a path that begins with ~/ as the shell would have it.
func fromHome(path string) string {
	rest, ok := strings.CutPrefix(path, "~/")
	if home, err := os.UserHomeDir(); ok && err == nil {
		return filepath.Join(home, rest)
	}
	return path
}

var (
	grouped  = regexp.MustCompile(`^\d{1,3}(,\d{3})+$`)
	unit     = regexp.MustCompile(`^(\d+(?:\.\d+)?) ?(ms|s|sec|seconds?|m|min|minutes?|h|hours?|k|K|M)$`)
	seconds  = map[string]float64{"ms": 0.001, "s": 1, "sec": 1, "second": 1, "seconds": 1, "m": 60, "min": 60, "minute": 60, "minutes": 60, "h": 3600, "hour": 3600, "hours": 3600}
	multiple = map[string]float64{"k": 1e3, "K": 1e3, "M": 1e6}
	octal    = regexp.MustCompile(`^[-+]?0[0-9]`)
	words01  = map[string]string{"yes": "true", "on": "true", "y": "true", "true": "true", "no": "false", "off": "false", "n": "false", "false": "false"}
)

// numberHint says how a value is written that was meant as a number.
func (k key) numberHint(v *yaml.Node) string {
	text := strings.TrimSpace(v.Value)
	m := unit.FindStringSubmatch(text)
	_, err := strconv.ParseFloat(text, 64)
	switch {
	case strings.Contains(strings.ToLower(text), "inf") && k.path == "workload.load.rate_per_second":
		return "; to send as fast as the server answers, use pattern: closed with a concurrency"
	case strings.Contains(strings.ToLower(text), "inf"):
		return "; leave the key out for no limit"
	case v.Tag == "!!str" && err == nil:
		return ": write it without quotes"
	case grouped.MatchString(text):
		return ": write " + strings.ReplaceAll(text, ",", "")
	case m == nil:
		return ""
	}
	n, _ := strconv.ParseFloat(m[1], 64) // the pattern lets only numbers in
	if s, ok := seconds[m[2]]; ok && strings.HasSuffix(k.path, "_seconds") {
		return fmt.Sprintf(": write %s, in seconds", plain(n*s))
	}
	if s, ok := seconds[m[2]]; ok && strings.HasSuffix(k.path, "_ms") {
		return fmt.Sprintf(": write %s, in milliseconds", plain(n*s*1000))
	}
	if s, ok := multiple[m[2]]; ok {
		return ": write " + plain(n*s)
	}
	return ""
}

// octalHint refuses a whole number that begins with 0: YAML reads it as octal, and
// people as decimal.
func octalHint(v *yaml.Node) string {
	if v.Tag != "!!int" || !octal.MatchString(v.Value) {
		return ""
	}
	return fmt.Sprintf("%s begins with 0, which YAML reads as octal: write %s", v.Value, strings.TrimLeft(v.Value, "+-0"))
}

// shapeHint says where a list is written that a key does not take.
func (k key) shapeHint(v *yaml.Node) string {
	if v.Kind == yaml.SequenceNode {
		return fmt.Sprintf("; to run one after the other write sweep: {%s: […]} (docs/studies.md)", k.path)
	}
	if v.Kind == yaml.MappingNode && v.Style&yaml.FlowStyle != 0 && len(v.Content) > 0 && v.Content[0].Kind == yaml.MappingNode {
		return "; {{ }} is of a template that nothing fills in: write the value"
	}
	return ""
}
