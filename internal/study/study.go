package study

import (
	"cmp"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// maxPoints and maxRuns bound what one study may be.
const (
	maxPoints = 100_000
	maxRuns   = 1_000_000
)

// Study is a study file, read and checked. Plan expands it.
type Study struct {
	Name      string    // names the results' folder; file-safe
	Execution Execution // as the file has it

	shared   *decoder // what all points have
	dir      string   // paths of the file are relative to it
	axes     []axis   // of the sweep; empty: there is none
	explicit []option
	swept    bool
	secrets  []string // never printed
}

// IsStudy says whether a file holds keys of a study. One that cannot be read is
// none, and Decode says why.
func IsStudy(data []byte) bool {
	root, err := parse(data)
	if err != nil || root == nil || root.Kind != yaml.MappingNode {
		return false
	}
	for _, p := range entries(root) { // Decode says what is wrong with them
		k, _ := row(p.key.Value)
		v := p.value
		if says := v.Tag != "!!null" || v.Value == ""; k.study && says {
			return true
		}
	}
	return false
}

// DecodeStudy reads a study file. name is how errors call it; relative paths in
// it are relative to its folder. The files that it names as base are read. Env
// and Flags stand above what all points share; one that sets what the points
// differ in is refused. Every problem is reported at once; what is wrong with
// single points only is in the plan.
func DecodeStudy(name string, data []byte, opt Options) (*Study, error) {
	d := newDecoder(opt.Quick)
	d.in.own = opt.Own
	s := &Study{Execution: defaultExecution(opt.Quick), shared: d, dir: filepath.Dir(name)}
	readable := true
	if opt.User != nil {
		readable = d.file(opt.User.Source, opt.User.Data)
	}
	d.parts = map[string]pair{}
	readable = stack{d, map[string]bool{}}.read(name, data, []string{identity(name)}) && readable
	switch {
	case !readable:
	case repeated(opt.Flags):
		s.repeat(d.parts)
	default:
		s.parts(d.parts)
	}
	d.parts = nil
	for _, set := range slices.Concat(opt.Env, opt.Flags) {
		s.set(set)
	}
	d.in.layer = place{source: name}
	if err := d.in.issues.err(); err != nil {
		return nil, err
	}
	s.Name = d.e.Name
	switch {
	case repeated(opt.Flags): // the names of the one experiment
		s.Name = cmp.Or(s.Name, defaultName(d.e))
		s.explicit[0].name = s.Name
	case s.Name == "":
		base := filepath.Base(name)
		s.Name = safe(strings.TrimSuffix(base, filepath.Ext(base)), "study")
	}
	_, values := d.e.redact()
	s.secrets = append(s.secrets, values...)
	return s, nil
}

// parts reads the study's own keys, all of one file.
func (s *Study) parts(parts map[string]pair) {
	in := &s.shared.in
	v := variants{in: in, blanks: newDecoder(s.shared.quick)}
	sweep, swept := parts["sweep"]
	list, listed := parts["experiments"]
	if !swept && !listed {
		in.bad(nil, "", "the file has keys of a study (%s) and neither sweep nor experiments, which say what differs; `experiments: [{}]` runs the one experiment in every cycle", strings.Join(sorted(parts), ", "))
	}
	if swept {
		s.swept, s.axes = true, v.sweep(sweep)
		s.secrets = append(s.secrets, secretTexts(sweep)...)
	}
	if listed {
		s.explicit = v.explicit(list)
		s.secrets = append(s.secrets, secretTexts(list)...)
	}
	if x, ok := parts["execution"]; ok {
		s.Execution.read(in, x.value)
	}
	if swept {
		s.size(sweep.key)
	}
	if n := s.grid() + len(s.explicit); listed && n > maxPoints && s.grid() <= maxPoints {
		in.bad(list.key, "experiments", "with those of the sweep they are %d points, and a study has at most %d", n, maxPoints)
	}
}

// size refuses more points than a plan can have.
func (s *Study) size(at *yaml.Node) {
	factors := make([]string, len(s.axes))
	for i, a := range s.axes {
		factors[i] = fmt.Sprint(len(a.options))
	}
	if s.grid() > maxPoints {
		s.shared.in.bad(at, "sweep", "its axes multiply to %s points, and a study has at most %d", strings.Join(factors, " × "), maxPoints)
	}
}

// grid is the number of points of the sweep, or more than maxPoints.
func (s *Study) grid() int {
	if !s.swept {
		return 0
	}
	n := 1
	for _, a := range s.axes {
		n = times(n, len(a.options))
	}
	return n
}

// times multiplies numbers of points and stops above maxPoints.
func times(a, b int) int { return min(a*min(b, maxPoints+1), maxPoints+1) }

// set applies a value from a flag or the environment.
func (s *Study) set(v Set) {
	d := s.shared
	d.in.layer = place{source: v.Source}
	if name, ok := strings.CutPrefix(v.Path, "execution."); ok {
		k, _ := executionRow(v.Path)
		s.Execution.readKey(&d.in, v.Path, pair{&yaml.Node{Value: name}, v.node(k.kind)})
		return
	}
	if k, _ := row(v.Path); k.study {
		d.in.bad(nil, v.Path, "belongs in the study's file")
		return
	}
	sets, ok := d.meant(v)
	for _, m := range sets {
		if ok {
			s.shares(m)
		}
	}
}

// shares applies a value that all points share.
func (s *Study) shares(v Set) {
	d := s.shared
	for _, o := range s.options() {
		for _, c := range o.changes {
			if c.path == v.Path || strings.HasPrefix(c.path, v.Path+".") {
				d.in.bad(nil, v.Path, "is what the study's points differ in; leave it out here, or there")
				return
			}
		}
	}
	d.one(v)
}

// options are those of all axes, and the experiments.
func (s *Study) options() []option {
	var out []option
	for _, a := range s.axes {
		out = append(out, a.options...)
	}
	return append(out, s.explicit...)
}

func secretTexts(p pair) []string {
	var out []string
	root := &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{p.key, p.value}}
	for _, n := range secretNodes(root) {
		out = append(out, n.Value)
	}
	return out
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
