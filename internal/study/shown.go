package study

import (
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// shown returns a file's lines, counted from 1, as an error may show them: each
// character of a secret is a star, so that columns stay. They are empty where
// the secrets cannot be found.
func shown(data []byte, root *yaml.Node) func(line int) string {
	l := newLayout(data, root)
	nodes := secretNodes(root)
	spans, ok := l.spans(nodes)
	return func(line int) string {
		if !ok || line > len(l.lines) {
			return ""
		}
		from, to := l.bounds(line)
		here := slices.DeleteFunc(slices.Clone(spans), func(s span) bool { return s.to <= from || s.from >= to })
		var b strings.Builder
		for at, r := range string(data[from:to]) {
			if slices.ContainsFunc(here, func(s span) bool { return from+at >= s.from && from+at < s.to }) {
				r = '*'
			}
			b.WriteRune(r)
		}
		text := b.String()
		for _, n := range nodes {
			if len(n.Value) >= sure {
				text = strings.ReplaceAll(text, n.Value, strings.Repeat("*", utf8.RuneCountInString(n.Value)))
			}
		}
		text = comment.ReplaceAllStringFunc(text, cutSecret)
		if at := secretAt(text); at >= 0 && !strings.HasPrefix(strings.Trim(text[at:], `"' `), "*") && strings.Trim(text[at:], " {[&|>-") != "" {
			text = cutSecret(text) // a value of another form than its key's: HF_TOKEN=… in a list
		}
		text = account.ReplaceAllStringFunc(text, func(s string) string {
			m := account.FindStringSubmatchIndex(s)
			return s[:m[2]] + strings.Repeat("*", utf8.RuneCountInString(s[m[2]:m[3]])) + s[m[3]:]
		})
		text, _ = cutShapes(text)
		return text
	}
}

// account is the user and the password of an engine.endpoint in whatever form.
var account = regexp.MustCompile(`endpoint["']?\s*:\s*["']?([^"'}]+)@`)

// guessed is shown for a file that is not YAML: from the first secret's name on
// the lines are empty, since nobody knows where its value ends.
func guessed(data []byte) func(line int) string {
	l := newLayout(data, nil)
	return func(line int) string {
		for i := 1; i <= min(line, len(l.lines)); i++ {
			from, to := l.bounds(i)
			text := string(data[from:to])
			switch named := secretAt(text) >= 0; {
			case i == line:
				text, _ = cutShapes(cutSecret(text))
				return text
			case named:
				return ""
			}
		}
		return ""
	}
}
