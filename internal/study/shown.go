package study

import (
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// shown are a file's lines as an error may show them: each character of a secret
// is a star, so that columns stay. They are empty where the secrets cannot be
// found.
func shown(data []byte, root *yaml.Node) []string {
	l := newLayout(data, root)
	nodes := secretNodes(root)
	spans, ok := l.spans(nodes)
	out := make([]string, len(l.lines))
	if !ok {
		return out
	}
	for i := range l.lines {
		from, to := l.bounds(i + 1)
		var b strings.Builder
		for at, r := range string(data[from:to]) {
			if slices.ContainsFunc(spans, func(s span) bool { return from+at >= s.from && from+at < s.to }) {
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
		out[i] = comment.ReplaceAllStringFunc(text, cutSecret)
	}
	return out
}

// guessed are the lines of a file that is not YAML: no more is shown from the
// first secret's name on, since nobody knows where its value ends.
func guessed(data []byte) []string {
	l := newLayout(data, nil)
	out := make([]string, len(l.lines))
	for i := range out {
		from, to := l.bounds(i + 1)
		text := string(data[from:to])
		out[i] = cutSecret(text)
		if secretAt(text) >= 0 {
			break
		}
	}
	return out
}
