package study

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// maxFile bounds an experiment file.
const maxFile = 1 << 20

// Set is one value from a flag or the environment.
type Set struct {
	Path   string
	Value  string // as YAML
	Source string // how an error names it: "--gpus", "LLEM_GPUS"
}

// Layer is a file below the experiment file: the user's own.
type Layer struct {
	Source string
	Data   []byte
}

// Options are what stands around the experiment file.
type Options struct {
	User  *Layer // lowest
	Env   []Set  // above the file
	Flags []Set  // highest
	Quick bool
	Own   bool // llem wrote the file: every text is meant as it is written
}

// ReadFile reads and decodes the file at path. An empty path is an empty file.
func ReadFile(path string, opt Options) (Experiment, []byte, error) {
	name, data, err := Read(path)
	if err != nil {
		return Experiment{}, nil, err
	}
	e, err := Decode(name, data, opt)
	return e, data, err
}

// Read reads an experiment's or a study's file, and says how errors call it. An
// empty path is an empty file.
func Read(path string) (name string, data []byte, err error) {
	if path == "" {
		return "command line", nil, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return "", nil, fmt.Errorf("read configuration: %w", err)
	}
	defer f.Close()
	if st, err := f.Stat(); err == nil && st.IsDir() {
		return "", nil, fmt.Errorf("read configuration: %s is a directory, not a file; name the YAML file in it", path)
	}
	data, err = io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return "", nil, fmt.Errorf("read configuration: %w", err)
	}
	if len(data) > maxFile {
		return "", nil, fmt.Errorf("read configuration: %s is over 1 MiB", path)
	}
	return path, data, nil
}

// decoder fills an experiment layer by layer.
type decoder struct {
	in      reader
	e       Experiment
	set     map[string]place // by path: what set it
	refused map[string]bool  // by path: its value was reported already
	quick   bool
	parts   map[string]pair // the study's own keys; nil: an experiment has none
}

// place is where a value came from.
type place struct {
	source string
	line   func(int) string // as it may be shown; nil: there is no file
	node   *yaml.Node
}

// These bound what a file's aliases can make of it.
const (
	maxValues = 100_000
	maxDepth  = 100
)

// Decode reads an experiment file. name is how errors call it; relative paths
// in it are relative to its folder.
func Decode(name string, data []byte, opt Options) (Experiment, error) {
	d := newDecoder(opt.Quick)
	d.in.own = opt.Own
	readable := true
	if opt.User != nil {
		readable = d.file(opt.User.Source, opt.User.Data)
	}
	readable = d.file(name, data) && readable
	for _, s := range slices.Concat(opt.Env, opt.Flags) {
		d.given(s)
	}
	if readable { // what a file lacks that nobody could read is not known
		d.in.layer = place{source: name}
		d.dependent()
		d.check(filepath.Dir(name))
	}
	d.e.Quick = opt.Quick
	if err := d.in.issues.err(); err != nil {
		return Experiment{}, err
	}
	return d.e, nil
}

// newDecoder has every default and nothing else.
func newDecoder(isQuick bool) *decoder {
	d := &decoder{set: map[string]place{}, refused: map[string]bool{}, quick: isQuick, in: reader{budget: maxValues}}
	d.defaults(isQuick)
	return d
}

// defaults applies the table's.
func (d *decoder) defaults(isQuick bool) {
	for _, k := range keys {
		def := k.def
		if q, ok := quick[k.path]; ok && isQuick {
			def = q
		}
		if def == nil || k.later {
			continue
		}
		f := d.field(k.path)
		if k.kind == gpuList {
			d.e.GPUs.Mode = "auto"
			continue
		}
		f.Set(reflect.ValueOf(def).Convert(f.Type()))
	}
	d.e.Engine.Args, d.e.Engine.Env = map[string]any{}, map[string]string{}
	d.e.Engine.Container.Ulimits, d.e.Workload.ExtraBody = map[string]string{}, map[string]any{}
	d.e.Engine.Container.Mounts, d.e.Engine.Container.Devices, d.e.Engine.Container.Entrypoint = []string{}, []string{}, []string{}
}

// given applies a value from a flag or the environment, as it is meant.
func (d *decoder) given(s Set) {
	sets, ok := d.meant(s)
	for _, m := range sets {
		if ok {
			d.one(m)
		}
	}
}

// one applies a value to its key.
func (d *decoder) one(s Set) {
	d.in.layer = place{source: s.Source}
	k, ok := row(s.Path)
	switch {
	case strings.HasPrefix(s.Path, "execution."):
		d.in.bad(nil, s.Path, "belongs to a study, and this is one experiment")
		return
	case !ok:
		d.in.bad(nil, s.Path, "unknown key")
		return
	}
	n := s.node(k.kind)
	if s.Path == "energy.backend" && s.Value == "null" {
		n.Value = "none"
	}
	d.value(k, n, n)
}

// node is the value as YAML, where a key of that kind is not plain text.
func (s Set) node(of kind) *yaml.Node {
	if of != text && of != size {
		var doc yaml.Node
		if err := yaml.Load([]byte(s.Value), &doc); err == nil && len(doc.Content) == 1 {
			return doc.Content[0]
		}
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s.Value}
}

// field is the struct field at a path of yaml names.
func (d *decoder) field(path string) reflect.Value {
	return fieldOf(reflect.ValueOf(&d.e).Elem(), path)
}

func fieldOf(v reflect.Value, path string) reflect.Value {
	for name := range strings.SplitSeq(path, ".") {
		t := v.Type()
		for i := range t.NumField() {
			if t.Field(i).Tag.Get("yaml") == name || t.Field(i).Name == "GPUs" && name == "gpus" {
				v = v.Field(i)
				break
			}
		}
	}
	return v
}
