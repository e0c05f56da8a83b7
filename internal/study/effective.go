package study

import (
	"path/filepath"
	"reflect"
	"strings"

	"github.com/aymanbagabas/go-udiff"
	"go.yaml.in/yaml/v4"
)

// EffectiveYAML is the study as one file that stands for itself: what all points
// share with its bases, flags and environment merged in, and paths absolute, so that
// it plans the same from any folder. Keys that nobody set are left out, since
// defaults may depend on what a point changes. Secrets are redacted. That of a
// --quick study says so first.
func (s *Study) EffectiveYAML() []byte {
	root := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	put(root, []string{"name"}, s.Name)
	d := *s.shared
	d.e = d.e.Redacted()
	for _, k := range keys {
		if _, set := d.set[k.path]; set && !k.study && k.path != "name" {
			put(root, strings.Split(k.path, "."), s.anchored(k.path, d.field(k.path).Interface()))
		}
	}
	if s.swept {
		s.putSweep(root)
	}
	if len(s.explicit) > 0 {
		list := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		for _, o := range s.explicit {
			list.Content = append(list.Content, s.optionNode(o, false))
		}
		put(root, []string{"experiments"}, list)
	}
	for _, k := range executionKeys {
		s.putExecution(root, k)
	}
	data, err := yaml.Dump(root, yaml.WithIndent(2))
	if err != nil {
		panic("study: effective study: " + err.Error()) // see digest
	}
	data = []byte(hide(string(Redact(data)), s.secrets))
	if d.quick {
		data = append([]byte("# written by a --quick study; run it with --quick\n"), data...)
	}
	return data
}

func (s *Study) putSweep(root *yaml.Node) {
	sweep := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	for _, a := range s.axes {
		values := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		for _, o := range a.options {
			if a.named {
				values.Content = append(values.Content, s.optionNode(o, true))
			} else {
				values.Content = append(values.Content, s.valueNode(o.changes[0]))
			}
		}
		put(sweep, []string{a.name}, values)
	}
	put(root, []string{"sweep"}, sweep)
}

// optionNode is what an option changes, by whole paths. In an alternative a list
// holds values, so that a value which is a list stands in one of its own.
func (s *Study) optionNode(o option, alternative bool) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	if o.name != "" {
		put(n, []string{"name"}, o.name)
	}
	for _, c := range o.changes {
		v := s.valueNode(c)
		if alternative && v.Kind == yaml.SequenceNode {
			v = &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Content: []*yaml.Node{v}}
		}
		put(n, []string{c.path}, v)
	}
	return n
}

// valueNode is a change's value; null takes out what is shared.
func (s *Study) valueNode(c change) *yaml.Node {
	holder := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	switch {
	case c.unset:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}
	case len(c.child) > 0:
		put(holder, []string{"v"}, c.value)
	default:
		put(holder, []string{"v"}, s.anchored(c.path, c.value))
	}
	return holder.Content[1]
}

func (s *Study) putExecution(root *yaml.Node, k key) {
	name := strings.TrimPrefix(k.path, "execution.")
	x := s.Execution
	switch {
	case name == "seed" && x.Seed == nil,
		name == "experiment_timeout_seconds" && x.ExperimentTimeoutSeconds == 0,
		name == "timeout_hours" && x.TimeoutHours == 0:
		return
	}
	put(root, []string{"execution", name}, fieldOf(reflect.ValueOf(&x).Elem(), name).Interface())
}

// anchored is a value whose path, if it is one, is absolute.
func (s *Study) anchored(path string, v any) any {
	switch v := v.(type) {
	case GPUs:
		return v.value()
	case string:
		switch {
		case path == "workload.source":
			return sourceAt(s.dir, v)
		case path == "model" && local(v), (path == "workload.load.file" || path == "workload.lengths.file") && v != "":
			return absolute(s.dir, v)
		}
	case []string:
		if path != "engine.container.mounts" {
			break
		}
		out := make([]string, len(v))
		for i, m := range v {
			source, rest, _ := strings.Cut(m, ":")
			if out[i] = m; !filepath.IsAbs(source) && rest != "" {
				out[i] = absolute(s.dir, source) + ":" + rest
			}
		}
		return out
	}
	return v
}

// Diff shows how a study's effective file has changed, as diff -u does; empty where
// it has not.
func Diff(before, after []byte) string {
	return udiff.Unified("as it was begun", "as it is now", string(before), string(after))
}
