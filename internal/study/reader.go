package study

import (
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"
)

// reader reads the nodes of one layer after the other, and collects what is wrong with
// them.
type reader struct {
	layer  place
	own    bool // see Options
	issues problems
	budget int // of values that aliases may still repeat
	depth  int // of the value that is read
}

// bad records a problem at a node of the layer that is read.
func (r *reader) bad(n *yaml.Node, path, format string, args ...any) {
	at := r.layer
	at.node = n
	r.badAt(at, path, format, args...)
}

func (r *reader) badAt(at place, path, format string, args ...any) {
	p := Problem{Source: at.source, Path: path, Message: fmt.Sprintf(format, args...)}
	if n := at.node; n != nil && n.Line > 0 && at.line != nil {
		p.Line, p.Column, p.Text = n.Line, n.Column, at.line(n.Line)
	}
	r.issues.add(p)
}

// unreadable says why a file is not YAML.
func (r *reader) unreadable(data []byte, err error) {
	var one *yaml.LoadError
	switch {
	case errors.Is(err, errNotUTF8), errors.Is(err, errTwoDocuments):
		r.bad(nil, "", "%v", err)
	case errors.As(err, &one) && one.Mark.Line > 0:
		r.layer.line = guessed(data)
		// A parser may have met the end only after the last line.
		line := min(one.Mark.Line, len(newLayout(data, nil).lines))
		hint := notYAML(data, line, one.Message)
		if hint != "" {
			hint = "; " + hint
		}
		r.bad(&yaml.Node{Line: line, Column: max(1, one.Mark.Column)}, "", "not YAML: %s%s", one.Message, hint)
	case errors.As(err, &one):
		r.bad(nil, "", "not YAML: %s", one.Message)
	default:
		r.bad(nil, "", "not YAML: %v", err)
	}
}

// enter counts values and their depth, since an alias can be in what it
// replaces, and aliases of aliases can be without end.
func (r *reader) enter(path string, n *yaml.Node) bool {
	switch r.budget--; {
	case r.depth == maxDepth:
		r.bad(n, path, "more than %d levels; does an alias stand in itself?", maxDepth)
		return false
	case r.budget == 0:
		r.bad(n, path, "aliases make more than %d values of the file", maxValues)
	}
	if r.budget > 0 {
		r.depth++
	}
	return r.budget > 0
}

func (r *reader) leave() { r.depth-- }

// pair is one entry of a mapping, its value followed through aliases.
type pair struct{ key, value *yaml.Node }

// pairs are a mapping's entries, then those that it merges in (<<) and does not
// have itself.
func (r *reader) pairs(path string, n *yaml.Node) (out []pair, good bool) {
	seen, merged := map[string]bool{}, []*yaml.Node{}
	good = true
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := target(n.Content[i]), target(n.Content[i+1])
		switch {
		case k.Tag == "!!merge" && v.Kind == yaml.SequenceNode:
			merged = append(merged, v.Content...)
			continue
		case k.Tag == "!!merge":
			merged = append(merged, v)
			continue
		case k.Kind != yaml.ScalarNode || k.Value == "":
			r.bad(k, path, "a key must be a word")
			good = false
			continue
		case seen[k.Value]:
			r.bad(k, strings.TrimPrefix(path+"."+k.Value, "."), "the key stands twice")
			good = false
			continue
		}
		seen[k.Value] = true
		out = append(out, pair{k, v})
	}
	for _, m := range merged {
		more, ok := r.merge(path, target(m))
		good = good && ok
		for _, p := range more {
			if !seen[p.key.Value] {
				seen[p.key.Value] = true
				out = append(out, p)
			}
		}
	}
	return out, good
}

func (r *reader) merge(path string, n *yaml.Node) ([]pair, bool) {
	if n.Kind != yaml.MappingNode {
		r.bad(n, path, "<< takes mappings")
		return nil, false
	}
	if !r.enter(path, n) {
		return nil, false
	}
	defer r.leave()
	return r.pairs(path, n)
}

// entries are the pairs of a file, without a word of what is wrong with them.
func entries(root *yaml.Node) []pair {
	pairs, _ := (&reader{budget: maxValues}).pairs("", root)
	return pairs
}
