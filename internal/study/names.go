package study

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// What names of points keep to.
const (
	longestName  = 64
	longestValue = 24
)

// safe makes a text file-safe; what is left of it may be nothing, and then it
// is the other one.
func safe(text, other string) string {
	text = strings.Trim(unsafe.ReplaceAllString(text, "-"), "-._")
	if text == "" {
		return other
	}
	return text
}

// namer gives points names that are unique, whatever a file system makes of
// upper and lower case.
type namer struct {
	labels  map[string]string // of paths: the shortest ends that tell them apart
	options [][]string        // the parts of names, by axis and option
	secrets []string
	used    map[string]int // by name in lower case: how many were asked for
}

func newNamer(s *Study) *namer {
	n := &namer{labels: map[string]string{}, secrets: s.secrets, used: map[string]int{}}
	paths := map[string]bool{}
	for _, o := range s.options() {
		for _, c := range o.changes {
			paths[c.path] = true
		}
	}
	n.label(sorted(paths))
	for _, a := range s.axes {
		parts := make([]string, len(a.options))
		for i, o := range a.options {
			parts[i] = n.option(a, o)
		}
		n.options = append(n.options, parts)
	}
	return n
}

// label finds for each path the shortest end, from a dot on, that no other ends
// with.
func (n *namer) label(paths []string) {
	ends := func(path string) []string { // the longest first
		out := []string{path}
		for _, p := range parents(path) {
			out = append(out, path[len(p)+1:])
		}
		return out
	}
	count := map[string]int{}
	for _, p := range paths {
		for _, end := range ends(p) {
			count[end]++
		}
	}
	for _, p := range paths {
		n.labels[p] = p
		for _, end := range ends(p) {
			if count[end] == 1 {
				n.labels[p] = end
			}
		}
	}
}

// of is the name of point i. Axes of one value do not tell points apart, and are
// left out where others do.
func (n *namer) of(s *Study, i int) string {
	if j := i - s.grid(); j >= 0 {
		o := s.explicit[j]
		if o.name != "" {
			return n.unique(o.name)
		}
		return n.unique(strings.Join(n.changes(o.changes, "experiment-"+fmt.Sprint(j+1)), "_"))
	}
	vary := slices.ContainsFunc(s.axes, func(a axis) bool { return len(a.options) > 1 })
	var parts []string
	for a, o := range indices(s.axes, i) {
		if len(s.axes[a].options) > 1 || !vary {
			parts = append(parts, n.options[a][o])
		}
	}
	return n.unique(strings.Join(parts, "_"))
}

// option is an alternative's name and values, or a key's value.
func (n *namer) option(a axis, o option) string {
	if !a.named {
		return n.changes(o.changes, "")[0]
	}
	values := make([]string, len(o.changes))
	for i, c := range o.changes {
		values[i] = n.value(c)
	}
	if len(values) == 0 {
		values = []string{"base"}
	}
	return safe(a.name, "alternative") + "-" + strings.Join(values, "-")
}

func (n *namer) changes(list []change, none string) []string {
	if len(list) == 0 {
		return []string{none}
	}
	out := make([]string, len(list))
	for i, c := range list {
		out[i] = safe(n.labels[c.path], "key") + "-" + n.value(c)
	}
	return out
}

// value is a change's value: the last part of a path or an image, and no
// secret.
func (n *namer) value(c change) string {
	text := c.shown(n.secrets)
	if !strings.ContainsAny(text, "{[\" ") {
		text = path.Base(text)
	}
	text = safe(text, "x")
	if strings.HasPrefix(c.text(), "-") && len(text) > 0 && text[0] >= '0' && text[0] <= '9' {
		text = "minus" + text
	}
	return text[:min(len(text), longestValue)]
}

// shown is a change's value as it may be printed.
func (c change) shown(secrets []string) string {
	if !c.unset && secretPath(c.path) {
		return redacted
	}
	return hide(c.text(), secrets)
}

func (n *namer) unique(name string) string {
	if len(name) > longestName {
		name = strings.TrimRight(name[:longestName], "-._")
	}
	one := name
	for {
		n.used[strings.ToLower(name)]++
		if i := n.used[strings.ToLower(name)]; i > 1 {
			one = fmt.Sprintf("%s-%d", name, i)
		}
		if one == name || n.used[strings.ToLower(one)] == 0 {
			break
		}
	}
	if one != name {
		n.used[strings.ToLower(one)]++
	}
	return one
}
